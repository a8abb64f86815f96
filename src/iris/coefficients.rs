//! The trained model. Written by `cargo run --example train_iris`, not by hand; accuracy
//! in 5-fold stratified cross-validation: 0.9600.
#![expect(clippy::unreadable_literal, reason = "written by a program")]

/// One per class.
pub(super) const INTERCEPTS: [f64; 3] = [9.84956793943475, 2.2372058278818865, -12.086773767316659];

/// Per class, one per feature; per cm.
pub(super) const WEIGHTS: [[f64; 4]; 3] = [
    [
        -0.42350990111027276,
        0.967350568697599,
        -2.5171523557107007,
        -1.0793366748047546,
    ],
    [
        0.534461510984727,
        -0.3215878866694458,
        -0.20639212351127856,
        -0.9442984048230734,
    ],
    [
        -0.11095160987445667,
        -0.6457626820281381,
        2.7235444792219927,
        2.0236350796278315,
    ],
];
