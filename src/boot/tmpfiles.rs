//! Volatile files: what tmpfiles.d(5) describes, by whichever program the distribution has for
//! it, and the marks that keep people from logging in.

use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::time::Duration;

use super::program::Trouble;
use super::{Context, Done, Report, Tools, program, record};

/// Cleaning old files may walk a large /tmp.
const DEADLINE: Duration = Duration::from_secs(3 * 60);

/// systemd-tmpfiles(8): lines that it could not read, and files that it could not make. Neither
/// keeps a machine from working, and it tells them itself.
const TOLERABLE: [u8; 2] = [65, 73];

/// systemd's own or its standalone package, then opentmpfiles.
const PROVIDERS: [&[&str]; 2] = [
    &["systemd-tmpfiles", "--create", "--remove", "--clean", "--boot"],
    &["tmpfiles", "--create", "--remove", "--boot"],
];

/// Folders that are made by hand where nobody else does.
const FOLDERS: [(&str, u32); 2] = [("/run/lock", 0o1777), ("/tmp", 0o1777)];

/// Runs the first provider that is installed.
pub(super) async fn tmpfiles(context: &Context, tools: &impl Tools) -> Report {
    if context.boot.tmpfiles {
        for provider in PROVIDERS {
            match program::call_ok(tools, provider, DEADLINE, &TOLERABLE).await {
                Ok(()) => return Ok(Done::Worked),
                Err(Trouble::Missing) => {}
                Err(Trouble::Failed(why)) => {
                    by_hand(context).ok();
                    return Err(why);
                }
            }
        }
    }
    by_hand(context).map(|()| Done::Worked)
}

/// The least that programs count on.
fn by_hand(context: &Context) -> Result<(), String> {
    for (folder, mode) in FOLDERS {
        let path = context.path(folder);
        let made = match std::fs::DirBuilder::new().mode(mode).create(&path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            // The mode again: creating one is subject to the umask.
            _ => std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)),
        };
        made.map_err(|error| format!("{folder}: {error}"))?;
    }
    Ok(())
}

/// Lets people in again, and notes for last(1) that they begin anew: /run/nologin is from a
/// shutdown that did not happen. /etc/nologin is somebody's wish, so it stays, and is told before
/// anybody wonders.
pub(super) async fn nologin(context: &Context, tools: &impl Tools) -> Report {
    if context.path("/etc/nologin").exists() {
        tools.say("/etc/nologin is there: only root can log in");
    }
    record::note(record::UP, context, Duration::MAX, tools).await;
    match std::fs::remove_file(context.path("/run/nologin")) {
        Ok(()) => Ok(Done::Worked),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Done::Worked),
        Err(error) => Err(format!("/run/nologin: {error}")),
    }
}
