//! Random expressions in random windows, against a search minute by minute.

use finit::calendar::{CalendarSpec, Civil, Schedule, Zone};

use super::dice::Dice;
use super::{BERLIN, LORD_HOWE, NEW_YORK, SAO_PAULO, seconds};

/// Days on which clocks are changed somewhere, or a month or a year ends.
const DAYS: [&str; 14] = [
    "2025-03-29",
    "2025-10-25",
    "2037-10-24",
    "2038-03-27",
    "2150-03-28",
    "2025-03-08",
    "2025-11-01",
    "2025-10-04",
    "2025-04-05",
    "2018-11-03",
    "2018-02-17",
    "2024-02-28",
    "2023-12-31",
    "2100-02-28",
];
/// How far to look, in minutes.
const WINDOW: i64 = 40 * 60;

/// One component: everything, a number, a range, a list or a step.
fn component(dice: &mut Dice, first: u64, last: u64, plain: u64) -> String {
    let number = |dice: &mut Dice| first + dice.below(last - first + 1);
    if dice.percent(plain) {
        return "*".to_owned();
    }
    let (a, b) = (number(dice), number(dice));
    match dice.below(4) {
        0 => a.to_string(),
        1 => format!("{a},{b}"),
        2 => format!("{}..{}", a.min(b), a.max(b)),
        _ => format!("{first}/{}", 1 + dice.below((last - first) / 2)),
    }
}

/// An expression that comes on many days, at whole minutes.
fn expression(dice: &mut Dice) -> String {
    let weekdays = *dice.pick(&["", "", "", "Sun ", "Sat..Mon ", "Mon..Fri "]);
    let mark = if dice.percent(20) { '~' } else { '-' };
    let month = component(dice, 1, 12, 80);
    let day = component(dice, 1, 28, 70);
    // Most clocks are changed in these hours.
    let hour = if dice.percent(40) {
        dice.pick(&["0", "1", "2", "1..3", "2,3", "23"]).to_string()
    } else {
        component(dice, 0, 23, 50)
    };
    let minute = component(dice, 0, 59, 20);
    format!("{weekdays}*-{month}{mark}{day} {hour}:{minute}")
}

/// The rule of [`CalendarSpec::next`] for one moment, in its own words.
fn is_due(spec: &CalendarSpec, at: i64, zone: &Zone) -> bool {
    let (shown, before) = (zone.local(at), zone.local(at - 60).seconds() + 60);
    if spec.is_of_every_hour() {
        return spec.matches(shown);
    }
    let is_made_up_for =
        || (before..shown.seconds()).step_by(60).any(|local| spec.matches(Civil::of(local)));
    let is_in_time = || spec.is_of_every_minute() || zone.moments(shown).first() == at;
    (spec.matches(shown) && is_in_time()) || is_made_up_for()
}

#[test]
fn nothing_comes_in_between_and_nothing_twice() {
    let zones = [BERLIN, NEW_YORK, LORD_HOWE, SAO_PAULO].map(|file| Zone::parse(file).unwrap());
    let (mut met, mut tried) = (0, 0);
    for seed in 0..600 {
        let mut dice = Dice::of(seed, "calendar");
        let text = expression(&mut dice);
        let Ok(schedule) = Schedule::parse(&text) else { continue };
        let zone = dice.pick(&zones);
        let day = format!("{} 12:00:00", dice.pick(&DAYS));
        let mut after = seconds(&day) - 86_400 + 60 * dice.below(24 * 60) as i64;
        let end = after + WINDOW * 60;
        tried += 1;
        while let Some(next) = schedule.next_at(after, zone) {
            let told = format!("seed {seed}: {text} after {after}: {next}");
            assert!(next > after, "{told}");
            let due = |at: &i64| schedule.at.iter().any(|spec| is_due(spec, *at, zone));
            let minutes = (after.div_euclid(60) + 1)..;
            let found = minutes.map(|minute| minute * 60).take_while(|at| *at < end).find(due);
            match found {
                Some(found) => assert_eq!(next, found, "{told}"),
                None => assert!(next >= end, "{told}"),
            }
            if found.is_none() {
                break;
            }
            met += 1;
            // Not all of a schedule of each minute.
            after = if dice.percent(50) { next } else { next + 60 * dice.below(90) as i64 };
        }
    }
    assert!(met > 2000 && tried > 400, "{met} {tried}");
}
