//! What a model of texts was asked and what it wrote.

use serde::Serialize;

/// One answer of a model of texts. Nothing of it becomes a label or stands in a log.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Generation {
    /// The texts that were to be continued; `None`: a conversation, or not found.
    pub prompts: Option<Vec<String>>,
    /// Whether the answer came in pieces.
    pub is_stream: bool,
    /// What was written; the first of several texts.
    pub output: String,
    /// Why each text ended, in the words of the wire; `None`: it does not say.
    pub finish: Option<Vec<String>>,
    /// Tokens as the server counts them: some write 0 and count nothing.
    pub usage: Option<Usage>,
    /// Events that added text, of a stream of events.
    pub content_chunks: Option<usize>,
    /// Whether such a stream ended with `[DONE]`.
    pub done_marker: Option<bool>,
    /// What came back are vectors in place of texts, one for each output.
    pub is_embedding: bool,
    /// Lines, of an answer that came line by line.
    pub lines: Option<usize>,
}

/// Tokens as the wire has them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Of what was asked.
    pub prompt_tokens: Option<u64>,
    /// Of what was written.
    pub completion_tokens: Option<u64>,
    /// Of both.
    pub total_tokens: Option<u64>,
}
