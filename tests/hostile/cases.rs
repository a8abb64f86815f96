//! Exchanges whose bodies are made to cost, for every decoder.

use std::sync::{Arc, LazyLock};

use sidelight::capture::{
    Exchange,
    exchange::Message,
    policy::Interest,
    route::{Route, Routes},
    tee::{Captured, End},
};

use super::{
    places::{PLACES, Place, TEXTS},
    tensors,
    values::{LINES, VALUES},
};

/// One exchange; `name` says where what stands.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) exchange: Exchange,
}

impl Case {
    /// Bytes of both bodies.
    pub(crate) fn bytes(&self) -> usize {
        let sides = [&self.exchange.request, &self.exchange.response];
        let bodies = sides.map(|side| side.body.as_ref().map_or(0, |body| body.bytes.len()));
        bodies.iter().sum()
    }
}

static ROUTES: LazyLock<Routes> = LazyLock::new(|| {
    let mapped = r#"{"path":"/mapped","format":"mapped","model":{"request":"$.a[0]"},"paths":{
        "features":{"a":"$..a","b":"$.a[*].b","c":"$.a[1:9:2]"},
        "items":"$.p","class":"$.p[*].c","confidence":"$..confidence","probabilities":"$..p"}}"#;
    Routes::new(&[serde_json::from_str(mapped).unwrap()])
});

/// Every one, with one or two bodies of about `bytes` bytes.
pub(crate) fn cases(bytes: usize) -> impl Iterator<Item = Case> {
    let values = PLACES.iter().flat_map(move |place| {
        let each = move |value: &super::values::Value| {
            let text = value.text(bytes);
            case(place, value.name, text.as_bytes(), ["application/json"; 2])
        };
        VALUES.iter().map(each)
    });
    let refused = VALUES.iter().map(move |value| {
        let mut refused = case(
            &PLACES[0],
            value.name,
            value.text(bytes).as_bytes(),
            ["", ""],
        );
        refused.name = format!("refused: {}", value.name);
        refused.exchange.status = 422;
        refused
    });
    let texts = TEXTS.iter().flat_map(move |(place, request, response)| {
        let each = move |line: &&str| {
            let body = line.repeat(bytes / line.len());
            case(
                place,
                &format!("{line:?}"),
                body.as_bytes(),
                [*request, *response],
            )
        };
        LINES.iter().map(each)
    });
    values
        .chain(refused)
        .chain(texts)
        .chain(of_grpc(bytes))
        .chain(of_bytes(bytes))
}

fn of_grpc(bytes: usize) -> impl Iterator<Item = Case> {
    let kinds = [
        ("ModelInfer", 0),
        ("ModelInfer", 1),
        ("ModelStreamInfer", 0),
        ("ModelStreamInfer", 1),
        ("ModelStreamInfer", 2),
    ];
    kinds.into_iter().flat_map(move |(method, side)| {
        tensors::grpc(bytes).into_iter().map(move |(name, body)| {
            let short = b"\0\0\0\0\x02\x2a\0".to_vec();
            let (request, response) = match side {
                0 => (body, short),
                1 => (short, body),
                _ => (body.clone(), body),
            };
            let sides = ["request", "answer", "both"][side];
            let path = format!("/inference.GRPCInferenceService/{method}");
            let mut exchange = exchange(&path, &request, &response);
            exchange.grpc_status = Some(0);
            Case {
                name: format!("grpc, {method}, {sides}: {name}"),
                exchange,
            }
        })
    })
}

fn of_bytes(bytes: usize) -> impl Iterator<Item = Case> {
    let short = tensors::binary("outputs", 1).remove(0);
    let asked = tensors::binary("inputs", bytes)
        .into_iter()
        .map(move |(name, body, json)| {
            let mut exchange = exchange("/v2/models/m/infer", &body, &short.1);
            (exchange.request.json_bytes, exchange.response.json_bytes) =
                (Some(json), Some(short.2));
            Case {
                name: format!("v2 binary, request: {name}"),
                exchange,
            }
        });
    let answered = tensors::binary("outputs", bytes)
        .into_iter()
        .map(|(name, body, json)| {
            let mut exchange = exchange("/v2/models/m/infer", br#"{"inputs":[]}"#, &body);
            exchange.response.json_bytes = Some(json);
            Case {
                name: format!("v2 binary, answer: {name}"),
                exchange,
            }
        });
    asked.chain(answered)
}

fn case(place: &Place, value: &str, text: &[u8], types: [&str; 2]) -> Case {
    let fill = |side: &str| match side.split_once('@') {
        Some((head, tail)) => [head.as_bytes(), text, tail.as_bytes()].concat(),
        None => side.as_bytes().to_vec(),
    };
    let mut exchange = exchange(place.path, &fill(place.request), &fill(place.response));
    let sides = [&mut exchange.request, &mut exchange.response];
    for (side, kind) in sides.into_iter().zip(types) {
        side.content_type = (!kind.is_empty()).then(|| kind.to_owned());
    }
    Case {
        name: format!("{}: {value}", place.name),
        exchange,
    }
}

fn exchange(path: &str, request: &[u8], response: &[u8]) -> Exchange {
    let route: Option<&Arc<Route>> = ROUTES.find(path);
    Exchange {
        path: path.to_owned(),
        endpoint: path.into(),
        route: route.cloned(),
        status: 200,
        interest: Interest::Bodies,
        request: message(request),
        response: message(response),
        ..Exchange::default()
    }
}

fn message(bytes: &[u8]) -> Message {
    let mut message = Message::default();
    message.body = Some(Captured {
        passed: bytes.len() as u64,
        bytes: bytes.to_vec(),
        end: End::Complete,
        trailers: false,
        outcome: None,
    });
    message
}
