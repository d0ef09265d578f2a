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

/// What of it mounts something, and is not about its mount point.
fn mounts(ran: &[String]) -> Vec<&str> {
    ran.iter().map(String::as_str).filter(|line| line.starts_with("mount ")).collect()
}

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
    let more = "/dev/sdb1 /srv/my\\040data/below ext4 defaults 0 0\n\
                /srv/my\\040data/www /w none bind\nserver:/x /srv/my\\040data/x nfs\n";
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
    let below = "/srv/my data is not mounted, on which it lies";
    assert_eq!(
        report.unwrap_err(),
        format!(
            "/srv/my data: not mounted, errors are left; /srv/my data/below: {below}; /w: {below}"
        )
    );
    assert_eq!(mounts(&ran), ["mount /home", "mount /scratch"]);
    let (report, ran) = play("mount-network", &root.context(), &[]);
    assert_eq!(report.unwrap_err(), format!("/srv/my data/x: {below}"));
    assert_eq!(mounts(&ran), ["mount /x"]);

    // Mended by hand, and tried again.
    assert_eq!(play("fsck", &root.context(), &[]).0, worked());
    let (report, ran) = play("mount-local", &root.context(), &[]);
    assert_eq!(report, worked());
    let last = ["mount /scratch", "mount /srv/my data/below", "mount /w"];
    assert_eq!(mounts(&ran), [["mount /home", "mount /srv/my data"].as_slice(), &last].concat());
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
             5 1 0:5 / /dev/pts rw - devpts devpts rw\n7 1 0:7 / /sys/kernel/debug rw - debugfs x rw\n6 1 8:6 / /home ro - ext4 /dev/sda6 ro\n",
        ),
        (
            "/etc/fstab",
            "/dev/sda2 /usr ext4 defaults,x-initrd.mount 0 2\nproc /proc proc hidepid=2 0 0\n\
             tmpfs /dev/shm/ tmpfs defaults,noexec,size=1g 0 0\n/dev/sda6 /home ext4 noatime\n\
             devpts /dev/pts devpts defaults 0 0\n\
             debugfs /sys/kernel/debug debugfs mode=755\ntmpfs /run tmpfs noexec 0 0\n",
        ),
    ]);
    let (report, ran) = play("mount-local", &root.context(), &[]);
    assert_eq!(report, worked());
    // /home became read-only on its own, or somebody wants it so.
    assert_eq!(
        mounts(&ran),
        [
            "mount -o remount,rw /usr",
            "mount -o remount,nosuid,noexec,nodev,hidepid=2 /proc",
            "mount -o remount,mode=1777,nosuid,nodev,noexec,size=1g /dev/shm",
            "mount -o remount,nosuid,noexec,nodev,mode=755 /sys/kernel/debug",
            "mount /run",
        ]
    );
    // Nothing to be done the second time, and what was wished to be read-only stays so.
    root.write("/proc/self/mountinfo", "2 1 8:2 / /usr rw - ext4 /dev/sda2 rw\n");
    root.write("/etc/fstab", "/dev/sda2 /usr ext4 defaults 0 2\n");
    assert!(play("mount-local", &root.context(), &[]).1.is_empty());
    root.write("/etc/fstab", "/dev/sda2 /usr ext4 ro,nodev 0 2\ntmpfs /run tmpfs\n");
    let (report, ran) = play("mount-local", &root.context(), &[("remount", Act::Exits(32, "no"))]);
    assert_eq!(report.unwrap_err(), "mount: exited with status 32: no");
    assert_eq!(mounts(&ran), ["mount -o remount,ro,nodev /usr", "mount /run"]);
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
    // What may be missing is not asked for, and what is in use not a second time.
    assert_eq!(mounts(&ran), ["mount /home", "mount /srv/my data", "mount /scratch"]);

    let (report, ran) = play("mount-network", &root.context(), &[]);
    assert_eq!((report, mounts(&ran)), (worked(), vec!["mount /x"]));

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
    let (done, lines) = std::sync::mpsc::channel();
    let note = move |line: &str| done.send(line.to_owned()).unwrap();
    let (tools, _lines) = Fake::with_effect(&[("mount /a", Act::Hangs)], note);
    let report = block(steps::run("mount-network", &root.context(), &tools));
    let why = "/a: mount: not done after 90 s, killed; /a/b: /a is not mounted, on which it lies";
    assert_eq!(report.unwrap_err(), why);
    let ran: Vec<String> = lines.try_iter().collect();
    // That one lies on another, and is named by the letters of its line.
    assert_eq!(mounts(&ran), ["mount /data", "mount /data/d/", "mount /a"]);
    assert_eq!(tools.0.most_at_once.load(Ordering::Relaxed), 2);
}

