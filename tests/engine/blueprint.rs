//! Random machines: a list of parts, each from a seed of its own, so that parts can be taken
//! away, added and edited without the others changing.

use std::rc::Rc;

use finit::calendar::Schedule;
use finit::config::spec::{
    Address, Check, Health, LeftOut, Ready, RestartWhen, Start, StopScope, SystemSpec, Trigger,
};

use crate::build::{Part, hook, machine, millis, secs, service, task, with_targets};
use crate::dice::Dice;
use crate::extras::{join, needs_of_target, tidy};
use crate::storms::hasten;

/// One service of a random machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draft {
    /// Its number: it may stand on lower ones only, so no cycle can come about.
    pub number: u64,
    /// What it is like.
    pub seed: u64,
    /// How often its definition was edited.
    pub edition: u64,
}

/// A random machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blueprint {
    pub drafts: Vec<Draft>,
    /// Its services come back at once, and without end.
    pub stormy: bool,
}

impl Blueprint {
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::of(seed, "blueprint");
        let count = 2 + dice.below(14);
        let mut drafts: Vec<Draft> =
            (0..count).map(|number| Draft { number, seed: dice.throw(), edition: 0 }).collect();
        // Any order in the file must do.
        for at in (1..drafts.len()).rev() {
            drafts.swap(at, usize::try_from(dice.below(at as u64 + 1)).unwrap());
        }
        Self { drafts, stormy: false }
    }

    /// The same after somebody edited it.
    pub fn edited(&self, seed: u64) -> Self {
        let mut dice = Dice::of(seed, "edit");
        let mut drafts = self.drafts.clone();
        for _ in 0..=dice.below(2) {
            let at = usize::try_from(dice.below(drafts.len().max(1) as u64)).unwrap();
            match dice.below(4) {
                3 => grow(&mut drafts, &mut dice),
                0 if drafts.len() > 1 => drop(drafts.remove(at)),
                1 if drafts.len() < 20 => {
                    let used: Vec<u64> = drafts.iter().map(|draft| draft.number).collect();
                    let number = (0..).find(|number| !used.contains(number)).unwrap();
                    drafts.push(Draft { number, seed: dice.throw(), edition: 0 });
                }
                _ => {
                    if let Some(draft) = drafts.get_mut(at) {
                        draft.edition = dice.throw();
                    }
                }
            }
        }
        Self { drafts, stormy: self.stormy }
    }

    /// The definitions.
    pub fn spec(&self) -> SystemSpec {
        let all: Vec<(u64, Part)> =
            self.drafts.iter().map(|draft| (draft.number, part(*draft))).collect();
        let names = |from: &(u64, Part)| from.1.0.name.clone();
        let known: Vec<(u64, String)> = all.iter().map(|one| (one.0, names(one))).collect();
        let (mut parts, mut left_out) = (Vec::new(), Vec::new());
        for (draft, (_, mut part)) in self.drafts.iter().zip(all) {
            if self.stormy {
                hasten(&mut part);
            }
            if Dice::of(draft.seed ^ draft.edition, "mistake").percent(4) {
                let mistake = format!("no {}", draft.edition);
                left_out.push(LeftOut { name: part.0.name, mistake });
            } else {
                parts.push(depend(*draft, part, &known));
            }
        }
        set_apart(&mut parts);
        part_rivals(&mut parts);
        let few = known.iter().filter(|(number, _)| number % 5 == 4);
        let few: Vec<&str> = few.map(|(_, name)| name.as_str()).collect();
        let mut spec = with_targets(machine(parts), &[("other", &few)]);
        let target = spec.targets.last_mut().map(Rc::make_mut);
        target.expect("other").needs = needs_of_target(&self.drafts, &known);
        SystemSpec { left_out, ..spec }
    }
}

impl Blueprint {
    /// The definitions with other policies, which no process sees.
    pub fn retouched(&self, seed: u64) -> SystemSpec {
        let mut dice = Dice::of(seed, "retouch");
        let mut spec = self.spec();
        for service in &mut spec.services {
            let (draft, touched) = (dice.throw(), dice.percent(60));
            let other = part(Draft { number: 0, seed: draft, edition: 0 }).0;
            if !touched {
                continue;
            }
            let one = Rc::make_mut(service);
            one.description = format!("number {draft}");
            // What is looked for without end never comes to rest.
            one.start_timeout = one.start_timeout.and(other.start_timeout.or(one.start_timeout));
            // A task that succeeds is done, so it never repeats for ever; nor does one without.
            if one.kind == other.kind {
                one.restart = other.restart;
            }
            one.stop = other.stop;
            one.ok_exit = other.ok_exit;
            let (ours, theirs) = (Rc::make_mut(&mut one.hooks), &other.hooks);
            ours.after_start.clone_from(&theirs.after_start);
            ours.after_stop.clone_from(&theirs.after_stop);
            ours.reload.clone_from(&theirs.reload);
            if one.ready.when != Ready::Exit && !one.is_inetd() {
                Rc::make_mut(&mut one.ready).health.clone_from(&other.ready.health);
            }
        }
        spec
    }
}

