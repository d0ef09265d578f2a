//! `-H user@host`: the same command there, over ssh(1).

use std::io::IsTerminal as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use super::connect::Failure;

/// Becomes ssh(1), which runs finitctl with the same words on that host.
///
/// # Errors
/// Always, where it returns: ssh could not be executed, or the host is no host.
pub fn run(host: &str, words: &[String]) -> Failure {
    if host.is_empty() || host.starts_with('-') {
        return Failure::Usage(format!("`{host}` is no host; write -H user@host"));
    }
    let Some(words) = without_host(words) else {
        return Failure::Usage("write -H user@host as two words of its own".to_owned());
    };
    #[expect(clippy::disallowed_methods, reason = "exec: no child, nothing to wait for")]
    let mut ssh = Command::new("ssh");
    if std::io::stdout().is_terminal() && std::io::stdin().is_terminal() {
        ssh.arg("-t");
    }
    ssh.arg(host).arg("--").arg("finitctl").args(words.iter().map(|word| quoted(word)));
    Failure::Local(format!("ssh: {}; is openssh-client installed?", ssh.exec()))
}

/// The words without the host, or none where it was not found: sent along, it would make the
/// other side connect once more, and on without end.
pub fn without_host(words: &[String]) -> Option<Vec<String>> {
    let mut kept = Vec::with_capacity(words.len());
    let mut rest = words.iter();
    let mut found = false;
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--" => {
                kept.push(word.clone());
                kept.extend(rest.by_ref().cloned());
            }
            "-H" | "--host" => {
                rest.next()?;
                found = true;
            }
            _ if word.starts_with("-H") || word.starts_with("--host=") => found = true,
            // Among other letters: `-fH host`.
            _ if word.starts_with('-') && !word.starts_with("--") && word.contains('H') => {
                return None;
            }
            _ => kept.push(word.clone()),
        }
    }
    found.then_some(kept)
}

/// A word for the shell of the other side, which gets all words as one line.
pub fn quoted(word: &str) -> String {
    let is_plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '@' | '=' | ':');
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
