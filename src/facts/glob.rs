//! Patterns for names, as a shell has them; glob(7).

/// Whether a name of a service is meant as a pattern: no name has such a letter.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether a name is one of the pattern: `*` is any letters, `?` one, `[…]` one of these and
/// `[!…]` one that is none of these.
pub fn matches(pattern: &[char], name: &[char]) -> bool {
    let (mut left, mut rest) = (pattern, name);
    // What follows the last star, and where in the name that was tried last.
    let mut star: Option<(&[char], &[char])> = None;
    loop {
        if left.is_empty() && rest.is_empty() {
            return true;
        }
        if let ['*', after @ ..] = left {
            star = Some((after, rest));
            left = after;
            continue;
        }
        if let Some(next) = one(left, rest) {
            (left, rest) = next;
            continue;
        }
        let Some((after, [_, later @ ..])) = star else { return false };
        star = Some((after, later));
        (left, rest) = (after, later);
    }
}

/// What is left of a pattern and a name after one letter that matches.
fn one<'p, 'n>(pattern: &'p [char], name: &'n [char]) -> Option<(&'p [char], &'n [char])> {
    let (letter, name) = name.split_first()?;
    let rest = match pattern {
        ['?', rest @ ..] => rest,
        ['[', inside @ ..] => match bracket(inside, *letter) {
            Some((true, rest)) => rest,
            Some((false, _)) => return None,
            // One that is never closed is a letter.
            None if *letter == '[' => inside,
            None => return None,
        },
        ['\\', wanted, rest @ ..] if wanted == letter => rest,
        ['\\', _, ..] => return None,
        [wanted, rest @ ..] if wanted == letter => rest,
        _ => return None,
    };
    Some((rest, name))
}

/// Whether a letter is among those between brackets, and what follows them.
fn bracket(inside: &[char], letter: char) -> Option<(bool, &[char])> {
    let (not, mut left) = match inside {
        ['!' | '^', rest @ ..] => (true, rest),
        _ => (false, inside),
    };
    let mut among = false;
    let mut first = true;
    loop {
        left = match left {
            [']', rest @ ..] if !first => return Some((among != not, rest)),
            [from, '-', to, rest @ ..] if *to != ']' => {
                among |= (*from..=*to).contains(&letter);
                rest
            }
            [one, rest @ ..] => {
                among |= *one == letter;
                rest
            }
            [] => return None,
        };
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        for (pattern, good, bad) in [
            ("*.conf", &["a.conf", "a.b.conf", ".conf"][..], &["a.con", "a.conf~"][..]),
            ("a*b*c", &["abc", "axxbxxc", "abcbc"], &["ab", "acb", "abcd"]),
            ("?", &["a", "ä", "."], &["", "ab"]),
            ("[a-c]x", &["ax", "cx"], &["dx", "x", "-x"]),
            ("[!a-c]x", &["dx"], &["ax", "x"]),
            ("[]-]", &["]", "-"], &["a"]),
            ("[a", &["[a"], &["a", "["]),
            ("\\*", &["*"], &["a", "\\*"]),
            ("*", &["a", "", "a@b"], &[]),
            ("***a***a***a***b", &["aaab", "aaaaaaaab"], &["aab", &"a".repeat(200)]),
        ] {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            for name in good {
                assert!(matches(&letters(pattern), &letters(name)), "{pattern} {name}");
            }
            for name in bad {
                assert!(!matches(&letters(pattern), &letters(name)), "{pattern} {name}");
            }
        }
    }
}
