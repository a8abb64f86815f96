//! The server as a process of the agent's own: who keeps it running.

use std::{process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::pause::Pause;

/// Time for a child to say its port.
const START: Duration = Duration::from_secs(10);
/// Time for a child to end by itself when it is told to.
const GRACE: Duration = Duration::from_secs(3);
/// Longest line that may name a port.
const LINE: u64 = 64;

/// Keeps a child running. Dropping it stops the child, without waiting.
#[derive(Debug)]
pub struct Supervisor {
    port: watch::Receiver<Option<u16>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Supervisor {
    /// Starts what `command` gives, again and again until it is stopped: 0.1 s after a death, and
    /// twice as long after every further one, up to 5 s; who has lived 10 s begins anew. Its
    /// standard input and output are pipes, its standard error is the agent's, and it has a
    /// process group of its own, so that Ctrl-C in a terminal reaches the agent alone.
    ///
    /// Must be called in a tokio runtime with io and time.
    pub fn start(command: impl FnMut() -> Command + Send + 'static) -> Self {
        Self::with_times(command, START, GRACE)
    }

    fn with_times(
        command: impl FnMut() -> Command + Send + 'static,
        start: Duration,
        grace: Duration,
    ) -> Self {
        let (publish, port) = watch::channel(None);
        let (stop, stopped) = watch::channel(false);
        let keeper = Keeper {
            command,
            publish,
            stopped,
            start,
            grace,
        };
        let task = tokio::spawn(keeper.keep());
        Self { port, stop, task }
    }

    /// Where the child listens, on 127.0.0.1; none while there is no child that said so.
    pub fn port(&self) -> watch::Receiver<Option<u16>> {
        self.port.clone()
    }

    /// Closes the child's standard input, waits up to 3 s for its end, then kills it.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        // a keeper that panicked has dropped its child, which kills it
        let _ = self.task.await;
    }
}

/// Why a child is no more.
enum End {
    Stopped,
    Died(String),
}

struct Keeper<C> {
    command: C,
    publish: watch::Sender<Option<u16>>,
    stopped: watch::Receiver<bool>,
    start: Duration,
    grace: Duration,
}

impl<C: FnMut() -> Command> Keeper<C> {
    async fn keep(mut self) {
        let mut pause = Pause::default();
        loop {
            let born = Instant::now();
            let end = self.life().await;
            let End::Died(cause) = end else { return };
            let pause = pause.after(born.elapsed());
            tracing::warn!(cause, pause_s = pause.as_secs_f64(), "iris server ended");
            tokio::select! {
                () = sleep(pause) => {}
                () = told(&mut self.stopped) => return,
            }
        }
    }

    /// One child from its start to its end.
    async fn life(&mut self) -> End {
        let spawned = (self.command)()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => return End::Died(format!("cannot be started: {error}")),
        };
        // held here: waiting for a child closes the one it has
        let input = child.stdin.take();
        let listened = listen(child.stdout.take(), &self.publish, self.start);
        let watched = async {
            match listened.await {
                // the pipe stays open: a child must not die of what it says
                Ok(_pipe) => std::future::pending().await,
                Err(cause) => cause,
            }
        };
        let cause = tokio::select! {
            cause = watched => cause,
            status = child.wait() => match status {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            },
            () = told(&mut self.stopped) => {
                self.publish.send_replace(None);
                end(&mut child, input, self.grace).await;
                return End::Stopped;
            }
        };
        self.publish.send_replace(None);
        end(&mut child, input, Duration::ZERO).await;
        End::Died(cause)
    }
}

/// Publishes the port that a child says; gives the pipe back, or what is wrong.
async fn listen(
    pipe: Option<ChildStdout>,
    publish: &watch::Sender<Option<u16>>,
    limit: Duration,
) -> Result<ChildStdout, String> {
    let mut pipe = pipe.ok_or("has no standard output")?;
    let mut line = String::new();
    let mut reader = BufReader::new((&mut pipe).take(LINE));
    let read = async {
        match reader.read_line(&mut line).await {
            // it is ending, and how it ends tells more
            Ok(0) => std::future::pending().await,
            outcome => outcome,
        }
    };
    match timeout(limit, read).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return Err(format!("says no port: {error}")),
        Err(_) => return Err("says no port in time".to_owned()),
    }
    match line.trim().parse() {
        Ok(port) if port != 0 && line.ends_with('\n') => {
            tracing::info!(port, "iris server started");
            publish.send_replace(Some(port));
            Ok(pipe)
        }
        _ => Err("says something that is no port".to_owned()),
    }
}

