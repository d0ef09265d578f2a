//! Where the lines of a service do not go, whoever owns the folders on the way.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use finit::logger::Target;

use super::numbers;
use super::rig::Init;

#[test]
fn symlinks_are_not_followed_and_names_stay_in_the_folder() {
    let mut init = Init::new("link");
    let victim = init.directory.join("victim");
    fs::write(&victim, "precious\n").unwrap();
    symlink(&victim, init.directory.join("evil.log")).unwrap();
    let mut probe = init.probe("probe");
    let mut evil = init.service("evil", Target::Files);
    let mut name = init.service("../../evil", Target::Files);
    init.start();
    writeln!(evil, "attack").unwrap();
    writeln!(name, "named").unwrap();
    init.barrier(1, &mut probe);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious\n");
    fs::remove_file(init.directory.join("evil.log")).unwrap();
    init.finish();
    assert_eq!(init.lines("evil"), ["attack"]);
    assert_eq!(init.lines("%2E.%2F..%2Fevil"), ["named"]);
}

/// The names and texts of a folder.
fn entries(folder: &Path) -> Vec<(String, String)> {
    let entry = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        let text = fs::read_to_string(entry.path()).unwrap();
        (entry.file_name().into_string().unwrap(), text)
    };
    let mut all: Vec<_> = fs::read_dir(folder).unwrap().map(entry).collect();
    all.sort();
    all
}

/// Who owns a folder on the way may put anything there, and has the writer of root neither write
/// nor rename anywhere else.
#[test]
fn who_owns_a_folder_leads_no_line_elsewhere() {
    let mut init = Init::new("owned");
    (init.max_size, init.keep) = (64 << 10, 2);
    let app = init.directory.join("app");
    let other = init.directory.join("other");
    fs::create_dir_all(app.join("moved")).unwrap();
    fs::create_dir(&other).unwrap();
    chown(&app, Some(1000), Some(1000)).unwrap();
    for name in ["link.log", "moved.log", "profile"] {
        fs::write(other.join(name), "precious\n").unwrap();
    }
    let before = entries(&other);
    symlink(&other, app.join("logs")).unwrap();
    fs::hard_link(other.join("profile"), app.join("hard.log")).unwrap();
    let mut probe = init.probe("probe");
    let target = |path: &str| Target::File(app.join(path).to_str().unwrap().to_owned());
    let mut new = init.service("new", target("logs/deep/new.log"));
    let mut link = init.service("link", target("logs/link.log"));
    let mut hard = init.service("hard", target("hard.log"));
    let mut moved = init.service("moved", target("moved/moved.log"));
    init.start();
    for service in [&mut new, &mut link, &mut hard, &mut moved] {
        writeln!(service, "one").unwrap();
    }
    (1..=4).for_each(|id| init.barrier(id, &mut probe));
    assert_eq!(fs::read_to_string(app.join("moved/moved.log")).unwrap().lines().count(), 1);
    // What is open is rotated by its path, which leads elsewhere by now.
    fs::rename(app.join("moved"), app.join("away")).unwrap();
    symlink(&other, app.join("moved")).unwrap();
    for line in numbers(2000) {
        writeln!(moved, "{line}").unwrap();
    }
    init.barrier(4, &mut probe);
    assert_eq!(entries(&other), before);
    for path in ["logs", "hard.log", "moved"] {
        fs::remove_file(app.join(path)).unwrap();
    }
    init.finish();
    assert_eq!(entries(&other), before);
    for path in ["logs/deep/new.log", "logs/link.log", "hard.log"] {
        let text = fs::read_to_string(app.join(path)).unwrap();
        assert!(text.ends_with(": one\n"), "{path}: {text}");
    }
}

/// As /var/run is one, and what an administrator put in the place of /var/log.
#[test]
fn a_link_of_root_in_a_folder_of_root_is_followed() {
    let mut init = Init::new("rooted");
    let disk = init.directory.join("disk");
    fs::create_dir(&disk).unwrap();
    symlink("disk", init.directory.join("log")).unwrap();
    fs::set_permissions(&init.directory, PermissionsExt::from_mode(0o755)).unwrap();
    init.directory = init.directory.join("log/finit");
    let mut service = init.service("web", Target::Files);
    init.start();
    writeln!(service, "one").unwrap();
    init.finish();
    init.directory = disk.join("finit");
    assert_eq!(init.lines("web"), ["one"]);
}
