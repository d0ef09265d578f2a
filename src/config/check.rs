//! Names and their ties: one name for one thing, every name that is spoken of known, and
//! nothing that waits for itself. What survives this is what the engine gets.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::keys::nearest;
use super::left_out::Mistakes;
use super::report::{Place, Problem, Report, quoted};
use super::spec::{MILESTONES, STEPS, ServiceSpec, SystemSpec, TARGETS, TargetSpec};
use super::{cycle, helper, misfits, rivals, taken};

/// A name, and where the file says it.
pub(super) type Said = (String, Place);

/// A service whose names are not checked yet. One with a mistake is looked at with the others,
/// whose names and ties are told too, and then left out.
pub(super) struct Draft {
    pub spec: ServiceSpec,
    /// Where it comes from.
    pub origin: Origin,
    /// What is wrong with it already; of several mistakes, the first.
    pub mistake: Option<String>,
    /// Whether it is not known when it is there, as what says so is wrong.
    pub vague: bool,
    /// Where its own name stands.
    pub at: Place,
    /// What it says about other names.
    pub edges: Vec<Edge>,
    /// Who wants it.
    pub wanted_by: Vec<Said>,
    /// The targets that it belongs to.
    pub targets: Vec<Said>,
    /// Names that it takes beside its own: aliases, and what it provides.
    pub takes: Vec<Said>,
}

/// Where a draft comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A file names it.
    Written,
    /// It is an instance that was found on the machine.
    Found,
    /// It is none, and stands for a template whose instances are found: its names and ties are
    /// looked at, whatever was found.
    StandIn,
}

/// One thing that a service says about another name.
#[derive(Debug, Clone)]
pub(super) struct Edge {
    pub relation: Relation,
    pub to: String,
    pub at: Place,
}

/// How two names are tied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Needs,
    Wants,
    After,
    Before,
    BoundTo,
    PartOf,
    Conflicts,
    OnFailure,
    ReloadWith,
}

