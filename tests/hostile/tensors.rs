//! Messages of gRPC and tensors as bytes, of as many parts as fit.

use std::iter;

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
    let length = u32::try_from(message.len()).unwrap();
    [&[0][..], &length.to_be_bytes(), message].concat()
}

fn over_and_over(unit: &[u8], bytes: usize) -> Vec<u8> {
    unit.repeat(bytes / unit.len())
}

/// A tensor of one type with such contents.
fn tensor(datatype: &str, contents: &[u8]) -> Vec<u8> {
    let parts = [
        field(1, b"a"),
        field(2, datatype.as_bytes()),
        field(3, &[1]),
        field(5, contents),
    ];
    field(5, &parts.concat())
}

/// What one message is full of.
const FIELDS: &[(&str, &[u8])] = &[
    ("varints", b"\x08\0"),
    ("long varints", b"\x08\x80\x80\x80\x80\0"),
    ("empty tensors", b"\x2a\0"),
    ("empty contents", b"\x32\0\x3a\0"),
    ("parameters", b"\x22\0"),
    ("named parameters", b"\x22\x02\x12\0"),
    ("names", b"\x0a\0"),
    ("letters", b"\x0a\x01a"),
    ("ids", b"\x1a\x01a"),
    ("shapes", b"\x2a\x04\x1a\x02\x01\x01"),
    ("groups", b"\x0b"),
];

/// What the contents of one tensor are full of.
const CONTENTS: &[(&str, &str, &[u8])] = &[
    ("truth values", "BOOL", b"\x08\x01"),
    ("numbers", "INT64", b"\x10\x01"),
    ("unsigned", "UINT64", b"\x20\xff\x01"),
    ("floats", "FP32", b"\x35\0\0\0\0"),
    ("empty texts", "BYTES", b"\x42\0"),
    ("texts", "BYTES", b"\x42\x01a"),
    ("accents", "BYTES", b"\x42\x01\xff"),
    ("empty lists", "INT64", b"\x12\0"),
];

/// What the messages of a stream are.
const MESSAGES: &[(&str, &[u8])] = &[
    ("nothing", b""),
    ("an id", b"\x1a\x01a"),
    ("an empty tensor", b"\x2a\0"),
    ("an envelope", b"\x12\0"),
    ("an error", b"\x0a\x01a"),
    ("an error in an envelope", b"\x0a\x01a\x12\0"),
    (
        "an answer",
        b"\x2a\x0d\x12\x05INT64\x1a\x01\x01\x2a\x01\x01",
    ),
];

/// Bodies of gRPC, each with its name.
pub(crate) fn grpc(bytes: usize) -> Vec<(String, Vec<u8>)> {
    let fields = FIELDS.iter().map(|(name, unit)| {
        let message = over_and_over(unit, bytes);
        (format!("a message of {name}"), frame(&message))
    });
    let contents = CONTENTS.iter().map(|(name, datatype, unit)| {
        let message = tensor(datatype, &over_and_over(unit, bytes));
        (format!("a tensor of {name}"), frame(&message))
    });
    let packed = [
        ("truth values", "BOOL", 1),
        ("numbers", "INT64", 2),
        ("doubles", "FP64", 7),
    ];
    let packed = packed.into_iter().map(|(name, datatype, number)| {
        let message = tensor(datatype, &field(number, &vec![1; bytes / 8 * 8]));
        (format!("a packed tensor of {name}"), frame(&message))
    });
    let shape = iter::once({
        let tensor = [field(2, b"INT64"), field(3, &vec![1; bytes])].concat();
        ("a shape of ones".to_owned(), frame(&field(5, &tensor)))
    });
    let streams = MESSAGES.iter().map(|(name, message)| {
        let body = over_and_over(&frame(message), bytes);
        (format!("messages of {name}"), body)
    });
    let others = iter::once(("zero bytes".to_owned(), vec![0; bytes]));
    fields
        .chain(contents)
        .chain(packed)
        .chain(shape)
        .chain(streams)
        .chain(others)
        .collect()
}

/// JSON with tensors as bytes behind it, and how much of it is JSON.
pub(crate) fn binary(list: &str, bytes: usize) -> Vec<(String, Vec<u8>, usize)> {
    let types = [
        ("BYTES", &b"\0\0\0\0"[..]),
        ("BYTES", b"\x01\0\0\0a"),
        ("BYTES", b"\x02\0\0\0\xc3\xa9"),
        ("BOOL", b"\x01"),
        ("INT8", b"\x01"),
        ("FP16", b"\x00\x3c"),
        ("FP64", b"\0\0\0\0\0\0\xf0\x3f"),
    ];
    let body = |datatype: &str, unit: &[u8], width: usize| {
        let tail = over_and_over(unit, bytes);
        let rows = tail.len() / unit.len() / width;
        let shape = if width == 1 {
            format!("[{rows}]")
        } else {
            format!("[{rows},{width}]")
        };
        let json = format!(
            r#"{{"{list}":[{{"name":"a","datatype":"{datatype}","shape":{shape},"parameters":{{"binary_data_size":{}}}}}]}}"#,
            tail.len()
        );
        (
            format!("{datatype} of {} bytes, {width} wide", unit.len()),
            [json.as_bytes(), &tail].concat(),
            json.len(),
        )
    };
    let each = |width| types.map(|(datatype, unit)| body(datatype, unit, width));
    [each(1), each(2), each(1024)]
        .into_iter()
        .flatten()
        .collect()
}
