//! `TorchServe`'s inference interface.
//!
//! | | path `/predictions/{model}[/{version}]`, of a workflow `/wfpredict/{workflow}` |
//! |---|---|
//! | request | JSON (rows, or under `data`, `body`, `instances`), a form of features, or one file: an item without features |
//! | answer | `{label: probability, ..}` of the best classes, a list of those, of classes, of numbers or of vectors, `{"class", "probability"}`; no content type |
//!
//! From the chapters on the inference interface and on the default handlers in `TorchServe`'s
//! documentation.

use super::{
    Answer, Asked, DecodeError, Decoder, Pair, Scalar,
    form::{self, Field},
    json,
    meaning::Raw,
    predictions::Items,
    rows::{Data, DataOf},
    table::{Table, TooLarge},
    walk::{self, Leaf},
};

const FORMAT: &str = "torchserve";

pub(super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims,
    is_anywhere: false,
    answer,
    request: |pair, items| Ok(Some(Asked::from(rows(pair, items)?))),
};

/// Model and version are read from the path in one place for all formats.
fn claims(pair: &Pair<'_>) -> bool {
    let path = &pair.exchange.path;
    let named = ["/predictions/", "/wfpredict/"].iter();
    let mut named = named.filter_map(|start| path.strip_prefix(start));
    named
        .next()
        .is_some_and(|named| !named.starts_with('/') && named.split('/').count() <= 2)
}

fn answer(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    let items = Items {
        bytes: pair.bytes(),
        has_maps: true,
        has_numbers: false,
    };
    let raw: Option<Raw> = match walk::value(FORMAT, pair.response, items) {
        // a handler that returns text sends it as it is
        Err(DecodeError::NotJson) => items_of_text(items, pair.response),
        read => read?,
    };
    if raw.is_none() {
        return json::answer(FORMAT, pair);
    }
    Ok(raw.map(|raw| Answer {
        raw,
        sure: true,
        ..Answer::default()
    }))
}

/// A short word is a class; anything else is text that was made.
fn items_of_text(items: Items, body: &[u8]) -> Option<Raw> {
    use walk::Node;

    let text = std::str::from_utf8(body).ok()?.trim();
    let is_word = !text.is_empty() && text.len() <= super::Inference::MAX_WORD;
    let is_plain = !text.contains(['\n', '<']);
    (is_word && is_plain).then(|| items.leaf(Leaf::Text(text)))?
}

/// What was sent, in whatever form.
fn rows(pair: &Pair<'_>, items: Option<usize>) -> Result<Table, DecodeError> {
    let too_large = |_| DecodeError::TooLarge { format: FORMAT };
    let content_type = pair.exchange.request.content_type.as_deref();
    if let Some(fields) = form::fields(content_type, pair.request)
        // what `curl -d` sends is called a form, whatever it is
        && !pair.request.trim_ascii_start().starts_with(b"{")
        && !pair.request.trim_ascii_start().starts_with(b"[")
    {
        return of_form(&fields, pair.request.len(), items).map_err(too_large);
    }
    match of_json(pair.request, items) {
        Ok(Some(table)) => Ok(table),
        Err(error @ DecodeError::TooLarge { .. }) => Err(error),
        _ if pair.request.is_empty() => Ok(Table::default()),
        _ => one_without_features().map_err(too_large),
    }
}

/// Rows under the names that handlers look for, or bare.
fn of_json(body: &[u8], items: Option<usize>) -> Result<Option<Table>, DecodeError> {
    let named = DataOf {
        names: &["data", "body", "instances"],
        data: Data { bytes: body.len() },
    };
    let Some(rows) = walk::read(FORMAT, body, named)? else {
        return Ok(json::rows(FORMAT, body, items)?.map(|asked| asked.table));
    };
    let table = rows.settle(items);
    table.map_err(|_| DecodeError::TooLarge { format: FORMAT })
}

/// A form has the input under `data` or `body`, or a field for each feature.
fn of_form(fields: &[Field<'_>], bytes: usize, items: Option<usize>) -> Result<Table, TooLarge> {
    let is_input = |field: &&Field<'_>| matches!(&*field.name, "data" | "body");
    if let Some(input) = fields.iter().find(is_input) {
        return match of_json(&input.value, items) {
            Ok(Some(table)) => Ok(table),
            _ => match input.text().filter(|_| !input.is_file) {
                Some(text) => row(bytes, [("data", Leaf::Text(text))]),
                None => one_without_features(),
            },
        };
    }
    let texts = fields.iter().filter(|field| !field.is_file);
    let values = texts.filter_map(|field| Some((&*field.name, Leaf::Text(field.text()?))));
    row(bytes, values)
}

/// One item by name.
fn row<'a>(
    bytes: usize,
    values: impl IntoIterator<Item = (&'a str, Leaf<'a>)>,
) -> Result<Table, TooLarge> {
    let mut table = Table::within(bytes);
    for (name, value) in values {
        table.put(name, value.scalar().unwrap_or(Scalar::Missing))?;
    }
    table.end_row()?;
    Ok(table)
}

