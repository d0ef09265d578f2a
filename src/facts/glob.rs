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

/// The same for a name in a folder. What begins with a dot is meant only by a dot.
pub fn is_meant(pattern: &[char], name: &[char]) -> bool {
    (name.first() != Some(&'.') || pattern.first() == Some(&'.')) && matches(pattern, name)
}

/// The last star of a pattern.
struct Star<'p, 'n> {
    /// What follows it in the pattern.
    after: &'p [char],
    /// Where in the name it begins.
    begin: &'n [char],
    /// Where in the name what follows was tried last.
    tried: &'n [char],
    /// Its number among the wildcards.
    number: usize,
}

/// What each wildcard of a pattern stands for in a name, in their order; none where the name does
/// not match.
pub fn captures(pattern: &[char], name: &[char]) -> Option<Vec<String>> {
    let (mut left, mut rest) = (pattern, name);
    let mut caught: Vec<&[char]> = Vec::new();
    let mut star: Option<Star<'_, '_>> = None;
    loop {
        if left.is_empty() && rest.is_empty() {
            return Some(caught.into_iter().map(String::from_iter).collect());
        }
        if let ['*', after @ ..] = left {
            star = Some(Star { after, begin: rest, tried: rest, number: caught.len() });
            caught.push(&[]);
            left = after;
            continue;
        }
        if let Some((next, others)) = one(left, rest) {
            if wildcard(left).is_some() {
                caught.extend(rest.get(..1));
            }
            (left, rest) = (next, others);
            continue;
        }
        let Star { after, begin, tried, number } = star?;
        let (_, later) = tried.split_first()?;
        star = Some(Star { after, begin, tried: later, number });
        caught.truncate(number);
        caught.extend(begin.get(..begin.len().saturating_sub(later.len())));
        (left, rest) = (after, later);
    }
}

/// How many wildcards a pattern has.
pub fn wildcards(pattern: &[char]) -> usize {
    let mut left = pattern;
    let mut count = 0usize;
    loop {
        left = match (wildcard(left), left) {
            (Some(rest), _) => {
                count = count.saturating_add(1);
                rest
            }
            (None, ['\\', _, rest @ ..] | [_, rest @ ..]) => rest,
            (None, []) => return count,
        };
    }
}

/// What follows the wildcard that a pattern begins with.
fn wildcard(pattern: &[char]) -> Option<&[char]> {
    match pattern {
        ['*' | '?', rest @ ..] => Some(rest),
        ['[', inside @ ..] => bracket(inside, '-').map(|(_, rest)| rest),
        _ => None,
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
    use super::{captures, is_meant, matches, wildcards};

    #[test]
    fn what_each_wildcard_stands_for() {
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        for (pattern, name, expected) in [
            ("a", "a", Some(&[][..])),
            ("*.conf", "a.b.conf", Some(&["a.b"][..])),
            ("*-*", "one-two-three", Some(&["one", "two-three"])),
            ("*", "", Some(&[""])),
            ("tty[1-6]", "tty3", Some(&["3"])),
            ("?x[!a]*", "äxb", Some(&["ä", "b", ""])),
            ("\\**", "*a", Some(&["a"])),
            ("[a*", "[ab", Some(&["b"])),
            ("*b?d*", "abcabxdz", Some(&["abca", "x", "z"])),
            ("a*", "b", None),
            ("*a", "ab", None),
        ] {
            let caught = captures(&letters(pattern), &letters(name));
            let expected = expected.map(|all| all.iter().map(|s| s.to_string()).collect());
            assert_eq!(caught, expected, "{pattern} {name}");
            let count = wildcards(&letters(pattern));
            assert!(caught.is_none_or(|caught| caught.len() == count), "{pattern}");
        }
        assert_eq!([r"\*", "[a", "a[*]", "***"].map(|p| wildcards(&letters(p))), [0, 0, 1, 3]);
    }

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

    #[test]
    fn what_is_hidden_is_meant_by_a_dot_alone() {
        let is_meant = |pattern: &str, name: &str| {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            is_meant(&letters(pattern), &letters(name))
        };
        for pattern in ["*", "?a", "*a", "[.]a"] {
            assert!(!is_meant(pattern, ".a"), "{pattern}");
        }
        assert!(is_meant(".*", ".a") && is_meant(".*", ".") && is_meant("*", "a.b"));
        assert!(!is_meant("*.conf", ".conf") && !is_meant(".*", "a"));
    }
}