/// What the files define.
#[derive(Default)]
pub(super) struct Definitions {
    /// Every name, the kind of its table, and where it stands; those that could not be read
    /// are among them, so that whoever needs one names no stranger.
    pub places: BTreeMap<String, (&'static str, Place)>,
    /// Names that targets speak of.
    pub of_targets: Vec<Said>,
    /// Targets that bring up something that they name themselves.
    pub naming_targets: BTreeSet<String>,
    /// Targets with mistakes.
    pub lost_targets: Vec<Rc<TargetSpec>>,
    /// Services with a mistake, which may have instances that were not read.
    pub incomplete: BTreeSet<String>,
    /// Templates whose instances are found, and may be any.
    pub found: BTreeSet<String>,
    /// Whether a part of some file could not be read, so that a name which is not defined may
    /// well be defined there.
    pub has_broken: bool,
}

impl Definitions {
    pub(super) fn is_target(&self, name: &str) -> bool {
        TARGETS.contains(&name) || self.places.get(name).is_some_and(|(kind, _)| *kind == "target")
    }
}

/// Checks the drafts and puts those that are good into the specification.
pub(super) fn check(
    definitions: &Definitions,
    mut drafts: Vec<Draft>,
    mut mistakes: Mistakes,
    spec: &mut SystemSpec,
    report: &mut Report<'_>,
) {
    misfits::leave_out(definitions, &mut drafts, spec, report);
    let broken = check_names(definitions, &drafts, report);
    mark(&mut drafts, broken);
    apply_wanted_by(definitions, &mut drafts);
    taken::warn(&drafts, report);
    taken::warn_of_records(&drafts, report);
    if are_tied_badly(definitions, &drafts, &spec.targets, report) {
        // All of that is told. What it costs is found without those that are not there anyway.
        let silent = &mut Report::new(&[]);
        take_out(&mut drafts, &mut mistakes);
        let on_cycles = cycle::find(definitions, &drafts, &spec.targets, silent);
        leave_out(&mut drafts, on_cycles.drafts, &mut mistakes);
        on_cycles.targets.iter().for_each(|(name, mistake)| mistakes.add(name, mistake));
        spec.targets.retain(|target| !on_cycles.targets.contains_key(&target.name));
        let rivals = rivals::find(&drafts, silent);
        leave_out(&mut drafts, rivals, &mut mistakes);
        let second = taken::second_on_terminal(&drafts, silent);
        leave_out(&mut drafts, second, &mut mistakes);
    }
    take_out(&mut drafts, &mut mistakes);
    let (stand_ins, drafts): (Vec<Draft>, Vec<Draft>) =
        drafts.into_iter().partition(|draft| draft.origin == Origin::StandIn);
    let defined = |name: &str| definitions.places.contains_key(name);
    spec.left_out = mistakes.finish(defined, &drafts, &stand_ins, spec);
    // Collected in place, where the drafts were, which were a hundred times as long.
    spec.services = drafts.into_iter().map(|draft| Rc::new(draft.spec)).collect();
    spec.services.shrink_to_fit();
}

/// Checks every name that is said; the answer is what is wrong with which draft.
pub(super) fn check_names(
    definitions: &Definitions,
    drafts: &[Draft],
    report: &mut Report<'_>,
) -> BTreeMap<usize, String> {
    let names = Names::new(definitions, drafts);
    let is_told = !report.is_silent();
    let mut broken = BTreeMap::new();
    for (number, draft) in drafts.iter().enumerate() {
        let before = report.errors();
        names.check_taken(draft, report);
        // Found ones are many, and what their template says is told of that.
        let advises = is_told && draft.origin != Origin::Found;
        names.check_spoken(draft, advises, report);
        let own = draft.spec.template.as_ref().unwrap_or(&draft.spec.name);
        let is_fixed = fixed().any(|name| name == own);
        let mistake = is_fixed.then(|| format!("{} is a name of finit itself", quoted(own)));
        broken.extend(report.since(before).or(mistake).map(|mistake| (number, mistake)));
    }
    check_twice(definitions, drafts, &mut broken, report);
    check_provided(drafts, &mut broken, report);
    names.check_own(report);
    broken
}

/// Says what is wrong with the ties of all that was read, whatever else is wrong with it.
fn are_tied_badly(
    definitions: &Definitions,
    drafts: &[Draft],
    targets: &[Rc<TargetSpec>],
    report: &mut Report<'_>,
) -> bool {
    let targets = [targets, &definitions.lost_targets].concat();
    let on_cycles = cycle::find(definitions, drafts, &targets, report);
    let rivals = rivals::find(drafts, report);
    let second = taken::second_on_terminal(drafts, report);
    let no_cycles = on_cycles.drafts.is_empty() && on_cycles.targets.is_empty();
    !(no_cycles && rivals.is_empty() && second.is_empty())
}

/// Keeps what is wrong with these; of what is known of one already, that counts.
fn mark(drafts: &mut [Draft], broken: BTreeMap<usize, String>) {
    for (number, mistake) in broken {
        if let Some(draft) = drafts.get_mut(number) {
            draft.mistake.get_or_insert(mistake);
        }
    }
}

/// Takes those with a mistake out.
fn take_out(drafts: &mut Vec<Draft>, mistakes: &mut Mistakes) {
    drafts.retain(|draft| {
        if let Some(mistake) = &draft.mistake {
            mistakes.add_draft(draft, mistake);
        }
        draft.mistake.is_none()
    });
}

/// Takes these out.
fn leave_out(drafts: &mut Vec<Draft>, broken: BTreeMap<usize, String>, mistakes: &mut Mistakes) {
    mark(drafts, broken);
    take_out(drafts, mistakes);
}

/// Every name that something answers to.
struct Names<'a> {
    definitions: &'a Definitions,
    /// Own names of services, aliases and provided names.
    others: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    fn new(definitions: &'a Definitions, drafts: &'a [Draft]) -> Self {
        let mut others = BTreeSet::new();
        for draft in drafts {
            others.insert(draft.spec.name.as_str());
            others.extend(draft.takes.iter().map(|(name, _)| name.as_str()));
        }
        Self { definitions, others }
    }

    fn knows(&self, name: &str) -> bool {
        self.definitions.places.contains_key(name)
            || self.others.contains(name)
            || fixed().any(|known| known == name)
            || self.is_instance(name)
    }

    /// An instance of a template that is defined but was not read, or whose instances are found.
    fn is_instance(&self, name: &str) -> bool {
        let Definitions { incomplete, found, .. } = self.definitions;
        let template = name.split_once('@').map(|(template, _)| template);
        template.is_some_and(|name| incomplete.contains(name) || found.contains(name))
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        let defined = self.definitions.places.keys().map(String::as_str);
        defined.chain(self.others.iter().copied()).chain(fixed())
    }

    /// Aliases and provided names must not be what something else is called.
    fn check_taken(&self, draft: &Draft, report: &mut Report<'_>) {
        for (name, at) in &draft.takes {
            if name == &draft.spec.name {
                // Said twice, and true.
                continue;
            }
            let defined = self.definitions.places.get(name);
            let is_alias = draft.spec.alias.contains(name);
            let message = format!("{} is taken", quoted(name));
            if let Some((what, first)) = defined {
                let label = (*first, format!("it is the name of a {what}"));
                report.error_with(*at, Problem::new(message), &[label]);
            } else if STEPS.contains(&name.as_str()) {
                report.error(*at, Problem::new(message).hint("it is a step of the boot"));
            } else if TARGETS.contains(&name.as_str()) {
                report.error(*at, Problem::new(message).hint("it is the name of a target"));
            } else if is_alias && MILESTONES.contains(&name.as_str()) {
                let hint = format!("it is a milestone: say provides = \"{name}\"");
                report.error(*at, Problem::new(message).hint(hint));
            }
        }
    }

