//! Boot steps, each with what it runs and what becomes of each way that can end.

use std::sync::atomic::{AtomicUsize, Ordering};

use finit::boot::{Context, Done, Place, initramfs, steps};
use finit::config::spec::{Devices, STEPS};

use super::nodes::make_nodes;
use super::stage::{Act, Fake, Root, block, play, worked};

#[test]
fn a_container_keeps_its_hands_off_hardware() {
    let root = Root::new(&[("/etc/fstab", "/dev/sda1 /home ext4 defaults 0 2")]);
    let context = Context { place: Place::Container, ..root.context() };
    for step in ["modules", "devices", "fsck", "remount-root", "mount-local", "swap", "clock"] {
        let (report, ran) = play(step, &context, &[]);
        assert_eq!(report, Ok(Done::Skipped("in a container")), "{step}");
        assert!(ran.is_empty());
    }
}

#[test]
fn steps_can_be_skipped_and_unknown_ones_are_told() {
    let root = Root::new(&[]);
    let mut context = root.context();
    context.boot.skip = STEPS.iter().map(|step| (*step).to_owned()).collect();
    for step in STEPS {
        assert_eq!(play(step, &context, &[]).0, Ok(Done::Skipped("left out by boot.skip")));
    }
    assert!(play("frobnicate", &context, &[]).0.is_err());
}

#[test]
fn modules_come_from_everywhere_once() {
    let root = Root::new(&[
        ("/etc/modules-load.d/b.conf", "# c\nfuse\n; d\nloop\n"),
        ("/usr/lib/modules-load.d/b.conf", "hidden\n"),
        ("/usr/lib/modules-load.d/a.conf", "br_netfilter\n"),
        ("/run/modules-load.d/README", "no\n"),
        ("/etc/modules", "loop max_loop=8\ndm_mod\n"),
        ("/proc/modules", ""),
    ]);
    std::fs::create_dir_all(root.path("/lib/modules-load.d")).unwrap();
    root.write("/lib/modules-load.d/null.conf", "masked\n");
    std::os::unix::fs::symlink("/dev/null", root.path("/etc/modules-load.d/null.conf")).unwrap();
    let mut context = root.with_words(&["quiet", "modules_load=nvme,fuse", "modules-load=zram"]);
    context.boot.modules = vec!["tun".to_owned()];
    let (report, ran) = play("modules", &context, &[]);
    assert_eq!(report, worked());
    assert_eq!(ran, ["modprobe -abq -- br_netfilter fuse loop dm_mod tun nvme zram"]);

    let (report, _) = play("modules", &context, &[("modprobe", Act::Exits(1, ""))]);
    let why = report.unwrap_err();
    assert!(why.starts_with("modprobe: exited with status 1 (br_netfilter"), "{why}");
    let (report, _) = play("modules", &context, &[("modprobe", Act::Missing)]);
    assert!(report.unwrap_err().starts_with("modprobe is not installed"));
}

#[test]
fn what_a_module_brings_is_mounted() {
    let root = Root::new(&[("/proc/filesystems", "nodev\tsysfs\n\text4\n"), ("/proc/modules", "")]);
    assert!(play("modules", &root.context(), &[]).1.is_empty(), "there is no such firmware");
    for folder in ["/sys/firmware/efi/efivars", "/sys/fs/bpf", "/sys/fs/pstore", "/dev"] {
        std::fs::create_dir_all(root.path(folder)).unwrap();
    }
    let (table, place) = (root.path("/proc/filesystems"), root.path("/sys/fs/bpf"));
    // No message queues in this kernel, and no folder for tracing.
    let now_known = "nodev\tbpf\nnodev\ttracefs\n";
    let (tools, lines) =
        Fake::with_effect(&[], move |_| std::fs::write(&table, now_known).unwrap());
    let report = block(steps::run("modules", &root.context(), &tools));
    assert_eq!(report, Ok(Done::Skipped("no modules are asked for")));
    assert_eq!(lines.try_iter().collect::<Vec<_>>(), ["modprobe -bq -- efivarfs"]);

    let table = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let own = table.lines().filter(|line| line.contains(root.0.to_str().unwrap()));
    let own: Vec<String> = own.map(str::to_owned).collect();
    if let Err(errno) = nix::mount::umount(&place) {
        panic!("{errno}: run as root, on a kernel with bpf");
    }
    let begin = format!("bpf {} bpf rw,nosuid,nodev,noexec,", place.display());
    assert!(own.len() == 1 && own[0].starts_with(&begin) && own[0].contains("mode=700"), "{own:?}");
    assert!(!root.path("/dev/mqueue").exists());
}

