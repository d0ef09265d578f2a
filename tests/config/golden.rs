//! Good files are without mistakes; of each bad file every word is known. With the variable
//! `BLESS` set, the files of expected words are written anew: read what changed.

use std::path::{Path, PathBuf};

use crate::{read, said};

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{folder:?}: {e}"));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    assert!(!paths.is_empty(), "{folder:?}");
    paths
}

#[test]
fn the_shipped_files_and_the_good_ones_have_no_mistakes() {
    for folder in ["config", "config/examples", "tests/config/good"] {
        for path in files(folder) {
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(said(&text), "", "{}", path.display());
        }
    }
}

#[test]
fn every_word_about_the_bad_files_is_known() {
    let mut wrong = Vec::new();
    for path in files("tests/config/bad") {
        let text = std::fs::read_to_string(&path).unwrap();
        let said = format!("{}\n", said(&text));
        let expected = path.with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected, &said).unwrap();
        }
        if std::fs::read_to_string(&expected).unwrap_or_default() != said {
            wrong.push(format!("{}:\n{said}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A bad service costs the machine that service; the last one of each file is good.
#[test]
fn what_is_good_in_a_bad_file_is_still_there() {
    for path in files("tests/config/bad") {
        let text = std::fs::read_to_string(&path).unwrap();
        let names: Vec<_> = read(&text).spec.services.iter().map(|s| s.name.clone()).collect();
        assert!(names.iter().any(|name| name == "good"), "{}: {names:?}", path.display());
        assert!(!names.iter().any(|name| name == "bad"), "{}: {names:?}", path.display());
    }
}