    /// Every name that a service speaks of must be one.
    fn check_spoken(&self, draft: &Draft, advises: bool, report: &mut Report<'_>) {
        let own = &draft.spec.name;
        for Edge { relation, to, at } in &draft.edges {
            if to == own || draft.spec.template.as_ref() == Some(to) {
                let problem = Problem::new(format!("{} speaks of itself", quoted(own)));
                report.error(*at, problem.hint("remove it"));
            }
            self.check_known(to, *at, advises, report);
            if *relation == Relation::Conflicts {
                self.check_rival(draft, to, *at, report);
            }
            let is_helper = *relation == Relation::OnFailure;
            if let Some(problem) = helper::unfit(self.definitions, to).filter(|_| is_helper) {
                report.error(*at, problem);
            }
        }
        for (name, at) in &draft.wanted_by {
            self.check_known(name, *at, advises, report);
            if MILESTONES.contains(&name.as_str()) || STEPS.contains(&name.as_str()) {
                let problem = Problem::new(format!("{} wants nothing", quoted(name)));
                report.error(*at, problem.hint("name a service, a task or a target"));
            }
        }
        for (name, at) in &draft.targets {
            if !self.definitions.is_target(name) {
                let defined = self.definitions.places.keys().map(String::as_str);
                let targets = defined.filter(|name| self.definitions.is_target(name));
                let near = nearest(name, TARGETS.into_iter().chain(targets));
                let problem = Problem::new(format!("there is no target {}", quoted(name)));
                let hint = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("add a [target.{name}]"),
                };
                self.unknown(*at, problem.hint(hint), report);
            }
        }
    }

    /// A rival is a service or task, and nothing that it stands on.
    fn check_rival(&self, draft: &Draft, rival: &str, at: Place, report: &mut Report<'_>) {
        let own = quoted(&draft.spec.name);
        if self.definitions.is_target(rival) || fixed().any(|name| name == rival) {
            let problem = Problem::new(format!("{own} cannot conflict with {}", quoted(rival)));
            report.error(at, problem.hint("name services or tasks"));
        }
        let need = |edge: &&Edge| {
            matches!(edge.relation, Relation::Needs | Relation::Wants | Relation::BoundTo)
                && edge.to == rival
        };
        if let Some(edge) = draft.edges.iter().find(need) {
            let message = format!("{own} conflicts with {}, which it needs", quoted(rival));
            let label = (edge.at, "needed here".to_owned());
            report.error_with(at, Problem::new(message).hint("remove one of them"), &[label]);
        }
    }

    /// The advice which name may be meant takes time.
    fn check_known(&self, name: &str, at: Place, advises: bool, report: &mut Report<'_>) {
        if self.knows(name) {
            return;
        }
        let problem = Problem::new(format!("nothing is called {}", quoted(name)));
        let near = if advises { nearest(name, self.all()) } else { None };
        let problem = match near {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint("no service, task, target, step or milestone"),
        };
        self.unknown(at, problem, report);
    }

    /// A stranger may be defined in what could not be read; then there is enough to say.
    fn unknown(&self, at: Place, problem: Problem, report: &mut Report<'_>) {
        if !self.definitions.has_broken {
            report.error(at, problem);
        }
    }

    /// The definitions themselves: what targets speak of, and names that finit has itself.
    fn check_own(&self, report: &mut Report<'_>) {
        for (name, at) in &self.definitions.of_targets {
            self.check_known(name, *at, true, report);
        }
        for (name, (kind, at)) in &self.definitions.places {
            let is_step = STEPS.contains(&name.as_str());
            let is_target = *kind != "target" && TARGETS.contains(&name.as_str());
            let (is, hint) = if MILESTONES.contains(&name.as_str()) {
                ("a milestone", format!("choose another name and say provides = \"{name}\""))
            } else if is_step || is_target {
                (if is_step { "a boot step" } else { "a target" }, "choose another name".into())
            } else {
                continue;
            };
            let problem = Problem::new(format!("{} is the name of {is}", quoted(name)));
            report.error(*at, problem.hint(hint));
        }
    }
}

/// Names that are there without a file.
pub(super) fn fixed<'a>() -> impl Iterator<Item = &'a str> {
    TARGETS.into_iter().chain(STEPS).chain(MILESTONES)
}

