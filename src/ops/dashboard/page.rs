//! The page: one document that asks for nothing but what it shows.
//!
//! Styles and scripts stand in it, so that it can be saved, and be a report with a state inside. What
//! may run is named by hash: nothing that came with a figure can.

use std::sync::LazyLock;

use ::http::HeaderValue;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::files::{PAGE, SCRIPTS, STYLES};

/// The live page.
pub(super) struct Page {
    pub(super) html: Bytes,
    /// Its `Content-Security-Policy`.
    pub(super) policy: HeaderValue,
}

pub(super) static LIVE: LazyLock<Page> = LazyLock::new(|| Page {
    html: document(None).into(),
    policy: HeaderValue::try_from(format!("{}; frame-ancestors 'none'", policy()))
        .expect("hashes are visible ASCII"),
});

/// The document; `state`: JSON that it shows, in place of what it would ask for. A file has no header, so that
/// its policy stands in it; who may frame it cannot be said there.
pub fn document(state: Option<&str>) -> String {
    let of = |tag: &str, texts: &[&str]| {
        let elements = texts.iter().map(|text| format!("<{tag}>{text}</{tag}>\n"));
        elements.collect::<String>()
    };
    let own_policy = state.map(|_| {
        let policy = policy();
        format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n")
    });
    let state = state.map(|json| {
        // a text in it must not end the element
        let json = json.replace('<', "\\u003c");
        format!("<script type=\"application/json\" id=\"state\">{json}</script>\n")
    });
    PAGE.replacen("<!--policy-->\n", &own_policy.unwrap_or_default(), 1)
        .replacen("<!--style-->\n", &of("style", &STYLES), 1)
        .replacen("<!--script-->\n", &of("script", &SCRIPTS), 1)
        .replacen("<!--state-->\n", &state.unwrap_or_default(), 1)
}

/// But for who may frame it.
fn policy() -> String {
    let hashes = |texts: &[&str]| {
        let hashes = texts.iter().map(|text| format!(" '{}'", hash(text)));
        hashes.collect::<String>()
    };
    format!(
        "default-src 'none'; script-src{}; style-src{}; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'",
        hashes(&SCRIPTS),
        hashes(&STYLES)
    )
}

/// As a policy names what stands in an element.
fn hash(text: &str) -> String {
    format!("sha256-{}", base64(&Sha256::digest(text)))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |place: usize| u32::from(chunk.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let place = (bits >> (18 - 6 * digit)) & 63;
            let is_there = digit <= chunk.len();
            text.push(if is_there {
                char::from(DIGITS[place as usize])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_base64() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(
            hash("alert('Hello, world.');"),
            "sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng="
        );
    }

    /// The texts of all elements that begin with `start`, as a browser finds them.
    fn inside<'a>(html: &'a str, start: &str, end: &str) -> Vec<&'a str> {
        let parts = html.split(start).skip(1);
        parts.map(|part| part.split(end).next().unwrap()).collect()
    }

    #[test]
    fn all_that_stands_in_the_page_may_run_and_nothing_else() {
        let html = document(None);
        let policy = LIVE.policy.to_str().unwrap();
        let scripts = inside(&html, "<script>", "</script>");
        let styles = inside(&html, "<style>", "</style>");
        assert_eq!((scripts.len(), styles.len()), (SCRIPTS.len(), STYLES.len()));
        for text in scripts.iter().chain(&styles) {
            assert!(policy.contains(&hash(text)), "{policy}");
        }
        assert_eq!(
            policy.matches("sha256-").count(),
            scripts.len() + styles.len()
        );
        assert!(!policy.contains("unsafe"));
        // neither a comment nor a script of another place
        assert_eq!(html.matches("<script").count(), scripts.len());
        assert!(SCRIPTS.iter().all(|text| !text.contains("<!--")));
        for attribute in [
            " src=",
            " onload=",
            " style=\"",
            "<link rel=\"stylesheet",
            "@import",
        ] {
            assert!(!PAGE.contains(attribute), "{attribute}");
        }
    }

    #[test]
    fn a_saved_report_has_its_policy_inside_before_all_that_it_rules() {
        let html = document(Some("[]"));
        let start = "<meta http-equiv=\"Content-Security-Policy\" content=\"";
        let own = inside(&html, start, "\">")[0];
        assert_eq!(own, policy());
        // a browser complains of it there
        assert!(!own.contains("frame-ancestors"), "{own}");
        for text in SCRIPTS.iter().chain(&STYLES) {
            assert!(own.contains(&hash(text)), "{own}");
        }
        assert!(html.find(start) < html.find("<style>"));
        let live = document(None);
        assert!(!live.contains(start) && !live.contains("<!--policy-->"));
        let sent = LIVE.policy.to_str().unwrap();
        assert!(sent.ends_with("; frame-ancestors 'none'"), "{sent}");
    }

    #[test]
    fn a_state_inside_cannot_end_its_element() {
        let html = document(Some(r#"{"class":"</script><script>alert(1)</script>"}"#));
        let start = "<script type=\"application/json\" id=\"state\">";
        let state = inside(&html, start, "</script>")[0];
        let read: serde_json::Value = serde_json::from_str(state).unwrap();
        assert_eq!(read["class"], "</script><script>alert(1)</script>");
        assert_eq!(inside(&html, "<script>", "</script>").len(), SCRIPTS.len());
    }
}
