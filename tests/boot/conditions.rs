//! What must hold for a service, on machines that are folders.

use finit::boot::conditions::{Eyes, FAILS, HOLDS, MISSING, SKIPS, UNKNOWN};
use finit::config::spec::{Condition, Conditions, Test};

use crate::stage::Root;

fn one(test: Test, value: &str) -> Condition {
    Condition { test, value: value.to_owned(), not: false, any: false }
}

fn only_if(list: Vec<Condition>) -> Conditions {
    Conditions { only_if: list, ..Conditions::default() }
}

fn eyes(root: &Root, hypervisor: Option<&str>) -> Eyes {
    Eyes::new(&root.0).with_hypervisor(hypervisor)
}

/// What the machine of these files is, and with what else it is not taken for.
fn machine(files: &[(&str, &str)], hypervisor: Option<&str>) -> Vec<&'static str> {
    let root = Root::new(files);
    let eyes = eyes(&root, hypervisor);
    let names = [
        "yes",
        "no",
        "vm",
        "container",
        "kvm",
        "qemu",
        "amazon",
        "xen",
        "vm-other",
        "docker",
        "podman",
        "lxc",
        "systemd-nspawn",
        "wsl",
        "openvz",
        "container-other",
    ];
    let is = |name: &&str| eyes.judge(&only_if(vec![one(Test::Virtualization, name)])).0 == HOLDS;
    names.into_iter().filter(is).collect()
}

#[test]
fn virtual_machines_and_containers_are_told_as_by_systemd_detect_virt() {
    let vendor = "/sys/class/dmi/id/sys_vendor";
    let kvm = Some("KVMKVMKVM\0\0\0");
    assert_eq!(machine(&[], None), ["no"]);
    assert_eq!(machine(&[(vendor, "LENOVO\n")], None), ["no"]);
    assert_eq!(machine(&[(vendor, "QEMU\n")], kvm), ["yes", "vm", "kvm"]);
    assert_eq!(machine(&[(vendor, "QEMU\n")], Some("TCGTCGTCGTCG")), ["yes", "vm", "qemu"]);
    assert_eq!(machine(&[(vendor, "QEMU\n")], None), ["yes", "vm", "qemu"]);
    assert_eq!(machine(&[(vendor, "Amazon EC2\n")], kvm), ["yes", "vm", "amazon"]);
    assert_eq!(machine(&[], Some("NoSuchThing!")), ["yes", "vm", "vm-other"]);
    assert_eq!(machine(&[("/sys/hypervisor/type", "xen\n")], None), ["yes", "vm", "xen"]);
    let first = [("/sys/hypervisor/type", "xen\n"), ("/proc/xen/capabilities", "control_d\n")];
    assert_eq!(machine(&first, None), ["no"]);
    let inside = |name: &'static str| ["yes", "container", name];
    assert_eq!(machine(&[("/.dockerenv", "")], kvm), inside("docker"));
    assert_eq!(machine(&[("/run/.containerenv", "")], None), inside("podman"));
    assert_eq!(machine(&[("/run/systemd/container", "lxc\n")], kvm), inside("lxc"));
    let nspawn = [("/proc/1/environ", "TERM=linux\0container=systemd-nspawn\0")];
    assert_eq!(machine(&nspawn, None), inside("systemd-nspawn"));
    let oci = [("/proc/1/environ", "container=oci\0"), ("/.dockerenv", "")];
    assert_eq!(machine(&oci, None), inside("docker"));
    assert_eq!(machine(&[("/proc/vz/x", "")], None), inside("openvz"));
    let wsl = [("/proc/sys/kernel/osrelease", "5.15.90.1-microsoft-standard-WSL2\n")];
    assert_eq!(machine(&wsl, Some("Microsoft Hv")), inside("wsl"));
    // A folder stands for a PID namespace of its own as well as anything.
    let namespace = [("/proc/self/ns/pid", "")];
    assert_eq!(machine(&namespace, kvm), inside("container-other"));
}

#[test]
fn mains_power_is_what_nothing_speaks_against() {
    let supply = |name: &str, kind: &str, file: &str, word: &str| {
        [
            (format!("/sys/class/power_supply/{name}/type"), format!("{kind}\n")),
            (format!("/sys/class/power_supply/{name}/{file}"), format!("{word}\n")),
        ]
    };
    let mains = |online| supply("AC", "Mains", "online", online);
    let battery = |status| supply("BAT0", "Battery", "status", status);
    let told = |files: Vec<[(String, String); 2]>| {
        let files: Vec<(&str, &str)> =
            files.iter().flatten().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let root = Root::new(&files);
        let judge = |value| eyes(&root, None).judge(&only_if(vec![one(Test::AcPower, value)])).0;
        assert_ne!(judge("yes"), judge("no"));
        judge("yes") == HOLDS
    };
    assert!(told(vec![]));
    assert!(told(vec![mains("1"), battery("Discharging")]));
    assert!(told(vec![mains("0"), battery("Full")]));
    assert!(!told(vec![mains("0"), battery("Discharging")]));
    assert!(!told(vec![battery("Discharging")]));
}

