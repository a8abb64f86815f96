//! Why an exchange could not be read.

/// Why an exchange could not be read. No variant carries body text: it must not reach a log
/// through an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The body was not kept to its end.
    #[error("the answer was not captured whole")]
    Incomplete,
    /// A content coding is not known, or there are too many.
    #[error("the answer has a content encoding that is not read")]
    ContentEncoding,
    /// The body is no stream of its content coding, is cut off, or something follows it.
    #[error("the answer is not what its content encoding says")]
    InflateBroken,
    /// The body inflates to more than `capture.inflate_limit`.
    #[error("the answer inflates to more than is read")]
    InflateLimit,
    /// The body inflates to more than `capture.inflate_ratio` times its size.
    #[error("the answer inflates by more than is read")]
    InflateRatio,
    /// A body without content.
    #[error("the answer is empty")]
    Empty,
    /// The body does not begin like a JSON object or list.
    #[error("the answer is not JSON")]
    NotJson,
    /// The body begins like JSON and is none.
    #[error("the answer is broken JSON")]
    Syntax,
    /// The body is JSON in another character encoding, or broken.
    #[error("the answer is not UTF-8")]
    NotUtf8,
    /// JSON that no format knows.
    #[error("the answer has no known shape")]
    UnknownShape,
    /// More columns, cells or items than may be kept for a body of this size.
    #[error("{format}: more columns, cells or items than are kept")]
    TooLarge {
        /// The format that was being read.
        format: &'static str,
    },
    /// Request and response disagree on the number of rows.
    #[error("{format}: {inputs} input rows but {outputs} predictions")]
    RowMismatch {
        /// The format of both.
        format: &'static str,
        /// Rows of the request.
        inputs: usize,
        /// Items of the answer.
        outputs: usize,
    },
}

impl DecodeError {
    /// Every reason that needs no format, to count from the start.
    pub const WITHOUT_FORMAT: [Self; 10] = [
        Self::Incomplete,
        Self::ContentEncoding,
        Self::InflateBroken,
        Self::InflateLimit,
        Self::InflateRatio,
        Self::Empty,
        Self::NotJson,
        Self::Syntax,
        Self::NotUtf8,
        Self::UnknownShape,
    ];

    /// Every reason of one format, to count from its first exchange.
    pub const fn of_format(format: &'static str) -> [Self; 2] {
        [
            Self::TooLarge { format },
            Self::RowMismatch {
                format,
                inputs: 0,
                outputs: 0,
            },
        ]
    }

    /// The label `format` where no format matched.
    pub(super) const UNKNOWN: &str = "unknown";

    /// Value of the label `format`: `unknown` when none matched.
    pub const fn format(&self) -> &'static str {
        match self {
            Self::TooLarge { format } | Self::RowMismatch { format, .. } => format,
            _ => Self::UNKNOWN,
        }
    }

    /// Value of the label `reason`.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::ContentEncoding => "content_encoding",
            Self::InflateBroken => "inflate_broken",
            Self::InflateLimit => "inflate_limit",
            Self::InflateRatio => "inflate_ratio",
            Self::Empty => "empty",
            Self::NotJson => "not_json",
            Self::Syntax => "syntax",
            Self::NotUtf8 => "not_utf8",
            Self::UnknownShape => "unknown_shape",
            Self::TooLarge { .. } => "too_large",
            Self::RowMismatch { .. } => "row_mismatch",
        }
    }
}