#[test]
fn what_lies_on_a_server_waits_for_the_network() {
    let text = "/srv/www /www none bind\n/data/disk /disk ext4 loop\n/www/old /old none bind\n\
                nas:/srv /srv nfs\n/dev/sda1 /data ext4\n\
                overlay /over overlay lowerdir=/etc:/srv/etc,upperdir=/data/u,workdir=/data/w\n";
    let root = Root::new(&[("/etc/fstab", text)]);
    let (report, ran) = play("mount-local", &root.context(), &[]);
    assert_eq!((report, mounts(&ran)), (worked(), vec!["mount /data", "mount /disk"]));
    let (report, ran) = play("mount-network", &root.context(), &[]);
    let order = vec!["mount /srv", "mount /www", "mount /over", "mount /old"];
    assert_eq!((report, mounts(&ran)), (worked(), order));
    let (report, ran) =
        play("mount-network", &root.context(), &[("mount /srv", Act::Exits(32, "no"))]);
    let told =
        "/srv: mount: exited with status 32: no; /www: /srv is not mounted, on which it lies";
    assert!(report.unwrap_err().starts_with(told));
    assert!(!ran.iter().any(|line| line.contains("/www")), "no mount point for it either");
}

/// Else it would be hidden once the disk is there, or what it is made of would be looked for in an
/// empty folder.
#[test]
fn what_lies_on_a_local_disk_that_is_missing_is_not_mounted_from_the_network() {
    let text = "/dev/sda1 /data ext4\n/dev/gone /maybe ext4 nofail\nnas:/a /data/a nfs\n\
                nas:/b /maybe/b nfs nofail\nnas:/c /c nfs\n";
    let root = Root::new(&[("/etc/fstab", text)]);
    let (report, _) =
        play("mount-local", &root.context(), &[("mount /data", Act::Exits(32, "no"))]);
    assert_eq!(report.unwrap_err(), "/data: mount: exited with status 32: no");
    let (report, ran) = play("mount-network", &root.context(), &[]);
    assert_eq!(report.unwrap_err(), "/data/a: /data is not mounted, on which it lies");
    assert_eq!(mounts(&ran), ["mount /c"]);
    // Mounted by hand, and by the step.
    root.write("/proc/self/mountinfo", "9 1 8:1 / /data rw - ext4 /dev/sda1 rw\n");
    let (report, ran) = play("mount-network", &root.context(), &[]);
    assert_eq!((report, mounts(&ran)), (worked(), vec!["mount /data/a", "mount /c"]));
    root.write("/proc/self/mountinfo", "");
    assert_eq!(play("mount-local", &root.context(), &[]).0, worked());
    let (report, ran) = play("mount-network", &root.context(), &[]);
    assert_eq!((report, mounts(&ran)), (worked(), vec!["mount /data/a", "mount /c"]));
}

#[test]
fn what_lies_on_a_disk_that_may_be_missing_is_told() {
    let text = "LABEL=usb /usb ext4 nofail\n/usb/a /a none bind\n/usb/b /b none bind,nofail\n";
    let root = Root::new(&[("/etc/fstab", text), ("/dev/disk/by-label/root", "")]);
    let (report, ran) = play("mount-local", &root.context(), &[]);
    assert_eq!(report.unwrap_err(), "/a: /usb is not mounted, on which it lies");
    assert!(ran.is_empty());
    // Without udev nobody knows.
    std::fs::remove_dir_all(root.path("/dev/disk")).unwrap();
    let (report, ran) = play("mount-local", &root.context(), &[]);
    assert_eq!((report, mounts(&ran)), (worked(), vec!["mount /usb", "mount /a", "mount /b"]));
}

/// As one on USB is, a second after the others were mounted, and nobody has waited for it.
#[test]
fn a_disk_that_may_be_missing_and_comes_late_is_checked_and_mounted() {
    let text = "LABEL=usb /usb ext4 nofail 0 2\n/usb/b /b none bind,nofail\n\
                LABEL=away /away ext4 nofail 0 2\n/dev/bad /bad ext4 nofail\n";
    let root = Root::new(&[
        ("/etc/fstab", text),
        ("/dev/disk/by-label/root", ""),
        ("/dev/bad", ""),
        ("/sbin/fsck.ext4", ""),
    ]);
    let bad = ("mount /bad", Act::Exits(32, "no"));
    let (report, ran) = play("mount-local", &root.context(), std::slice::from_ref(&bad));
    assert_eq!(report.unwrap_err(), "/bad: mount: exited with status 32: no");
    assert_eq!(mounts(&ran), ["mount /bad"]);
    let say = |target: &str| {
        format!(
            "say: mount-network: /{target} is not mounted, /dev/disk/by-label/{target} is not there; \
             once it is, finitctl start mount-network"
        )
    };
    let (report, ran) = play("mount-network", &root.context(), &[]);
    let none = Done::Skipped("fstab names no network file systems");
    assert_eq!((report, ran), (Ok(none.clone()), vec![say("usb"), say("away")]));

    root.write("/dev/disk/by-label/usb", "");
    let broken = ("fsck", Act::Exits(4, ""));
    let damaged = Root::new(&[("/etc/fstab", text), ("/sbin/fsck.ext4", "")]);
    damaged.write("/dev/disk/by-label/root", "");
    play("mount-local", &damaged.context(), &[]).0.unwrap();
    damaged.write("/dev/disk/by-label/usb", "");
    let (report, ran) = play("mount-network", &damaged.context(), &[broken]);
    assert!(report.unwrap_err().starts_with("LABEL=usb: errors are left"));
    assert!(mounts(&ran).is_empty(), "{ran:?}");

    let (report, ran) = play("mount-network", &root.context(), &[bad]);
    assert_eq!(report, worked(), "the bad one was told");
    assert_eq!(ran[..2], [say("away"), "fsck -T -a LABEL=usb".to_owned()]);
    assert_eq!(mounts(&ran), ["mount /usb", "mount /b"]);
    let (report, ran) = play("mount-network", &root.context(), &[]);
    assert_eq!((report, ran), (Ok(none), vec![say("away")]));
}

