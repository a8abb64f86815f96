//! What is told: what the client does, what Sidelight says of it, and how the two go together.
//!
//! Whether and when something was noticed comes from the notices alone. What the client did is only used to
//! count from there, and to say which alarm belongs to nothing that it did.

use std::{collections::BTreeSet, fmt, net::SocketAddr, time::Duration};

use super::{
    agent::{Event, Notice},
    traffic::{Fault, LENGTHS, MISSING, STUCK},
};

/// Whose words a line has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// What the client does.
    Client,
    /// What the agent says.
    Sidelight,
    /// What matters less.
    Aside,
    /// What sums up.
    Teller,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Since the start; `None`: no matter.
    pub at: Option<Duration>,
    /// Who says it.
    pub who: Who,
    /// What.
    pub text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.at {
            let seconds = at.as_secs();
            write!(f, "{:02}:{:02} ", seconds / 60, seconds % 60)?;
        }
        if self.who == Who::Sidelight {
            f.write_str("Sidelight: ")?;
        }
        f.write_str(&self.text)
    }
}

impl Line {
    /// One without a time.
    pub fn new(who: Who, text: impl Into<String>) -> Self {
        let (at, text) = (None, text.into());
        Self { at, who, text }
    }

    /// One with its time.
    pub fn at(at: Duration, who: Who, text: impl Into<String>) -> Self {
        Self {
            at: Some(at),
            ..Self::new(who, text)
        }
    }
}

/// Where everything is. `taken`: ports that somebody else has, and those that were taken instead.
pub fn welcome(clients: SocketAddr, ops: SocketAddr, taken: &[(u16, u16)]) -> Vec<Line> {
    let mut texts = vec![
        "Sidelight stands in front of a model that tells irises apart, and watches a client's traffic.".to_owned(),
        String::new(),
        format!("  the live page    http://{}/", named(ops)),
        format!("  the verdict      curl {}/drift", named(ops)),
        format!("  the model        http://{}/predict", named(clients)),
    ];
    for (port, other) in taken {
        texts.push(format!(
            "  (port {port} is taken, so it is {other}; --listen and --ops-listen name others)"
        ));
    }
    texts.push(String::new());
    let line = |text| Line::new(Who::Aside, text);
    texts.into_iter().map(line).collect()
}

/// What to look at next.
pub fn farewell(ops: SocketAddr) -> Vec<Line> {
    let ops = named(ops);
    let next = |what: &str, says: &str| format!("  {what:<44} {says}");
    let texts = [
        String::new(),
        "Next:".to_owned(),
        next(
            &format!("curl {ops}/drift"),
            "every series, and how far it is from its baseline",
        ),
        next(&format!("curl {ops}/metrics"), "what Prometheus gets"),
        next(
            "sidelight --upstream http://127.0.0.1:8000",
            "the same in front of your own model",
        ),
    ];
    texts.map(|text| Line::new(Who::Aside, text)).to_vec()
}

/// As people write it.
fn named(address: SocketAddr) -> String {
    if address.ip().is_loopback() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
}

/// A moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Since the start.
    pub at: Duration,
    /// Predictions that the agent had compared by then.
    pub prediction: u64,
}

impl Mark {
    /// From `self` to `later`: predictions, and time.
    fn to(self, later: Self) -> (u64, Duration) {
        let predictions = later.prediction.saturating_sub(self.prediction);
        (predictions, later.at.saturating_sub(self.at))
    }
}

/// Something that happened to the traffic.
#[derive(Debug)]
struct Episode {
    fault: Fault,
    began: Mark,
    ended: Option<Mark>,
    noticed: Option<Mark>,
    /// Those that drifted for it, in the order in which it was told.
    series: Vec<String>,
    calm: Option<Mark>,
}

