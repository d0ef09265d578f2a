//! `qemu/image` for a user who is not root, without building anything: whatever it calls is a
//! script of this test.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail and start programs"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Programs of the same name as the real ones; `ROOT` is set for what sudo starts.
const PROGRAMS: [(&str, &str); 10] = [
    ("id", r#"case $1 in -u) echo ${ROOT:-1000} ;; *) echo 1000 ;; esac"#),
    ("sudo", r#"echo "sudo $1" >>$DIARY; exec env ROOT=0 "$@""#),
    ("mmdebstrap", r#"for last; do :; done; echo "mmdebstrap $last" >>$DIARY; exit 1"#),
    ("apt-config", ""),
    ("dpkg", "echo amd64"),
    ("qemu-system-x86_64", ""),
    ("mke2fs", ""),
    ("mkswap", ""),
    ("cpio", ""),
    ("ssh-keygen", ""),
];

/// The one that sudo starts waits for the lock as any other does: who starts it must have let go
/// of it, or both wait for ever.
#[test]
fn who_is_not_root_builds_the_image_with_sudo() {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("image-{}", std::process::id()));
    let programs = folder.join("programs");
    fs::create_dir_all(&programs).unwrap();
    for (name, script) in PROGRAMS {
        let path = programs.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("qemu/image");
    // One that hangs is what this test is for; else it takes a moment.
    let said = Command::new("timeout")
        .arg("60")
        .arg(image)
        .envs([("PATH", path.as_str()), ("FINIT_MIRROR", "http://mirror.test/")])
        .env("FINIT_CACHE", folder.join("cache"))
        .env("DIARY", folder.join("diary"))
        .output()
        .unwrap();
    let diary = fs::read_to_string(folder.join("diary")).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(diary, "sudo env\nmmdebstrap http://mirror.test/\n", "{said:?}");
    assert_eq!(said.status.code(), Some(1), "{said:?}");
}
