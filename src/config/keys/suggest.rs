//! "Did you mean …": the known name that a mistyped one is nearest to.

/// What other inits call some of our keys, whoever comes from there types them first.
pub(super) const FOREIGN: [(&str, &str); 40] = [
    ("exec", "command"),
    ("cmd", "command"),
    ("run", "command"),
    ("ExecStart", "command"),
    ("exec-start", "command"),
    ("ExecStartPre", "before-start"),
    ("exec-start-pre", "before-start"),
    ("pre", "before-start"),
    ("ExecStartPost", "after-start"),
    ("post", "after-start"),
    ("ExecStopPost", "after-stop"),
    ("ExecReload", "reload"),
    ("ExecCondition", "only-if-command"),
    ("condition", "only-if"),
    ("conditions", "only-if"),
    ("asserts", "assert"),
    ("need-path", "needs-path"),
    ("needs-paths", "needs-path"),
    ("requires", "needs"),
    ("depends", "needs"),
    ("depends-on", "needs"),
    ("waits-for", "wants"),
    ("environment", "env"),
    ("environment-file", "env-file"),
    ("WorkingDirectory", "cwd"),
    ("working-dir", "cwd"),
    ("working-directory", "cwd"),
    ("dir", "cwd"),
    ("type", "ready"),
    ("run-as", "user"),
    ("AmbientCapabilities", "capabilities"),
    ("DynamicUser", "dynamic-user"),
    ("rlimits", "limits"),
    ("socket-listen", "listen"),
    ("success-exit-status", "ok-exit"),
    ("timeout-start", "start-timeout"),
    ("StandardInput", "stdin"),
    ("standard-input", "stdin"),
    ("UtmpIdentifier", "utmp"),
    ("utmp-identifier", "utmp"),
];

/// The candidate with the smallest distance, where that is small enough to be a slip of the
/// fingers; the first of several.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let length = name.chars().count();
    let plausible = match length {
        0..=4 => 1,
        5..=8 => 2,
        9..=128 => 3,
        // Nobody mistypes that much, and the distance takes time.
        _ => return None,
    };
    let mut best: Option<(usize, &str)> = None;
    // Each letter that one has more than the other is an edit.
    let near = |other: &&str| other.chars().count().abs_diff(length) <= plausible;
    for candidate in candidates.into_iter().filter(near) {
        let distance = distance(name, candidate);
        if distance <= plausible && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Edits from one word to another, an exchange of neighbours being one (optimal string
/// alignment), upper and lower case being equal.
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.to_lowercase().chars().collect();
    let other: Vec<char> = other.to_lowercase().chars().collect();
    let first: Vec<usize> = (0..=other.len()).collect();
    let mut rows = vec![first];
    let at = |rows: &[Vec<usize>], up: usize, column: usize| -> usize {
        let row = rows.len().checked_sub(up).and_then(|row| rows.get(row));
        row.and_then(|row| row.get(column)).copied().unwrap_or(usize::MAX)
    };
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i.saturating_add(1)];
        for (j, b) in other.iter().enumerate() {
            let change = at(&rows, 1, j).saturating_add(usize::from(a != b));
            let remove = at(&rows, 1, j.saturating_add(1)).saturating_add(1);
            let insert = row.last().copied().unwrap_or(usize::MAX).saturating_add(1);
            let before = |word: &[char], place: usize| {
                place.checked_sub(1).and_then(|place| word.get(place)).copied()
            };
            let is_swap = before(&one, i) == Some(*b) && before(&other, j) == Some(*a);
            let swap = match j.checked_sub(1) {
                Some(column) if is_swap => at(&rows, 2, column).saturating_add(1),
                _ => usize::MAX,
            };
            row.push(change.min(remove).min(insert).min(swap));
        }
        rows.push(row);
    }
    at(&rows, 1, other.len())
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn counts_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("comand", "command"), 1);
        assert_eq!(distance("comamnd", "command"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("ÄÖ", "äö"), 0);
    }

    #[test]
    fn suggests_only_what_is_near() {
        assert_eq!(nearest("usr", ["group", "user"]), Some("user"));
        assert_eq!(nearest("xyz", ["group", "user"]), None);
        assert_eq!(nearest(&"x".repeat(100_000), ["x"]), None);
    }
}
