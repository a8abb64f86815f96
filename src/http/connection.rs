//! One connection: its requests read whole, answered one after the other.

use std::{
    convert::Infallible, future::poll_fn, net::SocketAddr, pin::Pin, sync::Arc, time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::watch,
    time::timeout,
};

use super::{
    Handler, Limits,
    answer::{Desk, answer},
    seat::{InHand, Seat},
    socket::Socket,
};

/// How long and how much a client that was refused may still send before it is cut off: closing
/// on unread bytes would reset the connection and could take the answer with it.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 1 << 20;

/// Bytes of an answer that may wait for a slow client before more of it are made.
const MAX_UNSENT: usize = 64 << 10;

/// Serves one client until it leaves, breaks a limit, or `stop` is true and nothing is in hand.
pub(super) async fn serve<S, H>(
    stream: S,
    peer: SocketAddr,
    desk: Arc<Desk<H>>,
    seat: Arc<Seat>,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    let builder = builder(&desk.limits);
    let socket = Socket::new(stream, Arc::clone(&seat), desk.limits.write_timeout);
    let service = service_fn(|request| {
        seat.works();
        let (desk, seat) = (Arc::clone(&desk), Arc::clone(&seat));
        Box::pin(async move {
            let (head, body) = answer(&desk, peer, &seat, request).await.into_parts();
            let body = InHand::new(body, seat);
            Ok::<_, Infallible>(http::Response::from_parts(head, body))
        })
    });
    let mut connection = builder.serve_connection(TokioIo::new(socket), service);
    // what goes wrong on a connection is a client that left or broke a limit
    let ended = tokio::select! {
        _ = poll_fn(|cx| connection.poll_without_shutdown(cx)) => true,
        _ = stop.wait_for(|stop| *stop) => false,
    };
    if !ended {
        Pin::new(&mut connection).graceful_shutdown();
        let _ = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    }
    let stream = connection.into_parts().io.into_inner();
    linger(stream, if ended { LINGER } else { Duration::ZERO }).await;
}

fn builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_header_size(limits.head)
        .max_buf_size(MAX_UNSENT.max(limits.head));
    builder
}

