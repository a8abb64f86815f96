//! The play itself: one client that sends, and listens between two predictions.

use std::{
    io::{self, Write},
    net::SocketAddr,
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    agent::{self, Agent, Notice},
    client::Client,
    screen::Screen,
    story::{self, Scenario},
    teller::{self, Line, Mark, Teller, Who},
    traffic::{Fault, Table, Traffic},
};
use crate::{
    drain::{self, Phase},
    http::ClientError,
};

/// Longest wait for the agent and its model to be ready, and for the baseline to be in use.
const PATIENCE: Duration = Duration::from_mins(1);
/// Time between two questions meanwhile.
const PAUSE: Duration = Duration::from_millis(20);
/// Longest wait for the agent to have read what was sent: it reads every 10 ms.
const READING: Duration = Duration::from_secs(2);
/// A client that is further behind its rate does not catch up: that would be another rate.
const MOST_BEHIND: Duration = Duration::from_millis(500);
/// How long what is on its way from the agent may take: it is delivered at once.
const LAST_NOTICES: Duration = Duration::from_millis(200);
/// Pause behind a prediction that was not answered.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

/// What is played, and where.
#[derive(Debug, Clone)]
pub struct Play {
    /// What the client sends.
    pub table: Table,
    /// What happens to it.
    pub scenario: Scenario,
    /// Of the traffic.
    pub seed: u64,
    /// How many times [`story::RATE`] is sent, above 0.
    pub speed: f64,
    /// It ends with the story; else it goes on with normal traffic.
    pub is_once: bool,
    /// Where the agent takes requests.
    pub clients: SocketAddr,
    /// Where it is asked.
    pub ops: SocketAddr,
}

/// Why a play failed.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// The model does not answer.
    #[error("the Iris server was not ready within {} s; --log FILE has the reason", PATIENCE.as_secs())]
    NotReady,
    /// The agent does not compare.
    #[error("no baseline was in use {} s after its last prediction; --log FILE has the reason", PATIENCE.as_secs())]
    NoBaseline,
    /// The agent does not answer.
    #[error("Sidelight does not answer: {0}")]
    Agent(#[from] ClientError),
    /// There is nothing to send.
    #[error("the table has no rows to send")]
    NoRows,
}

/// Why it goes on no more.
enum End {
    /// It was asked to leave.
    Stopped,
    /// Nobody reads what is told.
    Unread,
    Failed(PlayError),
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Unread
    }
}

impl From<PlayError> for End {
    fn from(error: PlayError) -> Self {
        Self::Failed(error)
    }
}

/// Plays to the end, or until `stop` leaves. The agent posts to `notices`. A reader of the screen that has gone
/// ends it too.
///
/// # Errors
/// [`PlayError`]; that something was not noticed is none, but told.
pub async fn play<W: Write>(
    play: Play,
    notices: TcpListener,
    screen: Screen<W>,
    stop: drain::Watch,
) -> Result<(), PlayError> {
    let is_once = play.is_once;
    let phases = play.scenario.phases();
    let mut stage = Stage {
        client: Client::new(play.clients),
        agent: Agent::new(play.ops),
        notices: agent::listen(notices),
        teller: Teller::new(play.table.features, play.table.classes),
        traffic: Traffic::new(play.table, play.seed),
        gap: Duration::from_secs_f64(1.0 / (story::RATE * play.speed)),
        due: Instant::now(),
        began: Instant::now(),
        screen,
        stop,
        sent: 0,
        unanswered: 0,
        is_failing: false,
    };
    let mut outcome = stage.story(&phases).await;
    let is_told = outcome.is_ok();
    if is_told && !is_once {
        outcome = stage.go_on().await;
    }
    match outcome {
        Ok(()) | Err(End::Unread) => Ok(()),
        Err(End::Stopped) => {
            if !is_told {
                // what was noticed so far; who asked to leave may be gone
                let _ = stage.sum_up_early().await;
            }
            Ok(())
        }
        Err(End::Failed(error)) => Err(error),
    }
}

struct Stage<W> {
    client: Client,
    agent: Agent,
    notices: mpsc::Receiver<Notice>,
    teller: Teller,
    traffic: Traffic,
    screen: Screen<W>,
    stop: drain::Watch,
    began: Instant,
    /// Between two predictions.
    gap: Duration,
    /// When the next is sent.
    due: Instant,
    /// Predictions that were answered.
    sent: u64,
    unanswered: u64,
    /// The last was not answered.
    is_failing: bool,
}

impl<W: Write> Stage<W> {
    /// Everything up to the summary.
    async fn story(&mut self, phases: &[story::Phase]) -> Result<(), End> {
        self.be_ready().await?;
        self.begin().await?;
        for (place, phase) in phases.iter().enumerate() {
            let mark = self.settle().await?;
            let line = match phase.fault {
                Some(fault) => Some(self.teller.began(mark, fault)),
                None if place > 0 => self.teller.ended(mark),
                None => None,
            };
            self.screen.say(line.as_slice())?;
            if phase.is_recovery {
                self.recover(mark, phase.predictions).await?;
            } else {
                self.send(phase.fault, phase.predictions).await?;
            }
        }
        self.sum_up().await
    }

    async fn be_ready(&mut self) -> Result<(), End> {
        let deadline = Instant::now() + PATIENCE;
        while !self.agent.is_ready().await {
            if Instant::now() > deadline {
                return Err(PlayError::NotReady.into());
            }
            self.wait(PAUSE).await?;
        }
        self.began = Instant::now();
        Ok(())
    }

