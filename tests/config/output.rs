//! What services say about their lines.

use finit::config::spec::{ExecSpec, LogTarget, Outlet, Stream};

use crate::{said, service, services};

fn exec(keys: &str) -> ExecSpec {
    ExecSpec::clone(&service(&format!("[service.x]\ncommand = '/x'\n{keys}")).exec)
}

#[test]
fn without_a_word_there_is_nothing_beside_the_target() {
    let exec = exec("");
    assert_eq!((&exec.log, &exec.own_log), (&LogTarget::Files, &None));
    assert_eq!((exec.outlet(Stream::Errors), exec.has_own_errors()), (Outlet::Lines, false));
    // As an older finit hands it over.
    let text = serde_json::to_string(&exec).unwrap();
    assert!(!text.contains("own_log"), "{text}");
    assert_eq!(serde_json::from_str::<ExecSpec>(&text).unwrap(), exec);
}

#[test]
fn stderr_has_a_place_of_its_own_only_where_it_is_another() {
    let exec = exec("log = 'none'\nlog-stderr = 'files'\n");
    assert_eq!(exec.log_of(Stream::Errors), &LogTarget::Files);
    assert_eq!(exec.outlet(Stream::Output), Outlet::Nothing);
    assert!(exec.has_own_errors());
    // By two spellings the same.
    let same = "[service.x]\ncommand = '/x'\nlog = 'file:/%n'\nlog-stderr = 'file:/x'\n";
    assert_eq!(service(same).exec.own_log, None);
}

#[test]
fn a_tag_and_a_size_are_those_of_each_instance() {
    let text = "[service.w]\ncommand = '/w'\ninstances = ['a', 'b']\nlog = 'kmsg'\n\
                log-stderr = 'files'\nlog-tag = '%n/%i'\nlog-max = '64K'\n";
    let tags: Vec<_> =
        services(text).iter().map(|w| w.exec.log_tag().unwrap().to_owned()).collect();
    assert_eq!(tags, ["w@a/a", "w@b/b"]);
    assert_eq!(services(text)[0].exec.log_max(), Some(64 << 10));
    assert_eq!(exec("log-max = 'never'").log_max(), Some(0));
}

/// The console is the service's own, but a tag is put before its lines by finit.
#[test]
fn with_a_tag_the_console_is_a_pipe() {
    assert_eq!(exec("log = 'console'\n").outlet(Stream::Output), Outlet::Console);
    let tagged = exec("log = 'console'\nlog-tag = 'x'\n");
    assert_eq!(tagged.outlet(Stream::Output), Outlet::Lines);
}

#[test]
fn defaults_are_for_those_that_they_do_something_for() {
    let text = "[defaults]\nlog-tag = '%n'\nlog-max = '1M'\nlog-stderr = 'syslog'\n\
                [service.a]\ncommand = '/a'\n[service.b]\ncommand = '/b'\nlog = 'syslog'\n\
                [service.c]\ncommand = '/c'\nlog-stderr = 'files'\nlog-max = '2M'\n";
    assert!(said(text).starts_with("warning: `log-stderr` does nothing"), "{}", said(text));
    let text = text.replace("log-stderr = 'files'\n", "log-stderr = 'none'\n");
    let all = services(&text);
    let of = |at: usize| {
        let exec = &all[at].exec;
        (exec.log_stderr().cloned(), exec.log_tag().map(str::to_owned), exec.log_max())
    };
    assert_eq!(of(0), (Some(LogTarget::Syslog), Some("a".into()), Some(1 << 20)));
    assert_eq!(of(1), (None, Some("b".into()), None));
    assert_eq!(of(2), (Some(LogTarget::None), None, Some(2 << 20)));
    let text = "[defaults]\nlog-tag = 'a b'\nlog-max = '1'\n";
    assert_eq!(said(text).matches("error: ").count(), 2, "{}", said(text));
}

/// Whether a process of the one has the descriptors of the other.
#[test]
fn streams_are_the_same_where_the_pipes_are() {
    let has = |old: &str, new: &str| exec(old).has_streams_of(&exec(new));
    let files = "";
    let (syslog, none, console) = ("log = 'syslog'", "log = 'none'", "log = 'console'");
    let apart = "log-stderr = 'syslog'";
    assert!(has(files, syslog) && has(syslog, "log = 'file:/x'\nlog-max = '1M'\n"));
    assert!(has(syslog, "log = 'syslog'\nlog-tag = 't'\n"));
    assert!(!has(files, none) && !has(none, files) && !has(files, console));
    assert!(!has(console, "log = 'console'\nlog-tag = 't'\n"));
    // The pipe of a stderr comes with a start, and stays.
    assert!(!has(files, apart) && has(apart, files));
    assert!(has(apart, "log = 'kmsg'\nlog-stderr = 'file:/e'\n"));
    assert!(!has(apart, "log-stderr = 'none'") && !has(apart, "log-stderr = 'console'"));
    assert!(!has("log = 'none'\nlog-stderr = 'files'\n", none));
}
