use flate2::{Compression, read::GzEncoder};

use super::{
    super::{Inference, Output, Values, decoded},
    *,
};
use crate::capture::Exchange;

/// A field of bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut len = bytes.len();
    while len >= 0x80 {
        field.push(u8::try_from(len & 0x7f).unwrap() | 0x80);
        len >>= 7;
    }
    field.push(u8::try_from(len).unwrap());
    field.extend_from_slice(bytes);
    field
}

fn frame(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

/// A tensor with typed contents.
fn tensor(name: &str, datatype: &str, shape: &[u8], contents: &[u8]) -> Vec<u8> {
    [
        field(1, name.as_bytes()),
        field(2, datatype.as_bytes()),
        field(3, shape),
        field(5, contents),
    ]
    .concat()
}

fn message(id: &str, tensors: &[Vec<u8>]) -> Vec<u8> {
    let mut message = [field(1, b"iris"), field(3, id.as_bytes())].concat();
    for tensor in tensors {
        message.extend(field(5, tensor));
    }
    message
}

/// A request of one row, whose only feature is `value`.
fn asked(id: &str, value: u8) -> Vec<u8> {
    message(id, &[tensor("x", "UINT8", &[1, 1], &field(4, &[value]))])
}

/// An answer with one class.
fn answered(id: &str, class: u8) -> Vec<u8> {
    message(id, &[tensor("y", "INT32", &[1], &field(2, &[class]))])
}

fn exchange(method: &str, request: Vec<u8>, response: Vec<u8>) -> Exchange {
    let path = format!("/inference.GRPCInferenceService/{method}");
    let mut exchange = Exchange::example(&path, "", "");
    exchange.request.body.as_mut().unwrap().bytes = request;
    exchange.response.body.as_mut().unwrap().bytes = response;
    exchange.grpc_status = Some(0);
    exchange
}

fn infer(request: &[u8], response: &[u8]) -> Inference {
    decoded(&exchange("ModelInfer", frame(request), frame(response))).unwrap()
}

fn stream(requests: &[Vec<u8>], responses: &[Vec<u8>]) -> Inference {
    let all = |messages: &[Vec<u8>]| messages.iter().flat_map(|m| frame(m)).collect();
    decoded(&exchange("ModelStreamInfer", all(requests), all(responses))).unwrap()
}

fn classes(read: &Inference) -> Vec<String> {
    let classes = read.outputs.iter().filter_map(Output::class);
    classes.map(std::borrow::Cow::into_owned).collect()
}

fn numbers(read: &Inference) -> Vec<Vec<f64>> {
    let numbers = |values: &Values| match values {
        Values::Numbers(numbers) => numbers.to_vec(),
        other @ Values::Mixed(_) => panic!("{other:?}"),
    };
    let columns = read.features.iter();
    columns.map(|column| numbers(&column.values)).collect()
}

#[test]
fn typed_contents_are_read_packed_or_not() {
    let packed = field(6, &[1_f32.to_le_bytes(), 2_f32.to_le_bytes()].concat());
    let one = |number: f32| [&[6 << 3 | 5][..], &number.to_le_bytes()].concat();
    let unpacked = [one(1.0), one(2.0)].concat();
    for contents in [packed, unpacked] {
        let request = message("", &[tensor("x", "FP32", &[1, 2], &contents)]);
        let read = infer(&request, &answered("", 2));
        assert_eq!((read.format, read.rows), ("v2_grpc", 1));
        assert_eq!(numbers(&read), [[1.0], [2.0]]);
        assert_eq!(classes(&read), ["2"]);
        assert_eq!(read.model.as_deref(), Some("iris"));
    }
}

#[test]
fn a_negative_class_and_texts_are_read() {
    let minus = field(3, &[0xff; 9].iter().copied().chain([1]).collect::<Vec<_>>());
    let response = message("", &[tensor("y", "INT64", &[1], &minus)]);
    assert_eq!(classes(&infer(&asked("", 1), &response)), ["-1"]);
    let texts = field(8, b"setosa");
    let response = message("", &[tensor("y", "BYTES", &[1, 1], &texts)]);
    assert_eq!(classes(&infer(&asked("", 1), &response)), ["setosa"]);
}

#[test]
fn raw_contents_belong_to_tensors_in_order() {
    let bare = |name: &str| [field(1, name.as_bytes()), field(2, b"INT8"), field(3, &[2])].concat();
    let request = [
        message("", &[bare("a"), bare("b")]),
        field(7, &[1, 2]),
        field(7, &[3, 4]),
    ]
    .concat();
    let response = [
        message(
            "",
            &[[field(1, b"y"), field(2, b"BOOL"), field(3, &[2])].concat()],
        ),
        field(6, &[1, 0]),
    ]
    .concat();
    let read = infer(&request, &response);
    assert_eq!(numbers(&read), [[1.0, 2.0], [3.0, 4.0]]);
    assert_eq!(read.features[1].name.text(), "b");
    assert_eq!(classes(&read), ["true", "false"]);
}

#[test]
fn messages_of_a_stream_are_one_batch_in_the_order_of_the_requests() {
    let wrapped = |id, class| field(2, &answered(id, class));
    let requests = [asked("a", 10), asked("b", 20), asked("c", 30)];
    let read = stream(
        &requests,
        &[wrapped("c", 3), wrapped("a", 1), wrapped("b", 2)],
    );
    assert_eq!(numbers(&read), [[10.0, 20.0, 30.0]]);
    assert_eq!(classes(&read), ["1", "2", "3"]);
    let requests = [asked("", 10), asked("", 20)];
    let read = stream(&requests, &[wrapped("", 3), wrapped("", 1)]);
    assert_eq!(classes(&read), ["3", "1"]);
}

#[test]
fn a_request_of_a_stream_that_failed_has_no_items() {
    let wrapped = |id, class| field(2, &answered(id, class));
    let error = field(1, b"no such model");
    let requests = [asked("", 10), asked("", 20)];
    let read = stream(&requests, &[error.clone(), wrapped("", 1)]);
    assert_eq!((numbers(&read), read.items()), (vec![vec![20.0]], 1));
    let read = stream(&requests, &[error.clone(), error.clone()]);
    assert_eq!((read.rows, read.items(), read.outputs.len()), (2, 2, 0));
    let named = [error, field(2, &message("b", &[]))].concat();
    let requests = [asked("a", 10), asked("b", 20)];
    let read = stream(&requests, &[named, wrapped("a", 1)]);
    assert_eq!(numbers(&read), [[10.0]]);
}

#[test]
fn vectors_of_a_stream_are_reordered_with_their_classes() {
    let scored = |id: &str, shares: [f32; 2]| {
        let contents = field(6, &shares.map(f32::to_le_bytes).concat());
        field(2, &message(id, &[tensor("p", "FP32", &[1, 2], &contents)]))
    };
    let requests = [asked("a", 1), asked("b", 2)];
    let read = stream(
        &requests,
        &[scored("b", [0.25, 0.75]), scored("a", [1.0, 0.0])],
    );
    assert_eq!(classes(&read), ["0", "1"]);
    assert_eq!(read.probabilities.unwrap().shares, [1.0, 0.0, 0.25, 0.75]);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzipped = Vec::new();
    let mut encoder = GzEncoder::new(bytes, Compression::fast());
    std::io::Read::read_to_end(&mut encoder, &mut gzipped).unwrap();
    gzipped
}

#[test]
fn a_message_may_be_compressed() {
    let mut request = frame(&gzip(&asked("", 7)));
    request[0] = 1;
    let mut exchange = exchange("ModelInfer", request, frame(&answered("", 1)));
    exchange.request.message_encoding = Some("gzip".to_owned());
    assert_eq!(numbers(&decoded(&exchange).unwrap()), [[7.0]]);
    exchange.request.message_encoding = Some("snappy".to_owned());
    let read = decoded(&exchange).unwrap();
    assert_eq!((read.rows, read.items()), (0, 1));
}

#[test]
fn what_inflates_without_end_is_not_read() {
    let mut response = frame(&gzip(&vec![0; 40 << 20]));
    response[0] = 1;
    let mut exchange = exchange("ModelInfer", frame(&asked("", 7)), response);
    exchange.response.message_encoding = Some("gzip".to_owned());
    let error = decoded(&exchange).unwrap_err();
    assert!(error.reason().starts_with("inflate_"), "{error}");
}

#[test]
fn a_call_that_failed_shows_its_request() {
    let mut exchange = exchange("ModelInfer", frame(&asked("", 7)), Vec::new());
    exchange.grpc_status = Some(5);
    let read = decoded(&exchange).unwrap();
    assert_eq!(
        (read.format, read.items(), read.outputs.len()),
        ("v2_grpc", 1, 0)
    );
    assert_eq!(read.model.as_deref(), Some("iris"));
}

#[test]
fn what_breaks_off_is_not_read() {
    let whole = frame(&answered("", 1));
    for end in 1..whole.len() {
        let cut = exchange("ModelInfer", frame(&asked("", 7)), whole[..end].to_vec());
        assert_eq!(decoded(&cut), Err(DecodeError::Syntax));
    }
    let empty = exchange("ModelInfer", frame(&asked("", 7)), Vec::new());
    assert_eq!(decoded(&empty), Err(DecodeError::Empty));
}

#[test]
fn a_stream_of_answers_as_they_are_is_read_too() {
    let requests = [asked("", 1), asked("", 1)];
    let read = stream(&requests, &[answered("", 2), answered("", 1)]);
    assert_eq!(
        (read.rows, classes(&read)),
        (2, vec!["2".to_owned(), "1".to_owned()])
    );
}

#[test]
fn a_stream_to_several_models_is_of_none() {
    let to = |model: &[u8]| [field(1, model), asked("", 1)[6..].to_vec()].concat();
    let of = |model: &[u8]| [field(1, model), answered("", 1)[6..].to_vec()].concat();
    assert_eq!(asked("", 1)[..6], field(1, b"iris")[..]);
    let read = stream(&[to(b"a"), to(b"b")], &[of(b"a"), of(b"b")]);
    assert_eq!((read.items(), read.model), (2, None));
    let read = stream(&[to(b"a"), to(b"a")], &[of(b"a"), of(b"a")]);
    assert_eq!(read.model.as_deref(), Some("a"));
}

#[test]
fn truth_values_of_many_tensors_share_one_room() {
    let many = field(1, &[1; 16_384]);
    let tensors: Vec<_> = (b'a'..=b'd')
        .map(|name| {
            tensor(
                &char::from(name).to_string(),
                "BOOL",
                &[0x80, 1, 0x80, 1],
                &many,
            )
        })
        .collect();
    let mut exchange = exchange("ModelInfer", frame(&message("", &tensors)), Vec::new());
    exchange.grpc_status = Some(3);
    let read = decoded(&exchange).unwrap();
    assert_eq!(read.rows, 128);
    let kept: usize = read.features.iter().map(|c| c.values.held_bytes()).sum();
    assert!(kept <= 1 << 19, "{kept}");
}

/// An answer in the envelope of a stream.
fn wrapped(id: &str, class: u8) -> Vec<u8> {
    field(2, &answered(id, class))
}

/// The last answer to a request of a decoupled model, without outputs.
fn ended(id: &str) -> Vec<u8> {
    let flag = [field(1, b"triton_final_response"), field(2, &[1 << 3, 1])].concat();
    let end = [field(1, b"iris"), field(3, id.as_bytes()), field(4, &flag)].concat();
    field(2, &end)
}

#[test]
fn answers_of_a_decoupled_model_are_joined_with_its_requests_by_id() {
    let requests = [asked("a", 10), asked("b", 20), asked("c", 30)];
    let answers = [
        wrapped("b", 1),
        wrapped("a", 2),
        wrapped("b", 3),
        ended("a"),
        ended("b"),
        ended("c"),
    ];
    let read = stream(&requests, &answers);
    assert_eq!(numbers(&read), [[10.0, 20.0, 20.0]]);
    assert_eq!(
        (classes(&read).concat(), read.note),
        ("213".to_owned(), None)
    );
}

#[test]
fn answers_that_cannot_be_joined_are_read_alone_and_say_so() {
    let requests = [asked("", 10), asked("", 20)];
    let answers = [wrapped("", 1), wrapped("", 2), wrapped("", 3), ended("")];
    let read = stream(&requests, &answers);
    assert_eq!((read.rows, classes(&read).concat()), (0, "123".to_owned()));
    assert_eq!(read.note, Some(v2::UNJOINED));
    let fewer = stream(&requests, &[wrapped("", 1), ended("")]);
    assert_eq!((fewer.rows, fewer.items()), (0, 1));
    let requests = [asked("a", 10), asked("b", 20)];
    let none = stream(&requests, &[ended("a"), ended("b")]);
    assert_eq!((none.rows, none.outputs.len(), none.note), (2, 0, None));
}

#[test]
fn an_error_of_a_stream_is_told_and_costs_its_request_alone() {
    let requests = [asked("a", 10), asked("b", 20)];
    let named = [field(1, b"no such model"), field(2, &message("a", &[]))].concat();
    let read = stream(&requests, &[named, wrapped("b", 1), wrapped("b", 2)]);
    assert_eq!(numbers(&read), [[20.0, 20.0]]);
    assert_eq!(read.note, Some(FAILED));
}

#[test]
fn parts_of_a_text_in_a_stream_are_one_text() {
    let prompt = |id: &str| {
        let text = tensor("text_input", "BYTES", &[1], &field(8, b"Hello?"));
        message(id, &[text])
    };
    let part = |id: &str, text: &str| {
        let output = tensor("text_output", "BYTES", &[1], &field(8, text.as_bytes()));
        field(2, &message(id, &[output]))
    };
    let read = stream(
        &[prompt("a")],
        &[part("a", "Hi"), part("a", " !"), ended("a")],
    );
    assert_eq!((read.items(), read.rows, read.features.len()), (1, 1, 0));
    assert_eq!((classes(&read).len(), read.note), (0, None));
    let generation = read.generation.unwrap();
    assert_eq!(
        (generation.output.as_str(), generation.content_chunks),
        ("Hi !", Some(2))
    );
    assert_eq!(generation.prompts.unwrap(), ["Hello?"]);
    let two = [part("a", "Hi"), part("b", "No"), part("a", " !")];
    let read = stream(&[prompt("a"), prompt("b")], &two);
    assert_eq!(
        (read.items(), read.generation.unwrap().output),
        (2, "Hi !".to_owned())
    );
}

#[test]
fn features_that_many_answers_would_repeat_are_not_kept() {
    let many = field(1, &[1; 1024]);
    let request = message("a", &[tensor("x", "BOOL", &[1, 0x80, 8], &many)]);
    let answers = vec![wrapped("a", 1); 200];
    let read = stream(&[request], &answers);
    assert_eq!(
        (read.rows, read.features.len(), read.items()),
        (200, 0, 200)
    );
}
