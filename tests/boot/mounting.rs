//! The steps that mount, with the mount(8) of this machine, in a mount namespace of their own.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use finit::boot::{Finished, Report, RunError, Tools, steps};
use finit::facts::Exit;

use super::stage::{Root, block, worked};

/// Makes the namespace, with nothing in /mnt and nothing but this fstab in /etc, and keeps it
/// until its input ends.
const KEEPER: &str = "mount -t tmpfs none /mnt && mount -t tmpfs none /etc && \
                      printf %s \"$0\" >/etc/fstab && echo made && exec cat";

/// The namespace, and the folder that the step takes for the root.
struct Place {
    keeper: Child,
    root: Root,
}

impl Place {
    fn new(fstab: &str) -> Self {
        assert!(nix::unistd::geteuid().is_root(), "this needs root: run sudo tests/run");
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "/bin/sh", "-c", KEEPER, fstab]);
        let mut keeper = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut made = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut made).unwrap();
        assert_eq!(made, "made\n");
        Self { keeper, root: Root::new(&[("/etc/fstab", fstab)]) }
    }

    fn path(&self, path: &str) -> PathBuf {
        format!("/proc/{}/root{path}", self.keeper.id()).into()
    }

    fn run(&self, step: &str, mount: &'static [&'static str]) -> Report {
        block(steps::run(step, &self.root.context(), &Inside(self.keeper.id(), mount)))
    }

    fn sh(&self, script: &str) {
        assert!(
            enter(self.keeper.id()).args(["/bin/sh", "-c", script]).status().unwrap().success()
        );
    }

    /// What is mounted there: the types, uppermost last.
    fn mounted(&self, target: &str) -> Vec<String> {
        let table = std::fs::read_to_string(format!("/proc/{}/mounts", self.keeper.id())).unwrap();
        let words = table.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        words.filter(|words| words[1] == target).map(|words| words[2].to_owned()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        self.keeper.wait().ok();
    }
}

fn enter(pid: u32) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--mount", "--target", &pid.to_string(), "--"]);
    command
}

const MOUNT: &[&str] = &["mount"];

/// Runs programs in the namespace of that process, that mount(8), and finit as the helper of itself.
#[derive(Clone)]
struct Inside(u32, &'static [&'static str]);

impl Tools for Inside {
    async fn run(&self, program: &[&str], _deadline: Duration) -> Result<Finished, RunError> {
        let words = match program[0] {
            "/proc/self/exe" => &[env!("CARGO_BIN_EXE_finit")],
            "mount" => self.1,
            _ => &program[..1],
        };
        let said = enter(self.0).args(words).args(&program[1..]).output().unwrap();
        let output = String::from_utf8([said.stdout, said.stderr].concat()).unwrap();
        Ok(Finished { exit: Exit::Code(said.status.code().unwrap() as u8), output })
    }

    fn say(&self, _line: &str) {}

    async fn pause(&self, _time: Duration) {}

    async fn everyone_gone(&self, _deadline: Duration) -> bool {
        true
    }
}

#[test]
fn mount_points_are_made_whatever_the_order_of_lines() {
    let place = Place::new(
        "tmpfs /mnt/srv/data/www tmpfs size=1m\n/mnt/file /mnt/e/file none bind\n\
         /mnt/srv/data/new /mnt/new/ none rbind\n\
         tmpfs /mnt/own tmpfs X-mount.mkdir=0700,mode=0711\ntmpfs /mnt/srv/data tmpfs\n",
    );
    place.sh("echo of a file >/mnt/file");
    assert_eq!(place.run("mount-local", MOUNT), worked());
    for mount in ["srv/data", "srv/data/www", "e/file", "new", "own"] {
        assert_eq!(place.mounted(&format!("/mnt/{mount}")), ["tmpfs"], "{mount}");
    }
    // The one that lies on the other is seen, and what is shown elsewhere is its own.
    place.sh("touch /mnt/srv/data/www/page /mnt/new/note && test -e /mnt/srv/data/new/note");
    place.sh("test \"$(cat /mnt/e/file)\" = 'of a file' && umount /mnt/own");
    let mode =
        |path: &str| std::fs::metadata(place.path(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("/mnt/e"), mode("/mnt/own")), (0o755, 0o700));
}

#[test]
fn where_nothing_can_be_made_that_is_told() {
    let place = Place::new("tmpfs /mnt/a tmpfs\n/mnt/there /mnt/there none bind\n");
    place.sh("mkdir /mnt/there && mount -o remount,ro /mnt");
    let why = place.run("mount-local", MOUNT).unwrap_err();
    assert!(why.starts_with("/mnt/a: its mount point cannot be made: Read-only"), "{why}");
    assert!(!why.contains("there"), "{why}");
    assert_eq!(place.mounted("/mnt/there"), ["tmpfs"]);
}

#[test]
fn a_second_time_nothing_is_mounted_twice() {
    let place = Place::new("tmpfs /mnt/link/a tmpfs\ntmpfs /mnt/last tmpfs\n");
    place.sh("mkdir -p /mnt/real/last && ln -s real /mnt/link && ln -s real/last /mnt/last");
    for _ in 0..2 {
        assert_eq!(place.run("mount-local", MOUNT), worked());
        assert_eq!(place.mounted("/mnt/real/a"), ["tmpfs"]);
        assert_eq!(place.mounted("/mnt/real/last"), ["tmpfs"]);
    }
}

#[test]
fn another_mount_8_does_it_too() {
    let place = Place::new("tmpfs /mnt/a/b/ tmpfs size=1m\ntmpfs /mnt/a tmpfs nofail\n");
    assert_eq!(place.run("mount-local", &["busybox", "mount"]), worked());
    assert_eq!(place.mounted("/mnt/a/b"), ["tmpfs"]);
    place.sh("touch /mnt/a/b/seen");
}
