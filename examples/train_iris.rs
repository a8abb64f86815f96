//! Trains the bundled iris model: `cargo run --example train_iris [FILE]`.
//!
//! Softmax regression with an L2 penalty of strength 1 on centimetres as they are; no randomness,
//! so that anyone gets what is in `src/iris/coefficients.rs`, which FILE overwrites (without one
//! it goes to standard output). The cross-validated accuracy goes to standard error; below 0.95
//! nothing is written and the exit status is 1.

use std::{fmt::Write as _, process::ExitCode};

use anyhow::{Context, Result, ensure};
use sidelight::iris::{
    data::{Row, rows},
    model::{CLASSES, FEATURES},
};
use smartcore::{
    linalg::basic::{arrays::Array, matrix::DenseMatrix},
    linear::logistic_regression::{LogisticRegression, LogisticRegressionParameters},
};

/// Strength of the penalty on squared weights, the customary default.
const ALPHA: f64 = 1.0;
const FOLDS: usize = 5;
const LEAST_ACCURACY: f64 = 0.95;

type Model = LogisticRegression<f64, u32, DenseMatrix<f64>, Vec<u32>>;

fn main() -> Result<ExitCode> {
    let accuracy = cross_validated()?;
    eprintln!("accuracy in {FOLDS}-fold stratified cross-validation: {accuracy:.4}");
    if accuracy < LEAST_ACCURACY {
        eprintln!("less than {LEAST_ACCURACY}: nothing written");
        return Ok(ExitCode::FAILURE);
    }
    let text = written(&train(rows())?, accuracy)?;
    match std::env::args().nth(1) {
        Some(file) => std::fs::write(&file, text).with_context(|| file)?,
        None => print!("{text}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Share of flowers that a model told right which was trained without their fold.
fn cross_validated() -> Result<f64> {
    let mut right = 0;
    for fold in 0..FOLDS {
        // the table is sorted by class, 50 each: every fifth row is a stratified fold
        let (test, kept): (Vec<_>, Vec<_>) = rows()
            .iter()
            .enumerate()
            .partition(|(i, _)| i % FOLDS == fold);
        let strip = |part: Vec<(usize, &Row)>| part.into_iter().map(|(_, row)| *row).collect();
        let (test, kept): (Vec<Row>, Vec<Row>) = (strip(test), strip(kept));
        let told = train(&kept)?.predict(&matrix(&test)?)?;
        right += told
            .iter()
            .zip(classes(&test))
            .filter(|(a, b)| **a == *b)
            .count();
    }
    Ok(f64::from(u32::try_from(right)?) / f64::from(u32::try_from(rows().len())?))
}

fn train(rows: &[Row]) -> Result<Model> {
    let parameters = LogisticRegressionParameters::default().with_alpha(ALPHA);
    let model = Model::fit(&matrix(rows)?, &classes(rows), parameters)?;
    ensure!(*model.classes() == [0, 1, 2], "classes in another order");
    Ok(model)
}

fn matrix(rows: &[Row]) -> Result<DenseMatrix<f64>> {
    let rows: Vec<Vec<f64>> = rows.iter().map(|row| row.features.to_vec()).collect();
    Ok(DenseMatrix::from_2d_vec(&rows)?)
}

fn classes(rows: &[Row]) -> Vec<u32> {
    rows.iter()
        .map(|row| u32::try_from(row.class).expect("there are three"))
        .collect()
}

/// The source file: numbers as short as they are read back as themselves.
fn written(model: &Model, accuracy: f64) -> Result<String> {
    let (weights, intercepts) = (model.coefficients(), model.intercept());
    let mut text = format!(
        "//! The trained model. Written by `cargo run --example train_iris`, not by hand; accuracy\n\
         //! in {FOLDS}-fold stratified cross-validation: {accuracy:.4}.\n\
         #![expect(clippy::unreadable_literal, reason = \"written by a program\")]\n\n\
         /// One per class.\n\
         pub(super) const INTERCEPTS: [f64; {}] = [\n",
        CLASSES.len(),
    );
    for class in 0..CLASSES.len() {
        writeln!(text, "    {:?},", intercepts.get((class, 0)))?;
    }
    writeln!(
        text,
        "];\n\n/// Per class, one per feature; per cm.\n\
         pub(super) const WEIGHTS: [[f64; {}]; {}] = [",
        FEATURES.len(),
        CLASSES.len(),
    )?;
    for class in 0..CLASSES.len() {
        text.push_str("    [\n");
        for feature in 0..FEATURES.len() {
            writeln!(text, "        {:?},", weights.get((class, feature)))?;
        }
        text.push_str("    ],\n");
    }
    text.push_str("];\n");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidelight::iris::model::predict;

    #[test]
    fn cross_validated_accuracy_is_at_least_95_percent() {
        let accuracy = cross_validated().unwrap();
        assert!(accuracy >= LEAST_ACCURACY, "{accuracy}");
    }

    #[test]
    fn the_model_in_the_program_is_what_training_gives() {
        let model = train(rows()).unwrap();
        let (weights, intercepts) = (model.coefficients(), model.intercept());
        for row in rows() {
            let logit = |class: usize| -> f64 {
                let terms = (0..4).map(|i| weights.get((class, i)) * row.features[i]);
                intercepts.get((class, 0)) + terms.sum::<f64>()
            };
            let powers = [0, 1, 2].map(|class| logit(class).exp());
            let sum: f64 = powers.iter().sum();
            let probabilities = predict(&row.features).probabilities;
            for (power, probability) in powers.iter().zip(probabilities) {
                // other machines round exponentials in another way and stop a step apart
                assert!((power / sum - probability).abs() < 1e-4, "{row:?}");
            }
        }
    }
}
