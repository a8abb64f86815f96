//! What must hold for any bytes of a client or an upstream. The fuzz targets call these, and so do
//! tests, with the inputs that fuzzing has kept.

mod answers;
mod requests;
mod wire;

pub use super::io::followed::framing;
pub(super) use wire::{Wire, run};

/// Heads, as hyper reads them, through the rules: the first byte says whose.
///
/// # Panics
/// When what passes is not canonical.
pub fn sanitize(input: &[u8]) {
    match input.split_first() {
        Some((side, bytes)) if side.is_multiple_of(2) => requests::check(bytes),
        Some((_, bytes)) => answers::check(bytes),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fuzzing_has_kept_of_heads_still_holds() {
        crate::fuzzing::replay("sanitize", sanitize);
    }

    #[test]
    fn what_fuzzing_has_kept_of_connections_still_holds() {
        crate::fuzzing::replay("framing", framing);
    }
}
