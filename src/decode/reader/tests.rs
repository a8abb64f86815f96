use serde::de::IgnoredAny;
use serde_json::Value;

use super::*;

/// A value as any sender may write it.
fn value(random: &mut fastrand::Rng, depth: u8, text: &mut String) {
    const PLAIN: &[&str] = &[
        "0",
        "-0",
        "7",
        "-1",
        "1.5",
        "-0.25",
        "1e5",
        "12E-3",
        "0.1",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775808",
        "-9223372036854775809",
        "1.7976931348623157e30",
        "123456789012345678901.5",
        "9007199254740993",
        "4.35",
        "true",
        "false",
        "null",
        "\"\"",
        "\"a\"",
        "\"é\\n\\\"x\"",
        "\"0123456789\\\\\"",
        "[]",
        "{}",
        " 1 ",
    ];
    let (open, close) = match random.u8(0..if depth == 0 { 1 } else { 4 }) {
        2 => ('[', ']'),
        3 => ('{', '}'),
        _ => return text.push_str(random.choice(PLAIN).unwrap()),
    };
    text.push(open);
    for place in 0..random.u8(0..4) {
        if place > 0 {
            text.push(',');
        }
        if open == '{' {
            text.push_str(random.choice(["\"a\":", "\"\\t\" : ", "\"b\":"]).unwrap());
        }
        value(random, depth - 1, text);
    }
    text.push(close);
}

#[test]
fn what_the_standard_allows_is_read_as_others_read_it() {
    let mut random = fastrand::Rng::with_seed(11);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..40_000 {
        let mut text = String::new();
        value(&mut random, 3, &mut text);
        if random.bool() && !text.is_empty() {
            let at = text.floor_char_boundary(random.usize(0..text.len()));
            let other = random.choice(["", ",", "]", "}", "\"", "0", ".", "-", " ", ":", "e"]);
            let end = text.ceil_char_boundary(at + 1);
            text.replace_range(at..end, other.unwrap());
        }
        let expected = serde_json::from_str::<Value>(&text).ok();
        let mut reader = Reader::of_text(&text);
        let read = reader.only(std::marker::PhantomData::<Value>).ok();
        // two numbers put together may be infinite, which the other refuses
        if reader.is_strict() {
            assert_eq!(read, expected, "{text}");
        }
        let is_json = parsed::<IgnoredAny>(text.as_bytes()).is_ok();
        assert_eq!(is_json, read.is_some(), "{text}");
        good += usize::from(is_json);
        bad += usize::from(!is_json);
    }
    assert!(good > 10_000 && bad > 5_000, "{good} and {bad}");
}

#[test]
fn numbers_are_the_nearest_floats() {
    let mut random = fastrand::Rng::with_seed(12);
    for _ in 0..40_000 {
        let digits = random.u64(..) >> random.u8(0..64);
        let text = match random.u8(0..4) {
            0 => format!("{digits}e{}", random.i32(-330..280)),
            1 => format!("{}.{digits}", random.u16(..)),
            2 => format!("-{}.{digits}e{}", random.u8(..), random.i32(-30..30)),
            _ => format!("{:?}", f64::from_bits(random.u64(..) >> 2)),
        };
        let expected: f64 = text.parse().unwrap();
        let read: f64 = parsed(text.as_bytes()).unwrap();
        assert_eq!(read.to_bits(), expected.to_bits(), "{text}");
    }
}

/// Numbers, and `None` for what stands among them.
struct Numbers<'a>(&'a mut Vec<Option<f64>>);

impl<'de> Visitor<'de> for Numbers<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(number) = list.next_element()? {
            self.0.push(Some(number));
        }
        Ok(())
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        self.0.push(None);
        json.deserialize_any(IgnoredAny).map(drop)
    }
}

impl<'de> DeserializeSeed<'de> for Numbers<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_newtype_struct(NUMBERS, self)
    }
}

/// A list whose numbers are read by runs; others are `None`.
struct InRuns;

impl<'de> Visitor<'de> for InRuns {
    type Value = Vec<Option<f64>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while list.next_element_seed(Numbers(&mut found))?.is_some() {}
        Ok(found)
    }
}

