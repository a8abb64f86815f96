//! The items of an answer.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess};

use super::super::{
    Answer, DecodeError, Output, Pair, Prediction,
    inference::confidence,
    is_prediction_route, json,
    predictions::{self, Builder, Shares, SharesOf},
    walk::{self, At, Leaf, Name, Node, Word},
};

/// What no answer of this format lacks.
static PREDICTION: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("prediction"));

/// What the answer says; `None`: it is of another shape.
pub(super) fn read(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    let is_alone = pair.is_of_route(super::FORMAT);
    if !is_alone && pair.answers_object() && !pair.answers_with(&PREDICTION) {
        // whether it is JSON is told by those that read it
        return Ok(None);
    }
    // a row of the request has at least eight bytes (`{"a":1},`), so no true batch is refused
    let document = Document {
        bytes: pair.bytes(),
        takes_plain: is_prediction_route(pair.exchange),
    };
    let Some(Said {
        mut answer,
        is_wide,
    }) = walk::read(super::FORMAT, pair.response, document)?
    else {
        return Ok(None);
    };
    if is_wide
        && let Some(wide) = json::answer(super::FORMAT, pair)?
        && wide.raw.items() == answer.raw.items()
    {
        answer.raw = wide.raw;
    }
    Ok(Some(answer))
}

/// What the body says.
struct Said {
    answer: Answer,
    /// Scores stand beside it, item by item, which services of any kind have.
    is_wide: bool,
}

impl From<Answer> for Said {
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            is_wide: false,
        }
    }
}

/// The whole body.
#[derive(Clone, Copy)]
struct Document {
    /// Of both bodies.
    bytes: usize,
    /// A bare list of classes or numbers may be one of items.
    takes_plain: bool,
}

impl<'de> Node<'de> for Document {
    type Found = Option<Said>;

    fn leaf(self, _: Leaf<'_>) -> Option<Said> {
        None
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Option<Said>, A::Error> {
        let items = items(list, self.bytes, self.takes_plain)?;
        Ok(items.and_then(Items::bare).map(Said::from))
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Option<Said>, A::Error> {
        let mut found = fields(object, Some(self.bytes))?;
        let (model, version) = (found.model.take(), found.version.take());
        let predicted = std::mem::take(&mut found.predicted);
        let mut is_wide = found.is_wide;
        let answer = match predicted {
            Predicted::One(prediction) => {
                is_wide |= found.shares.have_gaps();
                let mut items = Items::within(self.bytes);
                found
                    .put(prediction, &mut items.builder)
                    .map_err(A::Error::custom)?;
                items.named(model, version)
            }
            Predicted::Many(mut items) => {
                is_wide |= !found.shares.is_empty();
                if let [only] = items.builder.outputs_mut()
                    && only.confidence().is_none()
                {
                    only.be_sure(found.confidence);
                }
                items.named(model, version)
            }
            Predicted::Absent | Predicted::Other => None,
        };
        Ok(answer.map(|answer| Said { answer, is_wide }))
    }
}

/// What an object of an answer says.
#[derive(Default)]
struct Fields<'de> {
    predicted: Predicted,
    confidence: Option<f64>,
    shares: Shares<'de>,
    /// What should be one score is several.
    is_wide: bool,
    model: Option<String>,
    version: Option<String>,
}

impl Fields<'_> {
    /// Adds what was predicted, as sure as the object says.
    fn put(
        self,
        prediction: Prediction,
        builder: &mut Builder,
    ) -> Result<(), predictions::TooLarge> {
        let confidence = self.confidence.or_else(|| self.shares.of(&prediction));
        builder.scores(self.shares);
        builder.output(Output::new(prediction, confidence))
    }
}

/// The value of `prediction` or `predictions`.
#[derive(Default)]
enum Predicted {
    #[default]
    Absent,
    One(Prediction),
    Many(Items),
    /// A shape that is not read.
    Other,
}

/// `bytes`: lists of items are looked into; `None` inside of one, so that they do not nest.
fn fields<'de, A: MapAccess<'de>>(
    mut object: A,
    bytes: Option<usize>,
) -> Result<Fields<'de>, A::Error> {
    let mut found = Fields::default();
    while let Some(name) = object.next_key_seed(Name)? {
        match &*name {
            "prediction" | "predictions" => {
                found.predicted = object.next_value_seed(At(Place { bytes }))?;
            }
            "confidence" => match object.next_value_seed(At(Share))? {
                Some(share) => found.confidence = share.or(found.confidence),
                None => found.is_wide = true,
            },
            "probability" | "prob" | "proba" | "score" => {
                match object.next_value_seed(At(Share))? {
                    Some(share) => found.confidence = found.confidence.or(share),
                    None => found.is_wide = true,
                }
            }
            "confidences" | "probs" | "scores" => {
                object.next_value::<IgnoredAny>()?;
                found.is_wide = true;
            }
            "probabilities" => found.shares = object.next_value_seed(At(SharesOf::default()))?,
            "model" | "model_name" => {
                let word = object.next_value_seed(At(Word))?;
                found.model = word.or(found.model);
            }
            "model_version" => found.version = object.next_value_seed(At(Word))?,
            _ => {
                object.next_value::<IgnoredAny>()?;
            }
        }
    }
    Ok(found)
}

