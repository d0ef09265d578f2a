//! Who can step in for a service that has failed for good: what can be started, and is not
//! over once the machine is up.

use super::check::Definitions;
use super::report::{Problem, quoted};
use super::spec::{MILESTONES, STEPS};

/// Why nothing comes of that name in `on-failure`, if that is so.
pub(super) fn unfit(definitions: &Definitions, name: &str) -> Option<Problem> {
    let is_empty = definitions.is_target(name)
        && !definitions.naming_targets.contains(name)
        && !definitions.has_broken;
    if is_empty {
        // Its members come when the machine is brought to it, and that alone.
        let problem = Problem::new(format!("{} starts nothing by itself", quoted(name)));
        let hint = format!(
            "name a task: `finitctl target {name}` as its command brings the machine there"
        );
        return Some(problem.hint(hint));
    }
    let is_fixed = STEPS.contains(&name) || MILESTONES.contains(&name);
    is_fixed.then(|| {
        Problem::new(format!("{} is a part of the boot", quoted(name)))
            .hint("name a service or a task")
    })
}
