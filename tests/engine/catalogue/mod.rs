//! Scenarios that other inits test, each under the name that `tests/catalogue.toml` knows it by.
//! What a test of `scenarios` shows already is linked there and has no twin here.

mod dinit_core;
mod dinit_igr;
mod dinit_pin;
mod dinit_process;
mod dinit_ready;
mod dinit_recovery;
mod others;
mod readiness;
mod troglobit;
