//! The inputs that fuzzing has kept, again; and where it begins.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{
    super::{DECODERS, Decoder, Inference, Pair, decode},
    BOUNDS, content, decoders,
    input::{ANSWER, Choice, Input, KINDS, PATHS, routes},
};
use crate::capture::{
    Exchange,
    exchange::Message,
    recorded::{self, Recorded},
    route::Routes,
};

#[test]
fn what_fuzzing_has_kept_of_encoded_bodies_still_holds() {
    crate::fuzzing::replay("content", content);
}

#[test]
fn what_fuzzing_has_kept_of_exchanges_still_holds() {
    crate::fuzzing::replay("decoders", decoders);
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Those of an exchange that gives predictions, with what was chosen for it.
fn read() -> Vec<(Choice, Exchange, Inference)> {
    let files = fs::read_dir(folder("fuzz/corpus/decoders")).unwrap();
    let mut all = Vec::new();
    for file in files {
        let input = fs::read(file.unwrap().path()).unwrap();
        let Some(input) = Input::of(&input) else {
            continue;
        };
        let exchange = input.exchange();
        if let Ok(inference) = decode(&exchange, &BOUNDS)
            && (!inference.outputs.is_empty() || inference.task.is_some())
        {
            all.push((input.choice, exchange, inference));
        }
    }
    all
}

fn claims(decoder: &Decoder, exchange: &Exchange) -> bool {
    let body = |message: &Message| match &message.body {
        Some(body) => body.bytes.clone(),
        None => Vec::new(),
    };
    let (request, response) = (body(&exchange.request), body(&exchange.response));
    decoder.is_named(&Pair::of(exchange, &request, &response).within(&BOUNDS))
}

#[test]
fn every_format_is_claimed_and_read_by_an_input_that_fuzzing_has_kept() {
    let read = read();
    for decoder in DECODERS {
        let of_format = read.iter().filter(|(.., i)| i.format == decoder.format);
        let has_claimed = of_format.clone().any(|(_, e, _)| claims(decoder, e));
        let count = of_format.count();
        assert!(
            has_claimed,
            "{}: {count} read, none claimed",
            decoder.format
        );
    }
}

#[test]
fn every_path_route_and_content_type_has_an_input_that_is_read() {
    let read = read();
    let of = |chosen: fn(Choice) -> u8| read.iter().map(move |(choice, ..)| chosen(*choice));
    let paths: BTreeSet<u8> = of(|c| c.path % 64).collect();
    let routes_read: BTreeSet<u8> = of(|c| c.route % 64).collect();
    let kinds: BTreeSet<u8> = of(|c| c.kinds & 15).collect();
    let missing = |all: usize, found: &BTreeSet<u8>| -> Vec<usize> {
        let is_missing = |place: &usize| !found.contains(&u8::try_from(*place).unwrap());
        (0..all).filter(is_missing).collect()
    };
    let none: Vec<usize> = Vec::new();
    // questions about a model, and a path that is none, ask for no prediction
    let (paths, no_prediction) = (missing(PATHS.len(), &paths), [28, 29, 30, 31]);
    assert!(paths.iter().all(|p| no_prediction.contains(p)), "{paths:?}");
    assert_eq!(missing(KINDS.len(), &kinds), none, "content types");
    // the route to ignore, and one that has no paths at all, give nothing
    let ignored = |place: &usize| [7, 21].contains(place);
    let mut routes = missing(routes().len() + 1, &routes_read);
    routes.retain(|place| !ignored(place));
    assert_eq!(routes, none, "routes");
}

/// The exchanges of tests/wire with short bodies, in their order.
fn recorded() -> Vec<Exchange> {
    let mut files = Vec::new();
    for folder in fs::read_dir(folder("tests/wire")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            files.push(file.unwrap().path());
        }
    }
    files.retain(|file| file.extension().is_some_and(|ending| ending == "jsonl"));
    files.sort();
    let routes = Routes::new(&[]);
    let capture = recorded::Capture {
        routes: &routes,
        body_limit: 2048,
    };
    let exchange = |line: &str| {
        let recorded = Recorded::read(line.as_bytes()).unwrap();
        recorded.exchange(&capture).unwrap()
    };
    let text = |file: &PathBuf| fs::read_to_string(file).unwrap();
    let texts: Vec<String> = files.iter().map(text).collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    lines.map(exchange).collect()
}

