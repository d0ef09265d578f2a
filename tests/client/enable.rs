//! `finitctl enable` and `disable`: a file is edited, whoever runs.

use std::fs;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use finit::facts::Errno;
use finit::os::attributes;

use finit::proto::Reply;
use finit::proto::frame::Answer;

use crate::fake::{Folder, Ran, Server, command, folder};

const WEB: &str = "# The web.\n[service.web]\ncommand = \"/usr/sbin/web\"   # as ever\n";
const WEB_OFF: &str =
    "# The web.\n[service.web]\nenabled = false\ncommand = \"/usr/sbin/web\"   # as ever\n";

/// The root of a system that does not run.
struct Root(Folder);

impl Root {
    fn with(files: &[(&str, &str)]) -> Self {
        let root = Self(folder());
        for (path, text) in files {
            let path = root.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    fn ctl(&self, words: &[&str]) -> Ran {
        let words = [words, &["--root", self.0.to_str().unwrap()]].concat();
        Ran::of(&mut command(&self.0, "finitctl", &words))
    }
}

#[test]
fn di25_enable_needs_no_running_init() {
    let root = Root::with(&[("/etc/finit.toml", WEB)]);
    let ran = root.ctl(&["disable", "web"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.starts_with("web is disabled in /"), "{}", ran.out);
    assert_eq!(root.read("/etc/finit.toml"), WEB_OFF);
    assert_eq!(root.ctl(&["disable", "web"]).out, "web is disabled already\n");
    let ran = root.ctl(&["enable", "web"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(root.read("/etc/finit.toml"), WEB_OFF.replace("false", "true"));
}

/// Which `finit.config=PATH` or `--config PATH` has told it.
#[test]
fn the_file_is_edited_and_checked_that_the_running_finit_reads() {
    let lab = Root::with(&[("/lab.toml", WEB)]);
    let path = lab.path("/lab.toml").display().to_string();
    let config = Some(path.clone());
    let hello = Reply::Hello { protocol: 1, version: "1".into(), features: Vec::new(), config };
    let server = Server::always(Answer::Reply(hello));
    let ran = server.run(&["disable", "web"]);
    assert!(ran.out.starts_with(&format!("web is disabled in {path}")), "{} {}", ran.out, ran.err);
    assert_eq!(lab.read("/lab.toml"), WEB_OFF);
    let ran = server.run(&["check"]);
    assert_eq!(ran.out, format!("{path}: 1 service, 0 tasks: no errors\n"), "{}", ran.err);
    // One that runs and does not say it may read any file.
    let server = Server::raw(|_| None);
    for words in [&["disable", "web"][..], &["check"]] {
        let ran = server.run(words);
        assert!(ran.code != 0 && ran.out.is_empty(), "{}", ran.out);
    }
    // The file that is named counts, whoever runs.
    let other = Root::with(&[("/etc/finit.toml", WEB)]);
    let path = other.path("/etc/finit.toml").display().to_string();
    assert_eq!(server.run(&["disable", "web", "--file", &path]).code, 0);
    assert_eq!(other.read("/etc/finit.toml"), WEB_OFF);
    let root = Root::with(&[("/etc/finit.toml", WEB)]);
    assert_eq!(server.run(&["disable", "web", "--root", root.0.to_str().unwrap()]).code, 0);
    assert_eq!(root.read("/etc/finit.toml"), WEB_OFF);
}

#[test]
fn di30_an_instance_is_enabled_in_the_list_of_its_template() {
    let getty = "[service.getty]\ninstances = [\"tty1\"]\ncommand = \"/sbin/agetty %i\"\n";
    let root = Root::with(&[("/etc/finit.toml", getty)]);
    let ran = root.ctl(&["enable", "getty@tty2"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(root.read("/etc/finit.toml"), getty.replace("\"tty1\"", "\"tty1\", \"tty2\""));
    assert_eq!(root.ctl(&["enable", "getty@tty2"]).out, "getty@tty2 is enabled already\n");
    assert_eq!(root.ctl(&["disable", "getty@tty1"]).code, 0);
    assert_eq!(root.read("/etc/finit.toml"), getty.replace("tty1", "tty2"));
    let ran = root.ctl(&["disable", "getty@tty2"]);
    assert_eq!((ran.code, ran.err.contains("finitctl disable getty")), (1, true), "{}", ran.err);
    let needing = format!("{getty}[service.web]\ncommand = \"/web\"\nneeds = \"getty@tty1\"\n");
    let other = Root::with(&[("/etc/finit.toml", &needing.replace("y1\"]", "y1\", \"tty2\"]"))]);
    let ran = other.ctl(&["disable", "getty@tty1"]);
    let why = "without getty@tty1 the file has an error: nothing is called `getty@tty1`";
    assert_eq!((ran.code, ran.err.contains(why)), (1, true), "{}", ran.err);
    // The template as a whole.
    assert_eq!(root.ctl(&["disable", "getty"]).code, 0);
    let off = root.read("/etc/finit.toml");
    assert!(off.contains("\nenabled = false\n"), "{off}");
    // Of which no instance can be enabled then, in its list or not.
    for instance in ["getty@tty2", "getty@tty7"] {
        let ran = root.ctl(&["enable", instance]);
        let why = "finitctl: the template getty is disabled: finitctl enable getty\n";
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (1, "", why));
    }
    assert_eq!(root.read("/etc/finit.toml"), off);
}

#[test]
fn what_cannot_be_is_refused_and_the_file_is_as_before() {
    let root =
        Root::with(&[("/etc/finit.toml", &format!("{WEB}[target.play]\nwants = \"web\"\n"))]);
    let before = root.read("/etc/finit.toml");
    for (name, code, words) in [
        ("wbe", 4, "no service is called `wbe`; did you mean `web`?"),
        ("play", 5, "play is a target"),
        ("web@one", 4, "no service is called `web@one`"),
    ] {
        let ran = root.ctl(&["disable", name]);
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{name}: {}", ran.err);
        assert!(ran.err.contains(words), "{}", ran.err);
    }
    assert_eq!(root.read("/etc/finit.toml"), before);
    // One with a mistake is not made worse, nor better.
    let broken = format!("{WEB}bad = 1\n");
    fs::write(root.path("/etc/finit.toml"), &broken).unwrap();
    let ran = root.ctl(&["disable", "web"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("`bad`") && ran.err.contains("nothing was changed"), "{}", ran.err);
    assert_eq!(root.read("/etc/finit.toml"), broken);
}

#[test]
fn links_owner_and_mode_stay_and_nothing_is_left_beside() {
    let root = Root::with(&[("/etc/finit.toml", "# by hand\n"), ("/usr/lib/web.toml", WEB)]);
    let real = root.path("/usr/lib/web.toml");
    // As that system sees it: its root is not ours.
    fs::create_dir(root.path("/etc/drop-ins")).unwrap();
    symlink("/etc/drop-ins", root.path("/etc/finit.toml.d")).unwrap();
    symlink("/usr/lib/link.toml", root.path("/etc/drop-ins/web.toml")).unwrap();
    symlink("web.toml", root.path("/usr/lib/link.toml")).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    let owner = |uid| std::os::unix::fs::chown(&real, Some(uid), Some(uid));
    let uid = if owner(1234).is_ok() { 1234 } else { fs::metadata(&real).unwrap().uid() };
    let ran = root.ctl(&["disable", "web"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(root.read("/usr/lib/web.toml"), WEB_OFF);
    assert!(root.path("/etc/drop-ins/web.toml").is_symlink());
    let is = fs::metadata(&real).unwrap();
    assert_eq!((is.mode() & 0o7777, is.uid()), (0o640, uid));
    let names = fs::read_dir(root.path("/usr/lib")).unwrap().count();
    assert_eq!(names, 2);
    fs::remove_file(real).unwrap();
    let ran = root.ctl(&["enable", "web"]);
    assert_eq!((ran.code, ran.err.contains("a link to nothing")), (1, true), "{}", ran.err);
}

/// An access list: its owner and its mask may read and write, user 1234 and the group only read.
/// The mode says the mask in the place of the group.
const LIST: &[u16] =
    &[2, 0, 1, 6, !0, !0, 2, 4, 1234, 0, 4, 4, !0, !0, 16, 6, !0, !0, 32, 0, !0, !0];

#[test]
fn a_file_keeps_its_access_list_and_gets_none_from_its_folder() {
    let root = Root::with(&[("/etc/finit.toml", WEB)]);
    let file = root.path("/etc/finit.toml");
    let (acl, of_folder) = (c"system.posix_acl_access", c"system.posix_acl_default");
    let list: Vec<u8> = LIST.iter().flat_map(|word| word.to_le_bytes()).collect();
    let open = |path: &std::path::Path| fs::File::open(path).unwrap();
    let has = || attributes::get(open(&file).as_fd(), acl);
    attributes::set(open(&file).as_fd(), acl, &list).unwrap();
    // Where it has such a thing: an older tmpfs has none.
    attributes::set(open(&file).as_fd(), c"user.mine", b"too").ok();
    let mine = || attributes::get(open(&file).as_fd(), c"user.mine");
    let before = mine();
    let ran = root.ctl(&["disable", "web"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!((has(), root.read("/etc/finit.toml").as_str()), (Ok(list.clone()), WEB_OFF));
    assert_eq!(mine(), before);
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o660);

    attributes::set(open(file.parent().unwrap()).as_fd(), of_folder, &list).unwrap();
    attributes::remove(open(&file).as_fd(), acl).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(root.ctl(&["enable", "web"]).code, 0);
    assert_eq!(has(), Err(Errno(libc::ENODATA)));
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
}

#[test]
fn who_is_started_by_hand_alone_is_told_that_the_boot_does_not() {
    let root = Root::with(&[("/etc/finit.toml", &format!("{WEB_OFF}start = \"manual\"\n"))]);
    let ran = root.ctl(&["enable", "web"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.contains("its `start` is \"manual\", so the boot does not start it"),
        "{}",
        ran.out
    );
}

#[test]
fn a_template_whose_instances_are_found_is_enabled_as_a_whole() {
    let file = "[service.site]\ncommand = \"/x\"\ninstances.glob = \"/etc/sites/*\"\n";
    let root = Root::with(&[("/etc/finit.toml", file), ("/etc/sites/a", "")]);
    let ran = root.ctl(&["disable", "site@a"]);
    assert_eq!((ran.code, ran.out.as_str()), (5, ""));
    let why = "the instances of site are found on the machine, and no file lists them; \
               finitctl disable site is for all of them";
    assert!(ran.err.contains(why), "{}", ran.err);
    assert_eq!(root.ctl(&["enable", "site"]).out, "site is enabled already\n");
    let ran = root.ctl(&["disable", "site"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let off = file.replace("site]\n", "site]\nenabled = false\n");
    assert_eq!(root.read("/etc/finit.toml"), off);
    assert_eq!(root.ctl(&["disable", "site"]).out, "site is disabled already\n");
    assert_eq!(root.ctl(&["enable", "site"]).code, 0);
    assert_eq!(root.read("/etc/finit.toml"), off.replace("false", "true"));
}
