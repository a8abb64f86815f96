//! One JSON line per exchange, or the course page's four; written whole, never waited for.

mod json;
mod line;

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use self::{
    json::{Fields, Word, Written},
    line::{
        Address, Classes, Completed, Confidences, Items, Line, PredictionRequest, PredictionResult,
        Started, Text,
    },
};
#[cfg(feature = "otlp")]
use super::export::Export;
use super::redact::Redact;
use crate::{
    capture::{Exchange, Fault},
    config::{self, Lines},
    decode::Inference,
    panics::hook,
    telemetry::{Clock, Common, Sink},
};

/// Bytes of lines that are handed over at once.
const BLOCK: usize = 32 * 1024;
/// Room of a block: the last line may begin just below [`BLOCK`].
const ROOM: usize = BLOCK + 4 * 1024;
/// Longest time that a line waits for others, while there are others.
const PATIENCE: Duration = Duration::from_millis(100);

/// What an exchange predicted, and by whom.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) inference: &'a Inference,
    pub(super) model: &'a str,
    pub(super) version: &'a str,
}

/// Writes the lines of exchanges.
pub(super) struct AccessLog {
    sink: Sink,
    form: Form,
    /// Stands in for a key that the configuration does not name.
    own_key: [u8; 32],
    block: Block,
    clock: Clock,
    /// When a block was handed over last.
    flushed: Instant,
    #[cfg(feature = "otlp")]
    export: Export,
}

/// What is shown, and how.
struct Form {
    settings: config::Log,
    logger: Written,
    redact: Redact,
}

/// Lines that are handed over at once.
#[derive(Default)]
struct Block {
    bytes: Vec<u8>,
    lines: u64,
    common: Common,
}

impl AccessLog {
    /// `common`: fields that every line ends with.
    ///
    /// # Errors
    /// When the system gives no random bytes for a key.
    pub(super) fn new(sink: Sink, settings: config::Log, common: Common) -> std::io::Result<Self> {
        let mut own_key = [0; 32];
        getrandom::fill(&mut own_key)?;
        Ok(Self {
            sink,
            form: Form::new(settings, &own_key),
            own_key,
            block: Block {
                common,
                ..Block::default()
            },
            clock: Clock::default(),
            flushed: Instant::now(),
            #[cfg(feature = "otlp")]
            export: Export::default(),
        })
    }

    /// Hands lines, and what they are of, to the exporter as well.
    #[cfg(feature = "otlp")]
    pub(super) fn exported_to(self, outlet: crate::otlp::Outlet) -> Self {
        let export = Export::new(outlet);
        Self { export, ..self }
    }

    /// Goes by other settings from the next exchange on.
    pub(super) fn apply(&mut self, settings: config::Log) {
        self.form = Form::new(settings, &self.own_key);
    }

    /// Writes what `log.lines` says of one exchange.
    pub(super) fn write(&mut self, exchange: &Exchange, seen: Option<Seen<'_>>) {
        let Self {
            form, block, clock, ..
        } = self;
        #[cfg(feature = "otlp")]
        let begin = block.bytes.len();
        match form.settings.lines {
            _ if !form.is_sampled(exchange) => {}
            Lines::One => form.one(exchange, seen, clock, block),
            Lines::Separate => form.separate(exchange, seen, clock, block),
            Lines::Off => {}
        }
        #[cfg(feature = "otlp")]
        self.export
            .exchange(exchange, seen, &form.redact, &block.bytes[begin..]);
        if block.bytes.len() >= BLOCK {
            self.flush();
        }
    }

    /// The line of one exchange, whatever `log.lines` and `log.sample` say.
    pub(super) fn line(&mut self, exchange: &Exchange, seen: Option<Seen<'_>>) -> Vec<u8> {
        let mut block = Block::default();
        self.form.one(exchange, seen, &mut self.clock, &mut block);
        block.bytes
    }

    /// Takes away what a panic left of a line.
    pub(super) fn drop_half_line(&mut self) {
        let bytes = &mut self.block.bytes;
        let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
        bytes.truncate(whole);
    }

    /// Hands over what is written so far when nothing more comes (`is_idle`), or has not for long.
    pub(super) fn flush_if_due(&mut self, is_idle: bool) {
        if is_idle || self.flushed.elapsed() >= PATIENCE {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.flushed = Instant::now();
        if self.block.lines == 0 {
            return;
        }
        let bytes = std::mem::take(&mut self.block.bytes);
        let lines = std::mem::take(&mut self.block.lines);
        let bytes = self.sink.swap(bytes, lines);
        self.block.bytes = if bytes.capacity() < BLOCK {
            Vec::with_capacity(ROOM)
        } else {
            bytes
        };
    }
}

impl Form {
    fn new(settings: config::Log, own_key: &[u8]) -> Self {
        let key = settings.redact_key.as_deref().map(str::as_bytes);
        Self {
            redact: Redact::new(&settings.redact, key.unwrap_or(own_key)),
            logger: Written::new(settings.logger.as_str()),
            settings,
        }
    }

    /// By hash of the request id, so that every agent on the way keeps the same requests.
    fn is_sampled(&self, exchange: &Exchange) -> bool {
        let share = self.settings.sample;
        share >= 1.0 || exchange.status >= 400 || exchange.error.is_some() || {
            let hash = Sha256::digest(exchange.request_id.as_bytes());
            let high = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
            f64::from(high) < share * 4_294_967_296.0
        }
    }

