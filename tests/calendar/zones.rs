//! Local time of real places, and files that are damaged.

use finit::calendar::{Civil, Moments, Zone};

use super::{BERLIN, LORD_HOWE, NEW_YORK, SAO_PAULO, schedule, seconds};

/// A file of a zone without a table: everything comes from the rule.
fn ruled(offset: i32, rule: &str) -> Vec<u8> {
    let header = |version: u8| {
        let mut head = b"TZif".to_vec();
        head.push(version);
        head.extend([0; 15]);
        // Flags, leap seconds and changes: none; one type, whose name has four bytes.
        head.extend([0u32, 0, 0, 0, 1, 4].into_iter().flat_map(u32::to_be_bytes));
        head.extend(offset.to_be_bytes());
        head.extend([0, 0]);
        head.extend(b"LMT\0");
        head
    };
    [header(b'2'), header(b'2'), format!("\n{rule}\n").into_bytes()].concat()
}

fn local(text: &str) -> Civil {
    Civil::of(seconds(text))
}

#[test]
fn clocks_show_what_they_should() {
    let berlin = Zone::parse(BERLIN).unwrap();
    for (utc, shown) in [
        ("1970-01-01 00:00:00", "1970-01-01 01:00:00"),
        ("2025-03-30 00:59:59", "2025-03-30 01:59:59"),
        ("2025-03-30 01:00:00", "2025-03-30 03:00:00"),
        ("2025-10-26 00:59:59", "2025-10-26 02:59:59"),
        ("2025-10-26 01:00:00", "2025-10-26 02:00:00"),
        ("2199-07-01 12:00:00", "2199-07-01 14:00:00"),
    ] {
        assert_eq!(berlin.local(seconds(utc)).to_string(), shown);
    }
    let lord_howe = Zone::parse(LORD_HOWE).unwrap();
    assert_eq!(lord_howe.local(seconds("2061-01-01 00:00:00")), local("2061-01-01 11:00:00"));
    assert_eq!(lord_howe.local(seconds("2061-07-01 00:00:00")), local("2061-07-01 10:30:00"));
    assert_eq!(Zone::utc().local(0), local("1970-01-01 00:00:00"));
}

#[test]
fn a_time_is_shown_once_twice_or_never() {
    let berlin = Zone::parse(BERLIN).unwrap();
    let at = |text: &str| seconds(text);
    for (shown, moments) in [
        ("2025-03-30 01:59:59", Moments::Once(at("2025-03-30 00:59:59"))),
        ("2025-03-30 02:00:00", Moments::Skipped(at("2025-03-30 01:00:00"))),
        ("2025-03-30 02:59:59", Moments::Skipped(at("2025-03-30 01:00:00"))),
        ("2025-03-30 03:00:00", Moments::Once(at("2025-03-30 01:00:00"))),
        ("2025-10-26 01:59:59", Moments::Once(at("2025-10-25 23:59:59"))),
        (
            "2025-10-26 02:00:00",
            Moments::Twice(at("2025-10-26 00:00:00"), at("2025-10-26 01:00:00")),
        ),
        ("2025-10-26 03:00:00", Moments::Once(at("2025-10-26 02:00:00"))),
        ("2150-03-29 02:30:00", Moments::Skipped(at("2150-03-29 01:00:00"))),
    ] {
        assert_eq!(berlin.moments(local(shown)), moments, "{shown}");
    }
    let lord_howe = Zone::parse(LORD_HOWE).unwrap();
    let twice = Moments::Twice(at("2025-04-05 14:45:00"), at("2025-04-05 15:15:00"));
    assert_eq!(lord_howe.moments(local("2025-04-06 01:45:00")), twice);
    let sao_paulo = Zone::parse(SAO_PAULO).unwrap();
    let skipped = Moments::Skipped(at("2018-11-04 03:00:00"));
    assert_eq!(sao_paulo.moments(local("2018-11-04 00:00:00")), skipped);
    assert_eq!(skipped.first(), at("2018-11-04 03:00:00"));
}

/// The files hold tables up to 2037; the rule in their last line says the same and goes on.
#[test]
fn rule_and_table_agree() {
    for (file, offset, rule) in [
        (BERLIN, 3600, "CET-1CEST,M3.5.0,M10.5.0/3"),
        (NEW_YORK, -18_000, "EST5EDT,M3.2.0,M11.1.0"),
        (LORD_HOWE, 37_800, "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"),
    ] {
        let table = Zone::parse(file).unwrap();
        let rule = Zone::parse(&ruled(offset, rule)).unwrap();
        for year in ["2009", "2024", "2037"] {
            let new_year = seconds(&format!("{year}-01-01 00:00:00"));
            for hour in (new_year..new_year + 366 * 86_400).step_by(1800) {
                assert_eq!(table.local(hour), rule.local(hour));
                assert_eq!(table.local(hour - 1), rule.local(hour - 1));
            }
        }
    }
}

