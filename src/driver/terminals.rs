//! Which device the terminal of a service is.

use super::{Driver, configuration};
use crate::boot::Place;
use crate::config::spec::ServiceSpec;
use crate::engine::NodeId;
use crate::os::tty;

impl Driver {
    /// The device of a service's own terminal. Where the console of a machine does not open it is
    /// another one that is there, since that is where somebody is to be let in: one that no other
    /// service has, but for the shell for repairs, to which they leave it.
    pub(super) fn terminal(&self, node: NodeId, spec: &ServiceSpec) -> Option<String> {
        let named = spec.exec.tty.as_deref()?;
        let others = if named == "console" { self.instead_of_console() } else { Vec::new() };
        let is_rescue = spec.name == configuration::rescue(self.engine.spec());
        let mut others = others.into_iter();
        let instead = others.find(|name| is_rescue || !self.is_in_use(name, node));
        Some(format!("/dev/{}", instead.as_deref().unwrap_or(named)))
    }

    /// Services that have the console, or what is in its place, by name.
    pub(super) fn on_console(&self) -> impl Iterator<Item = String> {
        let instead = || tty::device(self.instead_of_console().first()?);
        let console = tty::console().or_else(instead);
        let services = self.engine.services().into_iter();
        let active = services.filter(|(id, _)| self.engine.is_active(*id));
        active.filter_map(move |(_, spec)| {
            let terminal = spec.exec.tty.as_deref()?;
            tty::is_console(terminal, console).then(|| spec.name.clone())
        })
    }

    fn instead_of_console(&self) -> Vec<String> {
        match self.context.place {
            Place::Machine => tty::instead_of_console(),
            Place::Container => Vec::new(),
        }
    }

    /// Whether another service that runs has a terminal by that name.
    fn is_in_use(&self, terminal: &str, by_other_than: NodeId) -> bool {
        self.engine.services().into_iter().any(|(id, spec)| {
            let has = spec.exec.tty.as_deref() == Some(terminal);
            has && id != by_other_than && self.engine.is_active(id)
        })
    }
}
