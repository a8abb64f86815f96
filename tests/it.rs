//! Tests from the outside: one binary, so that the library is linked once.

#[path = "it/stats_vectors.rs"]
mod stats_vectors;