/// Two services cannot have one alias, and no instance can be called as something else is.
fn check_twice(
    definitions: &Definitions,
    drafts: &[Draft],
    broken: &mut BTreeMap<usize, String>,
    report: &mut Report<'_>,
) {
    let mut owners: BTreeMap<&str, Place> = BTreeMap::new();
    for (number, draft) in found_last(drafts).filter(|(_, draft)| draft.spec.template.is_some()) {
        let name = draft.spec.name.as_str();
        let defined = definitions.places.get(name).map(|(_, at)| *at);
        if let Some(first) = defined.or(owners.insert(name, draft.at)) {
            let message = format!("{} is defined twice", quoted(name));
            let problem = Problem::new(message.clone());
            let hint = "name another instance, or take the other definition out";
            let label = (first, "defined here too".to_owned());
            report.error_with(draft.at, problem.hint(hint), &[label]);
            broken.entry(number).or_insert(message);
        }
    }
    for (number, draft) in found_last(drafts) {
        let aliases = draft.takes.iter().filter(|(name, _)| draft.spec.alias.contains(name));
        for (name, at) in aliases {
            if let Some(first) = owners.insert(name, *at) {
                let label = (first, "first taken here".to_owned());
                let message = format!("{} names two things", quoted(name));
                report.error_with(*at, Problem::new(message.clone()), &[label]);
                broken.entry(number).or_insert(message);
            }
        }
    }
}

/// What one service is also called nobody else can provide: whoever names it would mean the one here
/// and the other there.
fn check_provided(drafts: &[Draft], broken: &mut BTreeMap<usize, String>, report: &mut Report<'_>) {
    let mut takers: BTreeMap<&str, (bool, &Draft, Place)> = BTreeMap::new();
    for (number, draft) in found_last(drafts) {
        for (name, at) in &draft.takes {
            let is_alias = draft.spec.alias.contains(name);
            let (first_is_alias, first, place) =
                takers.entry(name).or_insert((is_alias, draft, *at));
            if *first_is_alias == is_alias || std::ptr::eq(*first, draft) {
                continue;
            }
            let message = format!("{} names two things", quoted(name));
            let problem = Problem::new(message.clone());
            let hint = "several may say `provides` of one name, and none of them `alias`";
            let label = (*place, format!("{} takes it here", quoted(&first.spec.name)));
            report.error_with(*at, problem.hint(hint), &[label]);
            broken.entry(number).or_insert(message);
        }
    }
}

/// The drafts and their numbers: what is found makes way for what is written.
pub(super) fn found_last(drafts: &[Draft]) -> impl Iterator<Item = (usize, &Draft)> {
    let of = |found: bool| {
        let all = drafts.iter().enumerate();
        all.filter(move |(_, draft)| (draft.origin == Origin::Found) == found)
    };
    of(false).chain(of(true))
}

/// `wanted-by` is a `wants` written from the other side; of a target, it is membership.
fn apply_wanted_by(definitions: &Definitions, drafts: &mut [Draft]) {
    let wishes: Vec<(usize, String, Place)> = drafts
        .iter()
        .enumerate()
        .flat_map(|(number, draft)| {
            draft.wanted_by.iter().map(move |(name, at)| (number, name.clone(), *at))
        })
        .collect();
    if wishes.is_empty() {
        return;
    }
    let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (number, draft) in drafts.iter().enumerate() {
        let spec = &draft.spec;
        let own = std::iter::once(&spec.name).chain(&spec.template);
        for name in own.chain(draft.takes.iter().map(|(name, _)| name)) {
            by_name.entry(name.clone()).or_default().push(number);
        }
    }
    for (number, name, at) in wishes {
        if definitions.is_target(&name) {
            if let Some(draft) = drafts.get_mut(number)
                && !draft.spec.targets.contains(&name)
            {
                Rc::make_mut(&mut draft.spec.targets).push(name);
            }
            continue;
        }
        // Its template is wanted: whoever wants it is no other when an instance is found.
        if drafts.get(number).is_some_and(|draft| draft.origin == Origin::Found) {
            continue;
        }
        let Some(to) = drafts.get(number).map(|draft| draft.spec.name.clone()) else { continue };
        for wanting in by_name.get(&name).into_iter().flatten() {
            if let Some(draft) = drafts.get_mut(*wanting) {
                Rc::make_mut(&mut draft.spec.dependencies).wants.push(to.clone());
                draft.edges.push(Edge { relation: Relation::Wants, to: to.clone(), at });
            }
        }
    }
    // Its times and paths are those of a target, and it has said none.
    for Draft { spec, wanted_by, .. } in drafts {
        let comes_by_itself = spec.schedule.is_some() || spec.watch.is_some();
        if !wanted_by.is_empty() && comes_by_itself && spec.targets.is_empty() {
            spec.targets = Rc::new(vec!["default".to_owned()]);
        }
    }
}
