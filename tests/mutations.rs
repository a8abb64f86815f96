//! Mutated requests through a live proxy: whatever is sent, what the upstream sees is what the
//! RFCs let a reader see in it.
//!
//! `SIDELIGHT_MUTATIONS` says how many inputs there are, `SIDELIGHT_MUTATIONS_SEED` which. An input
//! that fails is shrunk and kept in `tests/http/found_cases.jsonl`, from where every later run
//! begins.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod mutations {
    pub(crate) mod answer;
    pub(crate) mod client;
    pub(crate) mod epoch;
    pub(crate) mod grammar;
    pub(crate) mod input;
    pub(crate) mod judge;
    pub(crate) mod live;
    pub(crate) mod mutator;
    pub(crate) mod parses;
    pub(crate) mod reader;
    pub(crate) mod report;
    pub(crate) mod request;
    pub(crate) mod seeds;
    pub(crate) mod senders;
    pub(crate) mod shrink;
    pub(crate) mod upstream;
}

use std::{
    env,
    ops::AddAssign,
    rc::Rc,
    time::{Duration, Instant},
};

use mutations::{
    answer::Answer,
    epoch::{self, Epoch},
    input::{self, Input},
    judge, report,
    request::Request,
    seeds::Seeds,
};

/// Inputs of `cargo test`; `tests/run.sh` takes more.
const INPUTS: u64 = 5000;
/// Of the run that nobody chose a seed for.
const SEED: u64 = 20_261_125;
/// Inputs of one proxy's life.
const EPOCH: usize = 2500;
/// How long the proxy waits for a client.
const PATIENCE: Duration = Duration::from_secs(3);

#[test]
fn whatever_is_sent_the_upstream_sees_only_what_may_be_read_in_it() {
    let (count, seed) = (
        number("SIDELIGHT_MUTATIONS", INPUTS),
        number("SIDELIGHT_MUTATIONS_SEED", SEED),
    );
    let seeds = Seeds::load();
    let began = Instant::now();
    let mut sum = Sum::default();
    let count = usize::try_from(count).unwrap();
    for start in (0..count).step_by(EPOCH) {
        let end = (start + EPOCH).min(count);
        let inputs = (start..end)
            .map(|index| Input::nth(index, seed, &seeds))
            .collect();
        let epoch = epoch::run(inputs, PATIENCE);
        let violations = judge::judge(&epoch);
        sum += Sum::of(&epoch);
        assert!(
            violations.is_empty(),
            "seed {seed}, {end} inputs: {}",
            report::of_requests(&epoch, &violations)
        );
    }
    println!(
        "seed {seed}, {:.1} s: {sum:?}",
        began.elapsed().as_secs_f64()
    );
    // a proxy that refuses all, or a mutator that spoils all, shows nothing
    let enough = sum.inputs / 5;
    assert!(
        sum.forwarded > enough && sum.refused > enough && sum.plain > 0,
        "{sum:?}"
    );
}

/// One mutated answer to this many mutated requests.
const REQUESTS_TO_AN_ANSWER: u64 = 5;

#[test]
fn whatever_is_answered_it_is_one_answer_and_the_next_request_gets_its_own() {
    let count = number("SIDELIGHT_MUTATIONS", INPUTS) / REQUESTS_TO_AN_ANSWER;
    let seed = number("SIDELIGHT_MUTATIONS_SEED", SEED);
    let count = usize::try_from(count).unwrap();
    let seeds = Rc::new(Seeds::load());
    let (mut passed, mut replaced) = (0, 0);
    for start in (0..count).step_by(EPOCH) {
        let end = (start + EPOCH).min(count);
        let inputs = (start..end).map(Input::odd).collect();
        let lent = Rc::clone(&seeds);
        let script = move |request: &Request| {
            let index = input::odd_index(&request.target)?;
            Some(input::odd_answer(index, seed, &lent))
        };
        let epoch = epoch::run_with(inputs, PATIENCE, Rc::new(script));
        let violations = judge::judge_answers(&epoch);
        let firsts = epoch.told.iter().filter_map(|t| t.heard.answers.first());
        let is_own = |answer: &&Answer| answer.value("x-sidelight-reason").is_some();
        replaced += firsts.clone().filter(is_own).count();
        passed += firsts.filter(|answer| !is_own(answer)).count();
        assert!(
            violations.is_empty(),
            "seed {seed}, {end} answers: {}",
            report::of_answers(&violations, |index| input::odd_answer(index, seed, &seeds))
        );
    }
    let told = format!("of {count} answers, {passed} passed and {replaced} were replaced");
    println!("seed {seed}: {told}");
    assert!(passed > count / 10 && replaced > count / 10, "{told}");
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// What happened, in numbers.
#[derive(Debug, Default)]
struct Sum {
    inputs: usize,
    /// Inputs of which the upstream saw something.
    forwarded: usize,
    /// Inputs with an answer of the proxy itself.
    refused: usize,
    /// Inputs that nobody could refuse.
    plain: usize,
    /// Requests at the upstream, the clean ones included.
    requests: usize,
    /// Connections that the client had to leave, because more was awaited.
    left: usize,
    /// Connections on which the proxy waited in vain.
    late: usize,
}

impl Sum {
    fn of(epoch: &Epoch) -> Self {
        let told = || epoch.told.iter();
        let has_own = |t: &&epoch::Told| t.heard.answers.iter().any(|a| a.number().is_none());
        let is_forwarded = |t: &&epoch::Told| t.heard.answers.iter().any(|a| a.number().is_some());
        Self {
            inputs: told().count(),
            forwarded: told().filter(is_forwarded).count(),
            refused: told().filter(has_own).count(),
            plain: told()
                .filter(|t| judge::plain(&t.input.bytes()).is_some())
                .count(),
            requests: epoch.records.requests.len(),
            left: told().filter(|t| t.heard.left).count(),
            late: told().filter(|t| t.is_late).count(),
        }
    }
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.inputs += other.inputs;
        self.forwarded += other.forwarded;
        self.refused += other.refused;
        self.plain += other.plain;
        self.requests += other.requests;
        self.left += other.left;
        self.late += other.late;
    }
}
