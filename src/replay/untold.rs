//! What a log does not tell: said in the report, and never made up.

use std::collections::BTreeSet;

use super::logged::Logged;
use crate::{
    config::{Config, Features, RouteKind},
    drift::SeriesName,
    observe::board::Gap,
};

/// Names of features that are remembered and told.
const MOST_NAMES: usize = 20;

/// Counted as lines come.
#[derive(Debug, Default)]
pub(super) struct Untold {
    /// Lines of predictions.
    predictions: u64,
    without_features: u64,
    without_confidence: u64,
    items: u64,
    hidden_class: u64,
    hidden_confidence: u64,
    hidden_features: BTreeSet<String>,
    hidden_names: u64,
    hidden_path: u64,
    hidden_model: u64,
    hidden_version: u64,
    /// Answered requests of routes of predictions of which nothing was read.
    unread: u64,
    /// Lines of one request each that say less.
    pub(super) separate: u64,
    /// Of these, such of which the log has the end alone.
    pub(super) without_begin: u64,
    /// Lines that are older than one before them.
    pub(super) unordered: u64,
    pub(super) without_time: u64,
    /// Exchanges whose time cannot be one of this log.
    pub(super) far: u64,
}

/// One thing that is not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) what: &'static str,
    pub(super) count: u64,
    pub(super) why: String,
}

impl Untold {
    /// Takes what a line tells.
    pub(super) fn saw(&mut self, logged: &Logged) {
        let hidden = logged.hidden;
        self.hidden_path += u64::from(hidden.path);
        let Some(said) = &logged.said else {
            let route = logged.exchange.route.as_deref();
            let predicts = route.is_some_and(|route| route.kind == RouteKind::Predict);
            self.unread += u64::from(predicts && logged.exchange.status < 400);
            return;
        };
        self.hidden_model += u64::from(hidden.model);
        self.hidden_version += u64::from(hidden.version);
        let outputs = &said.inference.outputs;
        if outputs.is_empty() {
            return;
        }
        self.predictions += 1;
        self.without_features += u64::from(!said.has_features);
        let hides = |series: SeriesName| said.withheld.contains(&series);
        self.hidden_class += u64::from(hides(SeriesName::Class));
        self.hidden_confidence += u64::from(hides(SeriesName::Confidence));
        if !hides(SeriesName::Confidence) {
            let classes = outputs.iter().filter(|output| output.value().is_none());
            let without = |sum: (u64, u64), output: &crate::decode::Output| {
                (sum.0 + 1, sum.1 + u64::from(output.confidence().is_none()))
            };
            let (items, lack) = classes.fold((0, 0), without);
            self.items += items;
            self.without_confidence += lack;
        }
        for series in &said.withheld {
            if let SeriesName::Feature(name) = series
                && !self.hidden_features.contains(name)
            {
                if self.hidden_features.len() < MOST_NAMES {
                    self.hidden_features.insert(name.clone());
                } else {
                    self.hidden_names += 1;
                }
            }
        }
    }

    /// All of it, the gravest first.
    pub(super) fn list(&self, config: &Config) -> Vec<Missing> {
        let mut all = Vec::new();
        let mut say = |what, count: u64, why: String| {
            if count > 0 {
                all.push(Missing { what, count, why });
            }
        };
        let why = match &config.log.features {
            Features::None => "log.features is none in this configuration",
            Features::Named(_) | Features::All => {
                "they were switched off (log.features), or the requests could not be read"
            }
        };
        say(
            "features",
            self.without_features,
            format!(
                "lines of predictions have no features: {why}. Nothing is said of drift of features in them"
            ),
        );
        let names: Vec<&str> = self.hidden_features.iter().map(String::as_str).collect();
        let more = if self.hidden_names > 0 {
            " and others"
        } else {
            ""
        };
        say(
            "hidden_features",
            names.len() as u64,
            format!(
                "{} hashes (log.redact): {}{more}",
                if names.len() == 1 {
                    "feature has"
                } else {
                    "features have"
                },
                names.join(", ")
            ),
        );
        for (what, count, name) in [
            (
                "hidden_class",
                self.hidden_class,
                "predictions are hashes (log.redact): they are counted, not by class",
            ),
            (
                "hidden_confidence",
                self.hidden_confidence,
                "confidences are hashes (log.redact)",
            ),
            (
                "hidden_path",
                self.hidden_path,
                "paths are hashes (log.redact): their endpoint is `other`",
            ),
            (
                "hidden_model",
                self.hidden_model,
                "models are hashes (log.redact), which stand for their names",
            ),
            (
                "hidden_version",
                self.hidden_version,
                "versions are hashes (log.redact), which stand for their names",
            ),
        ] {
            say(what, count, name.to_owned());
        }
        say(
            "confidence",
            self.without_confidence,
            format!(
                "of {} classes have no confidence: none was on the wire",
                self.items
            ),
        );
        say(
            "unread",
            self.unread,
            "answered requests of prediction routes say nothing of a prediction: their bodies were not \
             read, or held none; the log does not say which"
                .to_owned(),
        );
        for (what, count, why) in self.of_form() {
            say(what, count, why.to_owned());
        }
        all
    }

    /// What the form of the log leaves out.
    fn of_form(&self) -> [(&'static str, u64, &'static str); 5] {
        [
            (
                "separate",
                self.separate,
                "requests are told in separate lines (log.lines: separate): those have no model name, no \
                 time of the model server, and confidences of 4 digits",
            ),
            (
                "begin",
                self.without_begin,
                "requests began before the log: what they asked for is not there, their endpoint is `other`",
            ),
            (
                "order",
                self.unordered,
                "lines are older than one before them by more than 5 s: where the logs of several agents \
                 are mixed, drift is looked for in their mixture",
            ),
            (
                "time",
                self.without_time,
                "exchanges have no time: they are counted at that of the line before",
            ),
            (
                "far",
                self.far,
                "exchanges have a time in the future or over 400 days from the rest: they are counted, and their \
                 time is not",
            ),
        ]
    }
}

/// What is true of every log.
pub(super) fn of_every_log(config: &Config) -> Vec<String> {
    let mut all = Vec::new();
    if config.log.sample < 1.0 {
        all.push(format!(
            "log.sample is {}: of the requests that went well that share is in the log, of the others all; \
             counts are those of the log",
            config.log.sample
        ));
    }
    all.push(
        "what a log never has: copies and lines that were dropped, why bodies were not read, bytes, what \
         the agent added to the time of a request"
            .to_owned(),
    );
    all.push(
        "how right the model was: labels are not in a log. Where the agent took them, its GET /feedback, \
         ml_model_accuracy and events of accuracy say it"
            .to_owned(),
    );
    all.push(
        "windows are empty where the log begins, and baselines are those named above, whatever the agent \
         had: its own word is above, where it is in the log"
            .to_owned(),
    );
    all
}

impl Missing {
    /// As the page shows it.
    pub(super) fn gap(&self) -> Gap {
        Gap {
            what: self.what,
            model: String::new(),
            version: None,
            route: None,
            format: None,
            count: 0,
            why: format!("{} {}", self.count, self.why),
            configure: None,
            command: None,
        }
    }
}