/// Remembers what was told.
#[derive(Debug)]
pub struct Teller {
    features: [&'static str; 4],
    classes: [&'static str; 3],
    episodes: Vec<Episode>,
    /// Series that drift.
    drifting: BTreeSet<String>,
    false_alarms: Vec<String>,
}

impl Teller {
    /// Of the names that the traffic has.
    pub fn new(features: [&'static str; 4], classes: [&'static str; 3]) -> Self {
        Self {
            features,
            classes,
            episodes: Vec::new(),
            drifting: BTreeSet::new(),
            false_alarms: Vec::new(),
        }
    }

    /// The agent compares from now on.
    pub fn has_baseline(&self, at: Duration, rows: u64, origin: &str) -> Line {
        let rows = grouped(rows);
        let text = match origin {
            "captured" => format!("the first {rows} predictions are the baseline from now on"),
            _ => format!("a baseline of {rows} predictions is there ({origin})"),
        };
        Line::at(at, Who::Sidelight, text)
    }

    /// The client does something wrong from now on.
    pub fn began(&mut self, mark: Mark, fault: Fault) -> Line {
        self.episodes.push(Episode {
            fault,
            began: mark,
            ended: None,
            noticed: None,
            series: Vec::new(),
            calm: None,
        });
        let text = match fault {
            Fault::Inches => {
                let [one, other] = LENGTHS.map(|place| self.features[place]);
                format!("the client starts to send {one} and {other} in inches")
            }
            Fault::MissingClass => {
                let class = self.classes[MISSING];
                format!("no {class} comes any more, the client sends the other flowers alone")
            }
            Fault::StuckSensor => {
                let name = self.features[STUCK];
                format!(
                    "the sensor of {name} sticks, the client sends the same value again and again"
                )
            }
        };
        Line::at(mark.at, Who::Client, text)
    }

    /// The client does it no more.
    pub fn ended(&mut self, mark: Mark) -> Option<Line> {
        let class = self.classes[MISSING];
        let episode = self.episodes.last_mut()?;
        episode.ended = Some(mark);
        let text = match episode.fault {
            Fault::Inches => "the client sends centimetres again".to_owned(),
            Fault::MissingClass => format!("{class} comes again"),
            Fault::StuckSensor => "the sensor works again".to_owned(),
        };
        Some(Line::at(mark.at, Who::Client, text))
    }

    /// The agent says something. `since`: behind which prediction its window begins, where it says so.
    pub fn heard(&mut self, at: Duration, notice: &Notice, since: Option<u64>) -> Option<Line> {
        let text = match notice.event {
            Event::DriftDetected => self.detected(at, notice, since),
            Event::DriftCleared => self.cleared(at, notice)?,
        };
        Some(Line::at(at, Who::Sidelight, text))
    }

    fn detected(&mut self, at: Duration, notice: &Notice, since: Option<u64>) -> String {
        let series = &notice.series;
        self.drifting.insert(series.clone());
        let what = described(notice);
        let prediction = notice.prediction;
        let Some(episode) = self
            .episodes
            .iter_mut()
            .rev()
            .find(|e| e.explains(prediction, since))
        else {
            self.false_alarms.push(series.clone());
            return format!("{series} drifted{what} (a false alarm: nothing has changed)");
        };
        if !episode.series.contains(series) {
            episode.series.push(series.clone());
        }
        // a drift that was found by its last series ends anew
        episode.calm = None;
        let mark = Mark {
            at,
            prediction: prediction.unwrap_or(episode.began.prediction),
        };
        let (after, _) = episode.began.to(mark);
        episode.noticed.get_or_insert(mark);
        format!(
            "{series} drifted, {} after the change{what}",
            predictions(after)
        )
    }

    /// Nothing is told before all is calm.
    fn cleared(&mut self, at: Duration, notice: &Notice) -> Option<String> {
        self.drifting.remove(&notice.series);
        match notice.reason.as_deref() {
            Some("calm") | None => {}
            Some("the scan has found it too") => return None,
            Some(other) => return Some(format!("{} drifts no more: {other}", notice.series)),
        }
        if !self.drifting.is_empty() {
            return None;
        }
        let all_calm = "all is calm again".to_owned();
        let Some(episode) = self.episodes.last_mut().filter(|e| !e.series.is_empty()) else {
            return Some(all_calm);
        };
        let Some((ended, prediction)) = episode.ended.zip(notice.prediction) else {
            return Some(all_calm);
        };
        let mark = Mark { at, prediction };
        episode.calm = Some(mark);
        let (after, _) = ended.to(mark);
        Some(format!(
            "{all_calm}, {} after the traffic was",
            predictions(after)
        ))
    }

    /// With which prediction all was calm again after what happened last; `None`: it is not, or was not noticed.
    pub fn calm_again(&self) -> Option<u64> {
        let calm = self.episodes.last()?.calm?;
        self.drifting.is_empty().then_some(calm.prediction)
    }

    /// What of all that was noticed. `compared`: predictions so far.
    pub fn summary(&self, compared: u64) -> Vec<Line> {
        let mut lines = vec![Line::new(Who::Teller, "")];
        let mut say = |text| lines.push(Line::new(Who::Teller, text));
        if !self.episodes.is_empty() {
            say("What happened, and when Sidelight noticed it:".to_owned());
        }
        for episode in &self.episodes {
            for text in episode.summary() {
                say(text);
            }
        }
        let of = grouped(compared);
        say(match self.false_alarms.as_slice() {
            [] if compared == 0 => {
                "Nothing was judged yet: no prediction was compared with a baseline".to_owned()
            }
            [] => format!("False alarms: none in {of} predictions"),
            all => format!(
                "False alarms: {} in {of} predictions ({})",
                all.len(),
                all.join(", ")
            ),
        });
        lines
    }
}

impl Episode {
    /// Whether an alarm may be of this: with it, or in a window that begins before its end.
    fn explains(&self, prediction: Option<u64>, since: Option<u64>) -> bool {
        let Some(ended) = self.ended else {
            return prediction.is_none_or(|prediction| prediction > self.began.prediction);
        };
        let Some(prediction) = prediction else {
            return false;
        };
        let begins = since.unwrap_or(prediction);
        prediction > self.began.prediction && begins < ended.prediction
    }

    fn summary(&self) -> [String; 2] {
        let what = match self.fault {
            Fault::Inches => "lengths in inches",
            Fault::MissingClass => "a missing class",
            Fault::StuckSensor => "a stuck sensor",
        };
        let noticed = match self.noticed {
            None => "not noticed".to_owned(),
            Some(noticed) => {
                let (after, time) = self.began.to(noticed);
                format!("noticed after {}, {}", predictions(after), seconds(time))
            }
        };
        let calm = match (self.ended, self.calm) {
            (_, None) if self.noticed.is_none() => String::new(),
            (Some(ended), Some(calm)) => {
                let (after, time) = ended.to(calm);
                let series = self.series.join(", ");
                format!(
                    "{series}; calm again {}, {} after its end",
                    predictions(after),
                    seconds(time)
                )
            }
            _ => format!("{}; not yet calm again", self.series.join(", ")),
        };
        [
            format!("  {what:<18} {noticed}"),
            format!("  {:<18} {calm}", ""),
        ]
        .map(|line| line.trim_end().to_owned())
    }
}

/// What the notice says has changed.
fn described(notice: &Notice) -> String {
    let percent = |share: f64| format!("{:.0}%", share * 100.0);
    let (Some(region), Some(before), Some(now)) =
        (&notice.region, notice.baseline_share, notice.recent_share)
    else {
        return String::new();
    };
    format!(
        ": {} are {}, of the baseline {}",
        percent(now),
        short(region),
        percent(before)
    )
}

fn predictions(count: u64) -> String {
    match count {
        1 => "1 prediction".to_owned(),
        count => format!("{} predictions", grouped(count)),
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// A region whose edge lies between two values, to four digits: "at most 4.1" for "at most 4.099999999999999".
fn short(region: &str) -> String {
    let Some(edge) = region
        .strip_prefix("at most ")
        .and_then(|edge| edge.parse::<f64>().ok())
    else {
        return region.to_owned();
    };
    let edge: f64 = format!("{edge:.3e}").parse().unwrap_or(edge);
    format!("at most {edge}")
}

/// 12345 as 12,345.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
