//! From local times to moments: what is due next, and what happens when clocks are changed.

use super::spec::CalendarSpec;
use super::zone::Zone;

/// Longer than the clocks of any zone can go back, in seconds; see `zone::OFFSET`.
const BACK: i64 = 3 * 86_400;
/// Most stretches of a zone looked at. A few are enough for every zone there is; a file that was
/// made to waste time has its answer cut short.
const STRETCHES: usize = 100;

impl CalendarSpec {
    /// The first moment later than `after`, both in seconds since 1970. None if there is no
    /// such moment up to the end of 2199.
    ///
    /// When the clocks of the zone are changed:
    /// * A time that is skipped is made up for at the moment when the skipping ends, once:
    ///   "02:30" comes at 03:00 on the day on which 02:00 becomes 03:00. (systemd leaves that
    ///   day out: a backup each night would miss one.)
    /// * A time that the clocks show twice comes the first time only, unless the schedule is
    ///   [of every minute](Self::is_of_every_minute), which comes in both hours, as with cron(8).
    /// * A schedule [of every hour](Self::is_of_every_hour) counts on by the hours that really
    ///   pass: nothing is made up for, and what the clocks show twice comes twice. (systemd
    ///   stays silent for the second hour.) This is the rule of cron(8) for `*`.
    pub fn next(&self, after: i64, zone: &Zone) -> Option<i64> {
        let mut at = after.max(-1).saturating_add(1);
        for _ in 0..STRETCHES {
            let stretch = zone.stretch(at);
            let shown = stretch.start.saturating_add(stretch.before);
            let here = at.saturating_add(stretch.offset);
            if at == stretch.start && self.is_made_up_for(shown, here) {
                return Some(at);
            }
            let goes_on = self.is_of_every_hour() || self.is_of_every_minute();
            let from = if goes_on { here } else { here.max(shown) };
            let local = self.next_local(from);
            let moment = local.map(|local| local.saturating_sub(stretch.offset));
            if let Some(moment) = moment.filter(|moment| *moment < stretch.end) {
                return Some(moment);
            }
            // Clocks that go back soon may show again what they showed before `at`. Later than
            // that, nothing is due until they come near the local time that was found.
            let is_soon = stretch.end.saturating_sub(at) <= BACK;
            at = match moment {
                _ if is_soon => stretch.end,
                Some(moment) => stretch.end.max(moment.saturating_sub(BACK)),
                None => return None,
            };
        }
        None
    }

    /// Whether something was due between these local times, which no clock showed.
    fn is_made_up_for(&self, from: i64, to: i64) -> bool {
        let is_skipped = || self.next_local(from).is_some_and(|local| local < to);
        !self.is_of_every_hour() && from < to && is_skipped()
    }
}
