//! Changes to a request: bytes, borders of lines, borders of chunks.

use fastrand::Rng;

/// What separates things in HTTP/1.1, and what only looks like it.
const SPECIAL: [&[u8]; 14] = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b":",
    b"\t",
    b" ",
    b"\r\n\r\n",
    b"\n\n",
    b"\r\n ",
    b"\x0b",
    b",",
    b";",
    b"\x80",
];

/// Lines that say where a message ends or goes, in ways that readers disagree on.
const LINES: [&[u8]; 22] = [
    b"Transfer-Encoding: chunked",
    b"transfer-encoding:chunked",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding:\tchunked",
    b" Transfer-Encoding: chunked",
    b"Content-Length: 0",
    b"Content-Length: 5",
    b"Content-Length: 00005",
    b"Content-Length: 5, 5",
    b"Content-Length: +5",
    b"content-length: 43",
    b"Connection: close",
    b"Connection: keep-alive, content-length, host",
    b"Connection: Upgrade\r\nUpgrade: websocket",
    b"Expect: 100-continue",
    b"Host: a.test",
    b"TE: trailers",
    b"0\r\n\r\nGET /within HTTP/1.1\r\nHost: a.test\r\n",
    b"5\r\nhello\r\n0\r\n",
];

/// Applies a change, and often another: most requests do not survive three. `other` lends parts
/// of itself.
pub(crate) fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    loop {
        change(rng, bytes, other);
        if rng.u8(..5) < 3 {
            return;
        }
    }
}

fn change(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    match rng.u8(..16) {
        0 => delete(rng, bytes),
        1 => replace(rng, bytes),
        2 | 3 => insert(rng, bytes),
        4 => replace_special(rng, bytes),
        5 => repeat(rng, bytes),
        6 => repeat_line(rng, bytes),
        7 => drop_line(rng, bytes),
        8 => swap_lines(rng, bytes),
        9 => merge_lines(rng, bytes),
        10 => split_line(rng, bytes),
        11 => shift_border(rng, bytes),
        12 => change_number(rng, bytes),
        13 => split_chunk(rng, bytes),
        14 => insert_line(rng, bytes),
        _ => splice(rng, bytes, other),
    }
}

/// Anywhere, or one time in two within two bytes of a border.
fn place(rng: &mut Rng, bytes: &[u8]) -> usize {
    let borders = borders(bytes);
    if borders.is_empty() || rng.bool() {
        return rng.usize(..=bytes.len());
    }
    let near = borders[rng.usize(..borders.len())] + rng.usize(..5);
    near.saturating_sub(2).min(bytes.len())
}

/// Where lines end, and where words within them begin.
fn borders(bytes: &[u8]) -> Vec<usize> {
    let is_border = |b: &u8| matches!(b, b'\r' | b'\n' | b':' | b' ' | b';' | b',');
    (0..bytes.len())
        .filter(|at| is_border(&bytes[*at]))
        .collect()
}

/// Where lines begin: after each line feed.
fn lines(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut lines = Vec::new();
    let mut start = 0;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        lines.push((start, start + line.len()));
        start += line.len();
    }
    lines
}

fn line(rng: &mut Rng, bytes: &[u8]) -> Option<(usize, usize)> {
    let lines = lines(bytes);
    (!lines.is_empty()).then(|| lines[rng.usize(..lines.len())])
}

/// Where a carriage return and a line feed stand together.
fn line_end(rng: &mut Rng, bytes: &[u8]) -> Option<usize> {
    let ends: Vec<_> = (1..bytes.len())
        .filter(|at| &bytes[at - 1..=*at] == b"\r\n")
        .collect();
    (!ends.is_empty()).then(|| ends[rng.usize(..ends.len())] - 1)
}

fn delete(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let start = place(rng, bytes);
    let end = (start + rng.usize(1..=4)).min(bytes.len());
    bytes.drain(start..end);
}

fn replace(rng: &mut Rng, bytes: &mut [u8]) {
    if !bytes.is_empty() {
        let at = place(rng, bytes).min(bytes.len() - 1);
        bytes[at] = rng.u8(..);
    }
}

fn insert(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let at = place(rng, bytes);
    let what = SPECIAL[rng.usize(..SPECIAL.len())];
    bytes.splice(at..at, what.iter().copied());
}

