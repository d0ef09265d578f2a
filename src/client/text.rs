//! Text for people: what came from outside made harmless, ages and sizes made short.
//!
//! A service chooses its own log lines, and its name ends up in reasons. Written to a terminal
//! as they come, they could move the cursor, retitle the window or hide a line from whoever is
//! looking for it. Everything of that kind is taken out here, in one place.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::Chars;
use std::time::Duration;

/// The text without control characters, escape sequences and marks that turn the direction of
/// writing. A tab or a new line becomes a space, so the result is always one line.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => skip_escape(&mut rest),
            '\u{9b}' => skip_parameters(&mut rest),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut rest),
            '\t' | '\n' | '\r' | '\u{2028}' | '\u{2029}' => kept.push(' '),
            _ if is_harmful(c) => {}
            _ => kept.push(c),
        }
    }
    Cow::Owned(kept)
}

/// JSON that is safe to show: control characters that serde leaves as they are (DEL and those
/// from U+0080, which some terminals obey) are escaped. They occur only inside strings.
pub fn clean_json(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            kept.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            kept.push(c);
        }
    }
    Cow::Owned(kept)
}

fn is_harmful(c: char) -> bool {
    let turns_direction =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns_direction || matches!(c, '\u{2028}' | '\u{2029}')
}

/// What follows ESC: a control sequence, a string, or one final character behind intermediates
/// (ECMA-48).
fn skip_escape(rest: &mut Peekable<Chars<'_>>) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            skip_parameters(rest);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            rest.next();
            skip_string(rest);
        }
        _ => {
            while rest.next_if(|c| matches!(c, ' '..='/')).is_some() {}
            rest.next_if(|c| matches!(c, '0'..='~'));
        }
    }
}

fn skip_parameters(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|c| matches!(c, ' '..='?')).is_some() {}
    rest.next_if(|c| matches!(c, '@'..='~'));
}

/// A string up to its terminator. Without one the text stays: a single stray ESC ] must not
/// hide the rest of a line.
fn skip_string(rest: &mut Peekable<Chars<'_>>) {
    let mut ahead = rest.clone();
    while let Some(c) = ahead.next() {
        let ends = match c {
            '\u{07}' | '\u{9c}' => true,
            '\u{1b}' => ahead.next_if_eq(&'\\').is_some(),
            _ => false,
        };
        if ends {
            *rest = ahead;
            return;
        }
    }
}

/// How long ago, as a person says it: "40 s", "3 min", "2 h 10 min", "12 days".
pub fn age(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min"),
        3600..172_800 => match minutes % 60 {
            0 => format!("{hours} h"),
            rest => format!("{hours} h {rest} min"),
        },
        _ => format!("{} days", hours / 24),
    }
}

/// How long something took: "840 ms", "2.31 s", "3 min".
pub fn span(time: Duration) -> String {
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    match milliseconds {
        0..1000 => format!("{milliseconds} ms"),
        1000..60_000 => format!("{}.{:02} s", milliseconds / 1000, milliseconds % 1000 / 10),
        _ => age(milliseconds),
    }
}

/// Bytes: "812 KiB", "12.3 MiB".
pub fn size(bytes: u64) -> String {
    const UNITS: [(u32, &str); 4] = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    for (shift, unit) in UNITS {
        let whole = bytes >> shift;
        if whole == 0 {
            continue;
        }
        let below = bytes.checked_shr(shift.saturating_sub(10)).unwrap_or(0) & 1023;
        let tenth = below.saturating_mul(10) / 1024;
        return if whole < 100 && shift > 10 {
            format!("{whole}.{tenth} {unit}")
        } else {
            format!("{whole} {unit}")
        };
    }
    format!("{bytes} B")
}

/// Reads "30s", "500ms", "2min", "1h"; a bare number is seconds.
///
/// # Errors
/// In words, with an example.
pub fn parse_time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time; write 30s, 500ms, 2min or 1h");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let milliseconds = match unit.trim() {
        "ms" => Some(number),
        "" | "s" | "sec" => number.checked_mul(1000),
        "m" | "min" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        "d" | "day" | "days" => number.checked_mul(86_400_000),
        _ => return Err(wrong()),
    };
    // A wait of no time at all would be a socket that never waits.
    match milliseconds {
        Some(0) | None => Err(wrong()),
        Some(milliseconds) => Ok(Duration::from_millis(milliseconds)),
    }
}