    fn one(&self, e: &Exchange, seen: Option<Seen<'_>>, clock: &mut Clock, block: &mut Block) {
        let predicted = seen.filter(|seen| !seen.inference.outputs.is_empty());
        let line = Line {
            timestamp: clock.text(e.started + e.duration),
            level: level(e),
            logger: &self.logger,
            message: message(e),
            request_id: self.text("request_id", &e.request_id),
            trace_id: e.trace_id.as_deref().map(|id| self.text("trace_id", id)),
            method: e.method.as_ref().map(http::Method::as_str),
            path: self.text("path", &e.path),
            client_ip: self.address(e),
            status_code: e.status,
            grpc_status: e.grpc_status,
            duration_ms: milliseconds(e.duration, 1000.0),
            upstream_ms: e.upstream.map(|t| milliseconds(t, 1000.0)),
            model: seen.map(|seen| self.text("model", seen.model)),
            model_version: seen.map(|seen| self.text("model_version", seen.version)),
            prediction: predicted.map(|seen| self.classes(seen.inference)),
            confidence: predicted.map(|seen| self.confidences(seen.inference, None)),
            items: seen
                .map(|seen| seen.inference.items())
                .filter(|items| *items > 0),
            features: seen.and_then(|seen| self.features(seen.inference)),
            fault: e.fault.map(Fault::label),
            error: e.error,
        };
        block.push(&line);
    }

    fn separate(&self, e: &Exchange, seen: Option<Seen<'_>>, clock: &mut Clock, block: &mut Block) {
        let request_id = self.text("request_id", &e.request_id);
        let head = |timestamp, level, message| line::Head {
            timestamp,
            level,
            logger: &self.logger,
            message,
            request_id: &request_id,
        };
        let forwarded = e.forwarded_after.unwrap_or_default();
        let started = head(
            clock.text(e.started),
            INFO,
            const { Word::new("Request started") },
        );
        block.push(&(
            started,
            Started {
                method: e.method.as_ref().map(http::Method::as_str),
                path: self.text("path", &e.path),
                client_ip: self.address(e),
            },
        ));
        if let Some(seen) = seen.filter(|seen| seen.inference.rows > 0) {
            let asked = head(
                clock.text(e.started + forwarded),
                INFO,
                const { Word::new("Prediction request") },
            );
            let features = self.features(seen.inference);
            block.push(&(asked, PredictionRequest { features }));
        }
        if let Some(seen) = seen.filter(|seen| !seen.inference.outputs.is_empty()) {
            let answered = forwarded + e.upstream.unwrap_or_default();
            let answered = head(
                clock.text(e.started + answered),
                INFO,
                const { Word::new("Prediction result") },
            );
            block.push(&(
                answered,
                PredictionResult {
                    prediction: self.classes(seen.inference),
                    confidence: self.confidences(seen.inference, Some(10_000.0)),
                    model_version: self.text("model_version", seen.version),
                },
            ));
        }
        let completed = head(clock.text(e.started + e.duration), level(e), message(e));
        block.push(&(
            completed,
            Completed {
                status_code: e.status,
                error: e.error,
                duration_ms: milliseconds(e.duration, 100.0),
            },
        ));
    }

    fn address(&self, exchange: &Exchange) -> Address {
        let address = exchange.client_ip;
        if self.redact.covers("client_ip") {
            Address::Hidden(self.redact.hash("client_ip", &address.to_string()))
        } else {
            Address::Shown(address)
        }
    }

    fn text<'a>(&self, name: &str, value: &'a str) -> Text<'a> {
        self.redact.shown(name, value)
    }

    fn classes<'a>(&'a self, inference: &'a Inference) -> Classes<'a> {
        Classes {
            inference,
            redact: &self.redact,
        }
    }

    fn confidences<'a>(&'a self, inference: &'a Inference, parts: Option<f64>) -> Confidences<'a> {
        Confidences {
            inference,
            redact: &self.redact,
            parts,
        }
    }

    fn features<'a>(&'a self, inference: &'a Inference) -> Option<Items<'a>> {
        let is_wanted = self.settings.features != config::Features::None && inference.rows > 0;
        is_wanted.then_some(Items {
            inference,
            wanted: &self.settings.features,
            redact: &self.redact,
        })
    }
}

impl Block {
    fn push(&mut self, line: &impl Fields) {
        json::object(&(line, &self.common), &mut self.bytes);
        hook("line");
        self.bytes.push(b'\n');
        self.lines += 1;
    }
}

/// A call of gRPC fails under status 200: only `fault` tells.
fn has_failed(exchange: &Exchange) -> bool {
    exchange.status >= 500 || exchange.error.is_some() || exchange.fault == Some(Fault::Upstream)
}

fn message(exchange: &Exchange) -> Word {
    if has_failed(exchange) {
        const { Word::new("Request failed") }
    } else {
        const { Word::new("Request completed") }
    }
}

const INFO: Word = Word::new("INFO");
const WARNING: Word = Word::new("WARNING");
const ERROR: Word = Word::new("ERROR");

fn level(exchange: &Exchange) -> Word {
    match (has_failed(exchange), exchange.fault) {
        (true, Some(Fault::Client | Fault::ClientAs5xx)) => WARNING,
        (true, _) => ERROR,
        _ if exchange.status >= 400 || exchange.fault.is_some() => WARNING,
        _ => INFO,
    }
}

/// `parts`: how many parts of a millisecond are told apart.
fn milliseconds(duration: Duration, parts: f64) -> f64 {
    (duration.as_secs_f64() * 1000.0 * parts).round() / parts
}

#[cfg(test)]
mod tests;
