//! The rising function that is nearest to values in the square.

use std::cmp::Ordering;

use super::real;

/// Arguments closer than this are the same, as scikit-learn has it.
const SAME: f64 = 1e-15;

/// A function that never falls: straight lines between its knots, level beyond them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Isotonic {
    /// Arguments and values, both ascending.
    knots: Vec<(f64, f64)>,
}

/// Neighbouring arguments that got one value.
#[derive(Clone, Copy)]
struct Block {
    /// Place of its first argument.
    first: usize,
    weight: f64,
    mean: f64,
}

impl Isotonic {
    /// Fits `points` of argument and value, finite; `None`: there are none.
    ///
    /// Pool adjacent violators, equal weights, points of one argument taken together first.
    /// `O(n log n)`, at most a knot for each argument.
    /// Source: Ayer et al., Ann. Math. Stat. 26 (1955); ties and knots as in scikit-learn.
    pub fn fit(points: &[(f64, f64)]) -> Option<Self> {
        Self::in_blocks(points, 1)
    }

    /// The same, then neighbouring pieces taken together until each is of `least` points: at its ends an
    /// isotonic regression follows single points.
    pub fn in_blocks(points: &[(f64, f64)], least: usize) -> Option<Self> {
        let mut points = points.to_vec();
        let by_value = |a: f64, b: f64| a.partial_cmp(&b).unwrap_or(Ordering::Equal);
        points.sort_by(|a, b| by_value(a.0, b.0).then(by_value(a.1, b.1)));
        let (arguments, steps) = together(&points)?;
        let mut blocks: Vec<Block> = Vec::new();
        for block in steps {
            let mut block = block;
            while let Some(before) = blocks.pop_if(|before| before.mean >= block.mean) {
                block = joined(before, block);
            }
            blocks.push(block);
        }
        let blocks = gathered(blocks, real(least));
        Some(Self {
            knots: knots(&arguments, &blocks),
        })
    }

    /// Of knots that were written down; `None`: there are none, or they are not ascending and finite.
    pub fn of_knots(knots: Vec<(f64, f64)>) -> Option<Self> {
        let is_finite = knots.iter().all(|(x, y)| x.is_finite() && y.is_finite());
        let rises = knots
            .windows(2)
            .all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
        (!knots.is_empty() && is_finite && rises).then_some(Self { knots })
    }

    /// Its knots.
    pub fn knots(&self) -> &[(f64, f64)] {
        &self.knots
    }

    /// Its value at `x`.
    pub fn at(&self, x: f64) -> f64 {
        let above = self.knots.partition_point(|knot| knot.0 < x);
        let (Some(high), Some(low)) = (
            self.knots.get(above).or(self.knots.last()),
            self.knots.get(above.saturating_sub(1)),
        ) else {
            return f64::NAN;
        };
        if high.0 <= low.0 {
            return low.1;
        }
        // of an argument on a knot exactly the knot's value
        let along = ((x - low.0) / (high.0 - low.0)).min(1.0);
        if along >= 1.0 {
            high.1
        } else {
            low.1 + (high.1 - low.1) * along
        }
    }
}

/// Arguments without repetition, and of each a block of what was there. `None`: no points.
fn together(points: &[(f64, f64)]) -> Option<(Vec<f64>, Vec<Block>)> {
    let mut arguments = vec![points.first()?.0];
    let (mut blocks, mut total, mut count) = (Vec::new(), 0.0, 0);
    let mut close = |total: f64, count: usize| {
        blocks.push(Block {
            first: blocks.len(),
            weight: real(count),
            mean: total / real(count),
        });
    };
    for (x, y) in points {
        if x - arguments.last()? >= SAME {
            close(total, count);
            arguments.push(*x);
            (total, count) = (0.0, 0);
        }
        total += y;
        count += 1;
    }
    close(total, count);
    Some((arguments, blocks))
}

fn joined(before: Block, block: Block) -> Block {
    let weight = before.weight + block.weight;
    Block {
        first: before.first,
        weight,
        mean: (before.mean * before.weight + block.mean * block.weight) / weight,
    }
}