/// Adds several that may stand on all that are there.
fn grow(drafts: &mut Vec<Draft>, dice: &mut Dice) {
    let top = drafts.iter().map(|draft| draft.number + 1).max().unwrap_or(0);
    for number in top..=top + dice.below(4) {
        if drafts.len() < 24 {
            drafts.push(Draft { number, seed: dice.throw(), edition: 0 });
        }
    }
}

/// Some of those that will do for one another exclude each other.
fn set_apart(parts: &mut [Part]) {
    let open = |part: &Part| {
        let needs = part.0.dependencies.needs.iter().filter(|need| need.len() > 1).cloned();
        needs.collect::<Vec<Vec<String>>>()
    };
    for need in parts.iter().flat_map(open).collect::<Vec<_>>() {
        let mut dice = Dice::of(need.len() as u64, &need.concat());
        for (one, rivals) in need.iter().zip(1..).map(|(one, next)| (one, &need[next..])) {
            let part = parts.iter_mut().find(|part| part.0.name == *one);
            if let (Some(part), true) = (part, dice.percent(20)) {
                Rc::make_mut(&mut part.0.dependencies).conflicts.extend_from_slice(rivals);
            }
        }
    }
}

/// Takes away what a file is refused for: nobody excludes what he cannot be up without.
fn part_rivals(parts: &mut [Part]) {
    let names = |part: &Part| {
        let spec = &part.0;
        [vec![spec.name.clone()], spec.dependencies.provides.clone()].concat()
    };
    let all: Vec<(Vec<String>, Vec<String>)> = parts
        .iter()
        .map(|part| {
            let on = &part.0.dependencies;
            let only = on.needs.iter().filter(|need| need.len() == 1).flatten();
            (names(part), only.chain(&on.bound_to).cloned().collect())
        })
        .collect();
    let stands_on = |above: &String, below: &String| {
        let mut found = vec![above];
        let mut at = 0;
        while let Some(name) = found.get(at) {
            let of: Vec<_> = all.iter().filter(|one| one.0.contains(name)).collect();
            let one = of.first().filter(|_| of.len() == 1);
            for need in one.iter().flat_map(|one| &one.1) {
                if !found.contains(&need) {
                    found.push(need);
                }
            }
            at += 1;
        }
        found.contains(&below)
    };
    for part in parts {
        let own = part.0.name.clone();
        if !part.0.dependencies.conflicts.is_empty() {
            let on = Rc::make_mut(&mut part.0.dependencies);
            on.conflicts.retain(|rival| !stands_on(&own, rival) && !stands_on(rival, &own));
        }
    }
}

/// Names of everything, by number.
pub fn name(draft: Draft) -> String {
    if draft.number % 7 == 6 {
        format!("tty@{}", draft.number)
    } else {
        format!("s{}", draft.number)
    }
}

