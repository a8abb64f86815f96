//! The word that was probably meant.

/// The one of `known` that is nearest to `written`, if it is near: one edit for each three letters.
pub(super) fn closest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let (distance, word) = known
        .into_iter()
        .map(|word| (distance(written, word), word))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= written.chars().count().max(3) / 3).then_some(word)
}

/// Levenshtein distance: inserted, removed and replaced letters, case not counted. `O(nm)` time.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (done, left) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = done + 1;
        for (place, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[place + 1];
            row[place + 1] = replaced.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_meant_if_it_is_near() {
        let known = ["listen", "upstream", "threads", "connect_timeout"];
        for (written, meant) in [
            ("lisen", Some("listen")),
            ("Listen", Some("listen")),
            ("upstraem", Some("upstream")),
            ("connection_timeout", Some("connect_timeout")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(closest(written, known), meant, "{written}");
        }
        assert_eq!(closest("a", []), None);
    }

    #[test]
    fn the_distance_counts_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }
}
