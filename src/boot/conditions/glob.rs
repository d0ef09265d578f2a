//! Paths by a pattern; glob(7). The one of the C library asks the name service for `~`, which a
//! static program cannot.

use std::path::{Component, Path, PathBuf};

use crate::facts::Errno;

/// A path that matches the pattern, if one does; any of many.
pub fn first_match(pattern: &Path) -> Result<Option<PathBuf>, Errno> {
    first_match_by(pattern, &mut |_, _| {})
}

/// Who is told of each folder before it is looked into, and of the name that is looked for there,
/// unless it is any that matches.
pub type Visit<'a> = &'a mut dyn FnMut(&Path, Option<&str>);

/// The same, and each folder on the way to it is visited.
pub fn first_match_by(pattern: &Path, visit: Visit<'_>) -> Result<Option<PathBuf>, Errno> {
    let parts: Vec<String> = pattern
        .components()
        .filter(|part| *part != Component::RootDir)
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    find(PathBuf::from("/"), &parts, visit)
}

/// The same below a folder, for the rest of a pattern.
fn find(here: PathBuf, parts: &[String], visit: Visit<'_>) -> Result<Option<PathBuf>, Errno> {
    let Some((part, rest)) = parts.split_first() else {
        return Ok(std::fs::symlink_metadata(&here).is_ok().then_some(here));
    };
    if !part.contains(['*', '?', '[', '\\']) {
        visit(&here, Some(part));
        return find(here.join(part), rest, visit);
    }
    visit(&here, None);
    let entries = match std::fs::read_dir(&here) {
        Ok(entries) => entries,
        Err(error) => {
            return match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR | libc::EACCES | libc::ELOOP) => Ok(None),
                _ => Err(error.into()),
            };
        }
    };
    let pattern: Vec<char> = part.chars().collect();
    for entry in entries {
        let name = entry?.file_name();
        let letters: Vec<char> = name.to_string_lossy().chars().collect();
        if matches(&pattern, &letters) {
            let found = find(here.join(&name), rest, visit)?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    Ok(None)
}

/// Whether a name is one of the pattern. What begins with a dot is meant only by a dot.
fn matches(pattern: &[char], name: &[char]) -> bool {
    if name.first() == Some(&'.') && pattern.first() != Some(&'.') {
        return false;
    }
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
            ("*.conf", &["a.conf", "a.b.conf"][..], &["a.con", ".conf", "a.conf~"][..]),
            ("a*b*c", &["abc", "axxbxxc", "abcbc"], &["ab", "acb", "abcd"]),
            ("?", &["a", "ä"], &["", "ab", "."]),
            ("[a-c]x", &["ax", "cx"], &["dx", "x", "-x"]),
            ("[!a-c]x", &["dx"], &["ax", "x"]),
            ("[]-]", &["]", "-"], &["a"]),
            ("[a", &["[a"], &["a", "["]),
            ("\\*", &["*"], &["a", "\\*"]),
            (".*", &[".a", "."], &["a"]),
            ("*", &["a", ""], &[".a"]),
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
