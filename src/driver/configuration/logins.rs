//! Who lets a person in: the built-in login where the file is broken, and the built-in shell
//! where nothing of the file does so in a target that is for repairs.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::config;
use crate::config::spec::{LeftOut, ServiceSpec, SystemSpec};
use crate::engine::is_member;

/// The built-in shell for repairs.
pub const RESCUE: &str = "rescue-shell";
/// Its name where the file has something else of that name.
const OTHER_NAME: &str = "finit-rescue-shell";
/// Targets that are to let a person in, whatever the file says of them.
const REPAIRS: [&str; 2] = ["rescue", "emergency"];

/// What is good in a broken file, with the built-in login beside it whatever the file says of one.
pub fn with_login(mut spec: SystemSpec) -> SystemSpec {
    let own = config::builtin().services;
    let is_own = |name: &String| own.iter().any(|service| service.name == *name);
    spec.services.retain(|service| !is_own(&service.name));
    spec.left_out.retain(|left_out| !is_own(&left_out.name));
    spec.templates.retain(|template| !is_own(&template.name));
    // A terminal can be the console, and two on one terminal hang each other up forever.
    let (terminals, others): (Vec<_>, Vec<_>) =
        spec.services.into_iter().partition(|one| one.exec.tty.is_some());
    spec.services = others;
    spec.left_out.extend(terminals.into_iter().map(|one| LeftOut {
        name: one.name.clone(),
        mistake: "the built-in login has the console until the file is mended".to_owned(),
    }));
    spec.services.extend(own);
    spec
}

/// Adds the built-in shell to those targets for repairs in which nothing of the file is on a
/// terminal, so that `single` and `emergency` on the kernel command line always lead to one; and
/// has it there in any case, for whoever asks for it.
pub fn with_rescue(mut spec: SystemSpec) -> SystemSpec {
    let lacking: Vec<String> = REPAIRS
        .into_iter()
        .filter(|target| !has_terminal(&spec, target))
        .map(str::to_owned)
        .collect();
    let own = spec.services.iter().find(|service| service.name == RESCUE);
    if lacking.is_empty() && own.is_some_and(|own| own.exec.tty.is_some()) {
        return spec;
    }
    let name = if is_taken(&spec, RESCUE) { OTHER_NAME } else { RESCUE };
    let shell = config::builtin().services.into_iter().find(|one| one.name == RESCUE);
    if let Some(shell) = shell.filter(|_| !is_taken(&spec, name)) {
        let mut shell = Rc::unwrap_or_clone(shell);
        name.clone_into(&mut shell.name);
        shell.targets = Rc::new(lacking);
        spec.services.push(Rc::new(shell));
    }
    spec
}

/// The shell for repairs, by name.
pub fn rescue(spec: &SystemSpec) -> &'static str {
    let is_other = |service: &Rc<ServiceSpec>| service.name == OTHER_NAME;
    if spec.services.iter().any(is_other) { OTHER_NAME } else { RESCUE }
}

/// Whether anything has that name, or stands for it.
fn is_taken(spec: &SystemSpec, name: &str) -> bool {
    spec.services.iter().any(|service| is_called(service, name))
        || spec.templates.iter().any(|template| template.name == name)
        || spec.targets.iter().any(|target| target.name == name)
        || spec.left_out.iter().any(|left_out| left_out.name == name)
}

fn is_called(service: &ServiceSpec, name: &str) -> bool {
    let provided = &service.dependencies.provides;
    let names = service.alias.iter().chain(provided).chain(&service.template);
    service.name == name || names.into_iter().any(|one| one == name)
}

