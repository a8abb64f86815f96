//! Connections to the upstream, of one thread.

use std::{
    cell::RefCell,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use hyper::{
    Request, Response,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::spawn_local};

/// Idle connections that are kept: as many as the other candidates keep.
const KEPT: usize = 512;

type Sender = SendRequest<Incoming>;
type Idle = Rc<RefCell<Vec<Sender>>>;
pub type Error = Box<dyn std::error::Error + Send + Sync>;

pub struct Pool {
    upstream: SocketAddr,
    idle: Idle,
}

impl Pool {
    pub fn new(upstream: SocketAddr) -> Self {
        Self {
            upstream,
            idle: Idle::default(),
        }
    }

    /// Sends on a kept connection, or on a new one; the connection is kept again once the answer's
    /// body has been read.
    pub async fn send(&self, request: Request<Incoming>) -> Result<Response<Answer>, Error> {
        let mut sender = self.sender().await?;
        let response = sender.send_request(request).await?;
        Ok(response.map(|body| Answer {
            body,
            back: Some((sender, Rc::clone(&self.idle))),
        }))
    }

    async fn sender(&self) -> Result<Sender, Error> {
        loop {
            let Some(mut kept) = self.idle.borrow_mut().pop() else {
                return self.connect().await;
            };
            if kept.ready().await.is_ok() {
                return Ok(kept);
            }
        }
    }

    async fn connect(&self) -> Result<Sender, Error> {
        let stream = TcpStream::connect(self.upstream).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        spawn_local(connection);
        Ok(sender)
    }
}

/// An answer's body, which gives its connection back when it has ended.
pub struct Answer {
    body: Incoming,
    back: Option<(Sender, Idle)>,
}

impl Answer {
    fn give_back(&mut self) {
        if let Some((sender, idle)) = self.back.take() {
            let mut idle = idle.borrow_mut();
            if idle.len() < KEPT {
                idle.push(sender);
            }
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.give_back();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    /// hyper does not poll a body that says beforehand that it is empty.
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            self.give_back();
        }
    }
}
