//! Answers of others, kept beside this file with the commands that made them.

use super::{first_times, schedule};

/// One expression of a file: after which time, the text, and the lines below it.
struct Case<'a> {
    from: &'a str,
    text: &'a str,
    lines: Vec<&'a str>,
}

fn cases(file: &str) -> Vec<Case<'_>> {
    let (mut from, mut cases) = ("", Vec::new());
    for line in file.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(rest) = line.strip_prefix("from ") {
            from = rest;
        } else if let Some(rest) = line.strip_prefix("    ") {
            let case: &mut Case = cases.last_mut().unwrap();
            case.lines.push(rest);
        } else {
            cases.push(Case { from, text: line, lines: Vec::new() });
        }
    }
    cases
}

/// That all expressions come when it is said, and that there are so many of them.
fn compare(file: &str, least: usize, text: impl Fn(&str) -> String, kept: impl Fn(&str) -> bool) {
    let cases = cases(file);
    assert!(cases.len() >= least, "{} expressions", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let lines = case.lines.iter().filter(|line| kept(line) && **line != "never");
        let expected: Vec<&str> = lines.map(|line| line.trim_start_matches(['+', ' '])).collect();
        // One more than never must not come.
        let count = expected.len() + usize::from(case.lines.contains(&"never"));
        let found = first_times(&schedule(&text(case.text)), case.from, count);
        if found != expected {
            wrong.push(format!("{} from {}: {found:#?}", case.text, case.from));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn times_come_as_systemd_says() {
    compare(include_str!("systemd.txt"), 80, str::to_owned, |_| true);
}

#[test]
fn times_of_cron_come_as_croniter_says() {
    compare(include_str!("cron.txt"), 38, |text| format!("cron: {text}"), |_| true);
}

/// The rule of cron(8) for a star as minutes.
#[test]
fn each_minute_of_an_hour_comes_as_often_as_the_clocks_show_it() {
    for text in ["cron: * 2 * * * Europe/Berlin", "02:* Europe/Berlin"] {
        let of = |from: &str, count| first_times(&schedule(text), from, count);
        let twice = ["2025-10-26 00:59:00", "2025-10-26 01:00:00", "2025-10-26 01:01:00"];
        assert_eq!(of("2025-10-26 00:58:30", 3), twice, "{text}");
        assert_eq!(of("2025-10-26 01:58:30", 2), ["2025-10-26 01:59:00", "2025-10-27 01:00:00"]);
    }
}

/// A line with `+` is ours alone, one with `-` is systemd's alone.
#[test]
fn no_time_is_lost_or_doubled_when_clocks_are_changed() {
    compare(include_str!("daylight.txt"), 50, str::to_owned, |line| !line.starts_with('-'));
}
