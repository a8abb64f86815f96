//! The gamma function's logarithm and the incomplete gamma function.
//!
//! Source: Lanczos' approximation (g = 7, nine terms) and, for the incomplete function, its power series
//! below `a + 1` and Lentz's continued fraction above.

const LANCZOS: [f64; 9] = [
    0.999_999_999_999_809_9,
    676.520_368_121_885_1,
    -1_259.139_216_722_402_8,
    771.323_428_777_653_1,
    -176.615_029_162_140_6,
    12.507_343_278_686_905,
    -0.138_571_095_265_720_12,
    9.984_369_578_019_572e-6,
    1.505_632_735_149_311_6e-7,
];

/// `ln(gamma(x))` for `x` above 0, to 14 digits.
pub fn ln(x: f64) -> f64 {
    let x = x - 1.0;
    let mut sum = LANCZOS[0];
    let mut at = x;
    for term in &LANCZOS[1..] {
        at += 1.0;
        sum += term / at;
    }
    let t = x + 7.5;
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// The upper incomplete gamma function, regularised: `Q(a, x)` in `[0, 1]`, for `a` above 0 and `x` 0 or
/// more; 1 below.
pub fn upper(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let scale = (a * x.ln() - x - ln(a)).exp();
    if x < a + 1.0 {
        1.0 - scale * series(a, x)
    } else {
        scale * fraction(a, x)
    }
}

fn series(a: f64, x: f64) -> f64 {
    let (mut term, mut sum, mut at) = (1.0 / a, 1.0 / a, a);
    for _ in 0..MOST_TERMS {
        at += 1.0;
        term *= x / at;
        sum += term;
        if term < sum * f64::EPSILON {
            break;
        }
    }
    sum
}

/// Where neither converges any more the value is 0 or 1 already.
const MOST_TERMS: u32 = 10_000;
const TINY: f64 = 1e-300;

fn fraction(a: f64, x: f64) -> f64 {
    let mut denominator = x + 1.0 - a;
    let (mut above, mut below) = (1.0 / TINY, 1.0 / denominator);
    let mut value = below;
    for i in 1..MOST_TERMS {
        let i = f64::from(i);
        let numerator = -i * (i - a);
        denominator += 2.0;
        below = 1.0 / nonzero(numerator * below + denominator);
        above = nonzero(denominator + numerator / above);
        let step = below * above;
        value *= step;
        if (step - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    value
}

fn nonzero(value: f64) -> f64 {
    if value.abs() < TINY { TINY } else { value }
}
