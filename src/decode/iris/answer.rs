//! The items of an answer.

use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess};

use super::{
    super::{
        Answer, Bodies, DecodeError, Output,
        table::TooLarge,
        walk::{self, At, Leaf, Name, Node},
    },
    item::{Confidence, Item, Label, Odds, Word},
};

/// Items that any answer may have.
const FREE_ITEMS: usize = 4096;

/// What the answer says; `None`: it is of another shape.
pub(super) fn read(bodies: &Bodies<'_>) -> Result<Option<Answer>, DecodeError> {
    // A row of the request has at least eight bytes (`{"a":1},`), so no true batch is refused.
    let bytes = bodies.request.len() + bodies.response.len();
    let document = Document {
        max_items: (bytes / 4).max(FREE_ITEMS),
    };
    walk::read(super::FORMAT, bodies.response, document)
}

/// The whole body.
#[derive(Clone, Copy)]
struct Document {
    max_items: usize,
}

impl<'de> Node<'de> for Document {
    type Found = Option<Answer>;

    fn leaf(self, _: Leaf<'_>) -> Option<Answer> {
        None
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Option<Answer>, A::Error> {
        Ok(items(list, self.max_items)?.and_then(Items::bare))
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Option<Answer>, A::Error> {
        let found = fields(object, Some(self.max_items))?;
        Ok(match found.prediction {
            Prediction::One(label) => Some(Answer {
                outputs: vec![found.item.output(label)],
                model: found.model,
                version: found.version,
                sure: true,
            }),
            Prediction::Many(items) => {
                Some(items.named(found.item.confidence, found.model, found.version))
            }
            Prediction::Absent | Prediction::Other => None,
        })
    }
}

/// What an object of an answer says.
#[derive(Default)]
struct Fields<'de> {
    prediction: Prediction,
    item: Item<'de>,
    model: Option<String>,
    version: Option<String>,
}

/// The value of `prediction` or `predictions`.
#[derive(Default)]
enum Prediction {
    #[default]
    Absent,
    One(Label),
    Many(Items),
    /// A shape that is not read.
    Other,
}

/// `max_items`: lists of items are looked into; `None` inside of one, so that they do not nest.
fn fields<'de, A: MapAccess<'de>>(
    mut object: A,
    max_items: Option<usize>,
) -> Result<Fields<'de>, A::Error> {
    let mut found = Fields::default();
    while let Some(name) = object.next_key_seed(Name)? {
        match &*name {
            "prediction" | "predictions" => {
                found.prediction = object.next_value_seed(At(Predicted { max_items }))?;
            }
            "confidence" => found.item.confidence = object.next_value_seed(At(Confidence))?,
            "probabilities" if found.item.confidence.is_none() => {
                found.item.odds = object.next_value_seed(At(Odds::None))?;
            }
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

/// The place of `prediction` or `predictions`.
struct Predicted {
    max_items: Option<usize>,
}

impl<'de> Node<'de> for Predicted {
    type Found = Prediction;

    fn leaf(self, leaf: Leaf<'_>) -> Prediction {
        Label::of(leaf).map_or(Prediction::Other, Prediction::One)
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Prediction, A::Error> {
        let Some(max_items) = self.max_items else {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Prediction::Other);
        };
        Ok(items(list, max_items)?.map_or(Prediction::Other, Prediction::Many))
    }
}

/// An element of a list of items.
enum Element<'de> {
    Plain(Label),
    Object(Fields<'de>),
    List,
}

/// The place of an element.
struct Each;

impl<'de> Node<'de> for Each {
    type Found = Element<'de>;

    fn leaf(self, leaf: Leaf<'_>) -> Element<'de> {
        Label::of(leaf).map_or(Element::List, Element::Plain)
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Element<'de>, A::Error> {
        fields(object, None).map(Element::Object)
    }
}

/// What a list of items says.
#[derive(Default)]
struct Items {
    outputs: Vec<Output>,
    model: Option<String>,
    version: Option<String>,
    /// Elements that are a class or number themselves.
    plain: usize,
    /// Elements that are an object with `prediction`.
    predicted: usize,
    /// There is a number with a fraction: the model regresses.
    real: bool,
    /// A plain element is neither a string nor an integer.
    vague: bool,
    /// There is an element of another shape.
    other: bool,
}

/// `None`: the list holds other things.
fn items<'de, A: SeqAccess<'de>>(mut list: A, max_items: usize) -> Result<Option<Items>, A::Error> {
    let mut items = Items::default();
    while let Some(element) = list.next_element_seed(At(Each))? {
        items.add(element);
        if items.outputs.len() > max_items {
            return Err(A::Error::custom(TooLarge));
        }
    }
    let objects = items.outputs.len() - items.plain;
    let mixed = items.plain > 0 && objects > 0;
    let strange = objects > 0 && items.predicted == 0;
    Ok((!items.other && !mixed && !strange).then_some(items))
}

impl Items {
    fn add(&mut self, element: Element<'_>) {
        match element {
            Element::Plain(label) => self.add_plain(label),
            Element::Object(fields) => self.add_object(fields),
            Element::List => self.other = true,
        }
    }

    fn add_object(&mut self, fields: Fields<'_>) {
        let Fields {
            prediction,
            item,
            model,
            version,
        } = fields;
        self.predicted += usize::from(!matches!(prediction, Prediction::Absent));
        let label = match prediction {
            Prediction::One(label) => label,
            Prediction::Absent => Label::Null,
            Prediction::Many(_) | Prediction::Other => {
                self.other = true;
                return;
            }
        };
        self.real |= matches!(label, Label::Real);
        self.outputs.push(item.output(label));
        self.model = self.model.take().or(model);
        self.version = self.version.take().or(version);
    }

    fn add_plain(&mut self, label: Label) {
        self.plain += 1;
        self.real |= matches!(label, Label::Real);
        self.vague |= !matches!(label, Label::Integer(_) | Label::Text(_));
        self.outputs.push(Output {
            class: label.class(),
            confidence: None,
        });
    }

    /// A list that is the whole body: strings and integers alone may be anything.
    fn bare(self) -> Option<Answer> {
        let sure = self.predicted > 0;
        (!self.vague).then(|| Answer {
            sure,
            ..self.named(None, None, None)
        })
    }

    /// A list with what stands beside it, which wins.
    fn named(
        mut self,
        confidence: Option<f64>,
        model: Option<String>,
        version: Option<String>,
    ) -> Answer {
        if let [only] = &mut *self.outputs {
            only.confidence = only.confidence.or(confidence);
        }
        if self.real {
            for output in &mut self.outputs {
                output.class.take_if(|class| class.parse::<i128>().is_ok());
            }
        }
        Answer {
            model: model.or(self.model),
            version: version.or(self.version),
            outputs: self.outputs,
            sure: true,
        }
    }
}
