//! finit as PID 1: real processes, each test in a machine of namespaces of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test may fail, and may start threads and programs"
)]

mod boot;
mod bugs;
mod catalogue;
mod conditions;
mod control;
mod enable;
mod faults;
mod flood;
mod foreign;
mod forms;
mod freeze;
mod gentle;
mod health;
mod hold;
mod identity;
mod inetd;
mod instances;
mod jobs;
mod killed;
mod lines;
mod listen;
mod logs;
mod machine;
mod mirror;
mod names;
mod notify;
mod order;
mod own_user;
mod plan;
mod power;
mod programs;
mod quiet;
mod ready;
mod real_forms;
mod reap;
mod relations;
mod scarce;
mod selfwait;
mod shipped;
mod stdin;
mod steps;
mod stop;
mod store;
mod streams;
mod talk;
mod timetable;
mod told;
mod trial;
mod truncated;
mod upgrade;
mod utmp;
mod variables;
mod watch;