/// Whether that target brings up something that is on a terminal.
fn has_terminal(spec: &SystemSpec, target: &str) -> bool {
    let members = spec.services.iter().filter(|service| is_member(service, target));
    let mut names: Vec<&str> = members.map(|member| &*member.name).chain([target]).collect();
    let mut known: BTreeSet<&str> = names.iter().copied().collect();
    while let Some(name) = names.pop() {
        let mut below: Vec<&String> = Vec::new();
        for one in spec.targets.iter().filter(|one| one.name == name) {
            below.extend(one.wants.iter().chain(one.needs.iter().flatten()));
        }
        for service in spec.services.iter().filter(|service| is_called(service, name)) {
            if service.exec.tty.is_some() {
                return true;
            }
            let ties = &service.dependencies;
            below.extend(ties.wants.iter().chain(ties.needs.iter().flatten()));
        }
        names.extend(below.into_iter().map(|name| &**name).filter(|name| known.insert(name)));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    /// The shells of finit, by name and targets, in a machine with this file.
    fn shells(text: &str) -> (Vec<String>, &'static str) {
        let loaded = config::parse(&[Source::new("/etc/finit.toml", text)]);
        assert_eq!(loaded.errors(), Vec::<String>::new());
        let own = loaded.spec.services.len();
        let spec = with_rescue(loaded.spec);
        let added = spec.services.iter().skip(own);
        let words = |one: &Rc<ServiceSpec>| format!("{}: {}", one.name, one.targets.join(" "));
        (added.map(words).collect(), rescue(&spec))
    }

    #[test]
    fn who_repairs_gets_a_shell_in_each_target_where_the_file_has_no_terminal() {
        const SHELL: &str = "command = '/s'\ntty = 'console'\n";
        let both = "rescue-shell: rescue emergency";
        let in_emergency = "rescue-shell: emergency";
        for (text, shell) in [
            ("[service.a]\ncommand = '/a'\n".to_owned(), both),
            // What listens is no login for whoever sits there.
            (
                "[service.a]\ncommand = '/a'\ninetd = '22'\ntargets = ['default', 'rescue']\n"
                    .to_owned(),
                both,
            ),
            ("[target.rescue]\nwants = 'a'\n[service.a]\ncommand = '/a'\n".to_owned(), both),
            ("[target.rescue]\n".to_owned(), both),
            (format!("[service.s]\n{SHELL}targets = 'rescue'\nstart = 'manual'\n"), both),
            (format!("[service.s]\n{SHELL}targets = 'rescue'\nenabled = false\n"), both),
            (format!("[service.s]\n{SHELL}targets = 'rescue'\n"), in_emergency),
            (format!("[service.s]\n{SHELL}targets = 'emergency'\n"), "rescue-shell: rescue"),
            (format!("[service.s]\n{SHELL}targets = ['rescue', 'emergency']\n"), "rescue-shell: "),
            // By way of another, by what it provides, and of a template.
            (
                format!(
                    "[target.rescue]\nwants = 'a'\n[service.a]\ncommand = '/a'\nneeds = 'login'\n\
                     start = 'manual'\n[service.s]\n{SHELL}provides = 'login'\n"
                ),
                in_emergency,
            ),
            (
                "[target.emergency]\nneeds = 's'\n\
                 [service.s]\ncommand = '/s'\ninstances = ['tty1']\ntty = '%i'\n"
                    .to_owned(),
                "rescue-shell: rescue",
            ),
        ] {
            assert_eq!(shells(&text), (vec![shell.to_owned()], RESCUE), "{text}");
        }
    }

    #[test]
    fn a_shell_of_that_name_is_the_files_own() {
        let own = "[service.rescue-shell]\ncommand = '/s'\n";
        for (more, shell) in [
            ("tty = 'console'\ntargets = ['rescue', 'emergency']\n", None),
            ("tty = 'console'\ntargets = 'rescue'\n", Some("finit-rescue-shell: emergency")),
            ("", Some("finit-rescue-shell: rescue emergency")),
        ] {
            let (added, rescue) = shells(&format!("{own}{more}"));
            assert_eq!(added, shell.into_iter().collect::<Vec<_>>(), "{more}");
            assert_eq!(rescue, if added.is_empty() { RESCUE } else { OTHER_NAME });
        }
        let alias = "[service.s]\ncommand = '/s'\nalias = 'rescue-shell'\n";
        assert_eq!(shells(alias).1, OTHER_NAME);
    }
}
