//! What must hold for a service to start, looked at by a child of finit: a path may be on a file
//! system that does not answer, and PID 1 waits for nobody. The child gets the conditions as
//! JSON, says in one line what does not hold, and says by its exit status what that means.

pub(super) mod glob;
mod look_out;
mod machine;
pub(super) mod paths;
mod virtual_machine;

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::config::spec::{Condition, Conditions, Test};
use crate::os::{fds, host};

pub use look_out::look_out;

/// The word that makes finit such a child; its second word is the JSON.
pub const CHECK: &str = "--check-conditions";
/// The word for one that ends once there is something by that path.
pub const AWAIT: &str = "--await-path";

/// Exit status: all of it holds.
pub const HOLDS: u8 = 0;
/// A condition does not hold, so the service is skipped.
pub const SKIPS: u8 = 1;
/// It cannot be told.
pub const UNKNOWN: u8 = 2;
/// An assertion does not hold.
pub const FAILS: u8 = 3;
/// A path is missing; the line is that path.
pub const MISSING: u8 = 4;

/// There on the first boot of a machine.
pub const FIRST_BOOT: &str = "/run/finitd/first-boot";

/// Looks, says what it saw on stdout, and as an exit status.
pub fn check(json: &str) -> u8 {
    let (code, line) = match serde_json::from_str(json) {
        Ok(conditions) => Eyes::new(Path::new("/")).judge(&conditions),
        Err(error) => (UNKNOWN, format!("its conditions are not understood: {error}")),
    };
    match fds::write(std::io::stdout().as_fd(), line.as_bytes()) {
        Ok(_) => code,
        Err(_) => UNKNOWN,
    }
}

/// Who looks, and where.
pub struct Eyes {
    /// What stands for `/`: another folder only in tests.
    root: PathBuf,
    /// What the processor says of its hypervisor.
    hypervisor: Option<String>,
}

/// Whether something holds, and what there is instead or just so; or why it cannot be told.
type Sight = Result<(bool, String), String>;

impl Eyes {
    /// For this machine, as seen from that root.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), hypervisor: host::hypervisor() }
    }

    /// The same for a machine whose processor says that.
    #[must_use]
    pub fn with_hypervisor(self, hypervisor: Option<&str>) -> Self {
        Self { hypervisor: hypervisor.map(str::to_owned), ..self }
    }

    fn path(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// An exit status and what there is to say: paths first, since the other conditions may be
    /// about what lies there.
    pub fn judge(&self, conditions: &Conditions) -> (u8, String) {
        let missing = conditions.paths.iter().find(|path| !paths::is_there(&self.path(path)));
        if let Some(path) = missing {
            return (MISSING, path.clone());
        }
        for (table, list, code) in
            [("only-if", &conditions.only_if, SKIPS), ("assert", &conditions.assert, FAILS)]
        {
            match self.unmet(table, list) {
                Ok(None) => {}
                Ok(Some(why)) => return (code, why),
                Err(why) => return (UNKNOWN, why),
            }
        }
        (HOLDS, String::new())
    }

    /// The first condition of a table that does not hold, in words.
    fn unmet(&self, table: &str, list: &[Condition]) -> Result<Option<String>, String> {
        let told = |one: &Condition| format!("{table}.{} = {}", one.key(), one.value);
        let see = |one: &Condition| {
            let seen = self.see(one.test, &one.value);
            seen.map_err(|why| format!("{} cannot be told: {why}", told(one)))
        };
        for one in list.iter().filter(|one| !one.any) {
            let (holds, fact) = see(one)?;
            if holds == one.not {
                return Ok(Some(format!("{}: {fact}", told(one))));
            }
        }
        let mut unknown = Ok(());
        let mut others = Vec::new();
        for one in list.iter().filter(|one| one.any) {
            match see(one) {
                Ok((holds, _)) if holds != one.not => return Ok(None),
                Ok((_, fact)) => others.push(format!("{}: {fact}", told(one))),
                Err(why) => unknown = Err(why),
            }
        }
        unknown?;
        Ok((!others.is_empty()).then(|| others.join("; ")))
    }

    fn see(&self, test: Test, value: &str) -> Sight {
        match test {
            Test::Exists => paths::exists(&self.path(value)),
            Test::Glob => paths::glob(&self.path(value)),
            Test::Directory => paths::directory(&self.path(value)),
            Test::Executable => paths::executable(&self.path(value)),
            Test::NotEmpty => paths::not_empty(&self.path(value)),
            Test::Writable => paths::writable(&self.path(value)),
            Test::Mounted => paths::mounted(&self.path(value)),
            Test::Virtualization => self.virtualization(value),
            Test::Capability => self.capability(value),
            Test::AcPower => self.ac_power(value),
            Test::KernelArg => self.kernel_arg(value),
            Test::Cpus => self.cpus(value),
            Test::FirstBoot => self.first_boot(value),
        }
    }
}