/// Waits until the supervisor says stop, or is gone.
async fn told(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Tells a child to end and sees to it; leaves no zombie.
async fn end(child: &mut Child, input: Option<ChildStdin>, grace: Duration) {
    drop(input);
    if timeout(grace, child.wait()).await.is_err() {
        // one that cannot be killed has ended
        let _ = child.kill().await;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tempfile::TempDir;

    use super::*;

    /// A shell script as a child, in a directory of its own. `$n` counts its starts from 1, and
    /// `pid` holds the latest process.
    struct Script {
        dir: TempDir,
        text: String,
    }

    impl Script {
        fn new(text: &str) -> Self {
            let head = "echo >> starts; n=$(wc -l < starts); echo $$ > pid.new; mv pid.new pid";
            Self {
                dir: tempfile::tempdir().unwrap(),
                text: format!("{head}\n{text}"),
            }
        }

        fn start(&self, start: Duration, grace: Duration) -> Supervisor {
            let (dir, text) = (self.dir.path().to_owned(), self.text.clone());
            let command = move || {
                let mut command = Command::new("/bin/sh");
                command.args(["-c", &text]).current_dir(&dir);
                command
            };
            Supervisor::with_times(command, start, grace)
        }

        fn file(&self, name: &str) -> String {
            std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
        }

        fn process(&self) -> String {
            format!("/proc/{}", self.file("pid").trim())
        }
    }

    const LONG: Duration = Duration::from_mins(10);

    async fn port(supervisor: &Supervisor, wanted: Option<u16>) {
        let mut port = supervisor.port();
        port.wait_for(|port| *port == wanted).await.unwrap();
    }

    async fn eventually(mut is_so: impl FnMut() -> bool) {
        while !is_so() {
            sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn a_child_is_told_to_end_by_closing_its_input_and_is_waited_for() {
        let script = Script::new("echo 4711; read x; sleep 0.05; echo bye > last");
        let supervisor = script.start(LONG, LONG);
        port(&supervisor, Some(4711)).await;
        let mut heard = supervisor.port();
        supervisor.stop().await;
        assert_eq!(script.file("last"), "bye\n");
        assert_eq!(script.file("starts").len(), 1);
        assert_eq!(*heard.borrow_and_update(), None);
    }

    #[tokio::test]
    async fn a_child_whose_supervisor_is_dropped_ends_too() {
        let script = Script::new("echo 4711; read x; echo bye > last");
        let supervisor = script.start(LONG, LONG);
        port(&supervisor, Some(4711)).await;
        drop(supervisor);
        eventually(|| script.file("last") == "bye\n").await;
    }

    #[tokio::test]
    async fn a_child_that_does_not_end_is_killed() {
        let script = Script::new("echo 4711; exec sleep 1000");
        let supervisor = script.start(LONG, Duration::from_millis(20));
        port(&supervisor, Some(4711)).await;
        assert!(Path::new(&script.process()).exists());
        supervisor.stop().await;
        assert!(!Path::new(&script.process()).exists());
    }

    #[tokio::test]
    async fn a_child_that_is_killed_has_no_port_from_then_on() {
        let script = Script::new("[ $n = 1 ] && echo 4711; exec sleep 1000");
        let supervisor = script.start(LONG, Duration::from_millis(20));
        port(&supervisor, Some(4711)).await;
        let pid = script.file("pid");
        let kill = std::process::Command::new("kill")
            .args(["-9", pid.trim()])
            .status();
        assert!(kill.unwrap().success());
        port(&supervisor, None).await;
        // and another is there
        eventually(|| script.file("starts").len() == 2).await;
        supervisor.stop().await;
    }

    #[tokio::test]
    async fn a_child_that_is_no_good_is_replaced_until_one_is() {
        for no_good in [
            "exit 3",
            "echo hello; read x",
            "echo 0; read x",
            "echo 70000; read x",
            "printf 4711; read x",
            "head -c 9999 /dev/zero | tr '\\0' 1; read x",
        ] {
            let script = Script::new(&format!(
                "[ $n -ge 3 ] || {{ {no_good}; }}; echo 4713; read x"
            ));
            // a machine too slow for this limit only makes more tries of it
            let supervisor = script.start(Duration::from_millis(500), LONG);
            port(&supervisor, Some(4713)).await;
            supervisor.stop().await;
        }
    }

    #[tokio::test]
    async fn a_command_that_is_not_there_is_tried_again_and_can_be_stopped() {
        let (count, mut tries) = watch::channel(0);
        let supervisor = Supervisor::start(move || {
            count.send_modify(|tries| *tries += 1);
            Command::new("/nowhere/to/be/found")
        });
        tries.wait_for(|tries| *tries >= 2).await.unwrap();
        assert_eq!(*supervisor.port().borrow(), None);
        supervisor.stop().await;
    }

    #[tokio::test]
    async fn starts_of_a_child_that_keeps_dying_keep_apart() {
        let script = Script::new("exit 1");
        let begin = Instant::now();
        let supervisor = script.start(LONG, LONG);
        eventually(|| script.file("starts").len() >= 4).await;
        assert!(begin.elapsed() >= Duration::from_millis(100 + 200 + 400));
        supervisor.stop().await;
    }

    #[tokio::test]
    async fn a_child_has_a_process_group_of_its_own() {
        let script = Script::new("echo 4711; read x");
        let supervisor = script.start(LONG, LONG);
        port(&supervisor, Some(4711)).await;
        let stat = std::fs::read_to_string(format!("{}/stat", script.process())).unwrap();
        // after the name in brackets: state, parent, group
        let group = stat.rsplit(')').next().unwrap().split_whitespace().nth(2);
        assert_eq!(group, Some(script.file("pid").trim()));
        supervisor.stop().await;
    }
}
