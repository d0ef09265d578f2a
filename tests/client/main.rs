//! The client against a server that is a thread of the test: what it sends, what it shows, how
//! it ends.

#![cfg(feature = "client")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "a test may fail, and may start threads and programs"
)]

mod enable;
mod ends;
mod errors;
mod fake;
mod jobs;
mod logs;
mod names;
mod sends;
mod shared;
mod shells;
mod shows;
mod timers;
mod trees;
