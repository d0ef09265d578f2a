//! `%i`, `%I`, `%n` and `%%`: what a template's strings say differently in each instance.

use super::report::Problem;

/// Who is being written out: what the percent signs of its strings stand for.
#[derive(Debug, Clone)]
pub(super) struct Percent {
    /// `%n`.
    pub name: String,
    /// `%i`, in an instance of a template.
    pub instance: Option<String>,
}

impl Percent {
    /// A string of the file with its percent signs filled in. A percent sign before anything
    /// else stays: `date +%s` is a plain command.
    pub(super) fn fill(&self, text: &str) -> Result<String, Problem> {
        if !text.contains('%') {
            return Ok(text.to_owned());
        }
        let mut filled = String::with_capacity(text.len());
        let mut chars = text.char_indices();
        while let Some((start, c)) = chars.next() {
            if c != '%' {
                filled.push(c);
                continue;
            }
            let next = chars.clone().next().map(|(_, next)| next);
            match (next, &self.instance) {
                (Some('%'), _) => filled.push('%'),
                (Some('n'), _) => filled.push_str(&self.name),
                (Some('i'), Some(instance)) => filled.push_str(instance),
                (Some('I'), Some(instance)) => filled.push_str(&unescaped(instance)),
                (Some(letter @ ('i' | 'I')), None) => {
                    let message = format!("`%{letter}` stands for an instance, and there is none");
                    let hint = "give it `instances`, or write `%%` for a percent sign";
                    let at = start..start.saturating_add(2);
                    return Err(Problem::new(message).hint(hint).at(at));
                }
                _ => {
                    filled.push('%');
                    continue;
                }
            }
            chars.next();
        }
        Ok(filled)
    }

    /// The same for a script, in which the percent sign belongs to the shell: `${x%%.*}` stays
    /// as it is, and so does what stands for nothing.
    pub(super) fn fill_script(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            let next = chars.clone().next();
            match (c, next, &self.instance) {
                ('%', Some('%'), _) => filled.push_str("%%"),
                ('%', Some('n'), _) => filled.push_str(&self.name),
                ('%', Some('i'), Some(instance)) => filled.push_str(instance),
                ('%', Some('I'), Some(instance)) => filled.push_str(&unescaped(instance)),
                _ => {
                    filled.push(c);
                    continue;
                }
            }
            chars.next();
        }
        filled
    }
}

/// An instance that stands for a path has `-` for each `/`.
fn unescaped(instance: &str) -> String {
    instance.replace('-', "/")
}
