//! `sidelight explain`: what would be read of exchanges, and why.
//!
//! Exchanges come as lines of JSON in the form of [`capture::recorded`](crate::capture::recorded);
//! each gives one line. Nothing is kept from one to the next.

mod lines;
mod said;
mod shown;
mod why;

#[cfg(test)]
mod recorded;

use std::io::{self, BufRead, Write};

use crate::{
    capture::{
        recorded::{Capture, Malformed, Recorded},
        route::Routes,
    },
    config::{self, Config},
};
use lines::{Line, Lines};
use said::{Refused, Said};

/// Explains each line of `input` on a line of `output`; `false`: some were no exchanges.
///
/// Takes the memory of one line and of what is read of it; longer lines than [`MAX_LINE`] are
/// passed over and said to be no exchanges.
///
/// # Errors
/// When the input cannot be read or the output cannot be written.
pub fn explain(config: &Config, input: impl BufRead, output: &mut impl Write) -> io::Result<bool> {
    let explainer = Explainer::new(config);
    let mut lines = Lines::new(input, MAX_LINE);
    let mut are_all_read = true;
    while let Some(line) = lines.next()? {
        let refused = match line {
            Line::Whole(line) => explainer.one(line, output)?.err(),
            Line::TooLong => Some(format!("no exchange: longer than {MAX_LINE} bytes")),
        };
        if let Some(why) = &refused {
            are_all_read = false;
            written(&Refused::new(why), output)?;
        }
        // whoever pipes exchanges in one by one waits for the answer to each
        output.flush()?;
    }
    Ok(are_all_read)
}

/// Longest line: two bodies of the largest `capture.body_limit`, in base64.
pub const MAX_LINE: usize = 192 << 20;

/// What exchanges are read by.
struct Explainer<'a> {
    routes: Routes,
    /// Routes that the configuration names come first; the rest is known.
    configured: usize,
    bounds: &'a config::Capture,
}

impl<'a> Explainer<'a> {
    fn new(config: &'a Config) -> Self {
        Self {
            routes: Routes::new(&config.routes),
            configured: config.routes.len(),
            bounds: &config.capture,
        }
    }

    /// Writes what one line says, or returns why it is no exchange.
    fn one(&self, line: &[u8], output: &mut impl Write) -> io::Result<Result<(), String>> {
        let capture = Capture {
            routes: &self.routes,
            body_limit: self.bounds.body_limit,
        };
        let read = |line| -> Result<_, Malformed> {
            let recorded = Recorded::read(line)?;
            let id = recorded.id.clone();
            Ok((id, recorded.exchange(&capture)?))
        };
        let (id, exchange) = match read(line) {
            Ok(read) => read,
            Err(why) => return Ok(Err(why.to_string())),
        };
        let told = said::Told::of(&exchange, self.bounds);
        let route = exchange.route.as_ref();
        let is_configured = route.is_some_and(|route| {
            let own = self.routes.iter().take(self.configured);
            own.into_iter()
                .any(|own| std::sync::Arc::ptr_eq(own, route))
        });
        let why = why::of(&exchange, &told, is_configured);
        written(&Said::new(id.as_deref(), &exchange, &told, why), output)?;
        Ok(Ok(()))
    }
}

fn written(value: &impl serde::Serialize, output: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *output, value)?;
    output.write_all(b"\n")
}
