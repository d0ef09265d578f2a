//! What only finit writes, and what is said about mistakes.

use std::time::Duration;

use finit::calendar::{CalendarSpec, Schedule, Zone};

use super::{schedule, seconds};

#[test]
fn words_of_finit_mean_what_oncalendar_can_say() {
    let same = [
        ("daily 03:00", "*-*-* 03:00:00"),
        ("Daily 3:00", "03:00"),
        ("daily 03:00 UTC", "03:00 utc"),
        ("weekly", "Mon 00:00"),
        ("weekly Sun", "sunday"),
        ("weekly Sun 04:00", "Sun *-*-* 04:00"),
        ("weekly mon,thu 04:00", "Mon,Thu 04:00"),
        ("weekly 04:00", "Mon 04:00"),
        ("monthly 03:15", "*-*-01 03:15"),
        ("quarterly 03:15", "*-1,4,7,10-1 03:15"),
        ("yearly 12:00", "*-01-01 12:00"),
        ("daily 9..17:00", "9..17:0"),
        ("sat..mon 10:00", "sat,sun,mon 10:00"),
        ("*:*/15", "*:0/15"),
        ("*-*/3-*/10 00:00", "*-1/3-1/10"),
        ("*-*~* 06:00", "06:00"),
        ("  mon   09:30  ", "mon 09:30"),
        ("mon..sun 09:30", "09:30"),
        ("2025,2025-1-1", "25-01-01"),
        ("daily 03:00 Europe/Berlin", "03:00 Europe/Berlin"),
        ("cron: 0 3 * * *", "03:00"),
        ("cron:0 3 * * *", "03:00"),
        ("cron: 0 3 * * fri-sun Europe/Berlin", "Fri..Sun 03:00 Europe/Berlin"),
        ("cron: 0 0 * * mon-fri/2", "Mon,Wed,Fri"),
        ("cron: 0 0 * * 0-0", "Sun"),
        ("cron: 0 0 * * sun-sun", "Sun"),
        ("cron: 0 0 * * 5-0", "Fri..Sun"),
        ("cron: 0 0 * * 0-7", "daily"),
        ("cron: 0 0 * * MON-FRI/2 CET", "Mon,Wed,Fri CET"),
        ("cron: @weekly", "Sun"),
        ("cron: @daily UTC", "daily UTC"),
        ("*-*~20/10", "*-*~10,20"),
        ("16..17/2:00", "16:00"),
    ];
    for (ours, theirs) in same {
        assert_eq!(schedule(ours), schedule(theirs), "{ours}");
    }
}

#[test]
fn spans_of_time_are_schedules_too() {
    let every = |text: &str| schedule(text).every.unwrap().as_secs();
    assert_eq!(every("every 15m"), 900);
    assert_eq!(every("every 1h30m"), 5400);
    assert_eq!(every("every 1h 30m"), 5400);
    assert_eq!(schedule("cron: @reboot").after_boot, Some(Duration::ZERO));
    assert_eq!(schedule("cron: @reboot").at, []);
    assert_eq!(schedule("every 1d").next_at(0, &Zone::utc()), None);
}

