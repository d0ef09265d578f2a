//! Steps that follow fstab(5).

use std::sync::atomic::Ordering;

use finit::boot::{Done, steps};

use super::stage::{Act, Fake, Root, block, play, worked};

#[test]
fn without_fstab_only_the_root_is_remounted() {
    let root = Root::new(&[
        ("/etc/fstab", "/dev/sda1 / ext4 ro 0 1\n/dev/sda2 /home ext4 defaults 0 2\n"),
        ("/proc/self/mountinfo", "1 0 8:1 / / ro - ext4 /dev/sda1 ro\n"),
    ]);
    let mut context = root.context();
    context.boot.fstab = false;
    for step in ["fsck", "mount-local", "swap", "mount-network"] {
        assert_eq!(play(step, &context, &[]).0, Ok(Done::Skipped("boot.fstab is false")));
    }
    let (report, ran) = play("remount-root", &context, &[]);
    assert_eq!((report, ran), (worked(), vec!["mount -o remount,rw /".to_owned()]));
}

const FSTAB: &str = "\
/dev/sda1 / ext4 errors=remount-ro,x-systemd.growfs 0 1
UUID=11-22 /home ext4 defaults 0 2
/dev/sda3 /srv/my\\040data xfs nofail 0 2
/dev/gone /gone ext4 nofail 0 2
/dev/sda4 /manual ext4 noauto 0 2
/dev/sda5 /used ext4 defaults 0 2
tmpfs /scratch tmpfs size=1g 0 2
server:/x /x nfs4 defaults 0 2
/dev/sda9 none swap sw 0 0
";

fn disks() -> Root {
    Root::new(&[
        ("/etc/fstab", FSTAB),
        (
            "/proc/self/mountinfo",
            "1 0 8:1 / / ro - ext4 /dev/sda1 ro\n2 1 8:5 / /used rw - ext4 /dev/sda5 rw\n",
        ),
        ("/sbin/fsck.ext4", ""),
        ("/usr/sbin/fsck.xfs", ""),
        ("/sbin/fsck.nfs4", ""),
        ("/dev/sda3", ""),
    ])
}

#[test]
fn fsck_checks_the_root_first_and_the_others_at_once() {
    let root = disks();
    let (tools, lines) = Fake::new(&[]);
    assert_eq!(block(steps::run("fsck", &root.context(), &tools)), worked());
    let ran: Vec<String> = lines.try_iter().collect();
    assert_eq!(ran, ["fsck -T -a /dev/sda1", "fsck -T -a UUID=11-22", "fsck -T -a /dev/sda3"]);
    assert_eq!(tools.0.most_at_once.load(Ordering::Relaxed), 2);
}

#[test]
fn fsck_follows_the_kernel_command_line() {
    let root = disks();
    for words in [["fastboot"], ["fsck.mode=skip"]] {
        let (report, ran) = play("fsck", &root.with_words(&words), &[]);
        assert_eq!(report, Ok(Done::Skipped("the kernel command line says so")));
        assert!(ran.is_empty());
    }
    for words in [["fsck.mode=force"], ["forcefsck"]] {
        let (_, ran) = play("fsck", &root.with_words(&words), &[]);
        assert_eq!(ran[0], "fsck -T -a -f /dev/sda1");
    }
    let (_, ran) = play("fsck", &root.with_words(&["fsck.repair=yes"]), &[]);
    assert_eq!(ran[0], "fsck -T -y /dev/sda1");
}

#[test]
fn what_fsck_says() {
    let root = disks();
    let play = |act: Act| play("fsck", &root.context(), &[("/dev/sda1", act)]);
    let (report, said) = play(Act::Exits(1, ""));
    assert_eq!(report, worked());
    assert_eq!(said[1], "say: fsck: /dev/sda1: errors were found and corrected");
    for code in [2, 3] {
        let (report, said) = play(Act::Exits(code, ""));
        let why = "/dev/sda1: corrected, and the machine has to be restarted for it";
        assert_eq!(report.unwrap_err(), why);
        // The kernel has read the root as it was: nothing is done before it has read it anew.
        let told = format!("say: fsck: {why}: restarting");
        assert_eq!(said[1..], [told, "/proc/self/exe reboot".to_owned()]);
    }
    let (report, said) = play(Act::Exits(4, ""));
    let why = "/dev/sda1: errors are left, run fsck /dev/sda1 by hand";
    assert_eq!(report.unwrap_err(), why);
    assert_eq!(said[1], format!("say: fsck: {why}, then reboot; until then / stays read-only"));
    assert_eq!(said.len(), 4, "the others are checked all the same");
    let (report, _) = play(Act::Exits(8, "cannot open"));
    assert_eq!(report.unwrap_err(), "/dev/sda1: fsck: exited with status 8: cannot open");
    let (report, _) = play(Act::Hangs);
    assert_eq!(report.unwrap_err(), "/dev/sda1: fsck: not done after 28800 s, killed");
    assert_eq!(play(Act::Missing).0, worked());
}

