//! Where the client writes: results to standard output, complaints to standard error.
//!
//! A reader that has gone away (`finitctl | head`) is no error: the rest is dropped quietly.

use std::io::{self, BufWriter, IsTerminal as _, StdoutLock, Write as _};

use serde::Serialize;

use super::{Environment, text};

/// How results look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether states are coloured.
    pub colour: Colour,
    /// Columns of the terminal; none where nothing needs to be cut.
    pub width: Option<u16>,
}

/// Whether escape sequences for colours are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    #[default]
    Off,
    /// Coloured.
    On,
}

/// The colours in use, as SGR parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// All is well.
    Green,
    /// It has failed.
    Red,
    /// On its way, or worth a look.
    Yellow,
    /// Of less interest.
    Faint,
    /// Headings.
    Bold,
}

impl Style {
    /// The text in a colour, or as it is.
    pub fn paint(self, paint: Paint, text: &str) -> String {
        let sgr = match paint {
            _ if self.colour == Colour::Off => return text.to_owned(),
            Paint::Green => 32,
            Paint::Red => 31,
            Paint::Yellow => 33,
            Paint::Faint => 2,
            Paint::Bold => 1,
        };
        format!("\u{1b}[{sgr}m{text}\u{1b}[0m")
    }
}

/// Standard output and standard error.
#[derive(Debug)]
pub struct Output {
    out: BufWriter<StdoutLock<'static>>,
    terminal: Terminal,
    written: Written,
    /// Nobody reads any more, or nothing can be written.
    closed: bool,
    program: String,
}

/// Whether what was to be written arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// All of it, or nobody reads any more.
    All,
    /// A full disk, say; standard error tells.
    Incomplete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Terminal {
    Plain,
    Coloured,
    No,
}

impl Output {
    /// For a program of that name.
    pub fn new(program: &str, environment: &Environment) -> Self {
        let out = io::stdout().lock();
        let terminal = match (out.is_terminal(), environment.plain) {
            (false, _) => Terminal::No,
            (true, true) => Terminal::Plain,
            (true, false) => Terminal::Coloured,
        };
        let out = BufWriter::with_capacity(16 * 1024, out);
        Self { out, terminal, written: Written::All, closed: false, program: program.to_owned() }
    }

    /// Whether a person looks at the results.
    pub fn is_terminal(&self) -> bool {
        self.terminal != Terminal::No
    }

    /// Whether it may be coloured.
    pub fn colour(&self) -> Colour {
        if self.terminal == Terminal::Coloured { Colour::On } else { Colour::Off }
    }

    /// How results look here.
    pub fn style(&self, environment: &Environment) -> Style {
        let colour = self.colour();
        let width = if self.is_terminal() { environment.width() } else { None };
        Style { colour, width }
    }

    /// Finished text, lines and all, made of parts that were cleaned.
    pub fn text(&mut self, text: &str) {
        self.write(text.as_bytes());
    }

    /// One line from outside: it is cleaned here.
    pub fn line(&mut self, line: &str) {
        self.write(text::clean(line).as_bytes());
        self.write(b"\n");
    }

    /// One object as one line of JSON.
    pub fn json(&mut self, value: &impl Serialize) {
        let json = serde_json::to_string(value).unwrap_or_default();
        self.write(text::clean_json(&json).as_bytes());
        self.write(b"\n");
    }

    /// Shows what was written so far: before a wait.
    pub fn flush(&mut self) {
        if let Err(error) = self.out.flush() {
            self.close(&error);
        }
    }

    /// Whether there is no sense in writing more.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Writes what is left, and tells how that went.
    pub fn finish(&mut self) -> Written {
        self.flush();
        self.written
    }

    /// Says on standard error what is wrong, behind the name of the program. Results that were
    /// written before come first.
    pub fn complain(&mut self, message: &str) {
        let line = format!("{}: {message}", self.program);
        self.warn(&line);
    }

    /// Lines on standard error as they are.
    pub fn warn(&mut self, lines: &str) {
        self.flush();
        let cleaned = lines.lines().flat_map(|line| [text::clean(line), "\n".into()]);
        // Nothing is left to tell it to if this fails.
        drop(io::stderr().lock().write_all(cleaned.collect::<String>().as_bytes()));
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Err(error) = self.out.write_all(bytes) {
            self.close(&error);
        }
    }

    /// Standard output is gone: what is still buffered would fail again, so the kernel may
    /// swallow it.
    fn close(&mut self, error: &io::Error) {
        (self.terminal, self.closed) = (Terminal::No, true);
        if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
            let _still_broken = nix::unistd::dup2_stdout(null);
        }
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.written = Written::Incomplete;
            self.complain(&format!("writing the result: {error}"));
        }
    }
}
