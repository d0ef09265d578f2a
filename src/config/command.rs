//! Command lines: words as a shell would split them, without a shell.
//!
//! Single quotes keep everything, double quotes keep white space, a backslash keeps the next
//! character, or goes with the end of its line. `$VAR` alone in a word becomes as many words as
//! its value has; `${VAR}`, and `$VAR` within a word or in quotes, is its value as it is; `$$` is
//! a dollar. What only a shell could carry out (pipes, redirections, `$(…)`) is an error instead
//! of an argument that the program would not understand.

use super::report::{Problem, quoted};
use super::spec::{CommandLine, Piece, Word};

/// Words that mean something to a shell and nothing to execve(2), where they are not quoted.
const SHELL_WORDS: [&str; 3] = ["&", "&&", ";"];
/// What means that wherever it stands in a word: `2>>/var/log/x`, `a|b`.
const SHELL_SIGNS: [char; 3] = ['<', '>', '|'];
/// What lets a line go on in the next one.
const LINE_ENDS: [&str; 2] = ["\\\n", "\\\r\n"];

/// Splits a command line.
///
/// # Errors
/// An unterminated quote or brace, a dollar with nothing behind it, words for a shell, and a
/// line without words; each with its place in the text.
pub(super) fn split(text: &str) -> Result<CommandLine, Problem> {
    let mut words = Vec::new();
    let mut reader = Reader { text, rest: text };
    loop {
        reader.rest = reader.rest.trim_start();
        if reader.skip_line_end() {
            continue;
        }
        if reader.rest.is_empty() {
            break;
        }
        words.push(reader.word()?);
    }
    if words.is_empty() {
        return Err(Problem::new("a command cannot be empty"));
    }
    Ok(CommandLine { words: words.into() })
}

/// A command line of exactly these words, in which nothing is expanded.
pub(super) fn exact(words: Vec<String>) -> CommandLine {
    CommandLine { words: words.into_iter().map(|word| Box::from([Piece::Text(word)])).collect() }
}

/// The words that are executed, variables filled in by `lookup`; one that it does not know is
/// empty. There may be no words at all if all of them were variables.
pub fn expand(line: &CommandLine, lookup: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut words = Vec::with_capacity(line.words.len());
    for word in &*line.words {
        if let [Piece::Split(name)] = &**word {
            let value = lookup(name).unwrap_or_default();
            words.extend(value.split_whitespace().map(str::to_owned));
            continue;
        }
        let value = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Whole(name) | Piece::Split(name) => lookup(name).unwrap_or_default(),
        };
        words.push(word.iter().map(value).collect());
    }
    words
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
}

