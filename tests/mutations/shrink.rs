//! A smaller input that fails as well.

/// Tries of smaller inputs: each starts a proxy.
const MOST_TRIES: usize = 300;

/// Takes parts away, large ones first, then single bytes, for as long as `fails` says yes.
pub(crate) fn shrink(bytes: &[u8], mut fails: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let mut least = bytes.to_vec();
    let mut tries = 0;
    let mut size = least.len().div_ceil(2);
    while size > 0 && tries < MOST_TRIES {
        let mut at = 0;
        let mut is_smaller = false;
        while at < least.len() && tries < MOST_TRIES {
            let end = (at + size).min(least.len());
            let without = [&least[..at], &least[end..]].concat();
            tries += 1;
            if fails(&without) {
                least = without;
                is_smaller = true;
            } else {
                at = end;
            }
        }
        if size > 1 {
            size = size.div_ceil(2);
        } else if !is_smaller {
            break;
        }
    }
    least
}

#[test]
fn what_is_left_is_what_it_takes_to_fail() {
    let input = b"some bytes, then X, some more, then Y and an end";
    let least = shrink(input, |bytes| {
        bytes.contains(&b'X') && bytes.contains(&b'Y')
    });
    assert_eq!(least, b"XY");
}
