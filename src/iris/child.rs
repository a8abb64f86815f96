//! The server as a process of the agent's own: the process.
//!
//! It says its port as one line on standard output and ends when standard input closes, which the
//! kernel sees to even when the agent is killed.

use std::{
    io::{self, Write},
    time::Duration,
};

use tokio::{net::TcpListener, process::Command, sync::oneshot, time::sleep};

use super::server;

/// Time for what is in hand when the agent is gone; less than the agent waits for the child.
const GRACE: Duration = Duration::from_secs(1);

/// Serves on a free port of 127.0.0.1, says which on standard output, and ends when standard
/// input closes.
///
/// # Errors
/// When there is no free port or standard output is closed.
pub async fn run_as_child() -> io::Result<()> {
    let (open, closed) = oneshot::channel::<()>();
    // a thread of its own: it may wait for ever, and a runtime would wait for it when it ends
    std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || {
            // an input that breaks is closed as well
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            drop(open);
        })?;
    serve_until(async { closed.await.unwrap_or(()) }, io::stdout()).await
}

async fn serve_until(closed: impl Future<Output = ()>, mut output: impl Write) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    writeln!(output, "{}", listener.local_addr()?.port())?;
    output.flush()?;
    let (leave, left) = oneshot::channel();
    let serving = server::run(listener, async { left.await.unwrap_or(()) });
    let ending = async {
        closed.await;
        // one that has stopped serving needs no telling
        let _ = leave.send(());
        sleep(GRACE).await;
    };
    tokio::select! {
        () = serving => {}
        () = ending => {}
    }
    Ok(())
}

/// This program as `iris --child`, also when its file has been replaced since it was started.
pub fn command() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("sidelight").args(["iris", "--child"]);
    command
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use super::*;
    use crate::http;

    #[tokio::test]
    async fn it_says_its_port_answers_there_and_ends_when_it_is_let_go() {
        let (reader, writer) = io::pipe().unwrap();
        let (open, closed) = oneshot::channel::<()>();
        let child = tokio::spawn(serve_until(async { closed.await.unwrap_or(()) }, writer));
        let line = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            BufReader::new(reader).read_line(&mut line).map(|_| line)
        });
        let line = line.await.unwrap().unwrap();
        let port: u16 = line.strip_suffix('\n').unwrap().parse().unwrap();
        let minute = Duration::from_mins(1);
        let answer = http::get("127.0.0.1", port, "/ready", minute, 1000).await;
        assert_eq!(answer.unwrap().0, 200);
        drop(open);
        child.await.unwrap().unwrap();
        let gone = http::get("127.0.0.1", port, "/ready", minute, 1000).await;
        assert_eq!(gone.unwrap_err().reason(), "connect");
    }

    #[tokio::test]
    async fn it_ends_when_nobody_hears_its_port() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let outcome = serve_until(std::future::pending(), writer).await;
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