/// Some take no options any more once they are mounted, as the huge pages do, and say nothing.
#[test]
fn what_fstab_has_a_line_for_is_left_to_it() {
    let root = Root::new(&[
        ("/proc/filesystems", "nodev\tbpf\n"),
        ("/etc/fstab", "none /sys/fs/bpf/ bpf mode=0770\n"),
    ]);
    let place = root.path("/sys/fs/bpf");
    std::fs::create_dir_all(&place).unwrap();
    play("modules", &root.context(), &[]).0.unwrap();
    assert!(nix::mount::umount(&place).is_err());

    let mut context = root.context();
    context.boot.fstab = false;
    play("modules", &context, &[]).0.unwrap();
    nix::mount::umount(&place).unwrap();
    context.boot.fstab = true;
    context.boot.skip = vec!["mount-local".to_owned()];
    play("modules", &context, &[]).0.unwrap();
    nix::mount::umount(&place).unwrap();
}

#[test]
fn the_mark_of_a_systemd_that_ran_the_initramfs_goes() {
    let root = Root::new(&[("/run/systemd/system/x.service", ""), ("/run/systemd/x/y", "")]);
    initramfs::forget(&root.context());
    assert!(!root.path("/run/systemd/system").exists());
    assert!(root.path("/run/systemd/x/y").exists(), "what udev knows stays");
    initramfs::forget(&root.context());
}

#[test]
fn without_modules_or_module_support_nothing_is_run() {
    let root = Root::new(&[]);
    let (report, ran) = play("modules", &root.context(), &[]);
    assert_eq!((report, ran), (Ok(Done::Skipped("no modules are asked for")), vec![]));
    root.write("/etc/modules", "loop\n");
    let (report, ran) = play("modules", &root.context(), &[]);
    assert_eq!((report, ran), (Ok(Done::Skipped("the kernel takes no modules")), vec![]));
}

#[test]
fn udev_is_found_started_triggered_and_waited_for() {
    let recipe = |root: &Root, daemon: &str| {
        vec![
            make_nodes(root),
            format!("{daemon} --daemon"),
            "udevadm trigger --type=subsystems --action=add".to_owned(),
            "udevadm trigger --type=devices --action=add".to_owned(),
            "udevadm settle".to_owned(),
        ]
    };
    for daemon in ["/lib/systemd/systemd-udevd", "/sbin/udevd", "/lib/udev/udevd"] {
        let root = Root::new(&[(daemon, "")]);
        let (report, ran) = play("devices", &root.context(), &[]);
        assert_eq!((report, ran), (worked(), recipe(&root, daemon)));
    }
    let both = Root::new(&[("/usr/lib/systemd/systemd-udevd", ""), ("/sbin/udevd", "")]);
    let settle = ("settle", Act::Hangs);
    let (report, ran) = play("devices", &both.context(), &[settle]);
    assert_eq!(report.unwrap_err(), "udevadm: not done after 150 s, killed");
    assert_eq!(ran, recipe(&both, "/usr/lib/systemd/systemd-udevd"));

    // A daemon that does not start is told, and the rest is tried all the same.
    std::fs::remove_dir_all(both.path("/run")).unwrap();
    let (report, ran) = play("devices", &both.context(), &[("--daemon", Act::Exits(1, "busy"))]);
    assert!(report.unwrap_err().ends_with("systemd-udevd: exited with status 1: busy"));
    assert_eq!(ran.len(), 5);
}

