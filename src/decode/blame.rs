//! Whose fault a failure of the model server was, as far as its answer tells.

use serde::de::IgnoredAny;

use super::{content, reader};
use crate::{
    capture::{Exchange, Fault, exchange::Message, grpc},
    config,
};

/// What servers and the libraries below them write under 5xx where the request was wrong. A text
/// with a gap has both parts, in this order.
///
/// `KServe` and Triton pass the words of the library on as `error`, `MLServer` and older `MLflow` in
/// a traceback, Seldon's microservices as `info`. `LitServe`, `BentoML` and `TorchServe` (503
/// "Prediction failed") say nothing: there a body that is no JSON is all that tells.
const MISTAKES: &[(&str, &str)] = &[
    // scikit-learn
    (" features, but ", " is expecting "),
    ("Expected 2D array, got ", ""),
    ("could not convert string to float", ""),
    ("Input X contains NaN", ""),
    ("Input X contains infinity", ""),
    ("Found unknown categories ", " in column "),
    ("columns are missing: {", ""),
    ("y contains previously unseen labels", ""),
    ("The feature names should match those", ""),
    // NumPy
    ("cannot reshape array of size ", ""),
    // pandas
    ("] not in index", ""),
    ("None of [", "] are in the [columns]"),
    ("If using all scalar values, you must pass an index", ""),
    // XGBoost
    ("Feature shape mismatch, expected: ", ""),
    ("feature_names mismatch", ""),
    // LightGBM
    (
        "The number of features in data (",
        " is not the same as it was in training data",
    ),
    // ONNX Runtime
    ("[ONNXRuntimeError] : 2 : INVALID_ARGUMENT", ""),
    ("Unexpected input data type. Actual: (", ""),
    // the same in Triton
    ("onnx runtime error 2: ", "Got invalid dimensions for input"),
    // TensorFlow
    ("Matrix size-incompatible", ""),
    // Keras
    (" of layer ", " is incompatible with the layer"),
    // PyTorch
    ("mat1 and mat2 shapes cannot be multiplied", ""),
];

/// What Python says of failures beside these, where a script answers with the text of an exception.
const FAILURES: &[(&str, &str)] = &[
    ("list index out of range", ""),
    (" object has no attribute ", ""),
    ("unsupported operand type", ""),
    ("invalid literal for int() with base ", ""),
    ("No such file or directory", ""),
];

/// How each traceback begins, and the line of each frame in it.
const TRACEBACK: &str = "Traceback (most recent call last)";
const FRAME: &str = "File ";

/// How the last line of a traceback begins that a body which could not be read has left. Elsewhere in
/// it, what failed may be an answer that the model itself asked for.
const LAST_LINE: &str = "json.decoder.JSONDecodeError";

/// As much of an answer as is looked at: a traceback says it at its end, and is shorter.
const MOST: usize = 64 * 1024;

/// Whose fault it was that there was no good answer. A 5xx of the model server is the client's
/// where its body says that the request was wrong, or the request says JSON and is none; a call of
/// gRPC that failed is where its message says so.
///
/// Costs nothing but for these: then one search of the body or message for each known text.
pub fn blame(exchange: &Exchange, bounds: &config::Capture) -> Option<Fault> {
    let fault = exchange.fault?;
    if fault != Fault::Upstream || exchange.error.is_some() {
        return Some(fault);
    }
    let is_mistake = if exchange.status >= 500 {
        content::body(&exchange.response, bounds).is_ok_and(|body| says_so(&body))
            || is_broken(&exchange.request, bounds)
    } else {
        let message = exchange.grpc_message.as_deref();
        message.is_some_and(|message| says_so(&grpc::decoded(message)))
    };
    Some(if is_mistake {
        Fault::ClientAs5xx
    } else {
        fault
    })
}

fn says_so(body: &[u8]) -> bool {
    let body = &body[..body.len().min(MOST)];
    let last = body.trim_ascii_end().rsplit(|byte| *byte == b'\n').next();
    let is_last = last.is_some_and(|last| last.starts_with(LAST_LINE.as_bytes()));
    let (before, raised) = said(body);
    is_last || is_mistake(before) || is_mistake(raised)
}

/// Whether a text is what servers and libraries say where the request was wrong.
fn is_mistake(text: &[u8]) -> bool {
    MISTAKES.iter().any(|parts| is_there(text, parts))
}

