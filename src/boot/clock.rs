//! The system clock, from the one that runs on a battery.

use std::time::Duration;

use super::{Context, Done, Report, Tools, conf, program};

const CLOCKS: [&str; 3] = ["/dev/rtc", "/dev/rtc0", "/dev/misc/rtc"];

/// Reads 1 where the kernel itself has set its time from this clock.
const SET_BY_KERNEL: &str = "/sys/class/rtc/rtc0/hctosys";

/// hwclock waits for the tick of a second, and longer for a clock whose interrupt is broken.
const DEADLINE: Duration = Duration::from_secs(15);

/// Sets the time. Where the kernel has done that, only the time zone is left to say: it
/// matters to a hardware clock in local time (the third line of /etc/adjtime) and to FAT.
pub(super) async fn clock(context: &Context, tools: &impl Tools) -> Report {
    if !context.boot.clock {
        return Ok(Done::Skipped("boot.clock is false"));
    }
    if conf::first(context, &CLOCKS).is_none() {
        return Ok(Done::Skipped("there is no hardware clock"));
    }
    let by_kernel = conf::read(&context.path(SET_BY_KERNEL)).is_some_and(|flag| flag.trim() == "1");
    let action = if by_kernel { "--systz" } else { "--hctosys" };
    match program::call(tools, &["hwclock", action], DEADLINE).await {
        Ok(()) => Ok(Done::Worked),
        Err(trouble) => trouble.report("hwclock is not installed"),
    }
}
