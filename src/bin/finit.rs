//! finit: PID 1. Started under another number it passes its words on to the one that runs:
//! `init poweroff`, `telinit 6`.

use std::path::Path;
use std::process::ExitCode;

use finit::driver::{self, Start};
use finit::{boot, client, logger, os, probe};

fn main() -> ExitCode {
    let words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    if std::process::id() == 1 {
        live(words)
    }
    // Helpers of PID 1 are the same program under one word each. What it was executed as, which
    // top(1) would show, says nothing to a person.
    if words.first().is_some_and(|word| word.starts_with("--")) {
        os::proc::call_self(c"finit");
    }
    if let [word] = words.as_slice() {
        if word == logger::WORD {
            return ExitCode::from(logger::run());
        }
        if let Some(code) = boot::helper(word) {
            return ExitCode::from(code);
        }
    }
    if let [word, path] = words.as_slice() {
        if word == probe::WORD {
            return ExitCode::from(probe::run(path));
        }
        if word == probe::CHECK {
            return ExitCode::from(probe::check(path));
        }
        if let Some(code) = boot::helper_about(word, path) {
            return ExitCode::from(code);
        }
        if word == driver::KEEP_CONFIG {
            return ExitCode::from(driver::keep_config(Path::new(path)));
        }
        if word == driver::NOTE_RUN {
            return ExitCode::from(driver::note_run(path));
        }
        if word == driver::RECALL_RUN {
            return ExitCode::from(driver::recall_run(path));
        }
        if word == driver::CHECK_HANDOVER {
            return ExitCode::from(driver::check_handover(Path::new(path)));
        }
    }
    ExitCode::from(client::words::pass_on(&words))
}

/// PID 1. It never ends: what fails here ends in the lifeboat.
fn live(words: Vec<String>) -> ! {
    os::fault::catch();
    driver::tell_panics();
    if let Some(why) = driver::fault(&words) {
        driver::lifeboat(&why)
    }
    let text = |word: std::ffi::OsString| word.to_string_lossy().into_owned();
    let environment = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
    let start = Start { words, environment };
    let ended = std::panic::catch_unwind(|| driver::run(start));
    let why = match ended {
        Ok(why) => why,
        Err(_) => "a panic, which is a bug; see the lines before".to_owned(),
    };
    driver::lifeboat(&why)
}