fn is_there(text: &[u8], (first, second): &(&str, &str)) -> bool {
    let found = memchr::memmem::find(text, first.as_bytes());
    found.is_some_and(|at| memchr::memmem::find(&text[at..], second.as_bytes()).is_some())
}

/// Whether a text is that of an exception, which scripts answer with under 200 too: no class is.
///
/// Names of fewer than four words, as most are, cost no search.
pub(super) fn is_failure(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace();
    let is_kind = |word: &str| word.ends_with("Error:") || word.ends_with("Exception:");
    // Python quotes the key that a `KeyError` is of
    let is_key = text.len() > 2 && text.starts_with('\'') && text.ends_with('\'');
    if is_key || words.next().is_some_and(is_kind) {
        return true;
    }
    let text = text.as_bytes();
    words.nth(2).is_some()
        && (is_mistake(text) || FAILURES.iter().any(|parts| is_there(text, parts)))
}

/// What stands before the tracebacks of a body, and what was raised at last: an exception that
/// another followed was dealt with, and tells of something else. A body without one is all before.
fn said(body: &[u8]) -> (&[u8], &[u8]) {
    let Some(first) = memchr::memmem::find(body, TRACEBACK.as_bytes()) else {
        return (body, &[]);
    };
    let last = memchr::memmem::rfind(body, TRACEBACK.as_bytes()).unwrap_or(first);
    let (before, mut raised) = (&body[..first], &body[last + TRACEBACK.len()..]);
    let (mut rest, mut frame) = (raised, None);
    while !rest.is_empty() {
        let (line, next) = line(rest);
        rest = next;
        let indent = indent(line);
        let is_frame = line[indent..].starts_with(FRAME.as_bytes());
        // below the line of a frame stands its code, further in
        frame = match frame {
            _ if is_frame => Some(indent),
            Some(frame) if indent > frame => Some(frame),
            _ => None,
        };
        if frame.is_some() {
            raised = next;
        }
    }
    (before, raised)
}

/// The first line of a text and what follows it, also where the text stands in a string of JSON.
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    for at in memchr::memchr2_iter(b'\n', b'\\', text) {
        let end = match (text[at], text.get(at + 1)) {
            (b'\n', _) => 1,
            (_, Some(b'n')) => 2,
            _ => continue,
        };
        return (&text[..at], &text[at + end..]);
    }
    (text, &[])
}

/// How far in a line begins; those of groups of exceptions have a bar there.
fn indent(line: &[u8]) -> usize {
    let is_margin = |byte: &u8| matches!(byte, b' ' | b'|');
    line.iter().take_while(|byte| is_margin(byte)).count()
}