/// An input that is read as `exchange` is, if there is one.
fn input_of(exchange: &Exchange, route: u8) -> Option<Vec<u8>> {
    let bytes = |message: &Message| message.body.as_ref().map(|body| body.bytes.clone());
    let kind = |message: &Message| {
        let kind = message.content_type.as_deref();
        KINDS.iter().position(|known| *known == kind).unwrap_or(1)
    };
    let parts = |message: &Message| match message.json_bytes {
        None => 0,
        Some(0) => 1,
        Some(_) => 2,
    };
    let coding = |message: &Message| u8::from(message.message_encoding.is_some());
    let path = PATHS.iter().position(|path| *path == exchange.path);
    let status = [200, 201, 204, 302, 400, 422, 500, 503];
    let status = status.iter().position(|s| *s == exchange.status)?;
    let outcome = match exchange.grpc_status {
        None => 0,
        Some(0) => 1,
        Some(3) => 2,
        Some(_) => 3,
    };
    let (request, response) = (&exchange.request, &exchange.response);
    let (way, asked) = match &exchange.query {
        Some(query) if query.contains("json=") => (Choice::GET_QUERY, query.clone().into_bytes()),
        Some(_) => (Choice::GET_TASK, Vec::new()),
        None => (0, bytes(request)?),
    };
    let byte = |number: usize| u8::try_from(number).unwrap();
    let choice = |path: usize| Choice {
        path: byte(path),
        route,
        kinds: byte(kind(request)) | byte(kind(response)) << 4,
        outcome: byte(status) | outcome << 3 | way,
        parts: parts(request) | parts(response) << 2 | coding(request) << 4 | coding(response) << 6,
        bodies: 0,
    };
    let all = match path {
        Some(path) => path..path + 1,
        None => 0..PATHS.len(),
    };
    let mut inputs = all.map(|path| {
        let choice = choice(path).bytes();
        [
            &choice[..],
            &asked,
            ANSWER,
            &bytes(response).unwrap_or_default(),
        ]
        .concat()
    });
    let same = |input: &Vec<u8>| {
        let made = Input::of(input).unwrap().exchange();
        let of = |e: &Exchange| decode(e, &BOUNDS).map(|i| (i.format, i.rows, i.outputs));
        route != 0 || of(&made) == of(exchange)
    };
    inputs.find(same)
}

/// Writes them to `.cache/fuzz/seeds`; what of them shows anything new goes to `fuzz/corpus` with
/// `-merge=1`.
#[test]
#[ignore = "writes what fuzzing begins from"]
fn seeds_are_made_of_the_exchanges_of_the_wire() {
    let seeds = folder(".cache/fuzz/seeds");
    fs::create_dir_all(&seeds).unwrap();
    let recorded = recorded();
    let mut inputs: Vec<Vec<u8>> = Vec::new();
    for exchange in &recorded {
        inputs.extend(input_of(exchange, 0));
    }
    // the first once more under each content type
    for kind in 0..u8::try_from(KINDS.len()).unwrap() {
        let mut input = inputs[0].clone();
        input[2] = kind | kind << 4;
        inputs.push(input);
    }
    // for each route those of each format that it reads
    for place in 1..=u8::try_from(routes().len()).unwrap() {
        let mut formats = BTreeSet::new();
        for exchange in &recorded {
            let Some(input) = input_of(exchange, place) else {
                continue;
            };
            let read = decode(&Input::of(&input).unwrap().exchange(), &BOUNDS);
            if let Ok(inference) = read
                && !inference.outputs.is_empty()
                && formats.insert(inference.format)
            {
                inputs.push(input);
            }
        }
    }
    for (place, input) in inputs.iter().enumerate() {
        fs::write(seeds.join(format!("{place:04}")), input).unwrap();
    }
    assert!(inputs.len() > 200, "{}", inputs.len());
}
