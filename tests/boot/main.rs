//! Boot steps and the end of a shutdown, played without a machine.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test may fail, and its numbers are its own"
)]

mod conditions;
mod disks;
mod mounting;
mod nodes;
mod settings;
mod shutdown;
mod stage;
mod steps;