/// Where nobody has mounted it yet, a restart for a mended file system is no good.
#[test]
fn a_mended_disk_that_is_no_root_needs_no_restart() {
    let root = disks();
    let (report, said) = play("fsck", &root.context(), &[("/dev/sda3", Act::Exits(3, ""))]);
    assert_eq!(report, worked());
    assert!(!said.iter().any(|line| line.contains("reboot")), "{said:?}");
}

#[test]
fn what_has_errors_left_is_not_written_to_until_it_is_mended() {
    let root = disks();
    let more = "/dev/sdb1 /srv/my\\040data/below ext4 defaults 0 0\n";
    root.write("/etc/fstab", &format!("{FSTAB}{more}"));
    let acts = [("/dev/sda1", Act::Exits(4, "")), ("/dev/sda3", Act::Exits(12, ""))];
    let (report, said) = play("fsck", &root.context(), &acts);
    assert!(report.unwrap_err().contains("; /dev/sda3: errors are left"));
    let told = "then finitctl start fsck mount-local; until then it is not mounted";
    assert!(said.iter().any(|line| line.ends_with(told)), "{said:?}");

    let (report, ran) = play("remount-root", &root.context(), &[]);
    assert_eq!(report.unwrap_err(), "/ stays read-only, since errors are left on it");
    assert!(ran.is_empty());

    let (report, ran) = play("mount-local", &root.context(), &[]);
    assert_eq!(report.unwrap_err(), "/srv/my data: not mounted, errors are left");
    assert!(ran.iter().any(|line| line.ends_with(" -O no_netdev -T /run/finitd/fstab")), "{ran:?}");
    let left = root.read("/run/finitd/fstab");
    assert!(left.contains("/home") && left.contains("/used") && !left.contains("/srv"), "{left}");

    // Mended by hand, and tried again.
    assert_eq!(play("fsck", &root.context(), &[]).0, worked());
    let (report, ran) = play("mount-local", &root.context(), &[]);
    assert_eq!(report, worked());
    assert!(!ran.iter().any(|line| line.contains("-T")), "{ran:?}");
    assert_eq!(play("remount-root", &root.context(), &[]).0, worked());

    // A check that could not be made says nothing of the disk.
    play("fsck", &root.context(), &[("/dev/sda3", Act::Exits(8, ""))]).0.unwrap_err();
    assert_eq!(play("mount-local", &root.context(), &[]).0, worked());
}

#[test]
fn a_root_that_the_initramfs_has_checked_is_not_checked_again() {
    let root = disks();
    root.write("/run/initramfs/fsck-root", "");
    let (_, ran) = play("fsck", &root.context(), &[]);
    assert_eq!(ran, ["fsck -T -a UUID=11-22", "fsck -T -a /dev/sda3"]);
}

#[test]
fn what_is_mounted_already_gets_the_options_of_its_line() {
    let root = Root::new(&[
        (
            "/proc/self/mountinfo",
            "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /usr ro - ext4 /dev/sda2 ro\n\
             3 1 0:3 / /proc rw - proc proc rw\n4 1 0:4 / /dev/shm rw - tmpfs tmpfs rw\n\
             5 1 0:5 / /dev/pts rw - devpts devpts rw\n6 1 8:6 / /home ro - ext4 /dev/sda6 ro\n",
        ),
        (
            "/etc/fstab",
            "/dev/sda2 /usr ext4 defaults,x-initrd.mount 0 2\nproc /proc proc hidepid=2 0 0\n\
             tmpfs /dev/shm/ tmpfs defaults,noexec,size=1g 0 0\n/dev/sda6 /home ext4 noatime\n\
             devpts /dev/pts devpts defaults 0 0\ntmpfs /run tmpfs noexec 0 0\n",
        ),
    ]);
    let (report, ran) = play("mount-local", &root.context(), &[]);
    assert_eq!(report, worked());
    let remounts: Vec<_> = ran.iter().filter(|line| !line.contains(" -a ")).collect();
    // /home became read-only on its own, or somebody wants it so.
    assert_eq!(
        remounts,
        [
            "mount -o remount,rw /usr",
            "mount -o remount,nosuid,noexec,nodev,hidepid=2 /proc",
            "mount -o remount,mode=1777,nosuid,nodev,noexec,size=1g /dev/shm",
        ]
    );
    // Nothing to be done the second time, and what was wished to be read-only stays so.
    root.write("/proc/self/mountinfo", "2 1 8:2 / /usr rw - ext4 /dev/sda2 rw\n");
    root.write("/etc/fstab", "/dev/sda2 /usr ext4 defaults 0 2\n");
    assert_eq!(play("mount-local", &root.context(), &[]).1.len(), 1);
    root.write("/etc/fstab", "/dev/sda2 /usr ext4 ro,nodev 0 2\n");
    let (report, ran) = play("mount-local", &root.context(), &[("remount", Act::Exits(32, "no"))]);
    assert_eq!(report.unwrap_err(), "mount: exited with status 32: no");
    assert_eq!(ran[0], "mount -o remount,ro,nodev /usr");
    assert_eq!(ran.len(), 2, "and the others are mounted");
}

