//! The versions of models as a live page shows them.

use super::{Series, Watch};
use crate::{
    drift::{
        SeriesName, Verdict,
        monitor::{Monitor, Watched},
        report::Report,
    },
    observe::{
        board::{NAMES, SERIES, SERIES_OF_VERSION, Seen, SeriesState, VERSIONS},
        command::Judged,
    },
};

impl Series {
    /// Those that predicted last, and how many there are beyond.
    pub(in crate::observe) fn seen(&self) -> (Vec<Seen>, usize) {
        let mut all: Vec<_> = self.watches.iter().collect();
        all.sort_by(|(_, _, a), (_, _, b)| {
            let last = |watch: &Watch| watch.last().unwrap_or_default();
            last(b).total_cmp(&last(a))
        });
        let left_out = all.len().saturating_sub(VERSIONS);
        all.truncate(VERSIONS);
        let mut room = SERIES;
        let seen = all.into_iter().map(|(model, version, watch)| {
            let seen = self.seen_of(model, version, watch, room.min(SERIES_OF_VERSION));
            room -= seen.series.len();
            seen
        });
        (seen.collect(), left_out)
    }

    /// `most`: how many series there is room for.
    fn seen_of(&self, model: &str, version: &str, watch: &Watch, most: usize) -> Seen {
        let chosen = self.chosen(model, version);
        let before = (self.verdicts).get(&(model.to_owned(), version.to_owned()));
        let unchecked = match chosen {
            Some(_) => Verdict::InsufficientData,
            None => Verdict::NoBaseline,
        };
        let monitor = watch.monitor.as_ref();
        let (scan, names_left_out) = monitor.map_or((None, 0), |monitor| {
            let (scan, left_out) = bounded(monitor.summary());
            (Some(scan), left_out)
        });
        let in_use = chosen.map(|chosen| chosen.in_use());
        let (series, series_left_out) = monitor.map_or((Vec::new(), 0), |m| shown(m, most));
        Seen {
            is_serving: self.serves(model, version),
            last: watch.last(),
            baseline: in_use.clone(),
            gathered: watch.gathered(),
            judged: Judged {
                model: model.to_owned(),
                version: version.to_owned(),
                baseline: chosen.map(|chosen| chosen.baseline.short_hash().to_owned()),
                in_use,
                verdict: before.map_or(unchecked, |judged| judged.verdict.clone()),
                scan,
            },
            names_left_out,
            series,
            series_left_out,
            classes: monitor.map_or_else(Vec::new, classes),
        }
    }
}

/// With the first names of each list, and how many it leaves out.
fn bounded(mut scan: Report) -> (Report, usize) {
    let lists = [
        &mut scan.drifting,
        &mut scan.unmatched,
        &mut scan.only_in_traffic,
    ];
    let left_out = lists.into_iter().map(|names| {
        let before = names.len();
        names.truncate(NAMES);
        before - names.len()
    });
    let left_out = left_out.sum();
    (scan, left_out)
}

/// The series that there is room for: those that drift before others, and those that the traffic has
/// before the rest.
fn shown(monitor: &Monitor, most: usize) -> (Vec<SeriesState>, usize) {
    let mut all: Vec<&Watched> = monitor.watched().iter().collect();
    all.sort_by_key(|watched| (watched.since().is_none(), !watched.is_matched()));
    let left_out = all.len().saturating_sub(most);
    let shown = all.into_iter().take(most).map(|watched| SeriesState {
        report: watched.report(),
        missing: watched.lacking(),
        histogram: watched.picture(),
    });
    (shown.collect(), left_out)
}

fn classes(monitor: &Monitor) -> Vec<(String, f64, Option<f64>)> {
    let place = monitor.place(|name| *name == SeriesName::Class);
    place.map_or_else(Vec::new, |place| monitor.watched()[place].class_shares())
}