impl<'de> DeserializeSeed<'de> for InRuns {
    type Value = Vec<Option<f64>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

#[test]
fn numbers_next_to_each_other_are_read_as_each_of_them_is() {
    let mut random = fastrand::Rng::with_seed(13);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..40_000 {
        let mut text = String::from("[");
        for place in 0..random.u8(0..6) {
            if place > 0 {
                text.push_str(random.choice([",", ", ", " ,", ",\n", ",  "]).unwrap());
            }
            let digits = random.u64(..) >> random.u8(0..64);
            let element = match random.u8(0..8) {
                0 => "null".to_owned(),
                1 => "[1,2]".to_owned(),
                2 => format!("{digits}"),
                3 => format!("-{digits}"),
                4 => format!("{digits}e{}", random.i32(-330..280)),
                5 => format!("{}.{:06}", random.u8(..), random.u32(..)),
                _ => format!("-{}.{digits}", random.u32(..) >> random.u8(0..32)),
            };
            text.push_str(&element);
        }
        text.push(']');
        if random.u8(0..4) == 0 {
            let at = text.floor_char_boundary(random.usize(0..text.len()));
            let other = random.choice(["", ",", "-", "0", ".", "x", " "]).unwrap();
            let end = text.ceil_char_boundary(at + 1);
            text.replace_range(at..end, other);
        }
        let one_by_one = parsed::<Value>(text.as_bytes()).ok();
        let expected = one_by_one.as_ref().and_then(Value::as_array).map(|list| {
            let number = |value: &Value| value.as_f64().map(f64::to_bits);
            list.iter().map(number).collect::<Vec<_>>()
        });
        if text.starts_with('[') {
            let read = Reader::of_text(&text).only(InRuns).ok();
            // what is infinite is no number for the other
            let bits = |number: Option<f64>| number.filter(|n| n.is_finite()).map(f64::to_bits);
            let bits = read.map(|all| all.into_iter().map(bits).collect());
            assert_eq!(bits, expected, "{text}");
            good += usize::from(expected.is_some());
            bad += usize::from(expected.is_none());
        }
    }
    assert!(good > 20_000 && bad > 2_000, "{good} and {bad}");
}

#[test]
fn what_python_writes_beside_the_standard_is_read() {
    let read = |text: &str| parsed::<Value>(text.as_bytes()).ok();
    let nulls = serde_json::json!([null, null, null, null, null]);
    assert_eq!(read("[NaN,Infinity,-Infinity,1e999,-1e999]"), Some(nulls));
    assert_eq!(
        read(&format!("[{}]", "9".repeat(400))),
        Some(serde_json::json!([null]))
    );
    let halves = serde_json::json!(["😀", "\u{fffd}", "\u{fffd}x", "\u{fffd}😀", "\\ud83d"]);
    let text = r#"["\ud83d\ude00","\ud83d","\ude00x","\ud83d\ud83d\ude00","\\ud83d"]"#;
    assert_eq!(read(text), Some(halves));
    for text in [
        "[-NaN]", "[+1]", "[nan]", "{NaN:1}", "[Inf]", "[01]", "[1.]", "[.5]", "['a']", "[1,]",
    ] {
        assert_eq!(read(text), None, "{text}");
        assert!(parsed::<IgnoredAny>(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn only_what_is_beside_the_standard_is_told() {
    let is_strict = |text: &str| {
        let mut reader = Reader::of_text(text);
        reader.only(std::marker::PhantomData::<IgnoredAny>).unwrap();
        reader.is_strict()
    };
    for text in ["[1e308,1e-999,\"\\ud83d\\ude00\",\"NaN\"]", "{\"a\":null}"] {
        assert!(is_strict(text), "{text}");
    }
    let long = "9".repeat(400);
    for text in [
        "[NaN]",
        "[1e999]",
        "[\"\\ud83d\"]",
        "{\"a\":-Infinity}",
        long.as_str(),
    ] {
        assert!(!is_strict(text), "{text}");
    }
}

#[test]
fn a_list_that_is_not_read_to_its_end_is_no_json() {
    assert_eq!(parsed::<[u8; 1]>(b"[1]"), Ok([1]));
    assert_eq!(parsed::<[u8; 1]>(b"[1,2]"), Err(Stop::Syntax));
    assert_eq!(parsed::<[u8; 1]>(b"[\"a\"]"), Err(Stop::Refused));
}
