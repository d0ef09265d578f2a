//! What an initramfs leaves behind that is not so any more.

use super::Context;

/// Where systemd shows that it runs the machine, sd_booted(3): packages that find it turn to
/// systemctl(1) and leave alone who does run it.
const SYSTEMD: &str = "/run/systemd/system";

/// Takes away the mark of a systemd that ran the initramfs, and nothing after it. For the first
/// moment of a machine: what comes later is somebody's wish.
pub fn forget(context: &Context) {
    let path = context.path(SYSTEMD);
    // In memory, or not there at all.
    std::fs::remove_dir_all(path).ok();
}
