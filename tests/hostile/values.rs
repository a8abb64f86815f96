//! Values of JSON and lines of text that are made to cost: one short unit, over and over.

use std::fmt::Write as _;

/// A value of JSON, of any length.
pub(crate) struct Value {
    pub(crate) name: &'static str,
    head: &'static str,
    /// What is repeated; `#` is a number that no other has.
    unit: &'static str,
    /// As often again, behind all units.
    mirror: &'static str,
    tail: &'static str,
}

impl Value {
    /// One of about so many bytes.
    pub(crate) fn text(&self, bytes: usize) -> String {
        let mut text = String::from(self.head);
        let mut count = 0;
        while text.len() + count * self.mirror.len() < bytes {
            match self.unit.split_once('#') {
                Some((before, after)) => {
                    let _ = write!(text, "{before}{count:x}{after}");
                }
                None => text.push_str(self.unit),
            }
            count += 1;
        }
        text.push_str(&self.mirror.repeat(count));
        text.push_str(self.tail);
        text
    }
}

const fn value(
    name: &'static str,
    head: &'static str,
    unit: &'static str,
    mirror: &'static str,
    tail: &'static str,
) -> Value {
    Value {
        name,
        head,
        unit,
        mirror,
        tail,
    }
}

pub(crate) const VALUES: &[Value] = &[
    value("zeros", "[", "0,", "", "0]"),
    value("spaced", "[", "0 , ", "", "0]"),
    value("fractions", "[", "0.1,", "", "0.1]"),
    value("exponents", "[", "1e5,", "", "1e5]"),
    value("tiny", "[", "1e-300,", "", "1e-300]"),
    value("negative", "[", "-0,", "", "-0]"),
    value("long", "[", "123456789012345678901234.5,", "", "0]"),
    value("digits", "[", "7", "", "]"),
    value("infinite", "[", "1e999,", "", "1]"),
    value("nan", "[", "NaN,", "", "NaN]"),
    value("infinity", "[0,", "-Infinity,", "", "0]"),
    value("nulls", "[", "null,", "", "null]"),
    value("truths", "[", "true,", "", "true]"),
    value("mixed", "[", "0,\"\",", "", "0]"),
    value("empty texts", "[", "\"\",", "", "\"\"]"),
    value("letters", "[", "\"a\",", "", "\"a\"]"),
    value("digits as texts", "[", "\"1\",", "", "\"1\"]"),
    value("escapes", "[", "\"\\n\",", "", "\"\"]"),
    value("one text of escapes", "\"", "\\n", "", "\""),
    value("one text of units", "\"", "\\u0061", "", "\""),
    value("one text of halves", "\"", "\\ud800", "", "\""),
    value("halves", "[", "\"\\ud800\",", "", "\"\"]"),
    value("accents", "\"", "é", "", "\""),
    value("accents in texts", "[", "\"é\",", "", "\"\"]"),
    value("text", "\"", "a", "", "\""),
    value("lists", "[", "[],", "", "[]]"),
    value("lists of lists", "[", "[[]],", "", "[[]]]"),
    value("lists of one", "[", "[0],", "", "[0]]"),
    value("lists of two", "[", "[0,0],", "", "[0,0]]"),
    value("lists of one, deeper", "[", "[[0]],", "", "[[0]]]"),
    value("lists of texts", "[", "[\"a\"],", "", "[\"a\"]]"),
    value("pairs", "[", "[[\"a\",0]],", "", "[[\"a\",0]]]"),
    value("pairs, flat", "[", "[\"a\",0],", "", "[\"a\",0]]"),
    value("ragged", "[", "[0],[0,0],", "", "[0]]"),
    value("one long list", "[[", "0,", "", "0]]"),
    value("one long list of texts", "[[", "\"\",", "", "\"\"]]"),
    value("objects", "[", "{},", "", "{}]"),
    value("objects of one", "[", "{\"a\":0},", "", "{\"a\":0}]"),
    value("objects without name", "[", "{\"\":0},", "", "{\"\":0}]"),
    value("objects of others", "[", "{\"#\":0},", "", "{\"\":0}]"),
    value("objects of lists", "[", "{\"a\":[0]},", "", "{\"a\":[0]}]"),
    value(
        "objects of two",
        "[",
        "{\"a\":[0,0]},",
        "",
        "{\"a\":[0,0]}]",
    ),
    value(
        "labels",
        "[",
        "{\"label\":\"\",\"score\":1},",
        "",
        "{\"label\":\"\",\"score\":1}]",
    ),
    value(
        "predictions",
        "[",
        "{\"prediction\":0},",
        "",
        "{\"prediction\":0}]",
    ),
    value(
        "features",
        "[",
        "{\"features\":[]},",
        "",
        "{\"features\":[0]}]",
    ),
    value("tensors", "[", "{\"data\":[]},", "", "{\"data\":[0]}]"),
    value(
        "typed",
        "[",
        "{\"datatype\":\"INT8\",\"shape\":[],\"data\":0},",
        "",
        "{}]",
    ),
    value("choices", "[", "{\"index\":1},", "", "{}]"),
    value("names", "{", "\"#\":0,", "", "\"\":0}"),
    value("names of texts", "{", "\"#\":\"\",", "", "\"\":\"\"}"),
    value("names of lists", "{", "\"#\":[0],", "", "\"\":[0]}"),
    value("names of two", "{", "\"#\":[0,0],", "", "\"\":[0,0]}"),
    value("names of objects", "{", "\"#\":{},", "", "\"\":{}}"),
    value("one name", "{", "\"a\":0,", "", "\"a\":0}"),
    value("no name", "{", "\"\":0,", "", "\"\":0}"),
    value("escaped names", "{", "\"\\n\":0,", "", "\"\":0}"),
    value("data", "{", "\"data\":0,", "", "\"data\":[0]}"),
    value("label", "{", "\"label\":0,", "", "\"label\":0}"),
    value("scores", "{", "\"scores\":[],", "", "\"scores\":[0]}"),
    value(
        "prediction",
        "{",
        "\"prediction\":[],",
        "",
        "\"prediction\":[0]}",
    ),
    value("deep", "", "[", "]", ""),
    value("deep objects", "", "{\"\":", "}", ""),
    value("deep and open", "", "[", "", ""),
    value("deep in a list", "[", "[", "]", ",0]"),
    value("open", "[", "0,", "", ""),
    value("open text", "[\"", "a", "", ""),
    value("open rows", "[", "[0,0],", "", "[0"),
    value("quotes", "", "\"", "", ""),
    value("commas", "[", ",", "", "]"),
    value("space", "[", " ", "", "]"),
    value("zero bytes", "[", "\0", "", "]"),
    value("words", "[", "x", "", "]"),
];

/// What stands in the lines of a body of text, and in forms and events.
pub(crate) const LINES: &[&str] = &[
    ",",
    "\"",
    "\n",
    "\r\n",
    "\"\",",
    "0\n",
    "0,",
    "0,0\n",
    "0.1,",
    "a\n",
    "a,",
    "\"\"\n",
    "\"a\",\"b\"\n",
    "1e999,",
    "nan,",
    "é,",
    " ",
    "{}\n",
    "[]\n",
    "[0]\n",
    "[0,0]\n",
    "{\"a\":0}\n",
    "{\"features\":[]}\n",
    "null\n",
    "data:{}\n",
    "data:0\n\n",
    "data: {\"choices\":[]}\n\n",
    "data:[]\n",
    "data:\n",
    ":\n",
    "data: {\"text_output\":\"\"}\n\n",
    "data: {\"token\":{\"text\":\"\"}}\n\n",
    "{\"token\":\"\"}\n",
    "&",
    "a&",
    "a=1&",
    "=",
    "a=%00&",
    "%00",
    "+",
    "%",
    "--b\r\n",
    "\n--b",
    "--b\r\nContent-Disposition:form-data;name=a\r\n\r\n\r\n",
    "0:0 ",
    "A",
    "\0",
    "x\\",
];