/// Says goodbye and lets what the client still sends run dry.
async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin, limit: Duration) {
    let _ = timeout(limit, async {
        stream.shutdown().await?;
        let mut rest = stream.take(LINGER_BYTES);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        io,
        sync::atomic::{AtomicUsize, Ordering},
        task::{Context, Poll},
    };

    use bytes::Bytes;
    use http::StatusCode;
    use http_body_util::BodyExt;
    use hyper::body::Frame;
    use tokio::{
        io::{DuplexStream, duplex},
        task::JoinHandle,
        time::{Instant, sleep},
    };

    use super::*;
    use crate::http::{Parts, Request, Response, full, stream, text};

    const HEAD_TIMEOUT: Duration = Duration::from_secs(3);
    const BODY_TIMEOUT: Duration = Duration::from_secs(5);
    const WRITE_TIMEOUT: Duration = Duration::from_secs(7);
    /// More than all buffers between the two ends hold.
    const MUCH: usize = 4 << 20;

    /// Parts of an endless body that were made.
    static MADE: AtomicUsize = AtomicUsize::new(0);
    const PART: usize = 8 << 10;

    struct Endless;

    impl Parts for Endless {
        async fn next(&mut self) -> Option<Bytes> {
            MADE.fetch_add(1, Ordering::Relaxed);
            Some(vec![b'x'; PART].into())
        }
    }

    async fn handler(request: Request) -> Response {
        match request.path.as_str() {
            "/endless" => Response::new(stream(Endless)),
            "/much" => Response::new(full(vec![b'x'; MUCH])),
            "/broken" => {
                let half = Ok(Frame::data(Bytes::from("half")));
                let broken = Err(io::Error::other("no more"));
                Response::new(Frames([Some(half), None, Some(broken)].into()).boxed_unsync())
            }
            path => text(StatusCode::OK, format!("{path} {}", request.body.len())),
        }
    }

    /// A body of these frames; `None` is a pause.
    struct Frames(VecDeque<Option<io::Result<Frame<Bytes>>>>);

    impl hyper::body::Body for Frames {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
            match self.0.pop_front() {
                None => Poll::Ready(None),
                Some(None) => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                Some(frame) => Poll::Ready(frame),
            }
        }
    }

    /// The client's end, and the connection's task.
    fn connect() -> (DuplexStream, JoinHandle<()>) {
        let limits = Limits {
            head: 1024,
            body: 1000,
            head_timeout: HEAD_TIMEOUT,
            body_timeout: BODY_TIMEOUT,
            write_timeout: WRITE_TIMEOUT,
            connections: 1,
        };
        let (near, far) = duplex(1024);
        let desk = Arc::new(Desk {
            handler,
            panics: ::metrics::Counter::noop(),
            limits,
        });
        let seat = Seat::new(Arc::default());
        let task = tokio::spawn(async move {
            let (_keep, stop) = watch::channel(false);
            serve(far, ([127, 0, 0, 1], 1).into(), desk, seat, stop).await;
        });
        (near, task)
    }

    /// All that comes back on `sent`, read while it is being sent, until the server closes.
    async fn exchange(sent: &[u8]) -> String {
        let (client, _task) = connect();
        let (mut reading, mut writing) = tokio::io::split(client);
        let talk = async {
            let _ = writing.write_all(sent).await;
            // a client that waits for its answer
            std::future::pending::<()>().await;
        };
        let mut answer = Vec::new();
        tokio::select! {
            outcome = reading.read_to_end(&mut answer) => drop(outcome.unwrap()),
            () = talk => {}
        }
        String::from_utf8(answer).unwrap()
    }

    fn status(answer: &str) -> &str {
        answer.split(' ').nth(1).unwrap_or_default()
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_over_the_limit_is_431() {
        let fits = format!(
            "GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
            "y".repeat(900)
        );
        assert_eq!(status(&exchange(fits.as_bytes()).await), "200");
        let long = format!(
            "GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
            "y".repeat(1100)
        );
        assert_eq!(status(&exchange(long.as_bytes()).await), "431");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_over_the_limit_is_413_whether_it_says_its_length_or_not() {
        let post = |length: usize| {
            let body = "z".repeat(length);
            format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{body}")
        };
        let chunked = |length: usize| {
            let body = "z".repeat(length);
            let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked";
            format!("{head}\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n")
        };
        for form in [&post as &dyn Fn(usize) -> String, &chunked] {
            let answer = exchange(form(1000).as_bytes()).await;
            assert!(answer.ends_with("/ 1000"), "{answer}");
            for length in [1001, 300_000] {
                let answer = exchange(form(length).as_bytes()).await;
                assert_eq!(status(&answer), "413", "{length}");
                assert!(answer.contains("body_too_long"), "{answer}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_says_it_is_too_long_is_not_asked_for() {
        let head = "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: ";
        let answer = exchange(format!("{head}1001\r\n\r\n").as_bytes()).await;
        assert_eq!(status(&answer), "413");
        let answer = exchange(format!("{head}1\r\n\r\nz").as_bytes()).await;
        assert_eq!(status(&answer), "100");
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_come_in_time_closes() {
        let start = Instant::now();
        assert_eq!(exchange(b"GET / HTTP/1.1\r\nhost").await, "");
        assert!(start.elapsed() >= HEAD_TIMEOUT);
        assert!(start.elapsed() < HEAD_TIMEOUT + 2 * LINGER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_in_time_is_408() {
        let start = Instant::now();
        let answer = exchange(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nz").await;
        assert_eq!(status(&answer), "408");
        assert!(start.elapsed() >= BODY_TIMEOUT);
        assert!(start.elapsed() < BODY_TIMEOUT + 2 * LINGER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_with_broken_framing_is_400() {
        let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        let answer = exchange(format!("{head}no number\r\n").as_bytes()).await;
        assert_eq!(status(&answer), "400");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_reading_is_cut_off() {
        let (mut client, task) = connect();
        let start = Instant::now();
        client
            .write_all(b"GET /much HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        task.await.unwrap();
        assert!(start.elapsed() >= WRITE_TIMEOUT);
        assert!(start.elapsed() < WRITE_TIMEOUT + 2 * LINGER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_slowly_gets_everything() {
        let (mut client, _task) = connect();
        client
            .write_all(b"GET /much HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut total = 0;
        let mut buffer = vec![0; 1024];
        loop {
            sleep(WRITE_TIMEOUT / 2).await;
            match client.read(&mut buffer).await.unwrap() {
                0 => break,
                read => total += read,
            }
        }
        assert!(total > MUCH, "{total}");
    }

    #[tokio::test(start_paused = true)]
    async fn head_says_the_length_that_get_would_have_and_sends_no_body() {
        let both = b"HEAD /abc HTTP/1.1\r\nhost: a\r\n\r\nGET /abc HTTP/1.1\r\nhost: a\r\n\r\n";
        let answer = exchange(both).await;
        let (first, second) = answer.split_once("\r\n\r\n").unwrap();
        assert!(first.contains("content-length: 6"), "{first}");
        assert!(second.starts_with("HTTP/1.1 200"), "{second}");
        assert!(second.ends_with("/abc 0"), "{second}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_fails_is_not_taken_for_a_whole_one() {
        let answer = exchange(b"GET /broken HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(answer.contains("transfer-encoding: chunked"), "{answer}");
        assert!(answer.ends_with("4\r\nhalf\r\n"), "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_stream_that_is_not_taken_little_is_made_and_the_client_is_given_up() {
        let (mut client, task) = connect();
        let request = b"GET /endless HTTP/1.1\r\nhost: a\r\n\r\n";
        client.write_all(request).await.unwrap();
        sleep(WRITE_TIMEOUT / 2).await;
        let most = MAX_UNSENT / PART + 2;
        let made = MADE.load(Ordering::Relaxed);
        assert!((1..=most).contains(&made), "{made} parts");
        task.await.unwrap();
        let made = MADE.load(Ordering::Relaxed);
        assert!(made <= most, "{made} parts");
    }
}
