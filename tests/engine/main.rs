//! The pure engine: scenarios that can be read alone, and those of other inits in `catalogue`, a
//! table of every state against every event, and whole lives of random machines played by seed.
//! `build` describes machines, `world` is one without a kernel, `oracle` knows what must always
//! hold, `rig` is the world for scenarios.
//!
//! `FINIT_SEEDS=100000 cargo test --test engine lives` plays more lives, `FINIT_SEED_FROM=5000`
//! others; a failing one prints the line that plays it again, and what is left of it after all
//! that does not matter is taken away.
//!
//! Faults that were planted in the engine by hand, one at a time, and who noticed (with 150
//! seeds); none went unnoticed:
//!
//! | fault | noticed by |
//! |---|---|
//! | a need stops before those that stand on it | `needs`, `order`, matrix, seed 3 |
//! | the end of any run counts as that of the main one | `stop`, `hooks`, matrix, seed 2 |
//! | nodes are looked at before all flags are up to date | `order`, `boot`, `load`, seed 3 |
//! | old deadlines stay in their index | the audit, everywhere, seed 0 |
//! | a socket at its limit is never watched again | `sockets`, seed 89 |
//! | no deadline follows SIGKILL | `stop`, matrix |
//! | the driver may be told to finish twice | `power`, seed 3 |
//! | a need that crashed counts as lost | `needs` |
//! | a process that hangs can be forgotten | `stop`, matrix, seed 25 |
//! | everybody may do everything | `access`, `power` |
//! | sockets are let go at each restart | `sockets`, matrix, seed 7 |
//! | the restart delay does not double | `restart` |
//! | the news of a failure reach no job | `stop`, seed 0 |
//! | any edit changes everything | `load`, `templates` |
//! | a removed service is never forgotten | `load`, `templates`, seed 8 |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "tests: a panic is how they speak"
)]

mod accident;
mod acts;
mod agenda;
mod anew;
mod blueprint;
mod build;
mod catalogue;
mod chance;
mod diary;
mod dice;
mod doors;
mod edits;
mod extras;
mod fates;
mod freezer;
mod graphs;
mod linear;
mod looks;
mod matrix;
mod oracle;
mod passage;
mod reloads;
mod rest;
mod rig;
mod scenarios;
mod sights;
mod sim;
mod status;
mod stories;
mod storms;
mod telling;
mod trials;
mod variables;
mod world;
