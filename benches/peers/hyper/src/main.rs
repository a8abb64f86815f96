//! The least reverse proxy that hyper makes, built as the agent is: one current-thread runtime, one
//! listening socket and one pool of upstream connections per thread. Nothing is looked at, so what it
//! costs is what is under the agent before any monitoring.
//!
//! `peer-hyper --listen PORT --upstream PORT --threads N`, both on 127.0.0.1.

mod pool;

use std::{env, io, net::SocketAddr, rc::Rc, thread};

use hyper::{
    Request, Response, body::Incoming, header::CONNECTION, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use pool::{Answer, Error, Pool};
use tokio::{
    net::{TcpListener, TcpSocket},
    runtime,
    task::{LocalSet, spawn_local},
};

/// The agent's, so that the difference is not the allocator's.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// One exchange: what came goes on, as it comes. When the upstream fails, the client's connection ends.
async fn forward(
    pool: Rc<Pool>,
    mut request: Request<Incoming>,
) -> Result<Response<Answer>, Error> {
    request.headers_mut().remove(CONNECTION);
    let mut response = pool.send(request).await?;
    response.headers_mut().remove(CONNECTION);
    Ok(response)
}

async fn serve(listener: TcpListener, upstream: SocketAddr) -> io::Result<()> {
    let pool = Rc::new(Pool::new(upstream));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let pool = Rc::clone(&pool);
        let service = service_fn(move |request| forward(Rc::clone(&pool), request));
        spawn_local(async move {
            // a client that left is no news
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// A thread's whole life.
fn run(listen: SocketAddr, upstream: SocketAddr) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    LocalSet::new().block_on(&runtime, async {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
        socket.bind(listen)?;
        serve(socket.listen(4096)?, upstream).await
    })
}

/// The number after `--name`.
fn number(name: &str) -> Option<u16> {
    let mut rest = env::args().skip_while(|argument| argument != name);
    rest.nth(1)?.parse().ok()
}

fn main() -> io::Result<()> {
    let (Some(listen), Some(upstream)) = (number("--listen"), number("--upstream")) else {
        eprintln!("usage: peer-hyper --listen PORT --upstream PORT [--threads N]");
        std::process::exit(64);
    };
    let [listen, upstream] =
        [listen, upstream].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    for _ in 1..number("--threads").unwrap_or(1) {
        thread::spawn(move || run(listen, upstream));
    }
    run(listen, upstream)
}
