//! Text to definitions: TOML with the place of every word (`raw`), typed values out of it
//! (`lower`, by the one table of `keys`), what only the whole shows (`check`), and what is wrong
//! in the shape that a person can act on (`diagnose`).
//!
//! Pure but for one reader ([`Disk`]). Loading never fails; its result is what could be
//! understood, and all diagnostics at once. A service with a mistake is left out of the result,
//! known by its name alone, and the others are in it, so that a machine can come up with what is
//! good and starts nothing without what it needs.

mod address;
pub mod builtin;
mod check;
mod command;
mod cycle;
mod diagnose;
mod disk;
mod found;
mod helper;
pub mod keys;
mod left_out;
mod load;
mod lower;
mod misfits;
mod percent;
mod raw;
mod report;
mod rivals;
pub mod spec;
pub mod steps;
mod switch;
mod taken;
mod values;

pub use builtin::builtin;
pub use command::expand;
pub use diagnose::{Diagnostic, Label, Severity};
pub use disk::{Disk, TO_NOTHING, paths};
pub use found::{Found, put};
pub use keys::explain;
pub use load::{FILE_MAX, Reader, load, load_with};
pub use report::Source;
pub use switch::{Switched, switch, switch_instance};

use report::{Indexed, Report};
use spec::SystemSpec;

/// What files say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loaded {
    /// The machine, without what could not be understood.
    pub spec: SystemSpec,
    /// What is wrong with the files, in their order.
    pub diagnostics: Vec<Diagnostic>,
    /// The files as they were read, and behind them what was found.
    pub sources: Vec<Source>,
}

impl Loaded {
    /// Whether there is an error, so that it must not replace a configuration that runs.
    pub fn is_broken(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// The errors, as a person reads them.
    pub fn errors(&self) -> Vec<String> {
        self.diagnostics.iter().filter(|d| d.is_error()).map(ToString::to_string).collect()
    }
}

/// Reads a configuration from the text of its files, which belong together as one, and from what
/// was found on the machine.
pub fn parse(sources: &[Source]) -> Loaded {
    let indexed: Vec<Indexed<'_>> = sources.iter().map(Indexed::new).collect();
    let mut report = Report::new(&indexed);
    let documents: Vec<raw::Document> = sources
        .iter()
        .enumerate()
        .filter(|(_, source)| !source.is_found())
        .map(|(number, source)| raw::read(number, &source.text, &mut report))
        .collect();
    let spec = lower::lower(documents, &Found::of(sources), &mut report);
    Loaded { spec, diagnostics: report.finish(), sources: Vec::new() }
}

/// The one of these names that was probably meant by a name that is none of them.
pub fn suggest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    keys::nearest(name, names)
}
