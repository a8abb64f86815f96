//! One item that is an object, and the scores of its classes.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use serde::de::{MapAccess, SeqAccess};

use super::{
    super::{
        Text,
        inference::{Output, Prediction, confidence},
        meaning,
        walk::{self, At, Leaf, Name, Node, Number},
    },
    prediction,
};

/// Up to here, looking for a name among others beats hashing them.
const FEW: usize = 16;

/// What an object says of one item.
#[derive(Debug, Default)]
pub(in crate::decode) struct Item<'de> {
    pub(in crate::decode) prediction: Option<Prediction>,
    /// Its field is called so that it is a class, whatever number it is.
    pub(super) is_label: bool,
    /// The probability of it.
    pub(in crate::decode) share: Option<f64>,
    /// That is called its score: some servers mean the score of class 1, whatever was predicted.
    pub(in crate::decode) is_score: bool,
    /// Scores of all classes.
    pub(in crate::decode) shares: Shares<'de>,
    /// Every field, where all are numbers: they may be such scores themselves.
    pub(in crate::decode) map: Shares<'de>,
    /// The same of its only field, which takes no room on the heap.
    pub(super) lone: Option<(Cow<'de, str>, f64)>,
    /// Its only field is called so that what stands there is a text that was written.
    pub(super) is_text: bool,
    /// What its only field holds, under a name that says nothing.
    pub(super) only: Option<Found<'de>>,
}

impl<'de> Item<'de> {
    /// Reads the fields that are known under their usual names.
    pub(in crate::decode) fn read<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        match object.next_key_seed(Name)? {
            Some(first) => Self::read_from(first, object),
            None => Ok(Self::default()),
        }
    }

    /// The same, where the name of the first field was read.
    pub(super) fn read_from<A: MapAccess<'de>>(
        first: Cow<'de, str>,
        mut object: A,
    ) -> Result<Self, A::Error> {
        let mut fields = Fields::default();
        let mut next = Some(first);
        while let Some(name) = next {
            let role = Role::of(&name);
            let value = object.next_value_seed(At(Value { role }))?;
            fields.put(name, role, value);
            next = object.next_key_seed(Name)?;
        }
        Ok(fields.item())
    }
}

/// What a field of an item is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The class, or the number that was predicted.
    Prediction,
    /// The class; in a list, the classes.
    Label,
    /// The index of the class, beside its name.
    Id,
    /// Names of all classes, beside the predicted one or alone.
    Names,
    /// The probability of the predicted class, or of all.
    Share,
    Score,
    Other,
}

impl Role {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "prediction" | "predictions" => Self::Prediction,
            "label" | "class" | "classes" | "predicted_label" | "predicted_labels"
            | "predicted_class" | "class_name" | "className" | "closest_cluster"
            | "Scored Labels" => Self::Label,
            "class_id" | "class_ids" => Self::Id,
            "labels" | "all_classes" => Self::Names,
            "confidence" | "probability" | "prob" | "probabilities" | "probs" | "proba" => {
                Self::Share
            }
            "score" | "scores" => Self::Score,
            _ => Self::Other,
        }
    }
}

/// The fields of an item, as they come.
#[derive(Default)]
struct Fields<'de> {
    item: Item<'de>,
    /// Fields so far.
    count: usize,
    /// The first of them, where it is a number and no other is.
    first: Option<(Cow<'de, str>, f64)>,
    /// One of them is no number, or has a usual name.
    is_no_map: bool,
    id: Option<Prediction>,
    /// A list of labels: the predicted one, or the names of the scores.
    labels: Vec<Prediction>,
    /// Names of the scores, beside the predicted label.
    names: Vec<Prediction>,
}