/// The step is tried again by hand for a disk that stayed closed, say, and its daemon lives.
#[test]
fn a_second_udevd_is_not_started_beside_the_first() {
    let root = Root::new(&[("/sbin/udevd", "")]);
    let nodes = make_nodes(&root);
    let nodes = nodes.as_str();
    let (daemon, ping) = ("/sbin/udevd --daemon", "udevadm control --ping --timeout=5");
    let trigger = "udevadm trigger --type=subsystems --action=add";
    // One of an initramfs may answer, and nobody asks: it has not the rules of this system.
    let busy = ("--daemon", Act::Exits(1, "busy"));
    for acts in [std::slice::from_ref(&busy), &[]] {
        assert_eq!(play("devices", &root.context(), acts).1[..3], [nodes, daemon, trigger]);
    }
    assert_eq!(play("devices", &root.context(), &[]).1[..3], [nodes, ping, trigger]);
    // That of eudev knows no ping.
    let reload = "udevadm control --reload --timeout=5";
    let no = ("--ping", Act::Exits(1, "unrecognized option"));
    assert_eq!(play("devices", &root.context(), &[no]).1[..4], [nodes, ping, reload, trigger]);
    // It is gone.
    let gone = [("--ping", Act::Exits(1, "no")), ("--reload", Act::Exits(2, "no"))];
    let (report, ran) = play("devices", &root.context(), &gone);
    assert_eq!(
        (report, &ran[..5]),
        (worked(), [nodes, ping, reload, daemon, trigger].map(str::to_owned).as_slice())
    );
}

/// Its group is activated once the disk that it lies on is there.
#[test]
fn a_volume_on_a_disk_that_comes_late_is_activated() {
    let root = Root::new(&[
        ("/sbin/udevd", ""),
        ("/sbin/lvm", ""),
        ("/etc/fstab", "/dev/mapper/vg-home /home ext4 defaults 0 2\n"),
    ]);
    let (volume, tries) = (root.0.join("dev/mapper/vg-home"), AtomicUsize::new(0));
    let (tools, _lines) = Fake::with_effect(&[], move |line| {
        if line.starts_with("lvm vgchange") && tries.fetch_add(1, Ordering::Relaxed) == 2 {
            std::fs::create_dir_all(volume.parent().unwrap()).unwrap();
            std::fs::write(&volume, "").unwrap();
        }
    });
    block(steps::run("devices", &root.context(), &tools)).unwrap();
    assert!(tools.seconds() < 5, "{}", tools.seconds());
    assert!(root.0.join("dev/mapper/vg-home").exists());
}

/// The rules of lvm2 have systemd activate a volume group; here that is nobody else's business.
#[test]
fn logical_volumes_are_activated_where_there_may_be_some() {
    let root = Root::new(&[("/sbin/udevd", ""), ("/sbin/lvm", "")]);
    let (report, ran) = play("devices", &root.context(), &[]);
    assert_eq!(report, worked());
    let last = ["udevadm settle", "lvm vgchange -aay --sysinit", "udevadm settle"];
    assert_eq!(ran[4..], last);
}

/// As a disk on USB does, which is found seconds after all events are dealt with.
#[test]
fn disks_of_fstab_that_come_late_are_waited_for() {
    let fstab = "LABEL=root / ext4 defaults 0 1\nLABEL=usb /usb ext4 defaults 0 2\n\
                 LABEL=maybe /maybe ext4 nofail 0 2\n/dev/gone none swap sw 0 0\n\
                 /dev/later /later ext4 noauto 0 0\n/dev/net /net ext4 _netdev 0 0\n";
    let root = Root::new(&[("/sbin/udevd", ""), ("/etc/fstab", fstab)]);
    let context = root.context();
    let say = "say: devices: waiting up to 30 s for /dev/disk/by-label/usb of /etc/fstab";
    let (tools, lines) = Fake::new(&[]);
    assert_eq!(block(steps::run("devices", &context, &tools)), worked());
    assert_eq!(lines.try_iter().last().unwrap(), say);
    assert_eq!(tools.seconds(), 30);

    root.write("/dev/disk/by-label/usb", "");
    let (tools, lines) = Fake::new(&[]);
    assert_eq!(block(steps::run("devices", &context, &tools)), worked());
    assert_eq!(lines.try_iter().last().unwrap(), "udevadm settle");
    assert_eq!(tools.time(), 0);
}

const CRYPTTAB: &str = "\
# name source key options
root UUID=1-2 none luks,x-initrd.attach
data LABEL=data none luks
keyed /dev/sdb1 /etc/keys/keyed luks,discard
script /srv/image /x luks,keyscript=/sbin/ask
later /dev/sdb2 none luks,noauto
usb /dev/sdz none luks,nofail
";