fn part(draft: Draft) -> Part {
    let mut dice = Dice::of(draft.seed ^ draft.edition, "part");
    let name = name(draft);
    let mut part = if dice.percent(25) { task(&name) } else { service(&name) };
    if let Some((template, _)) = name.split_once('@') {
        part = part.instance_of(template);
    }
    part = policy(&mut dice, part);
    part = stop(&mut dice, part);
    if dice.percent(30) {
        part = hooks(&mut dice, part);
    }
    part = tidy(Dice::of(draft.seed ^ draft.edition, "tidy"), part);
    if dice.percent(25) {
        part = sockets(&mut dice, draft, part);
    }
    // Dice of its own, so that what was drawn before is what it was.
    let mut dice_of_conditions = Dice::of(draft.seed ^ draft.edition, "conditions");
    if dice_of_conditions.percent(30) {
        part = conditions(&mut dice_of_conditions, part);
    }
    if Dice::of(draft.seed ^ draft.edition, "variables").percent(15) {
        part = part.env_file(if draft.seed.is_multiple_of(2) { "/etc/even" } else { "/etc/odd" });
    }
    part = health(Dice::of(draft.seed ^ draft.edition, "health"), part);
    let spec = &mut part.0;
    if spec.ready.when == Ready::Exit && dice.percent(20) {
        spec.commands.push(crate::build::command("/sbin/second"));
    }
    spec.remain = dice.percent(80);
    spec.enabled = dice.percent(90);
    if dice.percent(15) {
        spec.targets = Rc::new(vec!["other".to_owned()]);
    }
    if dice.percent(15) {
        Rc::make_mut(&mut spec.targets).push("other".to_owned());
    }
    if dice.percent(10) && spec.sockets.is_none() {
        part = part.manual();
    }
    if part.0.ready.when == Ready::Exit && part.0.sockets.is_none() && dice.percent(25) {
        let mut schedule = Schedule::parse("daily").unwrap();
        schedule.after_enable = dice.percent(50).then(|| secs(3));
        schedule.jitter = millis(*dice.pick(&[0, 2_000]));
        part = part.on_schedule(schedule);
    }
    part = watch(Dice::of(draft.seed ^ draft.edition, "watch"), part);
    let inetd = part.0.is_inetd();
    if part.0.ready.when == Ready::Exec && !inetd && dice.percent(30) {
        part = match dice.below(5) {
            0 | 1 => part.notifies(),
            2 => part.ready(Ready::Descriptor(9)),
            3 => part.forks(),
            _ => part.accepts(),
        };
    }
    let mut dice_of_forks = Dice::of(draft.seed ^ draft.edition, "forks");
    if part.0.ready.when.pidfile().is_some() && dice_of_forks.percent(50) {
        part = part.stop_scope(StopScope::Main);
    }
    let mut dice_of_reload = Dice::of(draft.seed ^ draft.edition, "reload");
    if part.0.ready.when == Ready::Notify && dice_of_reload.percent(60) {
        part = part.reloads_by_signal("HUP");
    }
    part
}

fn policy(dice: &mut Dice, mut part: Part) -> Part {
    let task = part.0.ready.when == Ready::Exit;
    let when = [
        RestartWhen::Always,
        RestartWhen::OnFailure,
        RestartWhen::OnCrash,
        RestartWhen::OnSuccess,
        RestartWhen::Never,
    ];
    if dice.percent(40) {
        Rc::make_mut(&mut part.0.restart).when = *dice.pick(&when);
    }
    // A task that succeeds is done, so it never repeats for ever.
    if !task && part.0.restart.when == RestartWhen::OnSuccess {
        Rc::make_mut(&mut part.0.restart).when = RestartWhen::Always;
    }
    if dice.percent(40) {
        let first = *dice.pick(&[0, 0, 10, 1_000]);
        part = part.delay(millis(first), millis(*dice.pick(&[0, 1_000, 10_000])));
    }
    if dice.percent(20) {
        part = part.burst(1 + u32::try_from(dice.below(4)).unwrap(), secs(60));
    }
    match dice.below(10) {
        0 => part.start_timeout(None),
        1 => part.start_timeout(Some(secs(1))),
        _ => part,
    }
}

fn stop(dice: &mut Dice, mut part: Part) -> Part {
    let scopes = [StopScope::Main, StopScope::Mixed, StopScope::None];
    if dice.percent(25) {
        Rc::make_mut(&mut part.0.stop).scope = *dice.pick(&scopes);
    }
    if dice.percent(15) {
        part = part.stop_command("/sbin/ask-to-stop");
    }
    Rc::make_mut(&mut part.0.stop).kill = dice.percent(95);
    match dice.below(12) {
        0 => part.stop_timeout(None),
        1 => part.stop_timeout(Some(millis(0))),
        2 | 3 => part.stop_timeout(Some(secs(1))),
        _ => part,
    }
}

fn hooks(dice: &mut Dice, mut part: Part) -> Part {
    let one = |dice: &mut Dice| {
        let mut hook = hook("/sbin/hook");
        hook.may_fail = dice.percent(40);
        hook.timeout = dice.percent(30).then(|| secs(2));
        hook
    };
    if dice.percent(40) {
        part = part.before_start(one(dice));
    }
    if dice.percent(30) {
        part = part.before_start(one(dice)).after_start(one(dice));
    }
    if dice.percent(40) {
        part = part.after_stop(one(dice));
    }
    if dice.percent(40) {
        part = part.reloads_by(one(dice));
    }
    if dice.percent(40) {
        part = part.reloads_by_signal("HUP");
    }
    part
}

fn conditions(dice: &mut Dice, mut part: Part) -> Part {
    if dice.percent(40) {
        part = part.needs_path("/dev/thing");
    }
    if dice.percent(50) {
        part = part.only_if("/etc/thing");
    }
    if dice.percent(20) {
        part = part.asserts("/srv/thing");
    }
    if dice.percent(30) {
        let mut hook = hook("/sbin/ask");
        hook.may_fail = dice.percent(30);
        hook.timeout = dice.percent(30).then(|| secs(2));
        part = part.only_if_command(hook);
    }
    part
}

