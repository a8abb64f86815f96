//! Feedback: what a client of `Seldon` says of a prediction that it got.
//!
//! `{"request": .., "response": {"meta": {"puid"}, ..}, "reward": 1.0, "truth": {"data": ..}}`, each part a
//! message. Items of `truth` are read as those of an answer are.

use serde::de::{IgnoredAny, MapAccess};

use super::{
    super::{
        Prediction, content, form,
        meaning::{self, Raw, Rules},
        predictions::Items,
        walk::{self, At, Leaf, Name, Node},
    },
    DecodeError, Exchange, FORMAT, config, is_known,
    message::{Enclosed, Found, Message, Meta},
    named, of_data,
};

/// What is told of one prediction.
#[derive(Debug, Default, PartialEq)]
pub struct Told {
    /// Which one it is: `meta.puid` of the answer that the client got, else of what it asked.
    pub puid: Option<Box<str>>,
    /// What each item should have been; empty where there is no truth. [`Prediction::Unknown`]: neither a
    /// class nor a number.
    pub truths: Vec<Prediction>,
}

/// Reads the request of an exchange that tells labels; `bounds`: what its body may inflate to.
///
/// # Errors
/// When it is not whole, no JSON, or holds more than its bytes allow.
pub fn told(exchange: &Exchange, bounds: &config::Capture) -> Result<Told, DecodeError> {
    let body = content::body(&exchange.request, bounds)?;
    let is_json = body.trim_ascii_start().starts_with(b"{");
    let content_type = exchange.request.content_type.as_deref();
    let fields = (!is_json).then(|| form::fields(content_type, &body));
    let field = fields.flatten().and_then(|fields| {
        let mut fields = fields.into_iter();
        fields.find(|field| field.name == "json")
    });
    of_json(field.as_ref().map_or(&*body, |field| &*field.value))
}

fn of_json(text: &[u8]) -> Result<Told, DecodeError> {
    let items = Items {
        bytes: text.len(),
        has_maps: false,
        has_numbers: false,
    };
    let mut parts = walk::read(FORMAT, text, Parts(Message(items)))?;
    let raw = match &mut parts.truth {
        Some(Some(truth)) => of_truth(truth, text, items)?,
        _ => None,
    };
    let meaning = raw.map(|raw| meaning::settle(raw, Rules::default()));
    let outputs = meaning.map(|meaning| meaning.outputs).unwrap_or_default();
    Ok(Told {
        puid: parts.answered.or(parts.asked),
        truths: outputs.into_iter().map(|o| o.prediction).collect(),
    })
}

fn of_truth(
    truth: &mut Found<Option<Raw>>,
    text: &[u8],
    items: Items,
) -> Result<Option<Raw>, DecodeError> {
    let raw = match truth.plain.take().flatten() {
        _ if truth.has_data() => of_data(truth, text.len())?,
        Some(raw) if is_known(&raw) => Some(raw),
        plain => {
            let parts = walk::read(FORMAT, text, Parts(Message(Enclosed(items))))?;
            let enclosed = parts.truth.flatten().and_then(|found| found.plain);
            enclosed.flatten().or(plain)
        }
    };
    Ok(raw.map(|raw| named(raw, std::mem::take(&mut truth.names))))
}

/// The parts of a feedback; the node reads the truth.
struct Parts<N>(N);

struct Read<T> {
    truth: Option<T>,
    answered: Option<Box<str>>,
    asked: Option<Box<str>>,
}

