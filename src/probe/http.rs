//! A client of web servers that can ask one thing: is this page there? RFC 9112, of which a
//! request and the first line of its answer are enough.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::config::spec::Address;

/// Longest first line of an answer that is read.
const LONGEST: u64 = 4096;

/// Whether the page is answered for with a status that is no error.
pub fn answers_well(
    stream: TcpStream,
    address: &Address,
    path: &str,
    timeout: Duration,
) -> Result<(), String> {
    let line = ask(stream, address, path, timeout).map_err(|error| error.to_string())?;
    match status(&line) {
        Some(200..=399) => Ok(()),
        Some(_) => Err(format!("it answers {}", line.trim_end())),
        None => Err("what it answers is no HTTP".to_owned()),
    }
}

/// The first line of the answer.
fn ask(
    mut stream: TcpStream,
    address: &Address,
    path: &str,
    timeout: Duration,
) -> std::io::Result<String> {
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let host = match address {
        Address::Tcp(address) => address.to_string(),
        Address::TcpPort(port) => format!("localhost:{port}"),
        other => other.to_string(),
    };
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: finit\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut line = Vec::new();
    BufReader::new(stream.take(LONGEST)).read_until(b'\n', &mut line)?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// The status of such a line: `HTTP/1.1 200 OK`.
fn status(line: &str) -> Option<u16> {
    let mut words = line.split_ascii_whitespace();
    let is_http = words.next()?.starts_with("HTTP/1.");
    let status = words.next()?;
    (is_http && status.len() == 3).then(|| status.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn the_status_is_the_second_word_of_an_answer() {
        assert_eq!(status("HTTP/1.1 200 OK\r\n"), Some(200));
        assert_eq!(status("HTTP/1.0 503\n"), Some(503));
        for other in ["", "SSH-2.0-OpenSSH 200", "HTTP/1.1", "HTTP/1.1 2000 OK", "HTTP/1.1 abc"] {
            assert_eq!(status(other), None, "{other}");
        }
    }
}