fn replace_special(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let at = place(rng, bytes);
    let end = (at + 1).min(bytes.len());
    bytes.splice(at..end, SPECIAL[rng.usize(..SPECIAL.len())].iter().copied());
}

fn repeat(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let start = place(rng, bytes);
    let end = (start + rng.usize(1..=40)).min(bytes.len());
    let part = bytes[start..end].to_vec();
    bytes.splice(end..end, part);
}

fn repeat_line(rng: &mut Rng, bytes: &mut Vec<u8>) {
    if let (Some((start, end)), Some((at, _))) = (line(rng, bytes), line(rng, bytes)) {
        let part = bytes[start..end].to_vec();
        bytes.splice(at..at, part);
    }
}

fn drop_line(rng: &mut Rng, bytes: &mut Vec<u8>) {
    if let Some((start, end)) = line(rng, bytes) {
        bytes.drain(start..end);
    }
}

fn swap_lines(rng: &mut Rng, bytes: &mut Vec<u8>) {
    if let (Some(a), Some(b)) = (line(rng, bytes), line(rng, bytes)) {
        let ((start, first), (second, end)) = if a <= b { (a, b) } else { (b, a) };
        if first <= second {
            let swapped = [
                &bytes[second..end],
                &bytes[first..second],
                &bytes[start..first],
            ]
            .concat();
            bytes.splice(start..end, swapped);
        }
    }
}

/// Takes a line's end away, or half of it.
fn merge_lines(rng: &mut Rng, bytes: &mut Vec<u8>) {
    if let Some(at) = line_end(rng, bytes) {
        let (start, end) = [(at, at + 2), (at, at + 1), (at + 1, at + 2)][rng.usize(..3)];
        bytes.drain(start..end);
    }
}

fn split_line(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let at = place(rng, bytes);
    let ends: [&[u8]; 4] = [b"\r\n", b"\n", b"\r", b"\r\n\t"];
    bytes.splice(at..at, ends[rng.usize(..4)].iter().copied());
}

/// Moves a line's end, or the two that end a head, by a few bytes.
fn shift_border(rng: &mut Rng, bytes: &mut Vec<u8>) {
    if let Some(at) = line_end(rng, bytes) {
        let length = if bytes[at..].starts_with(b"\r\n\r\n") {
            4
        } else {
            2
        };
        let border: Vec<u8> = bytes.drain(at..at + length).collect();
        let to = (at + rng.usize(..9)).saturating_sub(4).min(bytes.len());
        bytes.splice(to..to, border);
    }
}

/// Changes a length or a chunk's size, or how it is written.
fn change_number(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let digits: Vec<_> = (0..bytes.len())
        .filter(|at| bytes[*at].is_ascii_hexdigit())
        .collect();
    if digits.is_empty() {
        return;
    }
    let at = digits[rng.usize(..digits.len())];
    match rng.u8(..4) {
        0 => bytes[at] = b"0123456789abcdefABCDEF"[rng.usize(..22)],
        1 => bytes.insert(at, b"0123456789abcdef+-xX"[rng.usize(..20)]),
        2 => drop(bytes.remove(at)),
        _ => drop(bytes.splice(at..at, *b"0x")),
    }
}

/// Makes a chunk of some bytes, rightly; whether the place is right is left to chance.
fn split_chunk(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let start = place(rng, bytes);
    let end = (start + rng.usize(..6)).min(bytes.len());
    let extension = ["", ";a=b", " ;a", ";", " "][rng.usize(..5)];
    let mut chunk = format!("{:x}{extension}\r\n", end - start).into_bytes();
    chunk.extend_from_slice(&bytes[start..end]);
    chunk.extend(b"\r\n");
    bytes.splice(start..end, chunk);
}

fn insert_line(rng: &mut Rng, bytes: &mut Vec<u8>) {
    if let Some((_, at)) = line(rng, bytes) {
        let line = [LINES[rng.usize(..LINES.len())], b"\r\n"].concat();
        bytes.splice(at..at, line);
    }
}

/// Goes on with the lines of another request.
fn splice(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    if let (Some((at, _)), Some((from, _))) = (line(rng, bytes), line(rng, other)) {
        if rng.bool() {
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        } else {
            bytes.extend_from_slice(other);
        }
    }
}