/// Blocks of `least` and more, from the left; what is left over at the right goes to the last of them.
fn gathered(blocks: Vec<Block>, least: f64) -> Vec<Block> {
    let mut gathered: Vec<Block> = Vec::new();
    for block in blocks {
        match gathered.pop_if(|before| before.weight < least) {
            Some(before) => gathered.push(joined(before, block)),
            None => gathered.push(block),
        }
    }
    if let Some(last) = gathered.pop_if(|last| last.weight < least) {
        let before = gathered.pop();
        gathered.push(before.map_or(last, |before| joined(before, last)));
    }
    gathered
}

/// The ends of every block: between them nothing changes.
fn knots(arguments: &[f64], blocks: &[Block]) -> Vec<(f64, f64)> {
    let mut knots = Vec::new();
    for (place, block) in blocks.iter().enumerate() {
        let next = blocks
            .get(place + 1)
            .map_or(arguments.len(), |next| next.first);
        knots.push((arguments[block.first], block.mean));
        if next - 1 > block.first {
            knots.push((arguments[next - 1], block.mean));
        }
    }
    knots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_falls_is_pooled() {
        let fit = Isotonic::fit(&[(1.0, 1.0), (2.0, 3.0), (3.0, 2.0), (4.0, 4.0)]).unwrap();
        assert_eq!(
            fit.knots(),
            [(1.0, 1.0), (2.0, 2.5), (3.0, 2.5), (4.0, 4.0)]
        );
    }

    #[test]
    fn of_all_that_falls_one_value_is_left() {
        let fit = Isotonic::fit(&[(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]).unwrap();
        assert_eq!(fit.knots(), [(1.0, 2.0), (3.0, 2.0)]);
    }

    #[test]
    fn ties_get_their_mean() {
        let fit = Isotonic::fit(&[(1.0, 0.0), (1.0, 1.0), (2.0, 1.0)]).unwrap();
        assert_eq!(fit.knots(), [(1.0, 0.5), (2.0, 1.0)]);
    }

    #[test]
    fn single_points_at_the_ends_are_not_followed() {
        let points: Vec<_> = (0..10).map(|x| (f64::from(x), f64::from(x))).collect();
        let plain = Isotonic::fit(&points).unwrap();
        assert_eq!(plain.knots(), points);
        let fit = Isotonic::in_blocks(&points, 4).unwrap();
        assert_eq!(
            fit.knots(),
            [(0.0, 1.5), (3.0, 1.5), (4.0, 6.5), (9.0, 6.5)]
        );
        let few = Isotonic::in_blocks(&points, 20).unwrap();
        assert_eq!(few.knots(), [(0.0, 4.5), (9.0, 4.5)]);
    }

    #[test]
    fn between_knots_it_is_a_line_and_beyond_them_level() {
        let fit = Isotonic::fit(&[(0.2, 0.0), (0.6, 1.0)]).unwrap();
        for (x, y) in [(-1.0, 0.0), (0.2, 0.0), (0.3, 0.25), (0.6, 1.0), (2.0, 1.0)] {
            assert!((fit.at(x) - y).abs() < 1e-15, "{x}: {}", fit.at(x));
        }
        let flat = Isotonic::fit(&[(0.5, 0.7)]).unwrap();
        assert!(
            [0.0, 0.5, 1.0]
                .iter()
                .all(|x| (flat.at(*x) - 0.7).abs() < 1e-15)
        );
    }

    #[test]
    fn knots_that_fall_are_not_taken() {
        assert_eq!(Isotonic::of_knots(vec![(0.0, 1.0), (1.0, 0.0)]), None);
        assert_eq!(Isotonic::of_knots(vec![(0.0, f64::NAN)]), None);
        assert_eq!(Isotonic::of_knots(Vec::new()), None);
        assert_eq!(Isotonic::fit(&[]), None);
        let fit = Isotonic::fit(&[(0.2, 0.0), (0.6, 1.0)]).unwrap();
        assert_eq!(Isotonic::of_knots(fit.knots().to_vec()), Some(fit));
    }
}