/// An image or a text: an item, and what it shows is no feature.
fn one_without_features() -> Result<Table, TooLarge> {
    row(0, [])
}

#[cfg(test)]
mod tests {
    use super::super::{Inference, Output, decoded};
    use crate::capture::Exchange;

    fn with(content_type: Option<&str>, request: &str, response: &str) -> Inference {
        let mut exchange = Exchange::example("/predictions/iris/1.0", request, response);
        exchange.request.content_type = content_type.map(str::to_owned);
        exchange.response.content_type = None;
        decoded(&exchange).unwrap()
    }

    fn classes(response: &str) -> Vec<(String, Option<f64>)> {
        let read = with(None, "\u{1}image", response);
        let outputs = read.outputs.iter();
        let of = |o: &Output| (o.class().unwrap_or("?".into()).into_owned(), o.confidence());
        outputs.map(of).collect()
    }

    fn one(class: &str, share: Option<f64>) -> Vec<(String, Option<f64>)> {
        vec![(class.to_owned(), share)]
    }

    #[test]
    fn the_best_classes_need_not_sum_to_1() {
        let best = r#"{"tabby":0.4096,"tiger_cat":0.3467,"Egyptian_cat":0.13}"#;
        assert_eq!(classes(best), one("tabby", Some(0.4096)));
        assert_eq!(classes(&format!("[{best}]")), one("tabby", Some(0.4096)));
        assert_eq!(classes(r#"{"cat":1}"#), one("cat", Some(1.0)));
    }

    #[test]
    fn handlers_answer_in_many_shapes() {
        assert_eq!(
            classes(r#"{"class":"a","probability":0.9}"#),
            one("a", Some(0.9))
        );
        assert_eq!(
            classes(r#"[{"className":"a","probability":0.9}]"#),
            one("a", Some(0.9))
        );
        assert_eq!(classes("[2]"), one("2", None));
        assert_eq!(classes("2"), one("2", None));
        assert_eq!(classes("[[0.1,0.9]]"), one("1", Some(0.9)));
        assert_eq!(classes("Accepted\n"), one("Accepted", None));
    }

    #[test]
    fn model_and_version_are_of_the_path() {
        let read = with(None, "x", "2");
        assert_eq!((read.format, read.rows), ("torchserve", 1));
        assert_eq!(read.model.as_deref(), Some("iris"));
        assert_eq!(read.version.as_deref(), Some("1.0"));
    }

    /// Rows and columns of a request for as many.
    fn rows(content_type: &str, request: &str) -> (usize, usize) {
        let read = with(Some(content_type), request, "[0]");
        (read.rows, read.features.len())
    }

    #[test]
    fn features_come_as_json_form_or_parts() {
        let json = "application/json";
        assert_eq!(rows(json, "[[1,2,3]]"), (1, 3));
        assert_eq!(rows(json, r#"{"data":[1,2,3]}"#), (1, 3));
        assert_eq!(rows(json, r#"{"instances":[{"data":[1,2]}]}"#), (1, 2));
        assert_eq!(rows(json, r#"{"a":1,"b":2}"#), (1, 2));
        assert_eq!(rows("text/plain", "a b c"), (1, 0));
        let form = "application/x-www-form-urlencoded";
        assert_eq!(rows(form, "a=1&b=2&c=x"), (1, 3));
        assert_eq!(rows(form, "data=%5B%5B1%2C2%5D%5D"), (1, 2));
        assert_eq!(rows(form, "[[1,2,3]]"), (1, 3));
        let part = |head: &str, body: &str| {
            format!("--x\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n--x--\r\n")
        };
        let parts = "multipart/form-data; boundary=x";
        assert_eq!(rows(parts, &part("name=\"data\"", "[[1,2]]")), (1, 2));
        assert_eq!(rows(parts, &part("name=\"a\"", "1.5")), (1, 1));
        let file = part("name=\"data\"; filename=\"a.jpg\"", "\u{1}\u{2}");
        assert_eq!(rows(parts, &file), (1, 0));
        assert_eq!(rows("application/octet-stream", "\u{1}\u{2}"), (1, 0));
    }

    #[test]
    fn what_failed_is_still_known_by_its_path() {
        let mut exchange = Exchange::example(
            "/predictions/iris",
            "[[1,2]]",
            r#"{"code":503,"type":"InternalServerException","message":"Prediction failed"}"#,
        );
        exchange.status = 503;
        let read = decoded(&exchange).unwrap();
        assert_eq!(read.model.as_deref(), Some("iris"));
        assert_eq!(
            (read.rows, read.features.len(), read.outputs.len()),
            (1, 2, 0)
        );
    }
}
