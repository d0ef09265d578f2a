//! The pure engine: whole lives of machines played by seed.
//!
//! `FINIT_SEEDS=100000 cargo test --test engine lives` plays more of them; a failing one prints
//! the line that plays it again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "tests: a panic is how they speak"
)]
#![allow(dead_code, reason = "the builder has words for every key, used or not yet")]

mod blueprint;
mod build;
mod diary;
mod dice;
mod oracle;
mod sim;
mod world;
