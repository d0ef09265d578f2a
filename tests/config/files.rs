//! Which files are read, and in which order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use finit::config::{Disk, Loaded, Reader, builtin, load};

/// Files in memory. An entry without bytes cannot be read.
#[derive(Default)]
struct Memory(BTreeMap<&'static str, Option<Vec<u8>>>);

impl Reader for Memory {
    fn file(&self, path: &Path) -> Result<Option<Vec<u8>>, String> {
        match self.0.get(path.to_str().unwrap()) {
            None => Ok(None),
            Some(None) => Err("permission denied".to_owned()),
            Some(Some(bytes)) => Ok(Some(bytes.clone())),
        }
    }

    fn folder(&self, path: &Path) -> Result<Vec<PathBuf>, String> {
        if let Some(None) = self.0.get(path.to_str().unwrap()) {
            return Err("too many open files".to_owned());
        }
        let inside = |name: &&&str| Path::new(name).parent() == Some(path);
        // Not in order: that is not the reader's work.
        Ok(self.0.keys().rev().filter(inside).map(PathBuf::from).collect())
    }
}

const PATH: &str = "/etc/finit.toml";

fn load_all(files: &[(&'static str, &str)]) -> Loaded {
    let files = files.iter().map(|(path, text)| (*path, Some(text.as_bytes().to_vec())));
    load(Path::new(PATH), &Memory(files.collect()))
}

fn names(loaded: &Loaded) -> Vec<&str> {
    loaded.spec.services.iter().map(|service| service.name.as_str()).collect()
}

#[test]
fn drop_ins_follow_in_the_order_of_their_bytes() {
    let loaded = load_all(&[
        ("/etc/finit.toml", "[service.main]\ncommand = '/a'"),
        ("/etc/finit.toml.d/b.toml", "[service.b]\ncommand = '/a'"),
        ("/etc/finit.toml.d/Z.toml", "[service.z]\ncommand = '/a'"),
        ("/etc/finit.toml.d/a.toml", "[service.a]\ncommand = '/a'"),
        ("/etc/finit.toml.d/a.toml~", "no toml"),
        ("/etc/finit.toml.d/.a.toml", "no toml"),
        ("/etc/finit.d/x.toml", "of another init"),
    ]);
    assert_eq!(loaded.errors(), Vec::<String>::new());
    assert_eq!(names(&loaded), ["main", "z", "a", "b"]);
    assert_eq!(loaded.sources.len(), 4);
}

/// Else all that packages have dropped there would be stopped as not in the file any more.
#[test]
fn a_folder_that_cannot_be_read_is_an_error_and_not_empty() {
    let folder = "/etc/finit.toml.d";
    let files = [(PATH, Some(b"[service.web]\ncommand = '/a'".to_vec())), (folder, None)];
    let loaded = load(Path::new(PATH), &Memory(files.into_iter().collect()));
    assert!(loaded.is_broken());
    assert!(loaded.errors()[0].contains("too many open files"), "{:?}", loaded.errors());
    assert!(loaded.errors()[0].contains(folder), "{:?}", loaded.errors());

    let top = std::env::temp_dir().join(format!("finit-folder-{}", std::process::id()));
    let drop_ins = top.join("finit.toml.d");
    std::fs::create_dir_all(&top).unwrap();
    assert_eq!(Disk.folder(&drop_ins), Ok(Vec::new()));
    std::fs::write(&drop_ins, "a file").unwrap();
    assert!(Disk.folder(&drop_ins).unwrap_err().contains("ENOTDIR"));
    std::fs::remove_dir_all(&top).unwrap();
}

#[test]
fn a_name_in_two_files_is_an_error_that_shows_both() {
    let loaded = load_all(&[
        ("/etc/finit.toml", "[service.web]\ncommand = '/a'"),
        ("/etc/finit.toml.d/a.toml", "\n[task.web]\ncommand = '/b'"),
    ]);
    let said = loaded.errors().join("\n");
    assert!(said.contains(" --> /etc/finit.toml.d/a.toml:2:7"), "{said}");
    assert!(said.contains(" ::: /etc/finit.toml:1:10"), "{said}");
    assert!(said.contains("first defined here"), "{said}");
}

#[test]
fn an_override_changes_what_another_file_defines() {
    let loaded = load_all(&[
        (
            "/etc/finit.toml",
            "[service.web]\ncommand = '/a'\nuser = 'www'\nstop.timeout = '1s'\nstop.hup = true\n",
        ),
        (
            "/etc/finit.toml.d/a.toml",
            "[override.service.web]\nscript = 'exec /b'\nstop.timeout = '2s'\n",
        ),
    ]);
    assert_eq!(loaded.errors(), Vec::<String>::new());
    let web = &loaded.spec.services[0];
    assert_eq!(finit::config::expand(&web.commands[0], |_| None)[3], "exec /b");
    assert_eq!(web.exec.user.as_deref(), Some("www"));
    assert_eq!(web.stop.timeout.map(|t| t.as_secs()), Some(2));
    assert!(web.stop.hup, "tables are laid over each other key by key");
}

#[test]
fn a_setting_in_two_files_is_an_error_that_shows_both() {
    let loaded = load_all(&[
        ("/etc/finit.toml", "[boot]\nhostname = 'a'\nmodules = 'x'"),
        ("/etc/finit.toml.d/a.toml", "[boot]\nhostname = 'b'\nclock = false"),
    ]);
    assert_eq!(loaded.errors().len(), 1, "{:?}", loaded.errors());
    assert!(loaded.errors()[0].contains("first said here"), "{:?}", loaded.errors());
    assert!(!loaded.spec.boot.clock, "what another file says too is taken");
}

#[test]
fn what_cannot_be_read_is_told_with_its_file() {
    let loaded = load_all(&[]);
    assert_eq!(loaded.errors(), ["error: there is no such file\n  --> /etc/finit.toml"]);
    assert!(loaded.sources.is_empty());

    for text in ["", " \r\n\n"] {
        let loaded = load_all(&[(PATH, text), ("/etc/finit.toml.d/a.toml", "")]);
        let said = "error: this file is empty\n  --> /etc/finit.toml\n";
        assert!(loaded.errors().len() == 1 && loaded.errors()[0].starts_with(said), "{loaded:?}");
    }
    // Said in words it is as good as any other.
    assert!(!load_all(&[(PATH, "# nothing here\n")]).is_broken());

    let mut files = Memory::default();
    files.0.insert(PATH, Some(b"[service.a]\ncommand = '/a'\n# \xff\n".to_vec()));
    files.0.insert("/etc/finit.toml.d/a.toml", None);
    let loaded = load(Path::new(PATH), &files);
    let said = loaded.errors().join("\n");
    assert!(said.contains("error: this is not UTF-8\n --> /etc/finit.toml:3:3"), "{said}");
    assert!(said.contains("permission denied\n  --> /etc/finit.toml.d/a.toml"), "{said}");
}

/// The reader of the real disk: regular files alone, and not without end.
#[test]
fn the_disk_gives_no_folder_no_pipe_and_no_endless_file() {
    let folder = std::env::temp_dir().join(format!("finit-config-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("a.toml.d")).unwrap();
    std::fs::write(folder.join("a.toml"), "[service.a]\ncommand = '/a'\n").unwrap();
    std::fs::write(folder.join("a.toml.d/b.toml"), "[service.b]\ncommand = '/b'\n").unwrap();
    let loaded = load(&folder.join("a.toml"), &Disk);
    assert_eq!(names(&loaded), ["a", "b"]);

    std::fs::write(folder.join("long.toml"), vec![b'#'; (1 << 20) + 1]).unwrap();
    nix::unistd::mkfifo(&folder.join("pipe.toml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for path in ["a.toml.d", "long.toml", "pipe.toml", "missing.toml"] {
        assert!(load(&folder.join(path), &Disk).is_broken(), "{path}");
    }
    assert!(load(Path::new("/dev/zero"), &Disk).is_broken());
    std::fs::remove_dir_all(folder).unwrap();
}

/// A package that is not there for a while must not cost the services that it has linked here.
#[test]
fn a_link_to_nothing_is_an_error_and_not_a_file_that_is_gone() {
    let folder = std::env::temp_dir().join(format!("finit-links-{}", std::process::id()));
    let path = folder.join("finit.toml");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(&path, "[service.a]\ncommand = '/a'\n").unwrap();
    let (drop_ins, drop_in) = (folder.join("finit.toml.d"), folder.join("finit.toml.d/b.toml"));
    std::os::unix::fs::symlink("/nonexistent", &drop_ins).unwrap();
    let loaded = load(&path, &Disk);
    let error = |path: &Path| format!("error: it is a link to nothing\n  --> {}", path.display());
    assert_eq!((names(&loaded), loaded.errors()), (vec!["a"], vec![error(&drop_ins)]));

    std::fs::remove_file(&drop_ins).unwrap();
    std::fs::create_dir(&drop_ins).unwrap();
    std::os::unix::fs::symlink("/nonexistent/b.toml", &drop_in).unwrap();
    let loaded = load(&path, &Disk);
    assert_eq!((names(&loaded), loaded.errors()), (vec!["a"], vec![error(&drop_in)]));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_built_in_configuration_has_a_login_and_a_shell_for_repairs() {
    let spec = builtin();
    let of = |target: &str| {
        let members = spec.services.iter().filter(|s| s.targets.iter().any(|t| t == target));
        members.count()
    };
    assert_eq!([of("default"), of("rescue"), of("emergency")], [1, 1, 1]);
}

/// D8: what is replaced is the old file or the new one, at any moment.
#[test]
fn d8_a_file_that_is_replaced_while_it_is_read_is_one_of_the_two() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let folder = std::env::temp_dir().join(format!("finit-replaced-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (path, new) = (folder.join("a.toml"), folder.join("new"));
    let texts = ["a", "b"].map(|letter| letter.repeat(100_000).into_bytes());
    std::fs::write(&path, &texts[0]).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for text in texts.iter().cycle().take_while(|_| !stop.load(Ordering::Relaxed)) {
                std::fs::write(&new, text).unwrap();
                std::fs::rename(&new, &path).unwrap();
            }
        });
        let read = || match Disk.file(&path) {
            Ok(bytes) => texts.contains(&bytes.expect("it is always there")),
            Err(why) => why.contains("it is being written"),
        };
        let all = (0..1000).all(|_| read());
        stop.store(true, Ordering::Relaxed);
        assert!(all);
    });
    std::fs::remove_dir_all(folder).unwrap();
}

/// D8: half an old text and half a new one may be good TOML. What says something else each time
/// it is read is somebody's work.
#[test]
fn d8_a_file_that_changes_while_it_is_read_is_refused() {
    let changes = Path::new("/proc/sys/kernel/random/uuid");
    let loaded = load(changes, &Disk);
    let said = loaded.errors().join("\n");
    assert!(said.contains("it is being written: try again once that is done"), "{said}");
}
