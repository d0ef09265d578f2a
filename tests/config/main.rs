//! The configuration: what good files mean, and what is said about bad ones.
//!
//! * `golden`: files beside this one; each bad one with every word that is said about it.
//! * `meaning`: what the words of the contract turn into.
//! * `words`: the table of keys: every key is read, checked, explained, and suggested when it
//!   is mistyped.
//! * `wreck`: files cut off and mutated at random; nothing panics, and whatever is wrong has a
//!   place in the file.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a test may fail by panicking"
)]

mod conditions;
mod defaults;
mod files;
mod golden;
mod health;
mod identity;
mod instances;
mod left_out;
mod meaning;
mod output;
mod pairs;
mod switch;
mod taken;
mod terminal;
mod words;
mod wreck;

use std::rc::Rc;

use finit::config::spec::ServiceSpec;
use finit::config::{Loaded, Source, parse};

/// Reads a text as if it were the file.
pub fn read(text: &str) -> Loaded {
    parse(&[Source::new("/etc/finit.toml", text)])
}

/// What is said about a text, all of it.
pub fn said(text: &str) -> String {
    let said: Vec<String> = read(text).diagnostics.iter().map(ToString::to_string).collect();
    said.join("\n\n")
}

/// The services of a text that must be without mistakes.
pub fn services(text: &str) -> Vec<Rc<ServiceSpec>> {
    let loaded = read(text);
    assert!(loaded.diagnostics.is_empty(), "{text}\n{}", said(text));
    loaded.spec.services
}

/// The first service of such a text.
pub fn service(text: &str) -> Rc<ServiceSpec> {
    Rc::clone(services(text).first().expect("a service"))
}
