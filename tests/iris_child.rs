//! The bundled server as a real process, also when its agent is killed.
//!
//! This program is its own child and its own agent, so it has no test harness: `iris --child` is
//! what the supervisor starts, `agent` stands for the program that is killed.

#![expect(
    clippy::unwrap_used,
    reason = "a test, but without the harness that says so"
)]

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    time::Duration,
};

use sidelight::{
    http,
    iris::{self, Supervisor, child},
};

const LONG: Duration = Duration::from_mins(1);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("iris") => {
            assert_eq!(arguments, ["iris", "--child"]);
            iris::run_as_child().await.unwrap();
        }
        Some("agent") => agent().await,
        _ => {
            a_child_answers_and_ends_with_its_supervisor().await;
            a_child_ends_when_its_agent_is_killed().await;
            println!("ok: 2 tests");
        }
    }
}

async fn a_child_answers_and_ends_with_its_supervisor() {
    let supervisor = Supervisor::start(child::command);
    let port = port(&supervisor).await;
    assert!(answers(port).await);
    supervisor.stop().await;
    assert!(!answers(port).await);
}

async fn a_child_ends_when_its_agent_is_killed() {
    let mut agent = Command::new("/proc/self/exe")
        .arg("agent")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(agent.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let port = line.trim().parse().unwrap();
    assert!(answers(port).await);
    // SIGKILL: nothing of the agent's own runs any more
    agent.kill().unwrap();
    agent.wait().unwrap();
    while answers(port).await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Starts a child, says its port and waits to be killed.
async fn agent() {
    let supervisor = Supervisor::start(child::command);
    let port = port(&supervisor).await;
    let mut output = std::io::stdout();
    writeln!(output, "{port}").unwrap();
    output.flush().unwrap();
    std::future::pending::<()>().await;
}

async fn port(supervisor: &Supervisor) -> u16 {
    let mut port = supervisor.port();
    port.wait_for(Option::is_some).await.unwrap().unwrap()
}

async fn answers(port: u16) -> bool {
    match http::get("127.0.0.1", port, "/live", LONG, 1000).await {
        Ok((status, _, body)) => status == 200 && body == r#"{"status":"alive"}"#,
        Err(_) => false,
    }
}