#[test]
fn encrypted_disks_are_opened_and_then_looked_into() {
    let root = Root::new(&[
        ("/etc/crypttab", CRYPTTAB),
        ("/etc/fstab", "/dev/mapper/data /data ext4\n"),
        ("/dev/mapper/root", ""),
        ("/dev/disk/by-label/data", ""),
        ("/dev/sdb1", ""),
        ("/sbin/cryptdisks_start", ""),
        ("/sbin/lvm", ""),
        ("/sbin/udevd", ""),
    ]);
    let mapper = root.path("/dev/mapper");
    let (tools, lines) = Fake::with_effect(&[], move |line| {
        for name in
            ["data", "keyed", "script"].iter().filter(|_| line.contains(" cryptdisks_start"))
        {
            std::fs::write(mapper.join(name), "").unwrap();
        }
    });
    assert_eq!(block(steps::run("devices", &root.context(), &tools)), worked());
    let ran: Vec<String> = lines.try_iter().collect();
    let begin = ran.iter().position(|line| line == "cryptdisks_start keyed").unwrap();
    assert_eq!(
        ran[begin..],
        [
            "cryptdisks_start keyed",
            "say: devices: asking up to 300 s for data, script of /etc/crypttab",
            "/bin/sh -c exec cryptdisks_start \"$@\" </dev/console >/dev/console 2>&1 \
             cryptdisks_start data script",
            "lvm vgchange -aay --sysinit",
        ]
    );
    assert_eq!(ran[begin - 1], "udevadm settle");
    assert_eq!(tools.time(), 0, "for nothing of fstab is waited any more");

    // What is open already is nobody's business.
    let (_, ran) = play("devices", &root.context(), &[]);
    assert!(!ran.iter().any(|line| line.contains("crypt")), "{ran:?}");
}

#[test]
fn disks_that_stay_closed_are_told() {
    let root = Root::new(&[("/etc/crypttab", "a LABEL=a /key luks\nb /dev/b none\n")]);
    let (report, ran) = play("devices", &root.context(), &[]);
    let why = "/etc/crypttab: a, b not opened: install cryptsetup for cryptdisks_start";
    assert_eq!(report.unwrap_err(), why);
    let say = "say: devices: waiting up to 30 s for /dev/b of /etc/crypttab";
    assert_eq!(ran, [&make_nodes(&root), say]);

    root.write("/sbin/cryptdisks_start", "");
    let acts = [("cryptdisks_start a", Act::Exits(1, "a: no key")), ("/bin/sh", Act::Hangs)];
    let (report, _) = play("devices", &root.context(), &acts);
    assert_eq!(
        report.unwrap_err(),
        "cryptdisks_start: exited with status 1: a: no key; \
         /etc/crypttab: a, b not opened: run cryptdisks_start by hand, \
         then finitctl start fsck mount-local"
    );
    let context = Context { place: Place::Container, ..root.context() };
    assert_eq!(play("devices", &context, &[]).0, Ok(Done::Skipped("in a container")));
}

/// What an iSCSI disk holds is not there before the network, and nobody waits for it.
#[test]
fn encrypted_disks_on_the_network_are_opened_with_it() {
    let root = Root::new(&[
        ("/etc/crypttab", "net /dev/sdn /etc/key luks,_netdev\nask /dev/sdm none luks,_netdev\n"),
        ("/etc/fstab", "/dev/mapper/net /net ext4 _netdev\n"),
        ("/sbin/cryptdisks_start", ""),
        ("/sbin/udevd", ""),
    ]);
    let (tools, lines) = Fake::new(&[]);
    assert_eq!(block(steps::run("devices", &root.context(), &tools)), worked());
    assert_eq!(lines.try_iter().last().unwrap(), "udevadm settle");
    assert_eq!(tools.time(), 0);

    root.write("/dev/sdn", "");
    root.write("/dev/sdm", "");
    let mapped = root.path("/dev/mapper/net");
    let (tools, lines) = Fake::with_effect(&[], move |line| {
        if line == "cryptdisks_start net" {
            std::fs::create_dir_all(mapped.parent().unwrap()).unwrap();
            std::fs::write(&mapped, "").unwrap();
        }
    });
    let report = block(steps::run("mount-network", &root.context(), &tools));
    // At a console where somebody logs in by now nobody is asked.
    let why = "/etc/crypttab: ask not opened: run cryptdisks_start by hand, \
               then finitctl start mount-network";
    assert_eq!(report.unwrap_err(), why);
    let ran: Vec<String> = lines.try_iter().collect();
    let expected = ["cryptdisks_start net", "/proc/self/exe --make-mount-point /net", "mount /net"];
    assert_eq!(ran, expected);
}

