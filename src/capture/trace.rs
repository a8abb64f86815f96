//! `traceparent` of W3C Trace Context: the span in which a client sent its request.

/// The span that a request was sent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    /// Not all 0.
    pub trace: [u8; 16],
    /// Not all 0.
    pub span: [u8; 8],
    /// Bit 0: it is sampled. Those that a version does not know are kept.
    pub flags: u8,
}

impl Parent {
    /// What a `traceparent` says; `None`: it is not valid, and then nothing of it counts.
    ///
    /// `00-`, 32 digits of the trace, 16 of the span, 2 of flags, all lower-case hexadecimal. A version above
    /// 00 may go on behind another `-`; ff is none.
    pub fn of(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        let (head, rest) = text.split_at_checked(55)?;
        let hyphens = [2, 35, 52].iter().all(|place| head[*place] == b'-');
        let [version] = hex(&head[..2])?;
        let goes_on = version > 0 && rest.first() == Some(&b'-');
        let is_valid = hyphens && version != 0xff && (rest.is_empty() || goes_on);
        let [flags] = hex(&head[53..])?;
        let parent = Self {
            trace: hex(&head[3..35])?,
            span: hex(&head[36..52])?,
            flags,
        };
        let is_named = parent.trace != [0; 16] && parent.span != [0; 8];
        (is_valid && is_named).then_some(parent)
    }

    /// Whether the client keeps its spans.
    pub const fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }
}

/// `N` bytes of twice as many lower-case digits.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn a_valid_one_names_trace_and_span_and_says_whether_it_is_sampled() {
        let of = |flags: &str| Parent::of(&format!("00-{TRACE}-{SPAN}-{flags}")).unwrap();
        let parent = of("01");
        assert_eq!(parent.trace[..3], [0x4b, 0xf9, 0x2f]);
        assert_eq!(parent.span, [0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
        for (flags, is_sampled) in [
            ("01", true),
            ("00", false),
            ("02", false),
            ("03", true),
            ("ff", true),
        ] {
            assert_eq!(of(flags).is_sampled(), is_sampled, "{flags}");
        }
    }

    #[test]
    fn a_later_version_may_say_more_and_what_it_shares_counts() {
        for text in [
            format!("01-{TRACE}-{SPAN}-01"),
            format!("cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like"),
            format!("fe-{TRACE}-{SPAN}-01-"),
        ] {
            assert!(Parent::of(&text).is_some(), "{text}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        let (trace, span) = (TRACE, SPAN);
        for text in [
            String::new(),
            "00".to_owned(),
            format!("00-{trace}-{span}"),
            format!("00-{trace}-{span}-"),
            format!("00-{trace}-{span}-1"),
            format!("00-{trace}-{span}-0x"),
            format!("00-{trace}-{span}-01-"),
            format!("00-{trace}-{span}-01-more"),
            format!("00-{trace}-{span}-011"),
            format!("01-{trace}-{span}-01.more"),
            format!("ff-{trace}-{span}-01"),
            format!("0-{trace}-{span}-01"),
            format!("000-{trace}-{span}-01"),
            format!("0A-{trace}-{span}-01"),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{}-{span}-01", &trace[1..]),
            format!("00-{trace}0-{span}-01"),
            format!("00-{trace}-{}-01", &span[1..]),
            format!("00-{}g-{span}-01", &trace[1..]),
            format!("00_{trace}-{span}-01"),
            format!("00-{trace}_{span}-01"),
            format!("00-{trace}-{span}_01"),
            format!(" 00-{trace}-{span}-01"),
            format!("00-{trace}-{span}-01 "),
            format!("00-{}-{span}-01", "é".repeat(16)),
        ] {
            assert_eq!(Parent::of(&text), None, "{text}");
        }
    }
}
