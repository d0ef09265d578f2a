//! What is said to a machine and what it answers.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Output;

use crate::machine::PATIENCE;

/// What a program said, on both streams, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub text: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let [out, err] =
            [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
        Self { code: output.status.code().unwrap_or(-1), text: out + &err }
    }
}

/// A connection on which lines go both ways.
pub struct Line(BufReader<UnixStream>);

impl Line {
    pub fn to(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// Nothing more is sent; answers are still taken.
    pub fn ends(&self) -> io::Result<()> {
        self.0.get_ref().shutdown(std::net::Shutdown::Write)
    }

    /// The next line, without its end; an error at the end of the connection.
    pub fn hear(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    pub fn ask(&mut self, line: &str) -> io::Result<String> {
        self.send(format!("{line}\n").as_bytes())?;
        self.hear()
    }
}
