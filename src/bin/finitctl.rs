//! finitctl: the client of finit, and the programs `poweroff`, `reboot`, `halt`, `shutdown` and
//! `telinit` when it is linked under those names.

#![no_main]

use std::ffi::OsString;
use std::path::Path;

use finit::client::{self, Environment, Form, Session, Status, connect::Failure, verbs};

finit::short_program!(run);

fn run(arguments: Vec<OsString>) -> u8 {
    let environment = Environment::read();
    let mut arguments = arguments.into_iter();
    let program = arguments.next().unwrap_or_default();
    let program = Path::new(&program).file_name().unwrap_or_default().to_string_lossy();

    let arguments: Vec<OsString> = arguments.collect();
    let for_programs = verbs::asks_for_objects(&arguments);
    let words: Result<Vec<String>, OsString> =
        arguments.into_iter().map(OsString::into_string).collect();
    let status: Status = match words {
        Ok(words) => client::run(&program, &words, &environment),
        Err(word) => {
            let message = format!("{} is not UTF-8; nothing is done", word.to_string_lossy());
            let mut session = Session::new(&program, &environment);
            if for_programs {
                session.form = Form::Json;
            }
            session.end(Err(Failure::Usage(message)))
        }
    };
    status.code()
}
