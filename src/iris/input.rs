//! What was asked, or what is wrong with the question in the words of the framework that most
//! such services are written in, so that clients need no other error handling for this one.

use serde::Serialize;
use serde_json::{Value, json};

use super::model::FEATURES;

/// Faults told of one body; a long batch of nothing but faults would be answered by a longer one.
const FAULTS: usize = 100;

/// Flowers to predict, features in the order of [`FEATURES`], finite.
#[derive(Debug, PartialEq)]
pub(super) enum Input {
    One([f64; 4]),
    Many(Vec<[f64; 4]>),
}

/// One thing wrong with a body.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Fault {
    #[serde(rename = "type")]
    kind: &'static str,
    /// `"body"`, then positions and names on the way to what is wrong.
    loc: Vec<Value>,
    msg: &'static str,
    /// What stood there.
    input: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    ctx: Option<Value>,
}

impl Fault {
    fn new(kind: &'static str, loc: &[Value], msg: &'static str, input: &Value) -> Self {
        Self {
            kind,
            loc: loc.to_vec(),
            msg,
            input: input.clone(),
            ctx: None,
        }
    }

    fn not_json(error: &serde_json::Error, bytes: &[u8]) -> Self {
        let loc = [json!("body"), json!(offset(error, bytes))];
        Self {
            ctx: Some(json!({ "error": error.to_string() })),
            ..Self::new("json_invalid", &loc, "JSON decode error", &json!({}))
        }
    }
}

/// Where in `bytes` reading stopped.
fn offset(error: &serde_json::Error, bytes: &[u8]) -> usize {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let before = lines.take(error.line().saturating_sub(1)).map(<[u8]>::len);
    before.sum::<usize>() + error.column()
}

/// Reads an object, or a list of them.
///
/// # Errors
/// All that is wrong, in order, at most [`FAULTS`]; never empty.
pub(super) fn read(bytes: &[u8]) -> Result<Input, Vec<Fault>> {
    match value(bytes)? {
        Value::Array(items) => many(&items).map(Input::Many),
        value => one(&value).map(Input::One),
    }
}

/// Reads a list of objects.
///
/// # Errors
/// As [`read`].
pub(super) fn read_list(bytes: &[u8]) -> Result<Input, Vec<Fault>> {
    match value(bytes)? {
        Value::Array(items) => many(&items).map(Input::Many),
        other => Err(vec![Fault::new(
            "list_type",
            &[json!("body")],
            "Input should be a valid list",
            &other,
        )]),
    }
}

fn value(bytes: &[u8]) -> Result<Value, Vec<Fault>> {
    if bytes.is_empty() {
        let loc = [json!("body")];
        return Err(vec![Fault::new(
            "missing",
            &loc,
            "Field required",
            &Value::Null,
        )]);
    }
    serde_json::from_slice(bytes).map_err(|error| vec![Fault::not_json(&error, bytes)])
}

fn one(value: &Value) -> Result<[f64; 4], Vec<Fault>> {
    let mut faults = Vec::new();
    let features = flower(value, &[json!("body")], &mut faults);
    if faults.is_empty() {
        Ok(features)
    } else {
        Err(faults)
    }
}

fn many(items: &[Value]) -> Result<Vec<[f64; 4]>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut flowers = Vec::with_capacity(items.len());
    for (i, item) in items.iter().enumerate() {
        flowers.push(flower(item, &[json!("body"), json!(i)], &mut faults));
        if faults.len() >= FAULTS {
            break;
        }
    }
    if faults.is_empty() {
        Ok(flowers)
    } else {
        faults.truncate(FAULTS);
        Err(faults)
    }
}

/// The features of one object; where one is wrong it is 0 and there is a fault.
fn flower(value: &Value, loc: &[Value], faults: &mut Vec<Fault>) -> [f64; 4] {
    let Value::Object(fields) = value else {
        faults.push(Fault::new(
            "model_attributes_type",
            loc,
            "Input should be a valid dictionary or object to extract fields from",
            value,
        ));
        return [0.0; 4];
    };
    FEATURES.map(|name| {
        let (number, input) = match fields.get(name) {
            Some(field) => (number(field), field),
            None => (Err(("missing", "Field required")), value),
        };
        number.unwrap_or_else(|(kind, msg)| {
            let loc = [loc, &[json!(name)]].concat();
            faults.push(Fault::new(kind, &loc, msg, input));
            0.0
        })
    })
}