impl<'de> Fields<'de> {
    fn put(&mut self, name: Cow<'de, str>, role: Role, value: Found<'de>) {
        self.count += 1;
        // of more than one, none is the only
        let is_first = self.count == 1;
        let says_nothing = !is_first || says_no_prediction(&name);
        let is_text = is_first && is_text(&name);
        let item = &mut self.item;
        match (role, value) {
            (Role::Other, value) => {
                match &value {
                    Found::Scalar(_, Some(share)) if !self.is_no_map => {
                        if is_first {
                            self.first = Some((name, *share));
                        } else {
                            let before = self.first.take().into_iter();
                            before.for_each(|(name, share)| item.map.push_name(name, share));
                            item.map.push_name(name, *share);
                        }
                    }
                    _ => self.is_no_map = true,
                }
                item.is_text = is_text;
                item.only = Some(value).filter(|_| !says_nothing);
                return;
            }
            (Role::Prediction, Found::Scalar(prediction, _)) => item.prediction = Some(prediction),
            (Role::Label | Role::Names, Found::Scalar(label, _)) => {
                item.prediction = Some(class(label));
                item.is_label = true;
            }
            (Role::Id, Found::Scalar(id, _)) => self.id = Some(class(id)),
            (Role::Id, Found::Words(ids)) => self.id = only(ids).map(class),
            (Role::Prediction, Found::Words(all)) => {
                item.prediction = only(all).or(item.prediction.take());
            }
            (Role::Label, Found::Words(labels)) => self.labels = labels,
            (Role::Names, Found::Words(names)) => self.names = names,
            (Role::Share | Role::Score, Found::Scalar(_, share)) => {
                item.share = share;
                item.is_score = role == Role::Score;
            }
            (Role::Share | Role::Score, Found::Shares(shares)) => item.shares = shares,
            _ => {}
        }
        self.is_no_map = true;
    }

    fn item(self) -> Item<'de> {
        let Self {
            mut item,
            count,
            first,
            is_no_map,
            id,
            mut labels,
            mut names,
        } = self;
        if is_no_map {
            item.map = Shares::default();
        } else {
            item.lone = first;
        }
        if count != 1 {
            item.only = None;
        }
        if item.prediction.is_none() && id.is_none() && labels.is_empty() {
            std::mem::swap(&mut labels, &mut names);
        }
        if let ([_], true) = (labels.as_slice(), item.prediction.is_none()) {
            item.prediction = labels.pop().map(class);
            item.is_label = true;
            item.share = item.share.or_else(|| item.shares.take_only());
        }
        item.share = item.share.or_else(|| item.shares.of(id.as_ref()?));
        item.shares.be_called(&names);
        item.shares.be_called(&labels);
        item.is_label |= item.prediction.is_none() && id.is_some();
        item.prediction = item.prediction.or(id);
        if item.prediction.is_none() && item.shares.is_empty() {
            // a score without a label
            item.prediction = item.share.take().map(Prediction::Value);
        }
        item
    }
}

/// Whether a field holds why there is no prediction, or which it is.
pub(in crate::decode) fn says_no_prediction(name: &str) -> bool {
    matches!(
        name,
        "error" | "errors" | "message" | "detail" | "reason" | "id" | "status"
    ) || name.ends_with("_id")
}

/// Whether a field holds what a model wrote, as pipelines of Hugging Face name it.
fn is_text(name: &str) -> bool {
    matches!(
        name,
        "generated_text" | "summary_text" | "translation_text" | "output_text" | "completion"
    )
}

/// A label that is a number is a class, also where it is written `1.0`.
pub(super) fn class(label: Prediction) -> Prediction {
    match label {
        Prediction::Value(value) if value.fract() == 0.0 => meaning::scalar(value, true),
        other => other,
    }
}

/// The only element.
fn only(mut all: Vec<Prediction>) -> Option<Prediction> {
    all.pop().filter(|_| all.is_empty())
}

/// Scores, each of one class.
#[derive(Debug, Default, Clone)]
pub(in crate::decode) struct Shares<'de> {
    /// As many as numbers, or none.
    names: Vec<Cow<'de, str>>,
    numbers: Vec<f64>,
}

impl<'de> Shares<'de> {
    pub(in crate::decode) fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Numbers without names, and nothing else.
    pub(super) fn are_numbers(&self) -> bool {
        !self.is_empty() && !self.has_names() && self.numbers.iter().all(|n| !n.is_nan())
    }

