//! `zstd`: RFC 8878, within the window that RFC 9659 allows.

use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};

use super::{MAX_PARTS, Stop};

/// Largest window of a stream in HTTP (RFC 9659, 3). None is allocated: the decoder keeps what it
/// has put out, which the limit bounds.
const MAX_WINDOW: u64 = 8 << 20;

/// What the frames of `encoded` hold, at most `limit` bytes. Checksums and lengths, where a frame
/// has them, are checked.
pub(super) fn inflate(mut encoded: &[u8], limit: usize) -> Result<Vec<u8>, Stop> {
    let mut inflated = Vec::new();
    for _ in 0..MAX_PARTS {
        // one for each frame: a decoder that is used again allocates the window in advance
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW);
        match decoder.init(&mut encoded) {
            Ok(()) => frame(&mut decoder, &mut encoded, &mut inflated, limit)?,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => encoded = encoded.get(length as usize..).ok_or(Stop::Broken)?,
            Err(_) => return Err(Stop::Broken),
        }
        if encoded.is_empty() {
            return Ok(inflated);
        }
    }
    Err(Stop::Bound)
}

/// Adds what one frame holds. `encoded` begins behind its header.
fn frame(
    decoder: &mut FrameDecoder,
    encoded: &mut &[u8],
    inflated: &mut Vec<u8>,
    limit: usize,
) -> Result<(), Stop> {
    let room = limit - inflated.len();
    // goes on to the end, unless that many bytes and one block are there before
    let enough = BlockDecodingStrategy::UptoBytes(room + 1);
    let is_whole = decoder
        .decode_blocks(encoded, enough)
        .map_err(|_| Stop::Broken)?;
    let produced = decoder.can_collect();
    if !is_whole || produced > room {
        return Err(Stop::Bound);
    }
    let announced = decoder.content_size();
    if announced != 0 && announced != produced as u64 {
        return Err(Stop::Broken);
    }
    decoder
        .collect_to_writer(inflated)
        .map_err(|_| Stop::Broken)?;
    let checksum = decoder.get_checksum_from_data();
    if checksum.is_some() && checksum != decoder.get_calculated_checksum() {
        return Err(Stop::Broken);
    }
    Ok(())
}