    /// Sends what becomes the baseline, and waits until it is in use: what is sent meanwhile would be neither
    /// in it nor compared with it.
    async fn begin(&mut self) -> Result<(), End> {
        let rate = 1.0 / self.gap.as_secs_f64();
        let text =
            format!("the client sends measured flowers in a random order, {rate:.0} a second");
        self.screen
            .say(&[Line::at(Duration::ZERO, Who::Client, text)])?;
        self.due = Instant::now();
        // one that was not answered is in no baseline
        while self.sent < u64::from(story::BASELINE) {
            self.send_one(None).await?;
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let drift = self.agent.drift().await.map_err(PlayError::Agent)?;
            if let Some(baseline) = drift.in_use() {
                let line =
                    self.teller
                        .has_baseline(self.began.elapsed(), baseline.rows, &baseline.origin);
                self.screen.say(&[line])?;
                self.due = Instant::now();
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(PlayError::NoBaseline.into());
            }
            self.wait(PAUSE).await?;
        }
    }

    /// Sends so many predictions at a steady rate, and tells what comes meanwhile.
    async fn send(&mut self, fault: Option<Fault>, count: u32) -> Result<(), End> {
        for _ in 0..count {
            self.send_one(fault).await?;
        }
        Ok(())
    }

    /// Sends normal traffic until all has been calm for a while, which is counted from the prediction that
    /// the agent names, so that it is the same however late that is heard; at most so many.
    async fn recover(&mut self, from: Mark, most: u32) -> Result<(), End> {
        for sent in 0..u64::from(most) {
            let calm = self.teller.calm_again();
            let end =
                calm.map(|calm| calm.saturating_sub(from.prediction) + u64::from(story::BREATH));
            if end.is_some_and(|end| sent >= end) {
                return Ok(());
            }
            self.send_one(None).await?;
        }
        Ok(())
    }

    async fn send_one(&mut self, fault: Option<Fault>) -> Result<(), End> {
        self.until(self.due).await?;
        let body = self.traffic.next_body(fault).ok_or(PlayError::NoRows)?;
        match self.client.ask(body).await {
            Ok(()) => {
                self.sent += 1;
                self.is_failing = false;
            }
            Err(error) => {
                self.unanswered += 1;
                if !self.is_failing {
                    let text = format!("a prediction was not answered: {error}");
                    let line = Line::at(self.began.elapsed(), Who::Client, text);
                    self.screen.say(&[line])?;
                }
                self.is_failing = true;
                self.wait(AFTER_FAILURE).await?;
            }
        }
        self.due += self.gap;
        let now = Instant::now();
        if now > self.due + MOST_BEHIND {
            self.due = now;
        }
        Ok(())
    }

    async fn wait(&mut self, time: Duration) -> Result<(), End> {
        self.until(Instant::now() + time).await
    }

    /// Tells what comes until then.
    async fn until(&mut self, then: Instant) -> Result<(), End> {
        loop {
            let notice = tokio::select! {
                biased;
                () = self.stop.reached(Phase::Leaving) => return Err(End::Stopped),
                Some(notice) = self.notices.recv() => notice,
                () = sleep_until(then) => return Ok(()),
            };
            self.hear(&notice).await?;
        }
    }

    async fn hear(&mut self, notice: &Notice) -> Result<(), End> {
        let at = self.began.elapsed();
        let since = match notice.event {
            agent::Event::DriftDetected => {
                let drift = self.agent.drift().await.map_err(PlayError::Agent)?;
                drift.since(&notice.series)
            }
            agent::Event::DriftCleared => None,
        };
        let line = self.teller.heard(at, notice, since);
        self.screen.say(line.as_slice())?;
        Ok(())
    }

    /// Waits until the agent has read what was sent, so that what comes next is counted from the right
    /// prediction. Other clients may have sent some, too.
    async fn settle(&mut self) -> Result<Mark, End> {
        let deadline = Instant::now() + READING;
        let mut before = None;
        loop {
            let drift = self.agent.drift().await.map_err(PlayError::Agent)?;
            let prediction = drift.predictions();
            let at = self.began.elapsed();
            if before == Some(prediction) && self.has_read(prediction) || Instant::now() > deadline
            {
                self.due = self.due.max(Instant::now());
                return Ok(Mark { at, prediction });
            }
            before = Some(prediction);
            self.wait(PAUSE).await?;
        }
    }

    /// Whether so many compared predictions are all that were sent behind the baseline.
    fn has_read(&self, compared: u64) -> bool {
        compared + u64::from(story::BASELINE) >= self.sent
    }

    async fn sum_up(&mut self) -> Result<(), End> {
        let mark = self.settle().await?;
        self.wait(LAST_NOTICES).await?;
        let mut lines = self.teller.summary(mark.prediction);
        if self.unanswered > 0 {
            let text = format!("Predictions that were not answered: {}", self.unanswered);
            lines.push(Line::new(Who::Teller, text));
        }
        lines.extend(teller::farewell(self.agent.address()));
        self.screen.say(&lines)?;
        Ok(())
    }

    /// Says what was noticed by now, when it was asked to leave.
    async fn sum_up_early(&mut self) -> Result<(), End> {
        let drift = self.agent.drift().await.map_err(PlayError::Agent)?;
        let lines = self.teller.summary(drift.predictions());
        self.screen.say(&lines)?;
        Ok(())
    }

    /// Goes on with normal traffic until it is asked to leave.
    async fn go_on(&mut self) -> Result<(), End> {
        let text = "The client goes on with normal traffic. Ctrl-C ends it.";
        self.screen
            .say(&[Line::new(Who::Aside, ""), Line::new(Who::Aside, text)])?;
        self.due = Instant::now();
        loop {
            self.send_one(None).await?;
        }
    }
}