#[test]
fn processors_capabilities_and_kernel_words_are_read_where_the_kernel_writes_them() {
    let root = Root::new(&[
        ("/proc/self/status", "Name:\tfinit\nCpus_allowed_list:\t0-3,8\n"),
        ("/proc/1/status", "Name:\tfinit\nCapBnd:\t0000000000000401\n"),
        ("/proc/cmdline", "root=/dev/sda1 quiet \"opt=two words\"\n"),
    ]);
    let seen = |test, value: &str| eyes(&root, None).judge(&only_if(vec![one(test, value)]));
    for value in ["5", ">=5", "=5", ">4", "<6", "<=5", "!=4", "<= 5"] {
        assert_eq!(seen(Test::Cpus, value), (HOLDS, String::new()), "{value}");
    }
    for value in ["6", ">5", "=4", "<5", "!=5"] {
        let why = format!("only-if.cpus = {value}: there are 5");
        assert_eq!(seen(Test::Cpus, value), (SKIPS, why));
    }
    assert_eq!(seen(Test::Capability, "chown").0, HOLDS);
    assert_eq!(seen(Test::Capability, "net_bind_service").0, HOLDS);
    let why = "only-if.capability = net_admin: PID 1 may not have it".to_owned();
    assert_eq!(seen(Test::Capability, "net_admin"), (SKIPS, why));
    for word in ["root", "root=/dev/sda1", "quiet", "opt=two words"] {
        assert_eq!(seen(Test::KernelArg, word).0, HOLDS, "{word}");
    }
    for word in ["root=/dev/sda2", "qui", "two", "quiet=1"] {
        assert_eq!(seen(Test::KernelArg, word).0, SKIPS, "{word}");
    }
}

#[test]
fn paths_come_first_then_what_skips_then_what_fails() {
    let root = Root::new(&[("/etc/here", "x")]);
    let mut conditions = Conditions {
        paths: vec!["/etc/here".to_owned(), "/etc/gone ".to_owned()],
        only_if: vec![one(Test::Exists, "/etc/a")],
        assert: vec![one(Test::Exists, "/etc/b")],
        commands: Vec::new(),
    };
    let judge = |conditions: &Conditions| eyes(&root, None).judge(conditions);
    assert_eq!(judge(&conditions), (MISSING, "/etc/gone ".to_owned()));
    conditions.paths.pop();
    let skips = "only-if.exists = /etc/a: it does not exist";
    assert_eq!(judge(&conditions), (SKIPS, skips.to_owned()));
    conditions.only_if.clear();
    let fails = "assert.exists = /etc/b: it does not exist";
    assert_eq!(judge(&conditions), (FAILS, fails.to_owned()));
    conditions.assert.clear();
    assert_eq!(judge(&conditions), (HOLDS, String::new()));
}

#[test]
fn one_of_all_that_are_any_must_hold_beside_all_others() {
    let root = Root::new(&[("/etc/here", "x")]);
    let any = |value: &str, not: bool| Condition { any: true, not, ..one(Test::Exists, value) };
    let judge = |list| eyes(&root, None).judge(&only_if(list)).0;
    assert_eq!(judge(vec![any("/a", false), any("/etc/here", false)]), HOLDS);
    assert_eq!(judge(vec![any("/a", false), any("/b", true)]), HOLDS);
    assert_eq!(judge(vec![any("/a", false), any("/etc/here", true)]), SKIPS);
    assert_eq!(judge(vec![one(Test::Exists, "/a"), any("/etc/here", false)]), SKIPS);
}

#[test]
fn what_cannot_be_told_is_said_unless_another_one_will_do() {
    let root = Root::new(&[("/etc/here", "x")]);
    // Without a /proc nobody knows.
    let unknown = one(Test::KernelArg, "debug");
    let (code, why) = eyes(&root, None).judge(&only_if(vec![unknown.clone()]));
    assert_eq!(code, UNKNOWN);
    assert!(why.starts_with("only-if.kernel-arg = debug cannot be told: /proc/cmdline: No such"));
    let any = |one: Condition| Condition { any: true, ..one };
    let both = vec![any(unknown), any(one(Test::Exists, "/etc/here"))];
    assert_eq!(eyes(&root, None).judge(&only_if(both)).0, HOLDS);
}

#[test]
fn links_are_followed_and_a_link_to_nothing_is_nothing() {
    let root = Root::new(&[("/etc/here", "x")]);
    std::os::unix::fs::symlink("here", root.path("/etc/link")).unwrap();
    std::os::unix::fs::symlink("gone", root.path("/etc/dangling")).unwrap();
    std::os::unix::fs::symlink("circle", root.path("/etc/circle")).unwrap();
    let judge = |path: &str| eyes(&root, None).judge(&only_if(vec![one(Test::Exists, path)])).0;
    assert_eq!(judge("/etc/link"), HOLDS);
    for path in ["/etc/dangling", "/etc/circle", "/etc/here/below"] {
        assert_eq!(judge(path), SKIPS, "{path}");
    }
}
