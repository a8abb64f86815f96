//! `br`: RFC 7932.

use brotli_decompressor::{
    Allocator, BrotliDecoderErrorCode as Code, BrotliDecompressStream, BrotliResult, BrotliState,
    StandardAlloc,
};

use super::Stop;

/// Bytes that are taken out at a time.
const CHUNK: usize = 16 * 1024;

/// What `encoded` holds, at most `limit` bytes.
pub(super) fn inflate(encoded: &[u8], limit: usize) -> Result<Vec<u8>, Stop> {
    // strict: the windows above 16 MiB of `large_window` are no part of RFC 7932
    let mut state = BrotliState::new_strict(
        Window { limit },
        StandardAlloc::default(),
        StandardAlloc::default(),
    );
    let mut inflated = Vec::new();
    let (mut left, mut at, mut total) = (encoded.len(), 0, 0);
    loop {
        let mut chunk = [0; CHUNK];
        let (mut room, mut filled) = (CHUNK, 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut at,
            encoded,
            &mut room,
            &mut filled,
            &mut chunk,
            &mut total,
            &mut state,
        );
        inflated.extend_from_slice(&chunk[..filled]);
        if inflated.len() > limit {
            return Err(Stop::Bound);
        }
        match result {
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultSuccess if left == 0 => return Ok(inflated),
            BrotliResult::ResultSuccess | BrotliResult::NeedsMoreInput => return Err(Stop::Broken),
            BrotliResult::ResultFailure => return Err(stop(state.error_code)),
        }
    }
}

fn stop(code: Code) -> Stop {
    match code {
        Code::BROTLI_DECODER_ERROR_ALLOC_RING_BUFFER_1
        | Code::BROTLI_DECODER_ERROR_ALLOC_RING_BUFFER_2 => Stop::Bound,
        _ => Stop::Broken,
    }
}

/// Gives the decoder its window, which it asks for as large as what it has put out and the block
/// it is about to put out, up to the 16 MiB that a stream may name: refusing more than twice the
/// limit refuses only streams that would go beyond the limit.
struct Window {
    limit: usize,
}

impl Window {
    /// What the smallest window takes, and what the decoder adds to each.
    const SMALL: usize = 4096;
}

impl Allocator<u8> for Window {
    type AllocatedMemory = <StandardAlloc as Allocator<u8>>::AllocatedMemory;

    fn alloc_cell(&mut self, len: usize) -> Self::AllocatedMemory {
        if len > self.limit.saturating_mul(2).saturating_add(Self::SMALL) {
            return Self::AllocatedMemory::default();
        }
        StandardAlloc::default().alloc_cell(len)
    }

    fn free_cell(&mut self, _: Self::AllocatedMemory) {}
}

#[cfg(test)]
mod tests {
    use brotli_decompressor::SliceWrapper as _;

    use super::{super::samples, *};

    #[test]
    fn a_window_is_given_as_large_as_the_output_that_it_announces() {
        let mut window = Window { limit: 1000 };
        let given = |window: &mut Window, len| window.alloc_cell(len).slice().len() == len;
        assert!(given(&mut window, 2000 + Window::SMALL));
        assert!(!given(&mut window, 2001 + Window::SMALL));
        assert!(given(&mut Window { limit: usize::MAX }, 1));
    }

    #[test]
    fn a_large_window_is_no_reason_to_refuse_a_small_body() {
        for n in [0, 1, 1000, 3000, 65_536, 65_537] {
            let text = vec![b'x'; n];
            assert_eq!(inflate(&samples::brotli(&text), n).unwrap(), text);
            if n > 0 {
                let outcome = inflate(&samples::brotli(&text), n - 1);
                assert_eq!(outcome, Err(Stop::Bound), "{n}");
            }
        }
    }

    #[test]
    fn a_block_that_announces_more_than_the_limit_is_given_no_window() {
        // of 16 MiB, and nothing of it follows
        let mut stream = samples::Bits::default();
        stream.put(0b1111, 4);
        stream.put(0b100, 3);
        stream.put((1 << 24) - 1, 24);
        stream.put(1, 1);
        stream.bytes(b"x");
        let stream = stream.finish();
        assert_eq!(inflate(&stream, 1 << 20), Err(Stop::Bound));
        assert_eq!(inflate(&stream, 1 << 24), Err(Stop::Broken));
    }
}
