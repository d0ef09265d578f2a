//! What runs at its times.

use finit::client::output::Style;
use finit::client::timers;
use finit::os::time;
use finit::proto::frame::Answer;
use finit::proto::{MachineReport, Reply, ServiceReport, StateWord, TimerReport};

use super::fake::*;

fn timed(name: &str, timer: TimerReport) -> ServiceReport {
    let timer = Some(Box::new(timer));
    ServiceReport { kind: "task".to_owned(), timer, ..service(name, StateWord::Stopped) }
}

fn entries() -> Vec<ServiceReport> {
    let hour = 3_600_000;
    let result = |text: &str| Some(text.to_owned());
    vec![
        service("sshd", StateWord::Up),
        timed(
            "never",
            TimerReport { never: "never due: no time left".into(), ..TimerReport::default() },
        ),
        timed(
            "daily",
            TimerReport {
                next_ms: Some(6 * hour - 400),
                last_ms: Some(18 * hour),
                result: result("exited with status 0"),
                ..TimerReport::default()
            },
        ),
        timed("new", TimerReport { next_ms: Some(400 * hour), ..TimerReport::default() }),
        timed(
            "poll",
            TimerReport { next_ms: Some(30_000), last_ms: Some(2_000), ..TimerReport::default() },
        ),
        timed(
            "lost",
            TimerReport {
                never: "not enabled".into(),
                last_ms: Some(60_000),
                result: result("exited \u{1b}[2Jwith status 3"),
                ..TimerReport::default()
            },
        ),
    ]
}

#[test]
fn timers_are_one_a_line_the_next_one_first() {
    let entries = entries();
    let listed: Vec<&ServiceReport> = entries.iter().collect();
    let (now, _) = time::wall();
    let at = |wait: i64| time::local(now + wait).unwrap();
    let clock = |wait: i64| {
        let at = at(wait);
        format!("{:02}:{:02}:{:02}", at.hour, at.minute, at.second)
    };
    let far = at(400 * 3600);
    let date = format!("{}-{:02}-{:02}", far.year, far.month, far.day);
    let date = format!("{date} {:02}:{:02}", far.hour, far.minute);
    let page = timers::render(&timers::sorted(&listed), (now, 0), Style::default());
    let expected = format!(
        "\
NAME   NEXT              IN          LAST       RESULT
poll   {}          30 s        2 s ago    runs now
daily  {}          5 h 59 min  18 h ago   status 0
new    {date}  16 days
lost                                 1 min ago  status 3; not enabled
never                                           never due: no time left
",
        clock(30),
        clock(6 * 3600)
    );
    assert_eq!(page, expected);
    for width in 1..100 {
        let style = Style { width: Some(width), ..Style::default() };
        let page = timers::render(&timers::sorted(&listed), (now, 0), style);
        let lines: Vec<&str> = page.lines().collect();
        assert_eq!(lines.len(), 6, "{page}");
        assert!(lines.iter().all(|line| line.chars().count() <= usize::from(width)), "{page}");
    }
}

#[test]
fn timers_are_listed_filtered_and_told_to_programs() {
    let report = MachineReport { services: entries(), ..machine() };
    let server = Server::always(Answer::Reply(Reply::Machine(Box::new(report))));
    let ran = server.run(&["list", "--timers"]);
    let names: Vec<&str> = ran.out.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["NAME", "poll", "daily", "new", "lost", "never"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let ran = server.run(&["list", "--timers", "--json"]);
    let told: Vec<ServiceReport> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.first(), Some(&entries()[4]));
    assert_eq!(told.len(), 5);
    let ran = server.run(&["list", "--timers", "--failed"]);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", "nothing to list\n"));
    assert_eq!(server.run(&["list", "--timers", "--sockets"]).code, 2);
}