/// A number, also one in a string or a truth value, as the framework takes them; a kind and a
/// message where it is none.
fn number(value: &Value) -> Result<f64, (&'static str, &'static str)> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        Value::String(text) => Some(text.trim().parse().map_err(|_| {
            let msg = "Input should be a valid number, unable to parse string as a number";
            ("float_parsing", msg)
        })?),
        _ => None,
    };
    match number {
        Some(number) if number.is_finite() => Ok(number),
        Some(_) => Err(("finite_number", "Input should be a finite number")),
        None => Err(("float_type", "Input should be a valid number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOWER: [f64; 4] = [5.0, 3.5, 1.0, 0.2];

    fn with(name: &str, value: Value) -> Value {
        let mut flower = json!({
            "sepal_length": 5.0, "sepal_width": 3.5, "petal_length": 1.0, "petal_width": 0.2
        });
        flower[name] = value;
        flower
    }

    fn told(body: &str) -> Value {
        serde_json::to_value(read(body.as_bytes()).unwrap_err()).unwrap()
    }

    #[test]
    fn numbers_may_be_integers_strings_and_in_any_order_with_others() {
        let body = r#"{"petal_width":" 0.2","extra":[1],"petal_length":true,
            "sepal_width":3.5,"sepal_length":5}"#;
        assert_eq!(read(body.as_bytes()), Ok(Input::One(FLOWER)));
        let list = format!("[{body},{body}]");
        assert_eq!(read(list.as_bytes()), Ok(Input::Many(vec![FLOWER; 2])));
        assert_eq!(read_list(list.as_bytes()), Ok(Input::Many(vec![FLOWER; 2])));
        assert_eq!(read_list(b"[]"), Ok(Input::Many(vec![])));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_itself() {
        for (value, kind) in [
            (json!("abc"), "float_parsing"),
            (json!(""), "float_parsing"),
            (json!("nan"), "finite_number"),
            (json!("-inf"), "finite_number"),
            (json!(null), "float_type"),
            (json!([1.0]), "float_type"),
            (json!({}), "float_type"),
        ] {
            let faults = told(&with("sepal_width", value.clone()).to_string());
            assert_eq!(faults.as_array().unwrap().len(), 1, "{faults}");
            assert_eq!(faults[0]["loc"], json!(["body", "sepal_width"]));
            assert_eq!(faults[0]["type"], kind);
            assert_eq!(faults[0]["input"], value);
        }
    }

    #[test]
    fn every_missing_field_is_told() {
        let faults = told(r#"{"sepal_width":1}"#);
        let names: Vec<_> = faults
            .as_array()
            .unwrap()
            .iter()
            .map(|f| &f["loc"][1])
            .collect();
        assert_eq!(names, ["sepal_length", "petal_length", "petal_width"]);
        assert_eq!(faults[0]["type"], "missing");
        assert_eq!(faults[0]["msg"], "Field required");
        assert_eq!(faults[0]["input"], json!({"sepal_width": 1}));
        assert_eq!(faults[0].get("ctx"), None);
    }

    #[test]
    fn a_fault_in_a_list_has_its_position() {
        let list = json!([
            with("sepal_width", json!(1)),
            with("petal_width", json!(null)),
            7
        ]);
        let faults = told(&list.to_string());
        assert_eq!(faults[0]["loc"], json!(["body", 1, "petal_width"]));
        assert_eq!(faults[1]["loc"], json!(["body", 2]));
        assert_eq!(faults[1]["type"], "model_attributes_type");
    }

    #[test]
    fn a_body_of_another_shape_is_told() {
        assert_eq!(told("7")[0]["type"], "model_attributes_type");
        assert_eq!(told("")[0]["type"], "missing");
        assert_eq!(told("")[0]["loc"], json!(["body"]));
        let faults = read_list(b"{}").unwrap_err();
        assert_eq!(faults[0].kind, "list_type");
    }

    #[test]
    fn what_is_not_json_is_told_with_where_it_stops_being_it() {
        let faults = told(r#"{"sepal_length":5.1,"#);
        assert_eq!(faults[0]["type"], "json_invalid");
        assert_eq!(faults[0]["loc"], json!(["body", 20]));
        assert!(faults[0]["ctx"]["error"].is_string());
        assert_eq!(told("{\n\n  x}")[0]["loc"], json!(["body", 6]));
        assert_eq!(told(r#"{"sepal_length":NaN}"#)[0]["type"], "json_invalid");
        assert_eq!(told(&"[".repeat(100_000))[0]["type"], "json_invalid");
        assert_eq!(read(b"\xff").unwrap_err()[0].kind, "json_invalid");
    }

    #[test]
    fn a_long_list_of_faults_is_cut() {
        let list = vec![json!({}); 10_000];
        let faults = told(&json!(list).to_string());
        assert_eq!(faults.as_array().unwrap().len(), FAULTS);
    }
}
