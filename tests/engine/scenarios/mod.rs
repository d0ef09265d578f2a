//! One behaviour each, readable alone.

mod access;
mod boot;
mod commands;
mod conditions;
mod foreign;
mod health;
mod hooks;
mod left_out;
mod load;
mod needs;
mod order;
mod paths;
mod plan;
mod power;
mod ready;
mod relations;
mod restart;
pub mod schedule;
mod sockets;
mod stop;
mod tasks;
mod templates;
mod timetable;
mod told;
mod trial;
mod why;
mod words;