#[test]
fn for_names_that_only_udev_makes_nobody_waits_without_it() {
    let root = Root::new(&[
        ("/etc/crypttab", "a UUID=1-2 /key luks\nb LABEL=b /key luks,nofail\n"),
        ("/sbin/cryptdisks_start", ""),
    ]);
    for devices in [Devices::Mdev, Devices::None, Devices::Udev] {
        let mut context = root.context();
        context.boot.devices = devices;
        let (tools, lines) = Fake::new(&[]);
        block(steps::run("devices", &context, &tools)).unwrap_err();
        assert_eq!(lines.try_iter().last().unwrap(), "cryptdisks_start a b");
        assert_eq!(tools.time(), 0);
    }
}

#[test]
fn other_ways_to_devices() {
    let root = Root::new(&[]);
    let mut context = root.context();
    assert_eq!(play("devices", &context, &[]).0, Ok(Done::Skipped("no udevd is installed")));
    context.boot.devices = Devices::Mdev;
    assert_eq!(
        play("devices", &context, &[]),
        (worked(), vec![make_nodes(&root), "mdev -s".to_owned()])
    );
    let (report, _) = play("devices", &context, &[("mdev", Act::Missing)]);
    assert_eq!(report.unwrap_err(), "mdev is not installed");
    context.boot.devices = Devices::None;
    assert_eq!(play("devices", &context, &[]).0, Ok(Done::Skipped("boot.devices is none")));
}

#[test]
fn the_keymap_is_loaded_where_there_is_a_console() {
    let root = Root::new(&[]);
    let mut context = root.context();
    assert_eq!(play("console", &context, &[]).0, Ok(Done::Skipped("no keymap is set")));
    context.boot.keymap = Some("de".to_owned());
    let (report, _) = play("console", &context, &[]);
    assert_eq!(report, Ok(Done::Skipped("there is no virtual console")));
    root.write("/dev/tty0", "");
    let (report, ran) = play("console", &context, &[("kbd_mode", Act::Missing)]);
    assert_eq!(report, worked());
    assert_eq!(ran, ["kbd_mode -u -C /dev/tty0", "loadkeys -q -u de"]);
    let (report, _) = play("console", &context, &[("loadkeys", Act::Exits(1, "no such map"))]);
    assert_eq!(report.unwrap_err(), "loadkeys: exited with status 1: no such map");
}

#[test]
fn the_clock_is_set_by_whoever_has_not_done_it() {
    let root = Root::new(&[]);
    let mut context = root.context();
    assert_eq!(play("clock", &context, &[]).0, Ok(Done::Skipped("there is no hardware clock")));
    root.write("/dev/rtc0", "");
    assert_eq!(play("clock", &context, &[]), (worked(), vec!["hwclock --hctosys".to_owned()]));
    root.write("/sys/class/rtc/rtc0/hctosys", "1\n");
    assert_eq!(play("clock", &context, &[]), (worked(), vec!["hwclock --systz".to_owned()]));
    let (report, _) = play("clock", &context, &[("hwclock", Act::Missing)]);
    assert_eq!(report, Ok(Done::Skipped("hwclock is not installed")));
    let (report, _) = play("clock", &context, &[("hwclock", Act::Hangs)]);
    assert_eq!(report.unwrap_err(), "hwclock: not done after 15 s, killed");
    context.boot.clock = false;
    assert_eq!(play("clock", &context, &[]).0, Ok(Done::Skipped("boot.clock is false")));
}

#[test]
fn host_names_that_are_none() {
    let root = Root::new(&[]);
    let (report, _) = play("hostname", &root.context(), &[]);
    assert_eq!(report, Ok(Done::Skipped("no host name is set")));
    root.write("/etc/hostname", "# mine\n\n \u{1b}[2J\n");
    assert!(play("hostname", &root.context(), &[]).0.unwrap_err().ends_with("is no host name"));
}

