use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicUsize, Ordering},
};

use crossbeam_channel::{Sender, bounded};

use super::*;

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

type Answer = io::Result<Vec<IpAddr>>;

/// A resolver that says what it is told to, lookup by lookup, and is silent until then.
#[derive(Clone, Default)]
struct Told {
    asked: Arc<AtomicUsize>,
    answers: Arc<Mutex<HashMap<usize, Sender<Answer>>>>,
}

impl Told {
    fn lookups(&self, again: Duration) -> Lookups {
        let told = self.clone();
        Lookups::new(again, move |_| {
            let (say, said) = bounded(1);
            let number = told.asked.fetch_add(1, Ordering::SeqCst);
            told.answers.lock().unwrap().insert(number, say);
            said.recv().expect("it is told")
        })
    }

    async fn say(&self, number: usize, answer: Answer) {
        loop {
            if let Some(say) = self.answers.lock().unwrap().remove(&number) {
                return say.send(answer).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test]
async fn all_who_want_a_name_wait_for_one_lookup() {
    let told = Told::default();
    let lookups = told.lookups(Duration::from_hours(1));
    let mut waiting: Vec<_> = (0..50).map(|_| find(lookups.clone(), "model")).collect();
    tokio::task::yield_now().await;
    told.say(0, Ok(vec![HOME])).await;
    for found in waiting.drain(..) {
        assert_eq!(*found.await.unwrap().unwrap(), [HOME]);
    }
    assert_eq!(told.asked.load(Ordering::SeqCst), 1);
    // its thread ends after it has told
    while !lookups.lock().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_silent_resolver_is_asked_again_but_only_so_often() {
    let told = Told::default();
    let lookups = told.lookups(Duration::ZERO);
    let waiting: Vec<_> = (0..3 * AT_ONCE)
        .map(|_| find(lookups.clone(), "model"))
        .collect();
    tokio::task::yield_now().await;
    // one that was begun after it has come back answers for all
    told.say(AT_ONCE - 1, Ok(vec![HOME])).await;
    for found in waiting {
        assert_eq!(*found.await.unwrap().unwrap(), [HOME]);
    }
    assert_eq!(told.asked.load(Ordering::SeqCst), AT_ONCE);
    for number in 0..AT_ONCE - 1 {
        told.say(number, Err(io::ErrorKind::TimedOut.into())).await;
    }
}

#[tokio::test]
async fn a_lookup_that_fails_late_is_not_heard_while_another_may_succeed() {
    let told = Told::default();
    let lookups = told.lookups(Duration::ZERO);
    let first = find(lookups.clone(), "model");
    let second = find(lookups.clone(), "model");
    tokio::task::yield_now().await;
    told.say(0, Err(io::ErrorKind::NotFound.into())).await;
    told.say(1, Ok(vec![HOME])).await;
    assert!(first.await.unwrap().is_ok() && second.await.unwrap().is_ok());
}

#[tokio::test]
async fn once_the_resolver_speaks_again_nobody_waits_for_what_still_hangs() {
    let told = Told::default();
    let lookups = told.lookups(Duration::ZERO);
    let waiting = [
        find(lookups.clone(), "model"),
        find(lookups.clone(), "model"),
    ];
    tokio::task::yield_now().await;
    told.say(1, Ok(vec![HOME])).await;
    for found in waiting {
        assert!(found.await.unwrap().is_ok());
    }
    let patient = Lookups {
        again: Duration::from_hours(1),
        ..lookups
    };
    let next = find(patient, "model");
    told.say(2, Ok(vec![HOME])).await;
    assert!(next.await.unwrap().is_ok());
    told.say(0, Err(io::ErrorKind::TimedOut.into())).await;
}

#[tokio::test]
async fn the_last_failure_is_told_and_the_next_question_is_asked_anew() {
    let told = Told::default();
    let lookups = told.lookups(Duration::from_hours(1));
    let failed = find(lookups.clone(), "model");
    told.say(0, Err(io::Error::from_raw_os_error(24))).await;
    let error = failed.await.unwrap().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(24));
    let found = find(lookups.clone(), "model");
    told.say(1, Ok(vec![HOME])).await;
    assert!(found.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_resolver_that_panics_is_a_failure_and_leaves_nothing_behind() {
    let lookups = Lookups::new(Duration::ZERO, |_| panic!("as the test wants"));
    assert!(lookups.find("model").await.is_err());
    assert!(lookups.lock().is_empty());
}

/// An address that takes no more connections and says nothing: what is waiting fills its queue.
async fn silent_address() -> (socket2::Socket, SocketAddr, Vec<TcpStream>) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any = SocketAddr::new(HOME, 0);
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut waiting = Vec::new();
    while let Ok(taken) = timeout(Duration::from_secs(1), TcpStream::connect(address)).await {
        waiting.push(taken.unwrap());
    }
    (socket, address, waiting)
}

#[tokio::test]
async fn an_address_that_swallows_everything_does_not_keep_the_next_from_being_tried() {
    let (_socket, silent, _waiting) = silent_address().await;
    let other = IpAddr::from([127, 0, 0, 2]);
    let _listener = tokio::net::TcpListener::bind((other, silent.port()))
        .await
        .unwrap();
    let (stream, peer) = first_of(&[silent.ip(), other], silent.port())
        .await
        .unwrap();
    assert_eq!(peer, other);
    assert_eq!(stream.peer_addr().unwrap().ip(), other);
    assert!(
        first_of(&[], 1).await.is_err(),
        "a name without an address is an error"
    );
}

fn find(
    lookups: Lookups,
    host: &'static str,
) -> tokio::task::JoinHandle<io::Result<Arc<[IpAddr]>>> {
    tokio::spawn(async move { lookups.find(host).await })
}
