//! Addresses that two services would listen on at a time, and records that both would write. That
//! is no error, as one of them may never come, but the second would fail or take the other's place:
//! it is told when the file is checked. Two on one terminal are an error: both would fail.

use std::collections::BTreeMap;

use super::check::{Draft, Origin, Relation, found_last};
use super::report::{Problem, Report, quoted};
use super::spec::{Address, Kind, SocketSpec, Start};

/// With how many others on one port a socket is compared. A warning is not worth the time that
/// the boot of a machine with thousands of them would need.
const COMPARED: usize = 100;

/// Where addresses have to meet: a port of TCP or UDP, or else the address itself.
fn spot(address: &Address) -> String {
    match (address.network(), address.file()) {
        (Some((is_tcp, at)), _) => format!("{is_tcp} {}", at.port()),
        (None, Some(path)) => path.display().to_string(),
        (None, None) => address.to_string(),
    }
}

/// Warns of each service whose socket excludes one of a service before it. Who may have both says
/// so: by other targets, `conflicts`, conditions, or that nothing starts it by itself.
pub(super) fn warn(drafts: &[Draft], report: &mut Report<'_>) {
    let mut spots: BTreeMap<String, Vec<(&Draft, &SocketSpec)>> = BTreeMap::new();
    for draft in drafts.iter().filter(|draft| comes(draft)) {
        let sockets = draft.spec.sockets.iter().flat_map(|sockets| &sockets.sockets);
        for socket in sockets {
            let others = spots.entry(spot(&socket.address)).or_default();
            let mut compared = others.iter().take(COMPARED);
            if let Some((first, _)) = compared.find(|(other, at)| {
                at.excludes(socket) && other.spec.name != draft.spec.name && meet(other, draft)
            }) {
                tell(first, draft, socket, report);
                break;
            }
            others.push((draft, socket));
        }
    }
}

/// Warns of each service whose record in utmp(5) is also that of one before it on another terminal:
/// two on one are told otherwise.
pub(super) fn warn_of_records(drafts: &[Draft], report: &mut Report<'_>) {
    let mut owners: BTreeMap<&str, &Draft> = BTreeMap::new();
    for draft in drafts.iter().filter(|draft| comes(draft)) {
        let Some(id) = draft.spec.exec.utmp.as_deref() else { continue };
        let Some(first) = owners.get(id) else {
            owners.insert(id, draft);
            continue;
        };
        let same_line = draft.spec.exec.tty.is_some() && first.spec.exec.tty == draft.spec.exec.tty;
        if same_line || !meet(first, draft) {
            continue;
        }
        let problem = Problem::new(format!("the utmp record {} is taken", quoted(id)));
        if first.at == draft.at {
            let hint = "each instance wants one of its own: say utmp = true";
            report.warning(draft.at, problem.hint(hint), &[]);
        } else {
            let label = (first.at, format!("{} has it", quoted(&first.spec.name)));
            report.warning(draft.at, problem.hint("give one of them another"), &[label]);
        }
    }
}

/// Two services that are there at a time cannot have one terminal: each start hangs the other up.
/// A task may use it before, and those of which one excludes the other, or may not come, are not.
pub(super) fn second_on_terminal(
    drafts: &[Draft],
    report: &mut Report<'_>,
) -> BTreeMap<usize, String> {
    let mut second = BTreeMap::new();
    let mut owners: BTreeMap<(&str, &str), Vec<&Draft>> = BTreeMap::new();
    for (number, draft) in found_last(drafts) {
        let spec = &draft.spec;
        let Some(tty) = &spec.exec.tty else { continue };
        if spec.kind != Kind::Service || spec.start != Start::Boot || !comes(draft) {
            continue;
        }
        let meets = |other: &&&Draft| !exclude_each_other(other, draft);
        let mut owned = spec.targets.iter().filter_map(|target| owners.get(&(&**tty, &**target)));
        if let Some(first) = owned.find_map(|others| others.iter().find(meets)) {
            let message = format!("the terminal {} is taken", quoted(tty));
            let problem = Problem::new(message.clone());
            if first.at == draft.at {
                let hint = "each instance wants one of its own: tty = \"%i\"";
                report.error(draft.at, problem.hint(hint));
            } else {
                let label = (first.at, format!("{} has it", quoted(&first.spec.name)));
                let hint = "take out one, or say `conflicts`, or start = \"manual\"";
                report.error_with(draft.at, problem.hint(hint), &[label]);
            }
            second.insert(number, message);
        } else {
            for target in &*spec.targets {
                owners.entry((tty, target)).or_default().push(draft);
            }
        }
    }
    second
}

/// Whether it is there, or listens, without anybody asking for it.
pub(super) fn comes(draft: &Draft) -> bool {
    let spec = &draft.spec;
    let by_itself = matches!(spec.start, Start::Boot | Start::Demand);
    let is_there = draft.origin != Origin::StandIn;
    by_itself && is_there && spec.enabled && spec.conditions.is_none() && !draft.vague
}

/// Whether both can be there at a time, and a target wants them so.
fn meet(one: &Draft, other: &Draft) -> bool {
    let mut targets = one.spec.targets.iter();
    targets.any(|target| other.spec.targets.contains(target)) && !exclude_each_other(one, other)
}

/// Whether one of both says that it conflicts with the other.
pub(super) fn exclude_each_other(one: &Draft, other: &Draft) -> bool {
    rules_out(one, other) || rules_out(other, one)
}

/// Whether one says that it conflicts with the other.
fn rules_out(one: &Draft, other: &Draft) -> bool {
    let is_other = |name: &String| {
        let spec = &other.spec;
        let own = [Some(&spec.name), spec.template.as_ref()];
        own.contains(&Some(name)) || other.takes.iter().any(|(taken, _)| taken == name)
    };
    one.edges.iter().any(|edge| edge.relation == Relation::Conflicts && is_other(&edge.to))
}

fn tell(first: &Draft, second: &Draft, socket: &SocketSpec, report: &mut Report<'_>) {
    let problem = Problem::new(format!("{} is taken", quoted(&socket.address.to_string())));
    if first.at == second.at {
        let hint = "each instance wants an address of its own: `%i` can stand in it";
        report.warning(second.at, problem.hint(hint), &[]);
    } else {
        let one = &first.spec.name;
        let label = (first.at, format!("{} listens there", quoted(one)));
        let hint = format!("take one of them out, or say conflicts = \"{one}\"");
        report.warning(second.at, problem.hint(hint), &[label]);
    }
}
