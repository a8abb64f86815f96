//! One input: a mutated request and what is sent after it.

use fastrand::Rng;

use super::{
    mutator,
    seeds::{HOST, Seeds},
};

/// A word that no other input has, as long as the host whose place it takes.
pub(crate) type Tag = [u8; 6];

/// What such a request asks for, before its index.
const ODD: &str = "/odd/";

/// The index in the target of such a request.
pub(crate) fn odd_index(target: &[u8]) -> Option<usize> {
    let index = target.strip_prefix(ODD.as_bytes())?;
    std::str::from_utf8(index).ok()?.parse().ok()
}

/// The answer of this number: the seeds as they are, then mutations of them.
pub(crate) fn odd_answer(index: usize, seed: u64, seeds: &Seeds) -> Vec<u8> {
    if let Some(unchanged) = seeds.answers().nth(index) {
        return not_empty(unchanged.to_vec());
    }
    let mut rng = rng(index, seed);
    let mut answer = seeds.answer(&mut rng).to_vec();
    let other = seeds.answer(&mut rng);
    mutator::mutate(&mut rng, &mut answer, other);
    not_empty(answer)
}

/// A request of whose answer no byte was there may go out once more, which is not what is tested.
pub(crate) fn not_empty(answer: Vec<u8>) -> Vec<u8> {
    if answer.is_empty() {
        b"H".to_vec()
    } else {
        answer
    }
}

/// One input, one generator: each can be made again without those before it.
fn rng(index: usize, seed: u64) -> Rng {
    Rng::with_seed(seed ^ (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

#[derive(Debug, Clone)]
pub(crate) struct Input {
    pub(crate) index: usize,
    pub(crate) tag: Tag,
    /// Without the last request.
    pub(crate) mutated: Vec<u8>,
    /// Where the bytes are cut when they are sent.
    pub(crate) cuts: Vec<usize>,
}

/// How a client of HTTP/2 begins (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl Input {
    /// The input of this number: the seeds as they are, then mutations of them.
    pub(crate) fn nth(index: usize, seed: u64, seeds: &Seeds) -> Self {
        let mut rng = rng(index, seed);
        let tag = tag(index);
        let mut mutated = match seeds.all().nth(index) {
            Some(unchanged) => unchanged.to_vec(),
            None => seeds.any(&mut rng).to_vec(),
        };
        if index >= seeds.all().count() {
            let other = seeds.any(&mut rng);
            mutator::mutate(&mut rng, &mut mutated, other);
        }
        if mutated.starts_with(PREFACE) {
            // what follows it is HTTP/2, which has cases of its own
            mutated[0] = b'Q';
        }
        let mutated = with_tag(&mutated, tag);
        let mut cuts: Vec<usize> = (0..rng.usize(..3))
            .map(|_| rng.usize(..=mutated.len()))
            .collect();
        cuts.sort_unstable();
        Self {
            index,
            tag,
            mutated,
            cuts,
        }
    }

    /// The request to which the upstream says something odd.
    pub(crate) fn odd(index: usize) -> Self {
        let tag = tag(index);
        let host = tag.escape_ascii();
        let request = format!("GET {ODD}{index} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        Self {
            index,
            tag,
            mutated: request.into_bytes(),
            cuts: Vec::new(),
        }
    }

    /// One that is tried on its own.
    pub(crate) fn alone(mutated: &[u8]) -> Self {
        Self {
            index: 0,
            tag: *HOST,
            mutated: mutated.to_vec(),
            cuts: Vec::new(),
        }
    }

    /// What was mutated, with the host in the tag's place.
    pub(crate) fn untagged(&self) -> Vec<u8> {
        replaced(&self.mutated, self.tag, *HOST)
    }

    /// All that is sent: at last a request that closes, so that whoever is still reading stops.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let host = self.tag.escape_ascii();
        let last = format!("GET /last HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        [&self.mutated, last.as_bytes()].concat()
    }
}

/// `t`, a digit, four letters or digits: no word of HTTP looks so, no two of millions of inputs
/// have the same, and those near to each other differ in more than one character.
fn tag(index: usize) -> Tag {
    const SPREAD: usize = 7_654_321;
    let mut rest = index * SPREAD % (10 * 36_usize.pow(4));
    let mut tag = [b't'; 6];
    for (at, letter) in tag.iter_mut().enumerate().skip(1) {
        let letters = if at == 1 { 10 } else { 36 };
        *letter = b"0123456789abcdefghijklmnopqrstuvwxyz"[rest % letters];
        rest /= letters;
    }
    tag
}

#[test]
fn no_two_inputs_have_the_same_tag() {
    let tags: std::collections::HashSet<Tag> = (0..200_000).map(tag).collect();
    assert_eq!(tags.len(), 200_000);
}

/// The tag stands for the host, and in a field of the first head.
fn with_tag(bytes: &[u8], tag: Tag) -> Vec<u8> {
    let mut tagged = replaced(bytes, *HOST, tag);
    if let Some(end) = tagged.windows(2).position(|w| w == b"\r\n")
        && tagged[..end].ends_with(b" HTTP/1.1")
    {
        let field = [b"X-Tag: ", tag.as_slice(), b"\r\n"].concat();
        tagged.splice(end + 2..end + 2, field);
    }
    tagged
}

fn replaced(bytes: &[u8], from: Tag, to: Tag) -> Vec<u8> {
    let mut all = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        if let Some(behind) = rest.strip_prefix(&from) {
            all.extend(to);
            rest = behind;
        } else {
            all.push(*first);
            rest = &rest[1..];
        }
    }
    all
}
