//! The pure engine: read-alone scenarios, a table of every state against every event, and whole
//! lives of machines played by seed.
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

mod blueprint;
mod build;
mod diary;
mod dice;
mod oracle;
mod rig;
mod scenarios;
mod sim;
mod world;
