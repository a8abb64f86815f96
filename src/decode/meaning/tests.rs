use super::*;

fn vectors(width: usize, numbers: &[f64]) -> Raw {
    let vectors = Vectors {
        width,
        numbers: numbers.to_vec(),
        are_whole: numbers.iter().all(|n| n.fract() == 0.0),
        labels: None,
    };
    Raw {
        vectors: Some(vectors),
        ..Raw::default()
    }
}

fn predictions(meaning: &Meaning) -> Vec<(Prediction, Option<f64>)> {
    let outputs = meaning.outputs.iter();
    outputs
        .map(|o| (o.prediction.clone(), o.confidence()))
        .collect()
}

#[test]
fn a_vector_that_sums_to_1_is_a_distribution() {
    let meaning = settle(vectors(2, &[0.2, 0.8, 0.5, 0.5]), Rules::default());
    let expected = [
        (Prediction::Index(1), Some(0.8)),
        (Prediction::Index(0), Some(0.5)),
    ];
    assert_eq!(predictions(&meaning), expected);
    assert_eq!(meaning.source, Source::ArgmaxIndex);
}

#[test]
fn any_other_vector_is_unknown_until_a_route_says_what_it_is() {
    let scores = [3.0, -1.5];
    let meaning = settle(vectors(2, &scores), Rules::default());
    assert_eq!(predictions(&meaning), [(Prediction::Unknown, None)]);
    let rules = Rules {
        kind: RouteKind::Classify,
        ..Rules::default()
    };
    let meaning = settle(vectors(2, &scores), rules);
    assert_eq!(predictions(&meaning), [(Prediction::Index(0), None)]);
    assert_eq!(meaning.probabilities, None);
    let meaning = settle(vectors(2, &[0.7, -2.0]), rules);
    assert_eq!(predictions(&meaning), [(Prediction::Index(0), None)]);
    let rules = Rules {
        kind: RouteKind::Probabilities,
        positive: Some("fraud"),
        ..rules
    };
    let meaning = settle(vectors(2, &scores), rules);
    assert_eq!(predictions(&meaning), [(Prediction::Index(0), None)]);
}

#[test]
fn a_class_is_not_taken_for_the_probability_of_one() {
    let rules = Rules {
        positive: Some("fraud"),
        threshold: 0.5,
        ..Rules::default()
    };
    let meaning = settle(vectors(1, &[1.0, 0.0]), rules);
    let expected = [(Prediction::Index(1), None), (Prediction::Index(0), None)];
    assert_eq!(predictions(&meaning), expected);
}

#[test]
fn scores_of_another_kind_are_no_confidence() {
    let share = |shares: &[f64]| share_of(&Prediction::Index(1), shares, None);
    assert_eq!(share(&[0.7, 0.3]), Some(0.3));
    assert_eq!(share(&[2.5, 0.3]), None);
    let labels = ["1".into(), "x".into()];
    assert_eq!(
        share_of(&Prediction::Index(1), &[0.3, -2.0], Some(&labels)),
        None
    );
}

#[test]
fn a_text_that_a_route_says_is_generated_is_no_class() {
    let raw = Raw {
        outputs: vec![Output::from(Prediction::Name("yes".into()))],
        ..Raw::default()
    };
    let rules = Rules {
        kind: RouteKind::Generate,
        ..Rules::default()
    };
    assert_eq!(
        predictions(&settle(raw, rules)),
        [(Prediction::Unknown, None)]
    );
}

#[test]
fn a_column_of_whole_numbers_is_classes_and_of_others_values() {
    let of = |numbers: &[f64]| predictions(&settle(vectors(1, numbers), Rules::default()));
    assert_eq!(of(&[2.0]), [(Prediction::Index(2), None)]);
    assert_eq!(of(&[205.39]), [(Prediction::Value(205.39), None)]);
    assert_eq!(of(&[f64::NAN]), [(Prediction::Unknown, None)]);
}

#[test]
fn one_number_is_the_probability_of_the_positive_class() {
    let classes = ["ham".to_owned(), "spam".to_owned()];
    let rules = Rules {
        kind: RouteKind::Probabilities,
        classes: &classes,
        positive: Some("spam"),
        threshold: 0.5,
    };
    let meaning = settle(vectors(1, &[0.9, 0.25]), rules);
    let name = |name: &str| Prediction::Name(name.into());
    let expected = [(name("spam"), Some(0.9)), (name("ham"), Some(0.75))];
    assert_eq!(predictions(&meaning), expected);
}

#[test]
fn indexes_get_the_names_of_the_route() {
    let classes = ["a".to_owned(), "b".to_owned()];
    let rules = Rules {
        classes: &classes,
        ..Rules::default()
    };
    let meaning = settle(vectors(1, &[1.0, 7.0]), rules);
    let expected = [
        (Prediction::Name("b".into()), None),
        (Prediction::Index(7), None),
    ];
    assert_eq!(predictions(&meaning), expected);
}