#[test]
fn a_list_of_times_has_one_zone() {
    let mut both = Schedule::default();
    both.add("sat,sun 10:00").unwrap();
    both.add("cron: 30 9 * * mon-fri").unwrap();
    both.set_zone("Europe/Berlin").unwrap();
    both.add("12:00 Europe/Berlin").unwrap();
    assert_eq!(both.zone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(both.at.len(), 3);
    let mistake = both.add("12:00 UTC").unwrap_err();
    assert_eq!(
        mistake.to_string(),
        "`UTC` is a second time zone; write `Europe/Berlin` everywhere, or make two tasks of it"
    );
    assert_eq!(mistake.at, 6..9);
    assert!(both.set_zone("America/New_York").is_err());
    for bad in ["", "/etc/passwd", "../../etc/passwd", "Europe//Berlin", "Europe/Ber lin", "a.b"] {
        assert!(Schedule::default().set_zone(bad).is_err(), "{bad}");
    }
    let only = |text: &str| Schedule::default().add(text).unwrap_err().to_string();
    assert_eq!(only("every 5m"), "`every` is no time of the calendar; use the key `every`");
    assert!(only("cron: @reboot").ends_with("use the key `after-boot`"));
}

/// What never comes is refused when it is read, and would end the search at once.
#[test]
fn the_search_ends() {
    let leap_day = serde_json::to_string(&schedule("*-02-29").at[0]).unwrap();
    let day_30 = leap_day.replace(&(1u64 << 29).to_string(), &(1u64 << 30).to_string());
    assert_ne!(leap_day, day_30);
    let never: CalendarSpec = serde_json::from_str(&day_30).unwrap();
    for after in [i64::MIN, -1, 0, 1_700_000_000, i64::MAX] {
        assert_eq!(never.next(after, &Zone::utc()), None);
    }
    let daily = &schedule("daily").at[0];
    assert_eq!(daily.next(i64::MIN, &Zone::utc()), Some(0));
    assert_eq!(daily.next(0, &Zone::utc()), Some(86_400));
    assert_eq!(daily.next(seconds("2199-12-31 00:00:00"), &Zone::utc()), None);
    assert_eq!(daily.next(i64::MAX, &Zone::utc()), None);
}

#[test]
fn mistakes_say_what_to_write() {
    let mut wrong = Vec::new();
    for entry in include_str!("mistakes.txt").split("\n\n").filter(|entry| !entry.is_empty()) {
        let mut lines = entry.lines().filter(|line| !line.starts_with('#'));
        let (text, carets, said) = (lines.next().unwrap(), lines.next(), lines.next());
        let found = match Schedule::parse(text) {
            Ok(schedule) => format!("{text}\nis right: {schedule:?}"),
            Err(mistake) => {
                let underline = "^".repeat(mistake.at.len().max(1));
                format!("{text}\n{}{underline}\n{mistake}", " ".repeat(mistake.at.start))
            }
        };
        if found.lines().skip(1).ne(carets.into_iter().chain(said)) {
            wrong.push(found);
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n\n"));
}

/// Whatever somebody writes, the place of the mistake is in it.
#[test]
fn texts_that_are_cut_off_or_mangled_are_survived() {
    let texts = [
        "Mon..Fri,Sun 2025..30/2-*/3~1..7/2 1,2..9/3:*/5:0..9 Europe/Berlin",
        "cron: */5 1-9/2,23 1 jan-mar fri-sun UTC",
        "every 1h 30m",
    ];
    let marks = ["", " ", "*", "/", "..", "~", "-", ",", ":", "0", "99999999999", "ä", "\u{0}"];
    for text in texts {
        for cut in 0..=text.len() {
            for mark in marks {
                for rest in [&text[cut..], &text[text.len().min(cut + 1)..], ""] {
                    let text = format!("{}{mark}{rest}", &text[..cut]);
                    if let Err(mistake) = Schedule::parse(&text) {
                        assert!(text.get(mistake.at.clone()).is_some(), "{text}: {mistake:?}");
                        assert!(!mistake.hint.is_empty());
                    }
                }
            }
        }
    }
}

/// G2: a battery that is empty, and what 32 bits hold with and without a sign.
#[test]
fn g2_a_clock_at_1970_2038_or_2106_has_a_next_time() {
    let daily = schedule("daily 03:00");
    for (now, next) in [
        ("1970-01-01 00:00:00", "1970-01-01 03:00:00"),
        ("2038-01-19 03:14:08", "2038-01-20 03:00:00"),
        ("2106-02-07 06:28:15", "2106-02-08 03:00:00"),
        ("2106-02-07 06:28:16", "2106-02-08 03:00:00"),
    ] {
        assert_eq!(daily.next_at(seconds(now), &Zone::utc()), Some(seconds(next)), "{now}");
    }
    assert_eq!(seconds("2106-02-07 06:28:16"), 1 << 32);
}