/// The place of the probability of what was predicted; `None`: there are several.
struct Share;

impl Node<'_> for Share {
    type Found = Option<Option<f64>>;

    fn leaf(self, leaf: Leaf<'_>) -> Self::Found {
        match leaf {
            Leaf::List | Leaf::Object => None,
            leaf => Some(leaf.number().and_then(confidence)),
        }
    }
}

/// The place of `prediction` or `predictions`.
struct Place {
    bytes: Option<usize>,
}

impl<'de> Node<'de> for Place {
    type Found = Predicted;

    fn leaf(self, leaf: Leaf<'_>) -> Predicted {
        predictions::prediction(leaf).map_or(Predicted::Other, Predicted::One)
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Predicted, A::Error> {
        let Some(bytes) = self.bytes else {
            walk::skip_elements(&mut list)?;
            return Ok(Predicted::Other);
        };
        Ok(items(list, bytes, true)?.map_or(Predicted::Other, Predicted::Many))
    }
}

/// The place of an element of a list of items.
struct Each<'a>(&'a mut Items);

impl<'de> Node<'de> for Each<'_> {
    type Found = Result<(), predictions::TooLarge>;

    fn leaf(self, leaf: Leaf<'_>) -> Self::Found {
        if let Some(prediction) = predictions::prediction(leaf) {
            return self.0.add(prediction);
        }
        self.0.other = true;
        Ok(())
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Self::Found, A::Error> {
        let fields = fields(object, None)?;
        Ok(self.0.add_object(fields))
    }
}

/// What a list of items says.
struct Items {
    builder: Builder,
    model: Option<String>,
    version: Option<String>,
    /// Elements that are a class or number themselves.
    plain: usize,
    /// Elements that are an object.
    objects: usize,
    /// Those of them with `prediction`.
    predicted: usize,
    /// A plain element is neither a string nor an integer.
    vague: bool,
    /// There is an element of another shape.
    other: bool,
}

/// `None`: the list holds other things, or what is plain where that is not taken.
fn items<'de, A: SeqAccess<'de>>(
    mut list: A,
    bytes: usize,
    takes_plain: bool,
) -> Result<Option<Items>, A::Error> {
    let mut items = Items::within(bytes);
    while let Some(added) = list.next_element_seed(At(Each(&mut items)))? {
        added.map_err(A::Error::custom)?;
        if items.other || (items.plain > 0 && !takes_plain) {
            walk::skip_elements(&mut list)?;
            return Ok(None);
        }
    }
    let mixed = items.plain > 0 && items.objects > 0;
    let strange = items.objects > 0 && items.predicted == 0;
    Ok((!items.other && !mixed && !strange).then_some(items))
}

impl Items {
    fn within(bytes: usize) -> Self {
        Self {
            builder: Builder::within(bytes),
            model: None,
            version: None,
            plain: 0,
            objects: 0,
            predicted: 0,
            vague: false,
            other: false,
        }
    }

    fn add(&mut self, prediction: Prediction) -> Result<(), predictions::TooLarge> {
        self.plain += 1;
        self.vague |= !matches!(prediction, Prediction::Index(_) | Prediction::Name(_));
        self.builder.output(Output::from(prediction))
    }

    fn add_object(&mut self, mut fields: Fields<'_>) -> Result<(), predictions::TooLarge> {
        self.objects += 1;
        self.model = self.model.take().or_else(|| fields.model.take());
        self.version = self.version.take().or_else(|| fields.version.take());
        match std::mem::take(&mut fields.predicted) {
            Predicted::One(prediction) => {
                self.predicted += 1;
                fields.put(prediction, &mut self.builder)
            }
            Predicted::Absent => fields.put(Prediction::Unknown, &mut self.builder),
            Predicted::Many(_) | Predicted::Other => {
                self.other = true;
                Ok(())
            }
        }
    }

    /// A list that is the whole body: strings and integers alone may be anything.
    fn bare(self) -> Option<Answer> {
        if self.vague {
            return None;
        }
        let sure = self.predicted > 0;
        let answer = self.named(None, None)?;
        Some(Answer { sure, ..answer })
    }

    /// A list with what stands beside it, which wins.
    fn named(self, model: Option<String>, version: Option<String>) -> Option<Answer> {
        Some(Answer {
            model: model.or(self.model),
            version: version.or(self.version),
            raw: self.builder.finish()?,
            sure: true,
            ..Answer::default()
        })
    }
}