#[test]
fn a_root_that_is_in_use_or_on_no_disk_is_not_checked() {
    for line in ["1 0 8:1 / / rw - ext4 /dev/sda1 rw", "1 0 0:2 / / ro - nfs srv:/ ro", ""] {
        let root = Root::new(&[
            ("/etc/fstab", "/dev/sda1 / ext4 defaults 0 1\n"),
            ("/proc/self/mountinfo", line),
            ("/sbin/fsck.ext4", ""),
        ]);
        let (report, ran) = play("fsck", &root.context(), &[]);
        assert_eq!(report, Ok(Done::Skipped("nothing is to be checked")), "{line}");
        assert!(ran.is_empty());
    }
}

#[test]
fn the_root_is_remounted_as_fstab_says() {
    let root = disks();
    let (report, ran) = play("remount-root", &root.context(), &[]);
    assert_eq!(report, worked());
    assert_eq!(ran, ["mount -o remount,rw,errors=remount-ro /"]);
    let failing = ("mount", Act::Exits(32, "mount: /: cannot remount read-write"));
    let (report, _) = play("remount-root", &root.context(), &[failing]);
    assert!(report.unwrap_err().contains("cannot remount read-write"));
    root.write("/etc/fstab", "/dev/sda1 / ext4 ro,noatime 0 1\n");
    let (report, ran) = play("remount-root", &root.context(), &[]);
    assert_eq!((report, ran), (Ok(Done::Skipped("fstab says ro")), vec![]));
}

#[test]
fn a_root_that_needs_no_remount() {
    let root = Root::new(&[("/proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n")]);
    let (report, _) = play("remount-root", &root.context(), &[]);
    assert_eq!(report, Ok(Done::Skipped("the root is writable already")));
    root.write("/proc/self/mountinfo", "1 0 7:0 / / ro - squashfs /dev/loop0 ro\n");
    let (report, _) = play("remount-root", &root.context(), &[]);
    assert_eq!(report, Ok(Done::Skipped("its file system cannot be written to")));
}

#[test]
fn local_then_network_file_systems_and_swap() {
    let root = disks();
    let (report, ran) = play("mount-local", &root.context(), &[]);
    assert_eq!(report, worked());
    assert!(ran[0].starts_with("mount -a -t nonfs,nfs4,smbfs,"), "{ran:?}");
    assert!(ran[0].ends_with(" -O no_netdev"), "{ran:?}");

    let (report, ran) = play("mount-network", &root.context(), &[]);
    assert_eq!((report, ran), (worked(), vec!["mount /x".to_owned()]));

    assert_eq!(play("swap", &root.context(), &[]), (worked(), vec!["swapon -a".to_owned()]));
    let (report, _) = play("swap", &root.context(), &[("swapon", Act::Missing)]);
    assert_eq!(report.unwrap_err(), "swapon is not installed");
}

#[test]
fn a_server_that_does_not_answer_holds_up_no_other() {
    let root = Root::new(&[
        (
            "/etc/fstab",
            "srv:/a /a nfs rw 0 0\nsrv:/b /a/b nfs rw 0 0\n/dev/iscsi /data ext4 _netdev 0 0\n\
             srv:/d /data/d/ nfs rw 0 0\nsrv:/t /there cifs rw 0 0\nsrv:/m /m nfs noauto 0 0\n",
        ),
        ("/proc/self/mountinfo", "9 1 0:9 / /there rw - cifs srv:/t rw\n"),
    ]);
    let (tools, lines) = Fake::new(&[("mount /a", Act::Hangs)]);
    let report = block(steps::run("mount-network", &root.context(), &tools));
    let why = "/a: mount: not done after 90 s, killed; /a/b: what is above it is not there";
    assert_eq!(report.unwrap_err(), why);
    assert_eq!(lines.try_iter().collect::<Vec<_>>(), ["mount /a", "mount /data", "mount /data/d"]);
    assert_eq!(tools.0.most_at_once.load(Ordering::Relaxed), 2);
}

#[test]
fn an_fstab_without_them_runs_nothing() {
    let root = Root::new(&[("/etc/fstab", "/dev/sda1 / ext4 defaults 0 1\n")]);
    for step in ["mount-local", "mount-network", "swap"] {
        let (report, ran) = play(step, &root.context(), &[]);
        assert!(matches!(report, Ok(Done::Skipped(_))) && ran.is_empty(), "{step}");
    }
}