#[test]
fn rules_are_read_in_every_form() {
    let shown = |rule: &str, utc: &str| {
        Zone::parse(&ruled(0, rule)).unwrap().local(seconds(utc)).to_string()
    };
    // Summer time for ever, RFC 9636 section 3.3.1.
    assert_eq!(shown("XXX3EDT4,0/0,J365/23", "2025-01-01 03:00:00"), "2024-12-31 23:00:00");
    assert_eq!(shown("XXX3EDT4,0/0,J365/23", "2024-12-31 12:00:00"), "2024-12-31 08:00:00");
    // Times before and after the day, section 3.3.2.
    let nuuk = "<-02>2<-01>,M3.5.0/-1,M10.5.0/0";
    assert_eq!(shown(nuuk, "2025-03-30 00:59:59"), "2025-03-29 22:59:59");
    assert_eq!(shown(nuuk, "2025-03-30 01:00:00"), "2025-03-30 00:00:00");
    let gaza = "EET-2EEST,M3.4.4/50,M10.4.4/50";
    assert_eq!(shown(gaza, "2025-03-28 23:59:59"), "2025-03-29 01:59:59");
    assert_eq!(shown(gaza, "2025-03-29 00:00:00"), "2025-03-29 03:00:00");
    // Days of the year with and without the 29th of February.
    assert_eq!(shown("A0B,J60/0,J300", "2024-03-01 00:00:00"), "2024-03-01 01:00:00");
    assert_eq!(shown("A0B,59/0,300", "2024-02-29 00:00:00"), "2024-02-29 01:00:00");
    assert_eq!(shown("<+0545>-5:45", "2024-02-29 00:00:00"), "2024-02-29 05:45:00");
    assert_eq!(shown("A1:02:03", "2024-02-29 00:00:00"), "2024-02-28 22:57:57");
    for bad in [
        "A",
        "1",
        "A25",
        "A1B",
        "A1B,",
        "A1B,M3.5.0",
        "A1B,M13.1.0,M3.1.0",
        "A1B,M3.6.0,M3.1.0",
        "A1B,M3.0.0,M3.1.0",
        "A1B,M3.1.7,M3.1.0",
        "A1B,J0,J1",
        "A1B,J366,J1",
        "A1B,366,1",
        "A1B,J1/168,J2",
        "A1B,J1,J2 ",
        "<A1",
        "A1:60",
        "A99999999999",
    ] {
        assert!(Zone::parse(&ruled(0, bad)).is_err(), "{bad}");
    }
    assert!(Zone::parse(&ruled(26 * 3600 + 1, "")).is_err());
}

/// A file of the first version has times of 32 bits, and no rule.
#[test]
fn old_files_are_read() {
    let mut old = BERLIN.to_vec();
    old[4] = 0;
    let (old, new) = (Zone::parse(&old).unwrap(), Zone::parse(BERLIN).unwrap());
    let summer = seconds("2037-07-01 00:00:00");
    assert_eq!(old.local(summer), new.local(summer));
    let summer = seconds("2050-07-01 00:00:00");
    assert_ne!(old.local(summer), new.local(summer));
}

#[test]
fn a_file_that_is_cut_off_is_refused() {
    for file in [BERLIN, LORD_HOWE, SAO_PAULO] {
        for length in 0..file.len() {
            let error = Zone::parse(&file[..length]).unwrap_err();
            assert!(error.to_string().starts_with("not a time zone file: it"), "{error}");
        }
    }
    assert!(Zone::parse(&vec![0; 70_000]).unwrap_err().to_string().contains("64 KiB"));
}

/// Each byte with each bit flipped, and gone altogether: what can still be read is asked
/// everything, and time goes forward in it.
#[test]
fn a_damaged_file_is_survived() {
    let expressions = ["02:30", "*:0/7", "Sun *-*~1..7", "*-02-29"].map(schedule);
    let (mut read, mut refused) = (0, 0);
    for index in 0..LORD_HOWE.len() {
        for flip in [1u8, 16, 128, 255] {
            let mut file = LORD_HOWE.to_vec();
            file[index] ^= flip;
            let Ok(zone) = Zone::parse(&file) else {
                refused += 1;
                continue;
            };
            read += 1;
            for at in [i64::MIN, -1, 1_743_800_000, 5_000_000_000, i64::MAX] {
                let shown = zone.local(at);
                zone.moments(shown);
                let schedule = &expressions[index % expressions.len()];
                assert!(schedule.next_at(at, &zone).is_none_or(|next| next > at));
            }
        }
    }
    assert!(read > 1000 && refused > 500, "{read} {refused}");
}