/// The step has failed and is the one that a person starts again: what it has tried in vain is not
/// forgotten, be it that a helper was missing or that errors were left.
#[test]
fn a_disk_that_came_late_and_could_not_be_mounted_is_tried_again() {
    let text = "LABEL=usb /usb ext4 nofail 0 2\n/usb/b /b none bind,nofail\n";
    let late = || {
        let root = Root::new(&[("/etc/fstab", text), ("/sbin/fsck.ext4", "")]);
        root.write("/dev/disk/by-label/root", "");
        assert_eq!(play("mount-local", &root.context(), &[]).0, worked());
        root.write("/dev/disk/by-label/usb", "");
        root
    };
    for act in [("mount /usb", Act::Exits(32, "no")), ("fsck", Act::Exits(4, ""))] {
        let root = late();
        for _ in 0..2 {
            let (report, ran) = play("mount-network", &root.context(), std::slice::from_ref(&act));
            let why = report.unwrap_err();
            assert!(why.contains("/usb: ") || why.contains("LABEL=usb: "), "{why}");
            assert_eq!(ran[0], "fsck -T -a LABEL=usb");
            let advice = "then finitctl start mount-network; until then it is not mounted";
            assert_eq!(ran[1].ends_with(advice), act.0 == "fsck", "{ran:?}");
        }
        let (report, ran) = play("mount-network", &root.context(), &[]);
        assert_eq!((report, mounts(&ran)), (worked(), vec!["mount /usb", "mount /b"]));
        let (report, _) = play("mount-network", &root.context(), &[]);
        assert_eq!(report, Ok(Done::Skipped("fstab names no network file systems")));
    }
}

#[test]
fn where_nothing_is_to_be_checked_a_disk_that_comes_late_is_not_either() {
    let root = Root::new(&[
        ("/etc/fstab", "LABEL=usb /usb ext4 nofail 0 2\n"),
        ("/sbin/fsck.ext4", ""),
        ("/dev/disk/by-label/root", ""),
    ]);
    let mut context = root.context();
    context.boot.skip = vec!["fsck".to_owned()];
    assert_eq!(play("mount-local", &context, &[]).0, worked());
    root.write("/dev/disk/by-label/usb", "");
    let (report, ran) = play("mount-network", &context, &[]);
    let expected = ["/proc/self/exe --make-mount-point /usb", "mount /usb"];
    assert_eq!((report, ran), (worked(), expected.map(str::to_owned).to_vec()));
}

#[test]
fn a_mount_point_in_use_or_that_cannot_be_made_is_not_mounted_on() {
    let root = Root::new(&[("/etc/fstab", "tmpfs /a tmpfs\ntmpfs /b tmpfs\ntmpfs /c tmpfs\n")]);
    let acts = [
        ("--make-mount-point /a", Act::Exits(3, "")),
        ("--make-mount-point /b", Act::Exits(1, "its mount point cannot be made: no\n")),
    ];
    let (report, ran) = play("mount-local", &root.context(), &acts);
    assert_eq!(report.unwrap_err(), "/b: its mount point cannot be made: no");
    assert_eq!(mounts(&ran), ["mount /c"]);
}

#[test]
fn an_image_is_not_checked() {
    let text = "/srv/image /mnt ext4 loop 0 2\n/dev/sda2 /srv ext4 defaults 0 2\n";
    let root = Root::new(&[("/etc/fstab", text), ("/sbin/fsck.ext4", "")]);
    assert_eq!(play("fsck", &root.context(), &[]).1, ["fsck -T -a /dev/sda2"]);
}

#[test]
fn an_fstab_without_them_runs_nothing() {
    let root = Root::new(&[("/etc/fstab", "/dev/sda1 / ext4 defaults 0 1\n")]);
    for step in ["mount-local", "mount-network", "swap"] {
        let (report, ran) = play(step, &root.context(), &[]);
        assert!(matches!(report, Ok(Done::Skipped(_))) && ran.is_empty(), "{step}");
    }
}