impl Reader<'_> {
    /// How many bytes were read.
    fn offset(&self) -> usize {
        self.text.len().saturating_sub(self.rest.len())
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        Some(c)
    }

    fn skip(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Passes over a line's end behind a backslash.
    fn skip_line_end(&mut self) -> bool {
        let rest = LINE_ENDS.iter().find_map(|end| self.rest.strip_prefix(end));
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// The next word; the text begins with one.
    fn word(&mut self) -> Result<Word, Problem> {
        let start = self.offset();
        let mut pieces = Pieces::default();
        let mut is_for_shell = false;
        while let Some(c) = self.rest.chars().next().filter(|c| !c.is_whitespace()) {
            if self.skip_line_end() {
                continue;
            }
            let here = self.offset();
            self.next();
            match c {
                '\'' => self.single_quotes(here, &mut pieces)?,
                '"' => self.double_quotes(here, &mut pieces)?,
                '\\' => match self.next() {
                    Some(kept) => pieces.character(kept),
                    None => {
                        return Err(Problem::new("nothing follows the backslash")
                            .at(here..here.saturating_add(1)));
                    }
                },
                '$' => self.dollar(here, &mut pieces)?,
                _ => {
                    let means = |c: char| c.is_whitespace() || "'\"\\$".contains(c);
                    self.rest = self.rest.trim_start_matches(|c| !means(c));
                    let plain = self.text.get(here..self.offset()).unwrap_or_default();
                    is_for_shell |= plain.contains(SHELL_SIGNS);
                    pieces.text(plain);
                }
            }
        }
        let raw = self.text.get(start..self.offset()).unwrap_or_default();
        let raw = &*LINE_ENDS.iter().fold(raw.to_owned(), |raw, end| raw.replace(end, ""));
        if is_for_shell || SHELL_WORDS.contains(&raw) {
            let message = format!("{} means nothing here, there is no shell", quoted(raw));
            let hint = "use `script` for shell commands, or put it in quotes";
            return Err(Problem::new(message).hint(hint).at(start..self.offset()));
        }
        Ok(pieces.finish(raw))
    }

    fn single_quotes(&mut self, here: usize, pieces: &mut Pieces) -> Result<(), Problem> {
        let Some((inner, rest)) = self.rest.split_once('\'') else {
            return Err(unclosed(here));
        };
        pieces.text(inner);
        self.rest = rest;
        Ok(())
    }

    fn double_quotes(&mut self, here: usize, pieces: &mut Pieces) -> Result<(), Problem> {
        loop {
            if self.skip_line_end() {
                continue;
            }
            let at = self.offset();
            match self.next() {
                None => return Err(unclosed(here)),
                Some('"') => return Ok(()),
                Some('$') => self.dollar(at, pieces)?,
                Some('\\') => match self.next() {
                    Some(c @ ('"' | '\\' | '$' | '`')) => pieces.character(c),
                    Some(c) => {
                        pieces.text("\\");
                        pieces.character(c);
                    }
                    None => return Err(unclosed(here)),
                },
                Some(c) => pieces.character(c),
            }
        }
    }

    /// What follows a dollar.
    fn dollar(&mut self, here: usize, pieces: &mut Pieces) -> Result<(), Problem> {
        if self.skip('$') {
            pieces.text("$");
            return Ok(());
        }
        let is_braced = self.skip('{');
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let after = self.rest.trim_start_matches(fits);
        let length = self.rest.len().saturating_sub(after.len());
        let name = self.rest.get(..length).unwrap_or_default();
        let is_name = !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit());
        self.rest = after;
        let end = self.offset().max(here.saturating_add(1));
        if is_braced && !self.rest.contains('}') {
            return Err(Problem::new("the brace is never closed")
                .hint("`}` is missing")
                .at(here..end));
        }
        if !is_name || (is_braced && !self.skip('}')) {
            return Err(Problem::new("no name of a variable follows the dollar")
                .hint("write `$$` for a dollar")
                .at(here..end));
        }
        pieces.variable(name);
        Ok(())
    }
}

fn unclosed(here: usize) -> Problem {
    let problem = Problem::new("the quote is never closed");
    problem.hint("its end is missing").at(here..here.saturating_add(1))
}

/// A word in the making.
#[derive(Default)]
struct Pieces {
    pieces: Vec<Piece>,
}

impl Pieces {
    fn text(&mut self, text: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Text(before)) => before.push_str(text),
            _ if text.is_empty() => {}
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    fn character(&mut self, c: char) {
        self.text(c.encode_utf8(&mut [0; 4]));
    }

    fn variable(&mut self, name: &str) {
        self.pieces.push(Piece::Whole(name.to_owned()));
    }

    /// The word, whose text in the file was `raw`: a variable that is all of it, without
    /// quotes and braces, is split when it is filled in.
    fn finish(mut self, raw: &str) -> Word {
        if let [Piece::Whole(name)] = self.pieces.as_slice()
            && raw.strip_prefix('$') == Some(name)
        {
            return Box::from([Piece::Split(name.clone())]);
        }
        if self.pieces.is_empty() {
            self.pieces.push(Piece::Text(String::new()));
        }
        self.pieces.into()
    }
}