fn of(raw: Raw) -> Vec<(Prediction, Option<f64>)> {
    predictions(&settle(raw, Rules::default()))
}

fn classes(all: &[Prediction]) -> Raw {
    Raw {
        outputs: all.iter().cloned().map(Output::from).collect(),
        ..Raw::default()
    }
}

#[test]
fn a_whole_number_that_no_class_is_makes_values_of_all_unless_something_says_class() {
    let numbers = [Prediction::Index(310_000), Prediction::Index(3)];
    let values = [310_000.0, 3.0].map(|value| (Prediction::Value(value), None));
    assert_eq!(of(classes(&numbers)), values);
    assert_eq!(of(vectors(1, &[310_000.0, 3.0])), values);
    for index in [-1, 0, 1000] {
        let class = Prediction::Index(index);
        assert_eq!(of(classes(std::slice::from_ref(&class))), [(class, None)]);
    }
    assert_eq!(
        of(classes(&[Prediction::Index(-2)]))[0].0,
        Prediction::Value(-2.0)
    );
    let stay = numbers.clone().map(|number| (number, None));
    let labels = Raw {
        field: Field::Class,
        ..classes(&numbers)
    };
    assert_eq!(of(labels), stay);
    for rules in [
        Rules {
            kind: RouteKind::Classify,
            ..Rules::default()
        },
        Rules {
            classes: &["a".to_owned()],
            ..Rules::default()
        },
    ] {
        assert_eq!(predictions(&settle(classes(&numbers), rules)), stay);
    }
    let sure = Output::new(Prediction::Index(310_000), Some(0.5));
    let raw = Raw {
        outputs: vec![sure],
        ..Raw::default()
    };
    assert_eq!(of(raw), [(Prediction::Index(310_000), Some(0.5))]);
}

#[test]
fn a_text_is_no_class_and_makes_none_of_those_beside_it() {
    let name = |name: &str| Prediction::Name(name.into());
    let imagenet = "American Staffordshire terrier, Staffordshire terrier, American pit bull \
                    terrier, pit bull terrier";
    let king = "king crab, Alaska crab, Alaskan king crab, Alaska king crab, Paralithodes \
                camtschatica\n";
    for class in [imagenet, king] {
        assert_eq!(of(classes(&[name(class)])), [(name(class), None)]);
    }
    for text in ["x".repeat(121), "a\nb".to_owned(), "a ".repeat(16)] {
        let raw = || classes(&[name("yes"), name(&text), Prediction::Index(2)]);
        let meaning = settle(raw(), Rules::default());
        let unknown = (Prediction::Unknown, None);
        let expected = [unknown.clone(), unknown, (Prediction::Index(2), None)];
        assert_eq!(predictions(&meaning), expected, "{text}");
        assert_eq!(meaning.source, Source::Text);
        let rules = Rules {
            kind: RouteKind::Classify,
            ..Rules::default()
        };
        assert_eq!(settle(raw(), rules).outputs, raw().outputs);
    }
}

#[test]
fn two_columns_go_by_the_threshold_of_the_positive_class() {
    let both = ["ham".to_owned(), "spam".to_owned()];
    let rules = Rules {
        positive: Some("spam"),
        threshold: 0.3,
        ..Rules::default()
    };
    let shares = [0.6, 0.4, 0.75, 0.25];
    let name = |name: &str| Prediction::Name(name.into());
    let spam = (name("spam"), Some(0.4));
    let by_second = predictions(&settle(vectors(2, &shares), rules));
    assert_eq!(by_second, [spam.clone(), (name("not spam"), Some(0.75))]);
    let expected = [spam, (name("ham"), Some(0.75))];
    let by_classes = Rules {
        classes: &both,
        ..rules
    };
    assert_eq!(
        predictions(&settle(vectors(2, &shares), by_classes)),
        expected
    );
    let mut of_wire = vectors(2, &[0.4, 0.6, 0.25, 0.75]);
    let names = Some(vec!["spam".into(), "ham".into()]);
    of_wire.vectors.as_mut().unwrap().labels = names;
    let meaning = settle(of_wire, rules);
    assert_eq!(predictions(&meaning), expected);
    assert!(meaning.probabilities.is_some());
    let by_place = Rules {
        kind: RouteKind::Probabilities,
        positive: None,
        ..rules
    };
    let expected = [
        (Prediction::Index(1), Some(0.4)),
        (Prediction::Index(0), Some(0.75)),
    ];
    assert_eq!(
        predictions(&settle(vectors(2, &shares), by_place)),
        expected
    );
}

#[test]
fn a_threshold_has_no_say_in_three_classes_or_in_others() {
    let three = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
    for (positive, classes) in [("c", &three[..]), ("x", &three[..2])] {
        let rules = Rules {
            positive: Some(positive),
            classes,
            threshold: 0.1,
            ..Rules::default()
        };
        let class = (Prediction::Name("a".into()), Some(0.6));
        assert_eq!(
            predictions(&settle(vectors(2, &[0.6, 0.4]), rules)),
            [class]
        );
    }
}
