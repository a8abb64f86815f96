//! A close that does not take the answer with it.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{super::transport::Transport, Client, own_answer};

/// Longest wait for a client that still sends.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most bytes that are read and forgotten.
const MOST: usize = 4 << 20;

impl Client {
    /// Closes the connection in stages (RFC 9112, section 9.6).
    ///
    /// The system answers bytes that nobody has read with a reset, which can overtake the answer
    /// and take it away. So what a client still sends is read, up to a limit.
    pub(super) async fn farewell(&self, stream: Transport) {
        let is_clean = self.framing.borrow().is_between() && !self.expects_more.get();
        // a client that takes nothing is left, whatever it was to be told
        let _ = timeout(PATIENCE, self.part(stream, is_clean)).await;
    }

    async fn part(&self, mut stream: Transport, is_clean: bool) {
        if self.is_late.get() {
            let answer = own_answer::to_a_late_head(self);
            if stream.write_all(&answer).await.is_err() {
                return;
            }
        }
        if stream.shutdown().await.is_err() || is_clean {
            return;
        }
        let mut room = [0; 4096];
        let mut left = MOST;
        while left > 0 {
            match stream.read(&mut room).await {
                Ok(0) | Err(_) => return,
                Ok(read) => left = left.saturating_sub(read),
            }
        }
    }
}
