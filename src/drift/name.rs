//! What a series is called, in labels, in files and for people.

use std::borrow::Cow;

/// What of a prediction a series follows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SeriesName {
    /// The probability of the predicted class.
    Confidence,
    /// The predicted class.
    Class,
    /// The predicted number of a regression.
    Value,
    /// An input, by its name or its place.
    Feature(String),
}

/// Stands before the name of a feature that is called like another series.
const FEATURE: &str = "feature:";

impl SeriesName {
    /// What others know it by: `confidence`, `class`, `value`, or the feature's own name, behind `feature:`
    /// where it is one of these or begins so.
    pub fn label(&self) -> Cow<'_, str> {
        match self {
            Self::Confidence => Cow::Borrowed("confidence"),
            Self::Class => Cow::Borrowed("class"),
            Self::Value => Cow::Borrowed("value"),
            Self::Feature(name) => match Self::of(name) {
                Self::Feature(same) if same == *name => Cow::Borrowed(name),
                _ => Cow::Owned(format!("{FEATURE}{name}")),
            },
        }
    }

    /// The series of a label.
    pub fn of(label: &str) -> Self {
        match label {
            "confidence" => Self::Confidence,
            "class" => Self::Class,
            "value" => Self::Value,
            name => Self::Feature(name.strip_prefix(FEATURE).unwrap_or(name).to_owned()),
        }
    }

    /// Whether it is the feature of this name.
    pub fn is_feature(&self, name: &str) -> bool {
        matches!(self, Self::Feature(own) if own == name)
    }
}

/// Stands before the name of a class that is called like a bin of no class.
const CLASS: &str = "class:";

/// What the bin of a class is called beside `other`, `unseen` and `missing`: by its name, behind `class:` where
/// it is one of these or begins so.
pub fn class_label(class: &str) -> Cow<'_, str> {
    if matches!(class, "other" | "unseen" | "missing") || class.starts_with(CLASS) {
        return Cow::Owned(format!("{CLASS}{class}"));
    }
    Cow::Borrowed(class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_that_of_one_series() {
        use SeriesName::{Class, Confidence, Feature, Value};
        let feature = |name: &str| Feature(name.to_owned());
        let mut labels = std::collections::BTreeSet::new();
        for name in [
            Confidence,
            Class,
            Value,
            feature("petal_length"),
            feature("class"),
            feature("feature:class"),
            feature(""),
        ] {
            let label = name.label().into_owned();
            assert_eq!(SeriesName::of(&label), name, "{label}");
            assert!(labels.insert(label));
        }
        assert_eq!(feature("petal_length").label(), "petal_length");
    }

    #[test]
    fn no_class_is_called_like_a_bin_of_none() {
        let classes = ["setosa", "", "other", "class:other", "class:class:other"];
        let labels = classes.map(|class| class_label(class).into_owned());
        let expected = [
            "setosa",
            "",
            "class:other",
            "class:class:other",
            "class:class:class:other",
        ];
        assert_eq!(labels, expected);
        assert_eq!(
            ["missing", "unseen"].map(class_label),
            ["class:missing", "class:unseen"]
        );
    }
}
