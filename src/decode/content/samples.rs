//! Streams of each coding, for the tests: from other encoders where they are files, and such as
//! no encoder makes.

use std::io::Write as _;

use flate2::{
    Compress, Compression, FlushCompress,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

/// An answer with 60 items, and what Google's brotli (quality 5, window of 4 MiB) and Meta's zstd
/// (level 3, with checksum) make of it.
pub(super) const ANSWER: &[u8] = include_bytes!("../../../tests/wire/coding/answer.json");
pub(super) const ANSWER_BR: &[u8] = include_bytes!("../../../tests/wire/coding/answer.br");
pub(super) const ANSWER_ZSTD: &[u8] = include_bytes!("../../../tests/wire/coding/answer.zst");

/// 1 GiB of zeros by Google's brotli, with a window of 16 MiB.
pub(super) const ZEROS_BR: &[u8] = include_bytes!("../../../tests/wire/coding/zeros.br");

pub(super) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zlib(text: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn bare(text: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zstd(text: &[u8]) -> Vec<u8> {
    compress_to_vec(text, CompressionLevel::Fastest)
}

/// Brotli blocks that are not compressed, and a window of 16 MiB.
pub(super) fn brotli(text: &[u8]) -> Vec<u8> {
    let mut stream = Bits::default();
    stream.put(0b1111, 4);
    for block in text.chunks(1 << 16) {
        // not the last; four nibbles of length less one; not compressed
        stream.put(0, 3);
        stream.put(block.len() - 1, 16);
        stream.put(1, 1);
        stream.bytes(block);
    }
    // the last, and empty
    stream.put(0b11, 2);
    stream.finish()
}

/// A gzip member of 1 GiB of zeros, made of 1024 times the same blocks; without trailer.
pub(super) fn zeros_gzip() -> Vec<u8> {
    let mut encoder = Compress::new(Compression::new(9), false);
    let mut blocks = Vec::with_capacity(1 << 16);
    encoder
        .compress_vec(&vec![0; 1 << 20], &mut blocks, FlushCompress::Full)
        .unwrap();
    let mut stream = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    stream.extend(blocks.repeat(1024));
    stream
}

/// A zstd frame of 1 GiB of zeros in 8192 blocks, which says that it needs a window of `1 << log`.
pub(super) fn zeros_zstd(log: u8) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3];
    let block = |last: u32| ((128 << 10) << 3) | (1 << 1) | last;
    for i in 0..8192 {
        frame.extend(&block(u32::from(i == 8191)).to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

/// Bits in the order of brotli and deflate.
#[derive(Default)]
pub(super) struct Bits {
    written: Vec<u8>,
    bits: usize,
}

impl Bits {
    pub(super) fn put(&mut self, value: usize, bits: usize) {
        for i in 0..bits {
            if self.bits.is_multiple_of(8) {
                self.written.push(0);
            }
            let last = self.written.last_mut().unwrap();
            *last |= u8::from(value >> i & 1 == 1) << (self.bits % 8);
            self.bits += 1;
        }
    }

    /// From the next whole byte on.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.written.extend(bytes);
        self.bits = self.written.len() * 8;
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.written
    }
}