#[test]
fn a_machine_id_is_made_once() {
    let root = Root::new(&[("/etc/machine-id", "uninitialized\n")]);
    assert_eq!(play("machine-id", &root.context(), &[]).0, worked());
    let id = root.read("/etc/machine-id");
    assert_eq!(id.len(), 33);
    assert_eq!((&id[12..13], "89ab".contains(&id[16..17])), ("4", true), "{id}");
    let (report, _) = play("machine-id", &root.context(), &[]);
    assert_eq!(report, Ok(Done::Skipped("there is one")));
    assert_eq!(root.read("/etc/machine-id"), id);
}

#[test]
fn an_older_machine_id_is_kept() {
    let older = "0123456789abcdef0123456789abcdef\n";
    let root = Root::new(&[("/var/lib/dbus/machine-id", older)]);
    play("machine-id", &root.context(), &[]).0.unwrap();
    assert_eq!(root.read("/etc/machine-id"), older);
}

#[test]
fn the_seed_is_the_business_of_a_helper() {
    let root = Root::new(&[]);
    let mut context = root.context();
    let (report, ran) = play("random-seed", &context, &[]);
    assert_eq!((report, ran), (worked(), vec!["/proc/self/exe --renew-seed".to_owned()]));
    let (report, _) = play("random-seed", &context, &[("seed", Act::Exits(1, ""))]);
    assert!(report.unwrap_err().starts_with("/var/lib/finitd/random-seed was not renewed"));
    let (report, _) = play("random-seed", &context, &[("seed", Act::Exits(2, ""))]);
    assert_eq!(report, Ok(Done::Skipped("no randomness to keep yet")));
    context.boot.random_seed = false;
    let (report, _) = play("random-seed", &context, &[]);
    assert_eq!(report, Ok(Done::Skipped("boot.random-seed is false")));
}

#[test]
fn volatile_files_by_the_first_provider_or_by_hand() {
    let root = Root::new(&[]);
    for folder in ["/run", "/tmp"] {
        std::fs::create_dir_all(root.path(folder)).unwrap();
    }
    let mut context = root.context();
    let systemd = "systemd-tmpfiles --create --remove --clean --boot";
    let other = "tmpfiles --create --remove --boot";
    for code in [0, 65, 73] {
        let act = ("systemd-tmpfiles", Act::Exits(code, "some line is odd"));
        let (report, ran) = play("tmpfiles", &context, &[act]);
        assert_eq!((report, ran), (worked(), vec![systemd.to_owned()]), "{code}");
    }
    let act = ("systemd-tmpfiles", Act::Exits(1, "oh"));
    let (report, _) = play("tmpfiles", &context, &[act]);
    assert_eq!(report.unwrap_err(), "systemd-tmpfiles: exited with status 1: oh");

    let (report, ran) = play("tmpfiles", &context, &[("systemd-tmpfiles", Act::Missing)]);
    assert_eq!((report, ran), (worked(), vec![systemd.to_owned(), other.to_owned()]));

    std::fs::remove_dir(root.path("/run/lock")).unwrap();
    let (report, _) = play("tmpfiles", &context, &[("tmpfiles", Act::Missing)]);
    assert_eq!(report, worked());
    let mode = |path: &str| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(root.path(path)).unwrap().permissions().mode() & 0o7777
    };
    assert_eq!((mode("/run/lock"), mode("/tmp")), (0o1777, 0o1777));
    context.boot.tmpfiles = false;
    assert_eq!(play("tmpfiles", &context, &[]), (worked(), vec![]));
}

#[test]
fn people_may_log_in_again() {
    let root = Root::new(&[("/run/nologin", "going down"), ("/etc/nologin", "maintenance")]);
    let (report, said) = play("nologin", &root.context(), &[]);
    assert_eq!(report, worked());
    assert_eq!(
        said,
        ["say: /etc/nologin is there: only root can log in", "/proc/self/exe --note-boot"]
    );
    assert!(!root.path("/run/nologin").exists() && root.path("/etc/nologin").exists());
    std::fs::remove_file(root.path("/etc/nologin")).unwrap();
    let noted = vec!["/proc/self/exe --note-boot".to_owned()];
    assert_eq!(play("nologin", &root.context(), &[]), (worked(), noted));
    let container = Context { place: Place::Container, ..root.context() };
    assert_eq!(play("nologin", &container, &[]), (worked(), vec![]));
}
