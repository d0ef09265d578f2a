//! From the bytes of a service to lines of text: pure, and the same bytes with the same
//! arguments always give the same text (`kept` relies on it).

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// Longest piece of a line; longer lines are split, as often as it takes.
pub const LINE_MAX: usize = 8 * 1024;

/// Ends a piece whose line goes on below.
const GOES_ON: &[u8] = " [line goes on]".as_bytes();

/// What becomes of bytes after the last newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tail {
    /// They wait for their newline.
    Wait,
    /// They are a piece of a line that goes on.
    Split,
    /// They are a line.
    Line,
}

/// Appends `raw` to `out` as lines that begin with `prefix`, until `out` is longer than `room`,
/// and tells how many bytes of `raw` it took.
pub fn lines(raw: &[u8], prefix: &[u8], tail: Tail, room: usize, out: &mut Vec<u8>) -> usize {
    let mut rest = raw;
    while !rest.is_empty() && out.len() < room {
        let window = rest.get(..LINE_MAX.saturating_add(1)).unwrap_or(rest);
        let (line, taken, goes_on) = match window.iter().position(|byte| *byte == b'\n') {
            Some(end) => (window.get(..end), end.saturating_add(1), false),
            None if window.len() > LINE_MAX => (window.get(..LINE_MAX), LINE_MAX, true),
            None if tail == Tail::Wait => break,
            None => (Some(window), window.len(), tail == Tail::Split),
        };
        out.extend_from_slice(prefix);
        let line = line.unwrap_or_default();
        push_escaped(out, line.strip_suffix(b"\r").unwrap_or(line));
        if goes_on {
            out.extend_from_slice(GOES_ON);
        }
        out.push(b'\n');
        rest = rest.get(taken..).unwrap_or_default();
    }
    raw.len().saturating_sub(rest.len())
}

/// Valid UTF-8 as it is, except that control characters other than tab, C1 ones included, and
/// bytes that are no UTF-8 are written `\xNN`: reading a log must not drive a terminal.
fn push_escaped(out: &mut Vec<u8>, line: &[u8]) {
    // A fold, not `any`: the compiler makes vector code of it, and nearly all lines are plain.
    let odd = line
        .iter()
        .fold(false, |odd, byte| odd | !((0x20..0x7f).contains(byte) | (*byte == b'\t')));
    if !odd {
        out.extend_from_slice(line);
        return;
    }
    for chunk in line.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() && character != '\t' {
                push_hex(out, u32::from(character).to_le_bytes()[0]);
            } else {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        chunk.invalid().iter().for_each(|byte| push_hex(out, *byte));
    }
}

fn push_hex(out: &mut Vec<u8>, byte: u8) {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).map_or(b'?', |c| c as u8);
    out.extend_from_slice(&[b'\\', b'x', digit(byte >> 4), digit(byte & 0xf)]);
}

/// Milliseconds since 1970 as RFC 3339 in UTC, `2026-11-24T10:43:42.123Z`.
pub fn stamp(millis: u64) -> String {
    /// The last millisecond of the year 9999, the last that RFC 3339 can write.
    const LAST: u64 = 253_402_300_799_999;
    let millis = millis.min(LAST);
    let (second, mut day, mut year) = (millis / 1000 % 86400, millis / 86_400_000, 1970_u64);
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let days_of = |year| if leap(year) { 366 } else { 365 };
    while day >= days_of(year) {
        day = day.saturating_sub(days_of(year));
        year = year.saturating_add(1);
    }
    let mut month = 1_u32;
    let february = if leap(year) { 29 } else { 28 };
    for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if day < days {
            break;
        }
        day = day.saturating_sub(days);
        month = month.saturating_add(1);
    }
    let (day, hour) = (day.saturating_add(1), second / 3600);
    let (minute, second, milli) = (second / 60 % 60, second % 60, millis % 1000);
    let mut text = String::with_capacity(24);
    // Writing to a String cannot fail.
    write!(text, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
        .unwrap_or_default();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(raw: &[u8], tail: Tail) -> (String, usize) {
        let mut out = Vec::new();
        let taken = lines(raw, b"> ", tail, usize::MAX, &mut out);
        (String::from_utf8(out).unwrap(), taken)
    }

    #[test]
    fn lines_are_whole_and_tails_as_asked() {
        assert_eq!(shown(b"a\nb\nc", Tail::Wait), ("> a\n> b\n".into(), 4));
        assert_eq!(shown(b"a\r\n\nc", Tail::Line), ("> a\n> \n> c\n".into(), 5));
        assert_eq!(shown(b"c", Tail::Split), ("> c [line goes on]\n".into(), 1));
    }

    #[test]
    fn a_terminal_is_safe() {
        let (text, _) = shown(b"\x1b[2J\0\tok \xff \xc2\x9b \xc3\xa9\n", Tail::Wait);
        assert_eq!(text, "> \\x1b[2J\\x00\tok \\xff \\x9b \u{e9}\n");
    }

    #[test]
    fn long_lines_split_the_same_however_they_arrive() {
        let mut raw = vec![b'x'; 2 * LINE_MAX];
        assert_eq!(shown(&raw, Tail::Wait).1, LINE_MAX);
        raw.push(b'\n');
        let (whole, taken) = shown(&raw, Tail::Wait);
        assert_eq!((taken, whole.lines().count()), (raw.len(), 2));
    }

    #[test]
    fn room_is_kept() {
        let mut out = Vec::new();
        assert_eq!(lines(b"a\nb\nc\n", b"", Tail::Wait, 3, &mut out), 4);
    }

    #[test]
    fn stamps_are_dates() {
        assert_eq!(stamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(stamp(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(stamp(1_795_517_022_123), "2026-11-24T10:43:42.123Z");
        assert_eq!(stamp(1_798_761_599_999), "2026-12-31T23:59:59.999Z");
        // What 32 bits hold, with and without a sign, and what comes after.
        assert_eq!(stamp(2_147_483_648_000), "2038-01-19T03:14:08.000Z");
        assert_eq!(stamp(4_294_967_296_000), "2106-02-07T06:28:16.000Z");
        assert_eq!(stamp(u64::MAX), "9999-12-31T23:59:59.999Z");
    }
}
