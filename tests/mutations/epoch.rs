//! One proxy's life: some thousand inputs, 64 at a time, then the books.

use std::{
    cell::RefCell,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    runtime::Builder,
    task::{JoinSet, LocalSet, spawn_blocking},
};

use super::{
    client::{self, Due, Heard},
    input::Input,
    live::{Books, Live},
    parses::parses,
    upstream::{Records, Script, Upstream},
};

/// Inputs under way at once.
const IN_FLIGHT: usize = 64;
/// A connection that was closed before anything was said on it may be tried anew
/// (RFC 9112, section 9.5).
const TRIES: usize = 3;

/// What one input led to.
pub(crate) struct Told {
    pub(crate) input: Input,
    pub(crate) heard: Heard,
    /// What the clean request after it led to.
    pub(crate) clean: Heard,
    /// Whether the proxy may have waited in vain.
    pub(crate) is_late: bool,
}

/// All that can be judged.
pub(crate) struct Epoch {
    pub(crate) told: Vec<Told>,
    pub(crate) records: Records,
    pub(crate) books: Books,
}

/// Sends all inputs through a proxy of their own.
///
/// The proxy waits for clients as long as `patience`. Few inputs come to that: a client that has
/// nothing more to send says so.
pub(crate) fn run(inputs: Vec<Input>, patience: Duration) -> Epoch {
    run_with(inputs, patience, Rc::new(|_| None))
}

/// The same with an upstream that follows a script.
pub(crate) fn run_with(inputs: Vec<Input>, patience: Duration, script: Script) -> Epoch {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let upstream = Upstream::start(script).await;
        let live = Live::start(upstream.address, patience);
        let told = send_all(inputs, live.address, patience).await;
        let books = spawn_blocking(|| live.finish()).await.unwrap();
        Epoch {
            told,
            records: upstream.finish().await,
            books,
        }
    })
}

async fn send_all(inputs: Vec<Input>, address: SocketAddr, patience: Duration) -> Vec<Told> {
    let inputs = Rc::new(RefCell::new(inputs.into_iter()));
    let told = Rc::new(RefCell::new(Vec::new()));
    let mut workers = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (inputs, told) = (Rc::clone(&inputs), Rc::clone(&told));
        workers.spawn_local(async move {
            loop {
                let Some(input) = inputs.borrow_mut().next() else {
                    return;
                };
                let one = send_one(input, address, patience).await;
                told.borrow_mut().push(one);
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.unwrap();
    }
    told.take()
}

async fn send_one(input: Input, address: SocketAddr, patience: Duration) -> Told {
    let bytes = input.bytes();
    let began = Instant::now();
    let due = Due::of(&parses(&bytes));
    let heard = client::send(address, &bytes, &input.cuts, due).await;
    let is_late = began.elapsed() >= patience;
    let request = clean_request(input.index);
    let due = Due::of(&parses(&request));
    let mut clean = Heard::default();
    for _ in 0..TRIES {
        clean = client::send(address, &request, &[], due).await;
        if !clean.answers.is_empty() {
            break;
        }
    }
    Told {
        input,
        heard,
        clean,
        is_late,
    }
}

/// What the next client sends.
fn clean_request(index: usize) -> Vec<u8> {
    let target = clean_target(index);
    format!("GET {target} HTTP/1.1\r\nHost: clean.test\r\nConnection: close\r\n\r\n").into_bytes()
}

pub(crate) fn clean_target(index: usize) -> String {
    format!("/clean/{index}")
}