/// Seldom looked at: else the long calm at the end would be nothing but checks.
fn health(mut dice: Dice, part: Part) -> Part {
    if part.0.ready.when == Ready::Exit || part.0.is_inetd() || !dice.percent(10) {
        return part;
    }
    let mut ask = hook("/sbin/healthy");
    ask.timeout = dice.percent(30).then(|| secs(1));
    let check = match dice.below(3) {
        0 => Check::Accepts(Address::TcpPort(80)),
        1 => Check::Answers(Address::TcpPort(80), "/healthz".to_owned()),
        _ => Check::Command(Box::new(ask)),
    };
    let (every, timeout) = (secs(*dice.pick(&[40, 600, 600])), secs(*dice.pick(&[2, 30])));
    let failures = 1 + u32::try_from(dice.below(2)).unwrap();
    part.health(Health { check, every, timeout, failures })
}

/// Started by what is seen of paths, beside its times if it has some.
fn watch(mut dice: Dice, part: Part) -> Part {
    if part.0.is_inetd() || !dice.percent(12) {
        return part;
    }
    let start = part.0.start;
    let mut part = match dice.below(4) {
        0 => part.watches(Trigger::Exists, "/srv/in"),
        1 => part.watches(Trigger::Changed, "/etc/it").watches(Trigger::NotEmpty, "/srv/in"),
        2 => part.watches(Trigger::Modified, "/etc/it"),
        _ => part.watches(Trigger::Changed, "/etc/it"),
    };
    if start == Start::Schedule || dice.percent(15) {
        part.0.start = start;
    }
    part
}

fn sockets(dice: &mut Dice, draft: Draft, part: Part) -> Part {
    let port = 1_000 + u16::try_from(draft.number).unwrap() + u16::from(dice.percent(50)) * 100;
    let mut part = if dice.percent(50) { part.inetd(port) } else { part.listens(port) };
    part = part.at_most(1 + u32::try_from(dice.below(4)).unwrap());
    if dice.percent(40) {
        part = part.at_most_per_source(1 + u32::try_from(dice.below(2)).unwrap());
    }
    if dice.percent(40) {
        part = part.rate(2, secs(10));
    }
    if dice.percent(25) { part.at_boot() } else { part }
}

/// A tie beside needs and order.
fn relate(dice: &mut Dice, part: Part, name: &str) -> Part {
    match dice.below(5) {
        0 => part.bound_to(name),
        1 => part.part_of(name),
        2 => part.conflicts(name),
        3 => part.on_failure(name),
        _ => part.reload_with(name),
    }
}

/// What it stands on, of those that are there.
fn depend(draft: Draft, mut part: Part, known: &[(u64, String)]) -> Part {
    let mut dice = Dice::of(draft.seed ^ draft.edition, "depend");
    let mut dice_of_more = Dice::of(draft.seed ^ draft.edition, "more");
    if dice.percent(10) && draft.number < 2 {
        return part.early();
    }
    for _ in 0..dice.below(4) {
        let number = dice.below(draft.number.max(1));
        let other = dice.below(draft.number.max(1));
        let kind = dice.below(10);
        let of = |number: u64| known.iter().find(|(n, _)| *n == number && n < &draft.number);
        let Some((_, name)) = of(number) else { continue };
        part = match (kind, of(other)) {
            (0..=3, _) => part.needs(name),
            (4, Some((_, other))) if other != name => {
                let third = of(dice_of_more.below(draft.number.max(1)));
                let third = third.map(|(_, third)| third).filter(|it| ![name, other].contains(it));
                let third = third.map(|third| format!("|{third}")).unwrap_or_default();
                part.needs(&format!("{name}|{other}{third}"))
            }
            (5, _) => part.wants(name),
            (6 | 7, _) => part.after(name),
            (8, _) if draft.number > 8 => part.after("network").needs(name),
            (9, _) => {
                let provided = draft.number >= 5 && dice_of_more.percent(20);
                relate(&mut dice, part, if provided { "mail" } else { name })
            }
            _ => part,
        };
    }
    part = join(draft, part, known);
    let later = known.iter().find(|(number, _)| *number == draft.number + 3);
    if let (Some((_, name)), true) = (later, dice.percent(15)) {
        part = part.before(name);
    }
    if draft.number < 5 && dice.percent(15) {
        part = part.provides("network");
    }
    if draft.number < 5 && dice_of_more.percent(30) {
        part = part.provides("mail");
    }
    part
}
