use super::*;
use crate::config::JsonPath;

/// What `path` leads to in `text`, as it is written.
fn found(text: &str, path: &str) -> Result<Vec<String>, TooLarge> {
    let tape = Tape::new(text)?;
    let path = JsonPath::new(path).unwrap();
    let mut steps = Steps::within(text.len(), 1);
    let found = find(&tape, 0, path.segments(), &mut steps)?;
    let text = |found: Found| tape.text(found.place()).to_owned();
    Ok(found.into_iter().map(text).collect())
}

/// Examples of RFC 9535, sections 2.3 and 2.5, on documents of its own.
#[test]
fn paths_lead_where_the_rfc_says() {
    let object = r#"{"o":{"j j":{"k.k":3}},"'":{"@":2}}"#;
    let mixed = r#"{"o":{"j":1,"k":2},"a":[5,3]}"#;
    let letters = r#"["a","b","c","d","e","f","g"]"#;
    let nested = r#"{"o":{"j":1,"k":2},"a":[5,3,[{"j":4},{"k":6}]]}"#;
    for (text, path, expected) in [
        (object, "$", &[object][..]),
        (object, "$.o['j j']", &[r#"{"k.k":3}"#]),
        (object, r#"$.o["j j"]["k.k"]"#, &["3"]),
        (object, r#"$["'"]["@"]"#, &["2"]),
        (mixed, "$[*]", &[r#"{"j":1,"k":2}"#, "[5,3]"]),
        (mixed, "$.o[*]", &["1", "2"]),
        (mixed, "$.o[*, *]", &["1", "2", "1", "2"]),
        (mixed, "$.a[*]", &["5", "3"]),
        (r#"["a","b"]"#, "$[1]", &[r#""b""#]),
        (r#"["a","b"]"#, "$[-2]", &[r#""a""#]),
        (r#"["a","b"]"#, "$[2]", &[]),
        (r#"["a","b"]"#, "$[-3]", &[]),
        (letters, "$[1:3]", &[r#""b""#, r#""c""#]),
        (letters, "$[5:]", &[r#""f""#, r#""g""#]),
        (letters, "$[1:5:2]", &[r#""b""#, r#""d""#]),
        (letters, "$[5:1:-2]", &[r#""f""#, r#""d""#]),
        (letters, "$[6::-3]", &[r#""g""#, r#""d""#, r#""a""#]),
        (letters, "$[::-3]", &[r#""g""#, r#""d""#, r#""a""#]),
        (letters, "$[-2:]", &[r#""f""#, r#""g""#]),
        (letters, "$[:-5]", &[r#""a""#, r#""b""#]),
        (letters, "$[::0]", &[]),
        (letters, "$[9:2:-3]", &[r#""g""#, r#""d""#]),
        (letters, "$[0, 3]", &[r#""a""#, r#""d""#]),
        (letters, "$[0:1, 0]", &[r#""a""#, r#""a""#]),
        (nested, "$..j", &["1", "4"]),
        (nested, "$..[0]", &["5", r#"{"j":4}"#]),
        (nested, "$.o..[*, *]", &["1", "2", "1", "2"]),
        (
            nested,
            "$.a..[0, 1]",
            &["5", "3", r#"{"j":4}"#, r#"{"k":6}"#],
        ),
        (nested, "$.a.b", &[]),
        (nested, "$.o[0]", &[]),
    ] {
        assert_eq!(found(text, path).unwrap(), expected, "{path}");
    }
}

#[test]
fn a_filter_passes_what_the_rfc_says() {
    let text = r#"{"a":[3,5,1,2,4,6,{"b":"j"},{"b":"k"},{"b":{}},{"b":"kilo"}],
        "o":{"p":1,"q":2,"r":3,"s":5,"t":{"u":6}},"e":"f","n":[null,true,[1],[1],[ 1]]}"#;
    for (path, expected) in [
        ("$.a[?@.b == 'kilo']", &[r#"{"b":"kilo"}"#][..]),
        ("$.a[?(@.b == 'kilo')]", &[r#"{"b":"kilo"}"#]),
        ("$.a[?@>3.5]", &["5", "4", "6"]),
        ("$.a[?@.b && @.b != 'j' && @.b < 'kilo']", &[r#"{"b":"k"}"#]),
        ("$.a[?@<2 || @.b == \"k\"]", &["1", r#"{"b":"k"}"#]),
        ("$.a[?!@.b && @ >= 5]", &["5", "6"]),
        ("$.o[?@>1 && @<4]", &["2", "3"]),
        ("$.o[?@.u || @.x]", &[r#"{"u":6}"#]),
        ("$.a[?@.b == $.x]", &["3", "5", "1", "2", "4", "6"]),
        ("$.o[?@ == $.a[2]]", &["1"]),
        ("$[?@.*][?@ == 2.0]", &["2", "2"]),
        ("$.n[?@ == null]", &["null"]),
        ("$.n[?@ == true]", &["true"]),
        ("$.n[?@ == $.n[2]]", &["[1]", "[1]"]),
        (
            "$.a[?@ == @]",
            &[
                "3",
                "5",
                "1",
                "2",
                "4",
                "6",
                r#"{"b":"j"}"#,
                r#"{"b":"k"}"#,
                r#"{"b":{}}"#,
                r#"{"b":"kilo"}"#,
            ],
        ),
        ("$.n[?@ <= null]", &["null"]),
        ("$.n[?@ < null]", &[]),
        ("$.a[?$.e == 'f' && @.b == 'j']", &[r#"{"b":"j"}"#]),
    ] {
        assert_eq!(found(text, path).unwrap(), expected, "{path}");
    }
}

#[test]
fn values_below_the_same_element_are_of_the_same_row() {
    let text = r#"{"rows":[{"a":1},{"b":2},{"a":3,"c":[4,5]}]}"#;
    let tape = Tape::new(text).unwrap();
    let rows = |path: &str| {
        let path = JsonPath::new(path).unwrap();
        let found = find(&tape, 0, path.segments(), &mut Steps::within(100, 1)).unwrap();
        found.iter().map(|found| found.row()).collect::<Vec<_>>()
    };
    assert_eq!(rows("$.rows[*].a"), [0, 2]);
    assert_eq!(rows("$.rows[*].b"), [1]);
    assert_eq!(rows("$.rows[*].c[*]"), [2, 2]);
    assert_eq!(rows("$.rows[2].c[*]"), [0, 1]);
    assert_eq!(rows("$.rows[0].a"), [0]);
}

#[test]
fn a_path_that_would_take_for_ever_is_given_up() {
    let deep = format!("{}1{}", "[".repeat(2000), "]".repeat(2000));
    assert_eq!(found(&deep, "$..[0]").unwrap().len(), 2000);
    assert_eq!(found(&deep, "$..*..*..*"), Err(TooLarge));
    let wide = format!("[{}1]", "1,".repeat(20_000));
    assert_eq!(found(&wide, "$[?@ == $[-1]]"), Err(TooLarge));
    assert_eq!(found(&wide, "$[*]"), Err(TooLarge));
    let honest = format!("[{}1]", "1.25,".repeat(12_000));
    assert_eq!(found(&honest, "$[*]").unwrap().len(), 12_001);
}

/// What is not looked into leads nowhere: names with escapes and names that no field has, too.
#[test]
fn places_without_a_name_that_is_wanted_lead_nowhere() {
    let paths = [
        "$..a",
        "$.b..a",
        "$..['a','b']",
        "$[*].a",
        "$.b[0]",
        "$..b[*]",
    ];
    let parts = [
        "[",
        "]",
        "{",
        "}",
        "\"a\":",
        "\"\\u0061\":",
        "\"b\":",
        "\"a\"",
        "1",
        ",",
    ];
    let mut random = fastrand::Rng::with_seed(11);
    let (mut read, mut leads) = (0, 0);
    while read < 300 {
        let length = random.usize(4..14);
        let text: String = (0..length)
            .map(|_| parts[random.usize(..parts.len())])
            .collect();
        if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_err() {
            continue;
        }
        read += 1;
        let tape = Tape::new(&text).unwrap();
        for path in paths {
            let path = JsonPath::new(path).unwrap();
            let mut steps = Steps::within(text.len(), 1);
            let mut count = 0;
            let mut walk = Walk {
                tape: &tape,
                steps: &mut steps,
            };
            let counted = walk.follow(0, path.segments(), &mut |_, _| {
                count += 1;
                Ok(())
            });
            assert_eq!(counted, Ok(()));
            let found = find(&tape, 0, path.segments(), &mut steps).unwrap();
            assert_eq!(found.len(), count, "{text}");
            let may_lead = may_lead(&tape, &(0..tape.after(0)), path.segments());
            assert!(may_lead || count == 0, "{text}");
            leads += usize::from(count > 0);
        }
    }
    assert!(leads > 0);
}