    /// Without names, and not numbers alone: scores of several items, perhaps.
    pub(in crate::decode) fn have_gaps(&self) -> bool {
        !self.is_empty() && !self.has_names() && !self.are_numbers()
    }

    pub(in crate::decode) fn has_names(&self) -> bool {
        !self.names.is_empty()
    }

    /// The number of the only one, finite.
    pub(in crate::decode) fn only_number(&self) -> Option<f64> {
        match self.numbers[..] {
            [number] => Some(number).filter(|number| number.is_finite()),
            _ => None,
        }
    }

    /// The only score, where it has no name.
    fn take_only(&mut self) -> Option<f64> {
        let is_only = self.len() == 1 && !self.has_names();
        self.numbers.pop_if(|_| is_only)
    }

    /// Gives scores without names these, if there is one for each.
    fn be_called(&mut self, names: &[Prediction]) {
        if names.is_empty() || names.len() != self.len() || self.has_names() {
            return;
        }
        let name = |name: &Prediction| match name.class() {
            Some(class) => Cow::Owned(class.into_owned()),
            None => Cow::Borrowed(""),
        };
        self.names = names.iter().map(name).collect();
    }

    pub(super) fn into_numbers(self) -> Vec<f64> {
        self.numbers
    }

    pub(super) fn labels(&self) -> Option<Vec<Text>> {
        let label = |name: &Cow<'_, str>| walk::cut(name).into();
        self.has_names()
            .then(|| self.names.iter().map(label).collect())
    }

    pub(super) fn push(&mut self, label: &Prediction, share: f64) {
        let name = label.class().map_or_else(String::new, Cow::into_owned);
        self.push_name(Cow::Owned(name), share);
    }

    pub(in crate::decode) fn push_name(&mut self, name: Cow<'de, str>, share: f64) {
        self.names.push(name);
        self.numbers.push(share);
    }

    /// Adds `[label, score]`; `false`: it is something else.
    pub(super) fn push_pair<A: SeqAccess<'de>>(&mut self, mut list: A) -> Result<bool, A::Error> {
        let role = Role::Other;
        let label = list.next_element_seed(At(Value { role }))?;
        let share = list.next_element_seed(At(Value { role }))?;
        let mut has_more = false;
        while list.next_element::<serde::de::IgnoredAny>()?.is_some() {
            has_more = true;
        }
        match (label, share) {
            (Some(Found::Scalar(label, _)), Some(Found::Scalar(_, Some(share)))) if !has_more => {
                self.push(&label, share);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Whether numbers by name are scores of classes. `best`: also if some classes are missing.
    pub(in crate::decode) fn is_ranking(&self, best: bool) -> bool {
        if best {
            return !self.is_empty() && self.numbers.iter().all(|n| confidence(*n).is_some());
        }
        self.len() > 1 && meaning::is_distribution(self.numbers.iter().copied())
    }

    /// The label with the largest score, the first of equal ones.
    pub(in crate::decode) fn best(&self) -> Output {
        let named = self.names.iter().zip(&self.numbers);
        let best = named.reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map_or_else(
            || Output::from(Prediction::Unknown),
            |(name, share)| Output::new(Prediction::named(name), Some(*share)),
        )
    }

    /// The score of what was predicted: by name, else by index. Where it is neither, the predicted class
    /// is taken for the most probable, if these are probabilities.
    pub(in crate::decode) fn of(&self, prediction: &Prediction) -> Option<f64> {
        if self.has_names() {
            let class = prediction.class()?;
            let at = self
                .names
                .iter()
                .rposition(|name| walk::cut(name) == class)?;
            let are_shares = self
                .numbers
                .iter()
                .all(|share| confidence(*share).is_some());
            return self.numbers.get(at).copied().filter(|_| are_shares);
        }
        meaning::share_of(prediction, &self.numbers, None)
    }

    /// Appends them in the order of `labels`; `NaN` for one that is not there.
    pub(super) fn append(&self, labels: Option<&[Text]>, numbers: &mut Vec<f64>) {
        let Some(labels) = labels.filter(|_| self.has_names()) else {
            return numbers.extend_from_slice(&self.numbers);
        };
        let names = self.names.iter().map(|name| walk::cut(name));
        if labels.iter().map(Text::as_str).eq(names) {
            return numbers.extend_from_slice(&self.numbers);
        }
        if labels.len() > FEW {
            return self.append_many(labels, numbers);
        }
        // where a label is there twice, all of them may be found and another be left over
        let is_label = |name: &Cow<'_, str>| labels.iter().any(|label| *label == *walk::cut(name));
        if !self.names.iter().all(is_label) {
            return numbers.extend(labels.iter().map(|_| f64::NAN));
        }
        for (place, label) in labels.iter().enumerate() {
            let is_it = |name: &Cow<'_, str>| walk::cut(name) == label.as_str();
            let at = match self.names.get(place) {
                Some(name) if is_it(name) => Some(place),
                _ => self.names.iter().rposition(is_it),
            };
            numbers.push(at.map_or(f64::NAN, |at| self.numbers[at]));
        }
    }
}

impl Shares<'_> {
    /// The same for so many that looking for each in another order would take too long.
    fn append_many(&self, labels: &[Text], numbers: &mut Vec<f64>) {
        let places = self.names.iter().zip(&self.numbers);
        let places: HashMap<&str, f64> = places.map(|(name, n)| (walk::cut(name), *n)).collect();
        let known: HashSet<&str> = labels.iter().map(Text::as_str).collect();
        let are_known = places.keys().all(|name| known.contains(name));
        let places = if are_known { places } else { HashMap::new() };
        let number = |label: &Text| places.get(label.as_str()).copied().unwrap_or(f64::NAN);
        numbers.extend(labels.iter().map(number));
    }
}

/// The place of scores: a list of them, or an object of classes with theirs.
#[derive(Default)]
pub(in crate::decode) struct SharesOf {
    /// How many there are at most, where that is known: room that grows is there twice.
    pub(in crate::decode) most: usize,
}

impl<'de> Node<'de> for SharesOf {
    type Found = Shares<'de>;