/// Whether a body says that it is JSON, or without a type begins like it, and is none.
fn is_broken(message: &Message, bounds: &config::Capture) -> bool {
    let kind = message.content_type.as_deref().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    let is_json = kind == "application/json" || kind.ends_with("+json");
    if !is_json && !kind.is_empty() {
        return false;
    }
    let Ok(body) = content::body(message, bounds) else {
        return false;
    };
    let is_whole = |text: &[u8]| reader::parsed::<IgnoredAny>(text).is_ok();
    if is_json {
        return !is_whole(&body);
    }
    // or it is one value a line
    let is_line = |line: &[u8]| line.trim_ascii().is_empty() || is_whole(line);
    let begins = matches!(body.trim_ascii_start().first(), Some(b'{' | b'['));
    begins && !is_whole(&body) && !body.split(|byte| *byte == b'\n').all(is_line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, request: &str, response: &str) -> Option<Fault> {
        let mut exchange = Exchange::example("/predict", request, response);
        exchange.status = status;
        exchange.fault = Fault::of_status(status);
        blame(&exchange, &config::defaults().capture)
    }

    /// Of each server that answers 5xx to mistakes of clients: what it says.
    #[test]
    fn a_5xx_is_the_clients_where_its_server_says_so() {
        let traceback = |last: &str| format!("Traceback (most recent call last):\n  ...\n{last}\n");
        let error = |text: &str| format!(r#"{{"error":"{text}"}}"#);
        for (server, body) in [
            (
                "kserve, scikit-learn",
                error("X has 3 features, but StandardScaler is expecting 4 features as input."),
            ),
            (
                "kserve, pandas",
                error("If using all scalar values, you must pass an index"),
            ),
            (
                "kserve, xgboost",
                error("Feature shape mismatch, expected: 4, got 3"),
            ),
            (
                "kserve, xgboost with names",
                error("feature_names mismatch: ['a', 'b'] ['a', 'c']"),
            ),
            (
                "kserve, lightgbm",
                error(
                    "The number of features in data (3) is not the same as it was in training \
                     data (4).",
                ),
            ),
            (
                "mlserver, scikit-learn",
                traceback("ValueError: Expected 2D array, got 1D array instead:"),
            ),
            (
                "mlserver, numpy",
                traceback("ValueError: could not convert string to float: 'a'"),
            ),
            (
                "mlserver, a missing value",
                traceback("ValueError: Input X contains NaN."),
            ),
            (
                "mlserver, other names",
                traceback(
                    "ValueError: The feature names should match those that were passed during fit.",
                ),
            ),
            (
                "mlserver, json in a text",
                traceback("json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)"),
            ),
            (
                "mlflow, onnx",
                traceback(
                    "onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument: \
                     [ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got invalid dimensions for input: x",
                ),
            ),
            (
                "mlflow, keras",
                traceback("InvalidArgumentError: Matrix size-incompatible: In[0]: [1,3], In[1]: [4,8]"),
            ),
            (
                "triton, onnx",
                error("onnx runtime error 2: Got invalid dimensions for input: x"),
            ),
            (
                "triton, pytorch",
                error("mat1 and mat2 shapes cannot be multiplied (1x3 and 4x8)"),
            ),
            (
                "seldon",
                r#"{"status":{"code":-1,"info":"could not convert string to float: 'a'","reason":"MICROSERVICE_INTERNAL_ERROR","status":1}}"#.to_owned(),
            ),
        ] {
            assert_eq!(of(500, "{}", &body), Some(Fault::ClientAs5xx), "{server}");
        }
    }

    #[test]
    fn a_5xx_that_says_nothing_of_the_request_is_the_model_servers() {
        for body in [
            "",
            r#"{"detail":"Internal server error"}"#,
            r#"{"error":"decoding str is not supported"}"#,
            r#"{"code":503,"type":"ServiceUnavailableException","message":"Model \"m\" has no worker"}"#,
            "CUDA out of memory",
            // BentoML and FastAPI
            r#"{"error":"An unexpected error has occurred, please check the server log."}"#,
            "Internal Server Error",
            // an answer of the model that does not fit its own schema ends so
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for Answer\nscore\n  Field required",
            // what TorchServe says of any handler that failed
            r#"{"code":503,"type":"InternalServerException","message":"Prediction failed"}"#,
            "json.decoder.JSONDecodeError: Expecting value\nRuntimeError: the feature store is down",
        ] {
            assert_eq!(of(500, "{}", body), Some(Fault::Upstream), "{body}");
        }
    }

    #[test]
    fn every_plain_mistake_is_told_by_its_words() {
        for text in [
            "Found unknown categories ['zz'] in column 0 during transform",
            "columns are missing: {'a'}",
            "['petal_width'] not in index",
            "None of [Index(['a', 'b'], dtype='object')] are in the [columns]",
            "y contains previously unseen labels: 'x'",
            "Input X contains infinity or a value too large for dtype('float64').",
            "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Unexpected input data type. Actual: (tensor(double))",
            "Unexpected input data type. Actual: (tensor(double)) , expected: (tensor(float))",
            "Input 0 of layer \"dense\" is incompatible with the layer: expected axis -1",
            "cannot reshape array of size 3 into shape (1,4)",
        ] {
            assert_eq!(of(500, "{}", text), Some(Fault::ClientAs5xx), "{text}");
        }
    }

    #[test]
    fn of_a_traceback_only_what_was_raised_at_last_counts() {
        let frame =
            "  File \"/a/b.py\", line 7, in run\n    return float(x)\n           ^^^^^^^^\n";
        let one = |raised: &str| format!("{TRACEBACK}:\n{frame}{frame}{raised}\n");
        let mistake = "ValueError: could not convert string to float: 'a'";
        let other = "redis.exceptions.ConnectionError: Error 111 connecting to redis:6379";
        let during = "\nDuring handling of the above exception, another exception occurred:\n\n";
        let json = |text: &str| serde_json::json!({ "stack_trace": text }).to_string();
        for (text, fault) in [
            (one(mistake), Fault::ClientAs5xx),
            (one(mistake) + during + &one(other), Fault::Upstream),
            (one(other) + during + &one(mistake), Fault::ClientAs5xx),
            (one(&format!("{mistake}\n  and so on")), Fault::ClientAs5xx),
        ] {
            assert_eq!(of(500, "{}", &text), Some(fault), "{text}");
            assert_eq!(of(500, "{}", &json(&text)), Some(fault), "{text}");
            let group = text.replace('\n', "\n    | ");
            assert_eq!(of(500, "{}", &group), Some(fault), "{group}");
        }
        let code = frame.replace("return float(x)", mistake);
        let text = format!("{TRACEBACK}:\n{code}{other}\n");
        assert_eq!(of(500, "{}", &text), Some(Fault::Upstream));
        let text = format!("{mistake}\n{}", one(other));
        assert_eq!(of(500, "{}", &text), Some(Fault::ClientAs5xx));
    }

    #[test]
    fn a_5xx_to_json_that_is_none_is_the_clients_whatever_its_type_says() {
        let of = |kind: Option<&str>, request: &str| {
            let mut exchange = Exchange::example("/predict", request, "");
            (exchange.status, exchange.fault) = (500, Some(Fault::Upstream));
            exchange.request.content_type = kind.map(str::to_owned);
            blame(&exchange, &config::defaults().capture)
        };
        let broken = "{\"input\":[5.1";
        for kind in [
            None,
            Some("application/vnd.api+json"),
            Some("Application/JSON; charset=utf-8"),
        ] {
            assert_eq!(of(kind, broken), Some(Fault::ClientAs5xx), "{kind:?}");
            assert_eq!(
                of(kind, "{\"input\":[5.1]}"),
                Some(Fault::Upstream),
                "{kind:?}"
            );
        }
        for (kind, request) in [
            (Some("text/plain"), broken),
            (None, "5.1,3.5"),
            (None, ""),
            (None, "{\"a\":1}\n{\"a\":2}\n"),
        ] {
            assert_eq!(of(kind, request), Some(Fault::Upstream), "{request}");
        }
    }

    #[test]
    fn a_5xx_to_json_that_is_none_is_the_clients() {
        assert_eq!(of(500, "{\"input\":[5.1", ""), Some(Fault::ClientAs5xx));
        assert_eq!(of(500, "", ""), Some(Fault::ClientAs5xx));
        assert_eq!(of(500, "[NaN]", ""), Some(Fault::Upstream));
    }

    #[test]
    fn the_text_of_an_exception_is_told_from_the_name_of_a_class() {
        for text in [
            "could not convert string to float: 'abc-4711'",
            "X has 3 features, but StandardScaler is expecting 4 features as input.",
            "list index out of range",
            "KeyError: 'petal_width'",
            "'petal_width'",
            "azureml.exceptions.WebserviceException: no",
        ] {
            assert!(is_failure(text), "{text}");
        }
        for text in [
            "",
            "setosa",
            "Error",
            "''",
            "sports car, sport car",
            "Cardigan, Cardigan Welsh corgi",
            "disk error: replace it",
        ] {
            assert!(!is_failure(text), "{text}");
        }
    }

    #[test]
    fn a_failed_call_is_the_clients_where_its_message_says_so() {
        let of = |status: u32, message: &[u8]| {
            let mut exchange = Exchange::example("/a.B/C", "", "");
            exchange.grpc_status = Some(grpc::UNKNOWN);
            exchange.end_call(Some(grpc::Outcome {
                status,
                message: Some(message.into()),
            }));
            blame(&exchange, &config::defaults().capture)
        };
        let mistake = b"X%20has 3 features, but StandardScaler is expecting 4 features as input.";
        assert_eq!(of(13, mistake), Some(Fault::ClientAs5xx));
        assert_eq!(of(2, mistake), Some(Fault::ClientAs5xx));
        assert_eq!(of(3, mistake), Some(Fault::Client));
        assert_eq!(of(13, b"CUDA out of memory"), Some(Fault::Upstream));
        assert_eq!(of(13, b""), Some(Fault::Upstream));
        assert_eq!(of(0, b""), None);
    }

    #[test]
    fn other_faults_are_as_they_were() {
        assert_eq!(of(200, "{", ""), None);
        assert_eq!(of(422, "{", ""), Some(Fault::Client));
        let mut exchange = Exchange::example("/predict", "{", "");
        (exchange.status, exchange.error) = (502, Some("upstream_reset"));
        exchange.fault = Some(Fault::Upstream);
        let fault = blame(&exchange, &config::defaults().capture);
        assert_eq!(fault, Some(Fault::Upstream));
    }
}
