//! finit: an init (PID 1) that anyone can read.
//!
//! The house, from the ground up; a room imports only from the floors below it:
//! * [`facts`]: plain values that every room may name.
//! * [`os`]: system calls, and the only unsafe code. [`proto`]: the control protocol.
//! * [`calendar`]: pure; when something is due, in the time of any zone.
//! * [`config`]: text to typed definitions, with diagnostics.
//! * [`engine`]: pure; decides. State in, state and effects out.
//! * [`probe`]: finds out when a service is up and whether it is healthy, in a process of its own.
//! * [`driver`]: the only room that names tokio; perceives and acts. [`boot`]: the steps before
//!   and after the services. [`logger`]: the process that writes the log files.
//! * [`client`]: what finitctl does.

pub mod boot;
pub mod calendar;
pub mod config;
pub mod driver;
pub mod engine;
pub mod facts;
pub mod logger;
pub mod os;
pub mod probe;
pub mod proto;

pub mod client;
