//! What a file says of the machine beside its services: followed with it, and by no mere look.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::{Engine, Extent};
use crate::config::spec::{BootSpec, ControlSpec, LogSpec, ShutdownSpec, SystemSpec, TargetSpec};
use crate::proto::{Change, Verb};

/// The tables of a file that are about the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    boot: BootSpec,
    shutdown: ShutdownSpec,
    control: ControlSpec,
    log: LogSpec,
    /// What each target brings up. A finit that does not say has followed what it read last.
    #[serde(default)]
    targets: Option<Vec<Rc<TargetSpec>>>,
}

impl Settings {
    fn of(spec: &SystemSpec) -> Self {
        Self {
            boot: spec.boot.clone(),
            shutdown: spec.shutdown.clone(),
            control: spec.control.clone(),
            log: spec.log.clone(),
            targets: Some(spec.targets.clone()),
        }
    }

    /// What is different in another file, as lines of a plan.
    fn changes(&self, new: &Self) -> Vec<Change> {
        let boot = differences(&[
            ("hostname", self.boot.hostname != new.boot.hostname),
            ("fstab", self.boot.fstab != new.boot.fstab),
            ("devices", self.boot.devices != new.boot.devices),
            ("modules", self.boot.modules != new.boot.modules),
            ("tmpfiles", self.boot.tmpfiles != new.boot.tmpfiles),
            ("clock", self.boot.clock != new.boot.clock),
            ("sysctl", self.boot.sysctl != new.boot.sysctl),
            ("random-seed", self.boot.random_seed != new.boot.random_seed),
            ("keymap", self.boot.keymap != new.boot.keymap),
            ("skip", self.boot.skip != new.boot.skip),
        ]);
        let shutdown = differences(&[
            ("timeout", self.shutdown.timeout != new.shutdown.timeout),
            ("term-wait", self.shutdown.term_wait != new.shutdown.term_wait),
            ("kill-wait", self.shutdown.kill_wait != new.shutdown.kill_wait),
            ("ctrl-alt-del", self.shutdown.ctrl_alt_del != new.shutdown.ctrl_alt_del),
        ]);
        let control = differences(&[
            ("power-group", self.control.power_group != new.control.power_group),
            ("socket", self.control.socket != new.control.socket),
        ]);
        let log = differences(&[
            ("directory", self.log.directory != new.log.directory),
            ("max-size", self.log.max_size != new.log.max_size),
            ("keep", self.log.keep != new.log.keep),
        ]);
        // What a boot does is done.
        let later = "; counts from the next boot on";
        let all = [
            ("[boot]", Verb::Change, boot, later),
            ("[shutdown]", Verb::Update, shutdown, ""),
            ("[control]", Verb::Update, control, ""),
            ("[log]", Verb::Update, log, ""),
        ];
        let changed = all.into_iter().filter(|(_, _, keys, _)| !keys.is_empty());
        let told = changed.map(|(name, verb, keys, when)| Change {
            name: name.to_owned(),
            verb,
            why: format!("changed: {}{when}", keys.join(", ")),
        });
        told.collect()
    }
}

fn differences<'a>(keys: &[(&'a str, bool)]) -> Vec<&'a str> {
    keys.iter().filter_map(|(key, differs)| differs.then_some(*key)).collect()
}

impl Engine {
    /// How the machine goes down.
    pub fn shutdown_settings(&self) -> &ShutdownSpec {
        self.behind.as_ref().map_or(&self.spec.shutdown, |settings| &settings.shutdown)
    }

    /// Who may give orders, and where.
    pub fn control_settings(&self) -> &ControlSpec {
        self.behind.as_ref().map_or(&self.spec.control, |settings| &settings.control)
    }

    /// Where log lines go.
    pub fn log_settings(&self) -> &LogSpec {
        self.behind.as_ref().map_or(&self.spec.log, |settings| &settings.log)
    }

    /// What each target brings up.
    pub fn targets(&self) -> &[Rc<TargetSpec>] {
        let targets = self.behind.as_ref().and_then(|settings| settings.targets.as_ref());
        targets.unwrap_or(&self.spec.targets)
    }

    /// What another file changes of all this.
    pub(super) fn changed_settings(&self, spec: &SystemSpec) -> Vec<Change> {
        let new = Settings::of(spec);
        match &self.behind {
            Some(settings) => settings.changes(&new),
            None => Settings::of(&self.spec).changes(&new),
        }
    }

    /// Takes in what a file says of the machine: it counts where the file is followed. The answer
    /// says in words what is different.
    pub(super) fn follow_settings(&mut self, spec: &SystemSpec, extent: Extent) -> String {
        let changes = self.changed_settings(spec);
        let differs = !changes.is_empty() || self.targets() != spec.targets;
        let before = self.behind.take();
        if extent.is_followed() {
            let words = changes.iter().map(|change| format!("{} {}", change.name, change.why));
            return words.collect::<Vec<_>>().join("; ");
        }
        if differs {
            let before = before.unwrap_or_else(|| Box::new(Settings::of(&self.spec)));
            self.behind = Some(before);
        }
        String::new()
    }
}
