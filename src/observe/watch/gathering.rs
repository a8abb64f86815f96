//! The first predictions of a version, which may become its baseline.

use jiff::{SignedDuration, Timestamp};

use super::values::{Source, each_value};
use crate::{
    decode::Inference,
    drift::{Baseline, Gathered, Origin, Sample, SeriesName, Value},
};

/// Most series that are gathered: clients choose the features.
const MAX_SERIES: usize = 200;

/// What came so far, in its order.
pub(super) struct Gathering {
    wanted: usize,
    rows: usize,
    /// Confidences, or numbers of a regression.
    sample: Vec<f64>,
    series: Vec<(SeriesName, Gathered)>,
}

impl Gathering {
    pub(super) fn new(wanted: usize) -> Self {
        Self {
            wanted,
            rows: 0,
            sample: Vec::new(),
            series: Vec::new(),
        }
    }

    /// So many are wanted now; those that came count.
    pub(super) fn want(&mut self, wanted: usize) {
        self.wanted = wanted;
    }

    /// How many came, and how many are wanted.
    pub(super) fn progress(&self) -> (usize, usize) {
        (self.rows, self.wanted)
    }

    pub(super) fn is_enough(&self) -> bool {
        self.rows >= self.wanted
    }

    /// Takes the items that enter the scan; nothing once it is enough.
    pub(super) fn push(&mut self, inference: &Inference) {
        if self.is_enough() {
            return;
        }
        let before = self.rows;
        each_value(inference, |source, value, enters| {
            if !enters {
                return;
            }
            if let (Source::Confidence | Source::Value, Value::Number(number)) = (source, value) {
                self.sample.push(number);
            }
            let name = match source {
                Source::Confidence => SeriesName::Confidence,
                Source::Class => SeriesName::Class,
                Source::Value => SeriesName::Value,
                Source::Column(column) => {
                    SeriesName::Feature(inference.features[column].name.text().into_owned())
                }
            };
            if let Some(gathered) = self.series(name, value, before) {
                gathered.push(value);
            }
        });
        self.rows = before.max(self.series.iter().map(|(_, g)| g.rows()).max().unwrap_or(0));
        let rows = self.rows;
        self.series
            .iter_mut()
            .for_each(|(_, gathered)| gathered.fill(rows));
    }

    /// The series of a name; one that has had no value yet begins with its first.
    fn series(
        &mut self,
        name: SeriesName,
        value: Value<'_>,
        before: usize,
    ) -> Option<&mut Gathered> {
        let place = match self.series.iter().position(|(known, _)| *known == name) {
            Some(place) => place,
            None if value == Value::Missing || self.series.len() >= MAX_SERIES => return None,
            None => {
                let mut gathered = Gathered::new(name == SeriesName::Class);
                gathered.fill(before);
                self.series.push((name, gathered));
                self.series.len() - 1
            }
        };
        Some(&mut self.series[place].1)
    }

    /// `end`: when the last of it came, in seconds since 1970. `None`: nothing of it is known.
    pub(super) fn baseline(mut self, end: f64) -> Option<Baseline> {
        // features keep the order in which they came
        self.series.sort_by_key(|(name, _)| match name {
            SeriesName::Confidence => 0,
            SeriesName::Class => 1,
            SeriesName::Value => 2,
            SeriesName::Feature(_) => 3,
        });
        let profiles = self.series.into_iter().filter_map(|(name, gathered)| {
            let profile = gathered.profile(true)?;
            Some((name, profile))
        });
        let count = self.sample.len();
        let sample = Sample::new(self.sample, count).ok();
        let end = SignedDuration::try_from_secs_f64(end).ok();
        let end = end.and_then(|end| Timestamp::from_duration(end).ok());
        Baseline::new(
            sample,
            profiles.collect(),
            Origin::Captured,
            end.unwrap_or_default(),
        )
        .ok()
    }
}