impl<'de, N: Node<'de> + Copy> Node<'de> for Parts<N> {
    type Found = Read<N::Found>;

    fn leaf(self, _: Leaf<'_>) -> Self::Found {
        Read {
            truth: None,
            answered: None,
            asked: None,
        }
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Found, A::Error> {
        let mut found = Parts(self.0).leaf(Leaf::Object);
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "truth" => found.truth = Some(object.next_value_seed(At(self.0))?),
                "response" => found.answered = object.next_value_seed(At(PuidOf))?,
                "request" => found.asked = object.next_value_seed(At(PuidOf))?,
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// A message of which the name of its prediction alone is wanted.
struct PuidOf;

impl<'de> Node<'de> for PuidOf {
    type Found = Option<Box<str>>;

    fn leaf(self, _: Leaf<'_>) -> Option<Box<str>> {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Box<str>>, A::Error> {
        let mut puid = None;
        while let Some(name) = object.next_key_seed(Name)? {
            if name == "meta" {
                puid = object.next_value_seed(At(Meta))?.puid;
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(puid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(truth: &str) -> Vec<Prediction> {
        let body = format!(
            r#"{{"response":{{"meta":{{"puid":"p"}},"data":{{"ndarray":[[1]]}}}},"reward":1,"truth":{truth}}}"#
        );
        let told = of_json(body.as_bytes()).unwrap();
        assert_eq!(told.puid.as_deref(), Some("p"), "{truth}");
        told.truths
    }

    fn class(name: &str) -> Prediction {
        Prediction::Name(name.into())
    }

    #[test]
    fn rows_of_the_truth_are_items_and_read_as_those_of_an_answer() {
        use Prediction::{Index, Unknown, Value};

        for (truth, expected) in [
            (
                r#"{"data":{"names":["a","b"],"ndarray":[[0,1],[1,0]]}}"#,
                vec![class("b"), class("a")],
            ),
            (r#"{"data":{"ndarray":[[0.25,0.75]]}}"#, vec![Index(1)]),
            (
                r#"{"data":{"names":["c"],"ndarray":[["a"],["b"]]}}"#,
                vec![class("a"), class("b")],
            ),
            (
                r#"{"data":{"ndarray":["a","b"]}}"#,
                vec![class("a"), class("b")],
            ),
            (
                r#"{"data":{"ndarray":[[2],[0]]}}"#,
                vec![Index(2), Index(0)],
            ),
            (
                r#"{"data":{"ndarray":[[1.5],[205.25]]}}"#,
                vec![Value(1.5), Value(205.25)],
            ),
            (
                r#"{"data":{"tensor":{"shape":[2,1],"values":[1,0]}}}"#,
                vec![Index(1), Index(0)],
            ),
            (
                r#"{"data":{"names":["a","b"],"tensor":{"shape":[1,2],"values":[0,1]}}}"#,
                vec![class("b")],
            ),
            (r#"{"strData":"a"}"#, vec![class("a")]),
            (r#"{"jsonData":["a","b"]}"#, vec![class("a"), class("b")]),
            (
                r#"{"jsonData":{"predictions":["a","b"]}}"#,
                vec![class("a"), class("b")],
            ),
            (r#"{"data":{"ndarray":[[3.5,7.5]]}}"#, vec![Unknown]),
            ("{}", vec![]),
            ("null", vec![]),
            (r#"{"data":{"ndarray":[]}}"#, vec![]),
        ] {
            assert_eq!(read(truth), expected, "{truth}");
        }
    }

    #[test]
    fn the_answer_names_the_prediction_before_the_request_does() {
        let puid = |body: &str| of_json(body.as_bytes()).unwrap().puid;
        let both = r#"{"request":{"meta":{"puid":"q"}},"response":{"meta":{"puid":"p"}}}"#;
        assert_eq!(puid(both).as_deref(), Some("p"));
        let one = r#"{"request":{"meta":{"puid":"q"}},"response":{"meta":{"puid":"a b"}}}"#;
        assert_eq!(puid(one).as_deref(), Some("q"));
        assert_eq!(puid(r#"{"reward":0.5}"#), None);
        assert!(of_json(b"{\"truth\":").is_err());
    }

    #[test]
    fn a_form_holds_it_as_json() {
        let body = "json=%7B%22truth%22%3A%7B%22strData%22%3A%22a%22%7D%7D";
        let mut exchange = Exchange::example("/api/v1.0/feedback", body, "{}");
        let form = "application/x-www-form-urlencoded";
        exchange.request.content_type = Some(form.to_owned());
        let bounds = config::defaults().capture;
        assert_eq!(told(&exchange, &bounds).unwrap().truths, [class("a")]);
    }
}
