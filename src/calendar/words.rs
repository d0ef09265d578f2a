//! Texts cut into words that remember where they stood.

use super::mistake::Mistake;

/// Most characters of a word that are shown.
const SHOWN: usize = 60;

/// A piece of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<'a> {
    pub text: &'a str,
    /// The place of its first byte.
    pub start: usize,
}

impl<'a> Word<'a> {
    /// A whole text.
    pub(super) fn whole(text: &'a str) -> Self {
        Self { text, start: 0 }
    }

    /// What stands between blanks.
    pub(super) fn words(self) -> Vec<Self> {
        let pieces = self.split(char::is_whitespace);
        pieces.into_iter().filter(|piece| !piece.text.is_empty()).collect()
    }

    /// What stands between these characters.
    pub(super) fn split(self, is_mark: impl Fn(char) -> bool) -> Vec<Self> {
        let mut pieces = Vec::new();
        let mut start = self.start;
        for piece in self.text.split_inclusive(&is_mark) {
            pieces.push(Self { text: piece.trim_end_matches(&is_mark), start });
            start = start.saturating_add(piece.len());
        }
        if self.text.is_empty() || self.text.ends_with(is_mark) {
            pieces.push(Self { text: "", start });
        }
        pieces
    }

    /// What stands before and after the first such mark.
    pub(super) fn split_once(self, mark: &str) -> Option<(Self, Self)> {
        let (before, after) = self.text.split_once(mark)?;
        let start = self.start.saturating_add(before.len()).saturating_add(mark.len());
        Some((Self { text: before, start: self.start }, Self { text: after, start }))
    }

    /// What follows such a beginning.
    pub(super) fn strip_prefix(self, prefix: &str) -> Option<Self> {
        let text = self.text.strip_prefix(prefix)?;
        Some(Self { text, start: self.start.saturating_add(prefix.len()) })
    }

    pub(super) fn is(self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }

    /// A mistake in this word: "`25` is no hour".
    pub(super) fn wrong(self, what: &str, hint: impl Into<String>) -> Mistake {
        let end = self.start.saturating_add(self.text.len());
        let message = match self.text {
            "" => format!("an empty text {what}"),
            text => format!("{} {what}", quoted(text)),
        };
        Mistake { message, hint: hint.into(), at: self.start..end }
    }
}

/// Between backticks, shortened where it is long.
pub(super) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    format!("`{}`", shown.replace(char::is_control, " "))
}
