//! Device nodes of modules that nobody has loaded.

use finit::config::spec::Devices;

use super::stage::{Act, Root, play, worked};

/// The helper that makes device nodes; here in a folder of the test.
pub fn make_nodes(root: &Root) -> String {
    format!("/proc/self/exe --make-device-nodes {}", root.0.display())
}

/// mount(8) opens /dev/loop-control, and that is what loads the module; libfuse does likewise.
#[test]
fn device_nodes_of_modules_that_are_not_loaded_are_made() {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let table = "# Device nodes to trigger on-demand module loading.\n\
                 fuse fuse c10:229\ntun net/tun c10:200\nx ../x c1:3\nodd odd d1:3\n\
                 floppy fd0 b2:0\nsnd_seq snd/seq c116:1\nshort\n";
    let root = Root::new(&[
        ("/sbin/udevd", ""),
        ("/proc/sys/kernel/osrelease", "6.1.0-9-amd64\n"),
        ("/lib/modules/6.1.0-9-amd64/modules.devname", table),
        ("/lib/modules/5.10.0/modules.devname", "old old c10:1\n"),
        ("/dev/snd/seq", "the kernel's own"),
    ]);
    let found = |name: &str| {
        let node = std::fs::symlink_metadata(root.path("/dev").join(name)).unwrap();
        let number = (libc::major(node.rdev()), libc::minor(node.rdev()));
        (node.mode() & 0o7777, node.file_type().is_block_device(), number)
    };
    for devices in [Devices::Udev, Devices::Mdev] {
        let mut context = root.context();
        context.boot.devices = devices;
        // Again, as by hand.
        for _ in 0..2 {
            let (report, ran) = play("devices", &context, &[]);
            assert_eq!((report, &ran[0]), (worked(), &make_nodes(&root)));
        }
        assert_eq!(found("fuse"), (0o600, false, (10, 229)));
        assert_eq!(found("net/tun"), (0o600, false, (10, 200)));
        assert_eq!(found("fd0"), (0o600, true, (2, 0)));
        assert_eq!(root.read("/dev/snd/seq"), "the kernel's own");
        assert_eq!(std::fs::read_dir(root.path("/dev")).unwrap().count(), 4);
        assert!(!root.path("/x").exists());
        std::fs::remove_file(root.path("/dev/fuse")).unwrap();
        std::fs::remove_dir_all(root.path("/dev/net")).unwrap();
    }
    // Where one cannot be made, the others are, and so is the rest.
    root.write("/dev/net", "in the way");
    let (report, ran) = play("devices", &root.context(), &[]);
    let why = report.unwrap_err();
    assert!(why.starts_with("device nodes: exited with status 1: /dev/net/tun: "), "{why}");
    assert_eq!((found("fuse").0, ran.last().unwrap().as_str()), (0o600, "udevadm settle"));
    let (report, _) = play("devices", &root.context(), &[("--make-device", Act::Hangs)]);
    assert_eq!(report.unwrap_err(), "device nodes: not done after 30 s, killed");
}
