//! `qemu/image`, and what `qemu/run` takes for an accelerator, without building or booting
//! anything: whatever they call is a script of this test.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail and start programs"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Programs of the same name as the real ones; `ROOT` is set for what sudo starts.
const PROGRAMS: [(&str, &str); 12] = [
    ("id", r#"case $1 in -u) echo ${ROOT:-1000} ;; *) echo 1000 ;; esac"#),
    ("sudo", r#"echo "sudo $1" >>$DIARY; exec env ROOT=0 "$@""#),
    ("mmdebstrap", MMDEBSTRAP),
    ("apt-config", ""),
    ("dpkg", "echo amd64"),
    ("chroot", r#"[ $2 != chpasswd ] || cat >/dev/null"#),
    // Ends as a kernel without a root does, or as the test says.
    ("qemu-system-x86_64", r#"echo "qemu $1 $2" >>$DIARY; eval "${QEMU:-}""#),
    ("timeout", TIMEOUT),
    ("mke2fs", ""),
    ("mkswap", ""),
    ("cpio", "cat >/dev/null"),
    ("ssh-keygen", r#"for last; do :; done; touch $last $last.pub"#),
];

/// Fails without a folder to build in, as `WORKS` says; else the least that the recipe needs.
const MMDEBSTRAP: &str = r#"
for last; do :; done
echo "mmdebstrap $last" >>$DIARY
[ -n "${WORKS:-}" ] || exit 1
for root; do case $root in */root) mkdir -p $root/bin $root/boot $root/etc/network $root/var/lib/dbus
    touch $root/bin/busybox $root/boot/vmlinuz-6 ;; esac; done"#;

/// The real one, with a moment for six seconds.
const TIMEOUT: &str = r#"
real=$(PATH=$REAL command -v timeout)
[ "$1" = -s ] || exec $real "$@"
echo "timeout $1 $2 $3" >>$DIARY
shift 3
exec $real -s KILL 0.2 "$@""#;

/// A copy of the scripts, the programs that they find, and what they were called with.
struct Bench {
    folder: PathBuf,
}

impl Bench {
    fn new(name: &str) -> Self {
        let name = format!("image-{name}-{}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let bench = Self { folder };
        fs::create_dir_all(bench.path("programs")).unwrap();
        fs::create_dir_all(bench.path("qemu")).unwrap();
        fs::create_dir_all(bench.path("cache")).unwrap();
        for (name, script) in PROGRAMS {
            let path = bench.path("programs").join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        for name in ["image", "lib.sh", "initramfs"] {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("qemu").join(name);
            fs::copy(source, bench.path("qemu").join(name)).unwrap();
        }
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What a program says with those variables. One that hangs fails its test.
    fn run(&self, argv: &[&str], variables: &[(&str, &str)]) -> Output {
        let real = std::env::var("PATH").unwrap();
        let path = format!("{}:{real}", self.path("programs").display());
        Command::new("timeout")
            .arg("60")
            .args(argv)
            .envs([
                ("PATH", path.as_str()),
                ("FINIT_MIRROR", "http://mirror.test/"),
                ("REAL", &real),
            ])
            .env("FINIT_CACHE", self.path("cache"))
            .env("DIARY", self.path("diary"))
            .env_remove("FINIT_ACCEL")
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    /// The folder that `qemu/image` names.
    fn image(&self) -> PathBuf {
        let script = self.path("qemu/image");
        let said = self.run(&[script.to_str().unwrap()], &[("ROOT", "0"), ("WORKS", "1")]);
        assert!(said.status.success(), "{said:?}");
        String::from_utf8(said.stdout).unwrap().trim_end().into()
    }

    /// The accelerator for the image of that name, with a file for /dev/kvm and what QEMU does.
    fn accel(&self, base: &str, qemu: &str, more: &[(&str, &str)]) -> String {
        let lib = self.path("qemu/lib.sh");
        let script =
            format!(". {}; kvm={}; accel {base}", lib.display(), self.path("kvm").display());
        let said = self.run(&["bash", "-ec", &script], &[&[("QEMU", qemu)], more].concat());
        assert!(said.status.success(), "{said:?}");
        String::from_utf8(said.stdout).unwrap().trim_end().to_owned()
    }

    fn append(&self, name: &str, line: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        fs::write(self.path(name), text + line).unwrap();
    }

    /// What was called since the last look.
    fn diary(&self) -> String {
        let diary = fs::read_to_string(self.path("diary")).unwrap_or_default();
        fs::write(self.path("diary"), "").unwrap();
        diary
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// The one that sudo starts waits for the lock as any other does: who starts it must have let go
/// of it, or both wait for ever.
#[test]
fn who_is_not_root_builds_the_image_with_sudo() {
    let bench = Bench::new("sudo");
    let script = bench.path("qemu/image");
    let said = bench.run(&[script.to_str().unwrap()], &[]);
    assert_eq!(bench.diary(), "sudo env\nmmdebstrap http://mirror.test/\n", "{said:?}");
    assert_eq!(said.status.code(), Some(1), "{said:?}");
}

#[test]
fn the_image_is_built_again_when_its_recipe_changes_and_at_no_other_time() {
    let bench = Bench::new("cache");
    let built = "mmdebstrap http://mirror.test/\n";
    let first = bench.image();
    assert_eq!((bench.diary().as_str(), first.join("root.img").exists()), (built, false));
    assert!(first.join("vmlinuz").exists(), "{first:?}");
    bench.append("qemu/lib.sh", "# It is no part of the recipe.\n");
    assert_eq!((bench.image(), bench.diary()), (first.clone(), String::new()));
    // The older one goes, but for one that a kept machine runs on.
    fs::create_dir(bench.path("cache/machine")).unwrap();
    symlink(&first, bench.path("cache/machine/base")).unwrap();
    bench.append("qemu/initramfs", "# It is.\n");
    let second = bench.image();
    assert_ne!(first, second);
    assert_eq!((bench.diary().as_str(), first.exists()), (built, true));
    fs::remove_file(bench.path("cache/machine/base")).unwrap();
    bench.append("qemu/image", "# It is, too.\n");
    let third = bench.image();
    assert_eq!(bench.diary(), built);
    assert_eq!([&first, &second, &third].map(|base| base.exists()), [false, false, true]);
}

/// A device is no proof: some hosts have one and hang the guest. What was seen counts until the
/// host boots again, and for that kernel.
#[test]
fn kvm_is_taken_where_a_kernel_boots_with_it() {
    let bench = Bench::new("accel");
    let asked = "timeout -s KILL 6\nqemu -accel kvm\n";
    assert_eq!((bench.accel("/a", "", &[]), bench.diary()), ("tcg".to_owned(), String::new()));
    fs::remove_file(bench.path("cache/accel")).unwrap();
    fs::write(bench.path("kvm"), "").unwrap();
    for (base, qemu, accel) in
        [("/a", "", "kvm"), ("/b", "exit 1", "tcg"), ("/c", "exec sleep 60", "tcg")]
    {
        assert_eq!((bench.accel(base, qemu, &[]).as_str(), bench.diary().as_str()), (accel, asked));
        let otherwise = if accel == "kvm" { "exit 1" } else { "" };
        assert_eq!(
            (bench.accel(base, otherwise, &[]).as_str(), bench.diary().as_str()),
            (accel, "")
        );
    }
    let seen = fs::read_to_string(bench.path("cache/accel")).unwrap();
    let boot = seen.split_once(' ').unwrap().0;
    fs::write(bench.path("cache/accel"), seen.replace(boot, "another-boot")).unwrap();
    assert_eq!((bench.accel("/c", "", &[]).as_str(), bench.diary().as_str()), ("kvm", asked));
    let told = [("FINIT_ACCEL", "tcg")];
    assert_eq!((bench.accel("/d", "", &told).as_str(), bench.diary().as_str()), ("tcg", ""));
}