    fn leaf(self, _: Leaf<'_>) -> Shares<'de> {
        Shares::default()
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shares<'de>, A::Error> {
        let mut shares = Shares::default();
        shares.numbers.reserve_exact(self.most);
        while let Some(share) = list.next_element_seed(At(Number))? {
            shares.numbers.push(share.unwrap_or(f64::NAN));
        }
        Ok(shares)
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Shares<'de>, A::Error> {
        let mut shares = Shares::default();
        shares.names.reserve_exact(self.most);
        shares.numbers.reserve_exact(self.most);
        while let Some(name) = object.next_key_seed(Name)? {
            let share = object.next_value_seed(At(Number))?;
            shares.push_name(name, share.unwrap_or(f64::NAN));
        }
        Ok(shares)
    }
}

/// The value of a field of an item.
struct Value {
    role: Role,
}

#[derive(Debug)]
pub(super) enum Found<'de> {
    /// With its number, where it is one.
    Scalar(Prediction, Option<f64>),
    /// An object or a list.
    Shares(Shares<'de>),
    /// A list of classes.
    Words(Vec<Prediction>),
    Other,
}

impl<'de> Node<'de> for Value {
    type Found = Found<'de>;

    fn leaf(self, leaf: Leaf<'_>) -> Found<'de> {
        let number = leaf.number().filter(|number| number.is_finite());
        prediction(leaf).map_or(Found::Other, |value| Found::Scalar(value, number))
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Found<'de>, A::Error> {
        if matches!(self.role, Role::Share | Role::Score | Role::Other) {
            return SharesOf::default().list(list).map(Found::Shares);
        }
        let mut words = Vec::new();
        while let Some(word) = list.next_element_seed(At(Plain))? {
            words.push(word);
        }
        Ok(Found::Words(words))
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Found<'de>, A::Error> {
        SharesOf::default().object(object).map(Found::Shares)
    }
}

/// A class or number; what is neither is unknown.
struct Plain;

impl Node<'_> for Plain {
    type Found = Prediction;

    fn leaf(self, leaf: Leaf<'_>) -> Prediction {
        prediction(leaf).unwrap_or_default()
    }
}
