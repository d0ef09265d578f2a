//! Kernel settings, written below a folder that stands for /proc/sys.

use finit::boot::{Context, Place};
use finit::config::spec::Devices;

use super::stage::{Act, Root, play, worked};

#[test]
fn settings_are_written_in_order() {
    let root = Root::new(&[
        ("/proc/sys/kernel/panic", ""),
        ("/proc/sys/kernel/printk_devkmsg", ""),
        ("/proc/sys/net/ipv4/conf/all/rp_filter", ""),
        ("/proc/sys/net/ipv4/conf/eth0.1/rp_filter", ""),
        ("/proc/sys/vm/swappiness", ""),
        ("/proc/sys/vm/other", ""),
        ("/usr/lib/sysctl.d/50-a.conf", "net.ipv4.conf.*.rp_filter = 2\nvm.swappiness=1\n"),
        ("/etc/sysctl.d/50-a.conf", "net.ipv4.conf.*.rp_filter = 1\n-vm.nosuch = 3\n"),
        ("/etc/sysctl.d/90-b.conf", "vm.swappiness = 2\nnet.nosuch = 1\n"),
        ("/etc/sysctl.conf", "vm/other = 3 4\t5 \n"),
    ]);
    let mut context = root.context();
    context.boot.sysctl = vec![("vm.swappiness".to_owned(), "10".to_owned())];
    assert_eq!(play("sysctl", &context, &[]).0, worked());
    for (name, value) in [
        ("kernel/panic", "10"),
        ("kernel/printk_devkmsg", "on"),
        ("net/ipv4/conf/all/rp_filter", "1"),
        ("net/ipv4/conf/eth0.1/rp_filter", "1"),
        ("vm/swappiness", "10"),
        ("vm/other", "3 4\t5"),
    ] {
        assert_eq!(root.read(&format!("/proc/sys/{name}")), format!("{value}\n"), "{name}");
    }
}

/// The kernel may look for memory for minutes, and PID 1 has other things to do.
#[test]
fn settings_are_written_by_a_helper() {
    let root = Root::new(&[("/proc/sys/vm/nr_hugepages", "0\n")]);
    let mut context = root.context();
    context.boot.sysctl = vec![("vm.nr_hugepages".to_owned(), "64".to_owned())];
    let (report, ran) = play("sysctl", &context, &[("--write-settings", Act::Hangs)]);
    assert_eq!(report.unwrap_err(), "writing the settings: not done after 300 s, killed");
    assert!(ran.len() == 1 && ran[0].contains("nr_hugepages"), "{ran:?}");
    assert_eq!(root.read("/proc/sys/vm/nr_hugepages"), "0\n");
    let (report, _) = play("sysctl", &context, &[("--write-settings", Act::Exits(1, ""))]);
    assert_eq!(report.unwrap_err(), "writing the settings: exited with status 1");
    assert_eq!(play("sysctl", &context, &[]).0, worked());
    assert_eq!(root.read("/proc/sys/vm/nr_hugepages"), "64\n");
}

/// As those of a network card whose driver is a module, which udev has loaded.
#[test]
fn settings_of_devices_are_made_once_they_are_there() {
    let root = Root::new(&[
        ("/sbin/udevd", ""),
        ("/proc/sys/net/ipv4/conf/all/forwarding", ""),
        ("/proc/sys/vm/swappiness", ""),
        ("/etc/sysctl.conf", "net.ipv4.conf.*.forwarding = 1\nvm.swappiness = 10\n"),
    ]);
    let mut context = root.context();
    let own = |name: &str| (format!("net.ipv4.conf.{name}.rp_filter"), "2".to_owned());
    context.boot.sysctl = vec![own("eth0"), own("none")];
    assert_eq!(play("sysctl", &context, &[]).0, worked(), "there is time for them yet");
    // Somebody else's wish, meanwhile.
    root.write("/proc/sys/vm/swappiness", "1\n");
    for name in ["forwarding", "rp_filter"] {
        root.write(&format!("/proc/sys/net/ipv4/conf/eth0/{name}"), "0\n");
    }
    let (report, ran) = play("devices", &context, &[]);
    assert_eq!(report, worked());
    let told = "say: sysctl: net/ipv4/conf/none/rp_filter: No such file or directory (ENOENT)";
    assert_eq!(ran.last().unwrap(), told);
    for (name, value) in [
        ("net/ipv4/conf/eth0/forwarding", "1\n"),
        ("net/ipv4/conf/eth0/rp_filter", "2\n"),
        ("net/ipv4/conf/all/forwarding", "1\n"),
        ("vm/swappiness", "1\n"),
    ] {
        assert_eq!(root.read(&format!("/proc/sys/{name}")), value, "{name}");
    }
    // Where nobody comes after it, what is missing is told at once.
    context.boot.skip = vec!["devices".to_owned()];
    assert!(play("sysctl", &context, &[]).0.unwrap_err().contains("none/rp_filter"));
}

