//! Who answers the requests of a server.

use std::future::Future;

use super::{Request, Response};

/// What a server does with each request. A function from request to answer refuses
/// nothing.
pub trait Handler: Send + Sync + 'static {
    /// The answer to a request whose body is not worth reading, and is not read: strangers must not
    /// make a server hold what it will refuse. `request` has no body yet.
    fn refuse(&self, _request: &Request) -> Option<Response> {
        None
    }

    /// The answer to a whole request that was not refused.
    fn answer(&self, request: Request) -> impl Future<Output = Response> + Send;

    /// Puts on an answer what every answer has, those of the server itself included.
    fn dress(&self, _response: &mut Response) {}
}

impl<H, F> Handler for H
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    fn answer(&self, request: Request) -> impl Future<Output = Response> + Send {
        self(request)
    }
}
