//! Draws for random machines with dice of their own, so that what was drawn before is what it was.

use crate::blueprint::Draft;
use crate::build::{Part, hook, secs};
use crate::dice::Dice;

/// Makes it a part of another: its paths and times may have it run though that is stopped, and
/// parts of its own with it.
pub fn join(draft: Draft, part: Part, known: &[(u64, String)]) -> Part {
    let mut dice = Dice::of(draft.seed ^ draft.edition, "parts");
    let comes = part.0.watch.is_some() || part.0.schedule.is_some();
    let (joins, whole) =
        (dice.percent(if comes { 30 } else { 6 }), dice.below(draft.number.max(1)));
    let lower = |(number, _): &&(u64, String)| *number == whole && *number < draft.number;
    match known.iter().find(lower).filter(|_| joins) {
        Some((_, whole)) => part.part_of(whole),
        None => part,
    }
}

/// What a target cannot be up without: one, or either of two.
pub fn needs_of_target(drafts: &[Draft], known: &[(u64, String)]) -> Vec<Vec<String>> {
    let mut needs = Vec::new();
    for (draft, (_, name)) in drafts.iter().zip(known) {
        let mut dice = Dice::of(draft.seed ^ draft.edition, "target");
        let (needed, other) = (dice.percent(6), dice.below(3 * known.len() as u64));
        if needed {
            let other = known.get(usize::try_from(other).unwrap()).map(|(_, other)| other);
            let other = other.filter(|other| *other != name).cloned();
            needs.push(std::iter::once(name.clone()).chain(other).collect());
        }
    }
    needs
}

/// Several commands that tidy up, each with a name of its own, and some that may fail.
pub fn tidy(mut dice: Dice, mut part: Part) -> Part {
    if dice.percent(8) {
        for number in 0..=dice.below(3) {
            let mut one = hook(&format!("/sbin/tidy-{number}"));
            one.may_fail = dice.percent(40);
            one.timeout = dice.percent(30).then(|| secs(2));
            part = part.after_stop(one);
        }
    }
    part
}
