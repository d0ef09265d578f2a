//! The small programs that the machines run: compiled once, from tests/programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// finit and finitctl: those that cargo built, or those in the folder FINIT_BIN.
pub static SBIN: LazyLock<PathBuf> = LazyLock::new(|| match std::env::var_os("FINIT_BIN") {
    Some(folder) => folder.into(),
    None => Path::new(env!("CARGO_BIN_EXE_finit")).parent().unwrap().to_owned(),
});

/// The folder that machines see as /programs.
pub static PROGRAMS: LazyLock<PathBuf> = LazyLock::new(|| {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs");
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(sources).unwrap() {
        let source = entry.unwrap().path();
        if source.extension().is_some_and(|extension| extension == "c") {
            compile(&source, &folder.join(source.file_stem().unwrap()));
        }
    }
    folder
});

fn compile(source: &Path, program: &Path) {
    let age = |path: &Path| fs::metadata(path).and_then(|m| m.modified()).ok();
    if age(program) > age(source) {
        return;
    }
    // Under a name of its own first: another test may be about to execute it.
    let new = program.with_extension(std::process::id().to_string());
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-Wall", "-Wextra", "-Werror", "-static", "-pthread", "-o"])
        .arg(&new)
        .arg(source);
    assert!(cc.status().expect("a C compiler: tests/run installs one").success());
    fs::rename(new, program).unwrap();
}
