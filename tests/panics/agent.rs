//! The agent and a model server, as processes of their own.

use std::{
    cell::Cell,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::client;

const PROGRAM: &str = env!("CARGO_BIN_EXE_sidelight");
const ANY: &str = "127.0.0.1:0";

/// A process that does not outlive the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running agent, and the server behind it, which does not panic.
pub(crate) struct Agent {
    pub(crate) proxy: SocketAddr,
    ops: SocketAddr,
    process: Process,
    _model: Process,
    lines: JoinHandle<Vec<String>>,
    failed: Cell<u32>,
    answered: Cell<u32>,
}

/// A scrape.
pub(crate) struct Counted(pub(crate) String);

impl Counted {
    /// The sum of the series that begin with `prefix`.
    pub(crate) fn sum(&self, prefix: &str) -> f64 {
        let lines = self.0.lines().filter(|line| line.starts_with(prefix));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}

fn model() -> (Process, SocketAddr) {
    let mut command = Command::new(PROGRAM);
    command
        .args(["iris", "--listen", ANY])
        .stderr(Stdio::piped());
    let mut child = Process(command.spawn().unwrap());
    let mut line = String::new();
    let stderr = child.0.stderr.take().unwrap();
    BufReader::new(stderr).read_line(&mut line).unwrap();
    let address = line.trim().rsplit("//").next().unwrap().parse().unwrap();
    (child, address)
}

impl Agent {
    /// Starts both; the agent panics in these places.
    pub(crate) fn start(places: &str) -> Self {
        let (model, upstream) = model();
        let mut command = Command::new(PROGRAM);
        command
            .args(["run", "--listen", ANY, "--ops-listen", ANY])
            .args(["--upstream", &format!("http://{upstream}")])
            .env("INJECT_PANICS", places)
            .env("SIDELIGHT_PROXY__THREADS", "2")
            .env("SIDELIGHT_MODEL__PROBE_INTERVAL", "100ms")
            .env("SIDELIGHT_DRIFT__CHECK_INTERVAL", "1s")
            .stdout(Stdio::piped());
        let mut agent = Process(command.spawn().unwrap());
        let mut out = BufReader::new(agent.0.stdout.take().unwrap()).lines();
        let listening = out
            .by_ref()
            .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
            .find(|event| event["message"] == "listening")
            .unwrap();
        let address = |name: &str| listening[name].as_str().unwrap().parse().unwrap();
        Self {
            proxy: address("listen"),
            ops: address("ops_listen"),
            process: agent,
            _model: model,
            lines: thread::spawn(move || out.map(Result::unwrap).collect()),
            failed: Cell::new(0),
            answered: Cell::new(0),
        }
    }

    /// Answers of the operator's port, and connections to it, that a panic cost.
    pub(crate) fn failed(&self) -> f64 {
        self.failed.get().into()
    }

    /// Those of them that were answered for.
    pub(crate) fn answered(&self) -> u32 {
        self.answered.get()
    }

    /// Does what an operator does, whatever comes of it.
    pub(crate) fn operate(&self) {
        let baseline = format!("[{}1.0]", "1.0,".repeat(99));
        for (method, path, body) in [
            ("GET", "/live", ""),
            ("GET", "/ready", ""),
            ("GET", "/drift", ""),
            ("GET", "/state", ""),
            ("POST", "/admin/reload", ""),
            ("POST", "/drift/baseline", &baseline),
        ] {
            self.ask(method, path, body);
        }
    }

    /// `GET /metrics`, until it is answered.
    pub(crate) fn scrape(&self) -> Counted {
        loop {
            if let Some((200, text)) = self.ask("GET", "/metrics", "") {
                return Counted(text);
            }
        }
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        let length = body.len();
        let host = self.ops;
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}");
        let mut stream = client::connect(self.ops);
        let answer = client::ask(&mut stream, &format!("{head}\r\n\r\n{body}"));
        let is_panic = answer.as_ref().is_none_or(|answer| {
            let word = |word| answer.body.contains(&format!("\"error\":\"{word}\""));
            answer.status == 500 && (word("panic") || word("not_saved"))
        });
        self.failed.set(self.failed.get() + u32::from(is_panic));
        let is_answered = is_panic && answer.is_some();
        self.answered
            .set(self.answered.get() + u32::from(is_answered));
        answer.map(|answer| (answer.status, answer.body))
    }

    /// Ends the agent as an orchestrator does; every further line it wrote.
    pub(crate) fn leave(mut self) -> Vec<String> {
        kill_process(Pid::from_child(&self.process.0), Signal::TERM).unwrap();
        assert_eq!(self.process.0.wait().unwrap().code(), Some(0));
        self.lines.join().unwrap()
    }
}