/// As an interface that comes with ifup, or whose name is wrong.
#[test]
fn settings_of_devices_that_nobody_looks_for_are_told_at_once() {
    let told = "net/ipv4/conf/br0/forwarding: No such file or directory (ENOENT)";
    for devices in [Devices::None, Devices::Udev, Devices::Mdev] {
        let root = Root::new(&[("/proc/sys/kernel/panic", "")]);
        let mut context = root.context();
        context.boot.devices = devices;
        context.boot.sysctl = vec![("net.ipv4.conf.br0.forwarding".to_owned(), "1".to_owned())];
        assert_eq!(play("sysctl", &context, &[]).0.unwrap_err(), told, "{devices:?}");
    }
}

#[test]
fn a_lost_init_restarts_the_machine_unless_told_otherwise() {
    let root = Root::new(&[("/proc/sys/kernel/panic", "")]);
    play("sysctl", &root.with_words(&["panic=0"]), &[]).0.unwrap();
    assert_eq!(root.read("/proc/sys/kernel/panic"), "");
    root.write("/etc/sysctl.conf", "kernel.panic = 3\n");
    play("sysctl", &root.context(), &[]).0.unwrap();
    assert_eq!(root.read("/proc/sys/kernel/panic"), "3\n");
    // A container does not say what becomes of the machine around it.
    root.write("/etc/sysctl.conf", "");
    root.write("/proc/sys/kernel/panic", "");
    play("sysctl", &Context { place: Place::Container, ..root.context() }, &[]).0.unwrap();
    assert_eq!(root.read("/proc/sys/kernel/panic"), "");
}

#[test]
fn debians_link_gives_sysctl_conf_its_place_among_the_others() {
    let root = Root::new(&[
        ("/proc/sys/kernel/panic", ""),
        ("/etc/sysctl.conf", "kernel.panic = 3\n"),
        ("/etc/sysctl.d/99-sysctl.conf", "kernel.panic = 3\n"),
        ("/etc/sysctl.d/zz.conf", "kernel.panic = 4\n"),
    ]);
    play("sysctl", &root.context(), &[]).0.unwrap();
    assert_eq!(root.read("/proc/sys/kernel/panic"), "4\n");
}

#[test]
fn wrong_settings_are_told_and_the_others_made() {
    let root = Root::new(&[
        ("/proc/sys/vm/a", ""),
        ("/etc/sysctl.conf", "what is this\n../../etc/x = 1\nvm.a = 1\n"),
    ]);
    let mut context = root.context();
    context.boot.sysctl = vec![("vm.nosuch".to_owned(), "1".to_owned())];
    let why = play("sysctl", &context, &[]).0.unwrap_err();
    assert!(why.contains("sysctl.conf: \"what is this\"?"), "{why}");
    assert!(why.contains("\"../../etc/x = 1\"?"), "{why}");
    assert!(why.contains("vm/nosuch: No such file or directory"), "{why}");
    assert_eq!(root.read("/proc/sys/vm/a"), "1\n");
}

/// That may be a server that does not answer.
#[test]
fn what_is_mounted_at_usr_local_is_not_looked_into() {
    let root = Root::new(&[
        ("/proc/sys/kernel/panic", ""),
        ("/usr/local/lib/sysctl.d/a.conf", "kernel.panic = 3\n"),
        ("/usr/lib/sysctl.d/a.conf", "kernel.panic = 4\n"),
        ("/usr/local/sbin/lvm", ""),
        ("/sbin/udevd", ""),
        ("/proc/self/mountinfo", "9 1 0:9 / /usr/local/x rw - nfs nas:/ rw\n"),
    ]);
    let volumes = |ran: &[String]| ran.iter().any(|line| line.starts_with("lvm "));
    play("sysctl", &root.context(), &[]).0.unwrap();
    assert_eq!(root.read("/proc/sys/kernel/panic"), "3\n");
    assert!(volumes(&play("devices", &root.context(), &[]).1));
    root.write("/proc/self/mountinfo", "9 1 0:9 / /usr/local rw - nfs nas:/ rw\n");
    play("sysctl", &root.context(), &[]).0.unwrap();
    assert_eq!(root.read("/proc/sys/kernel/panic"), "4\n");
    assert!(!volumes(&play("devices", &root.context(), &[]).1));
}
