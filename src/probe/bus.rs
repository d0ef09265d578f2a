//! A client of the system bus that can ask one thing: does anybody have this name? D-Bus
//! specification, "Message Protocol" and "Authentication Protocol".

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Where the system bus listens.
const SOCKET: &str = "/run/dbus/system_bus_socket";
/// How long the bus may take for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest message that is read.
const LONGEST: u32 = 1 << 20;

const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;

/// Whether somebody has that name now.
pub fn has_owner(name: &str) -> Result<(), String> {
    match ask(name) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("nobody has the name {name} on the bus")),
        Err(error) => Err(format!("{SOCKET}: {error}")),
    }
}

fn ask(name: &str) -> std::io::Result<bool> {
    let stream = UnixStream::connect(SOCKET)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    // The user number, as hexadecimal digits of its decimal ones.
    let user = nix::unistd::geteuid().to_string();
    let user: String = user.bytes().map(|byte| format!("{byte:02x}")).collect();
    reader.get_mut().write_all(format!("\0AUTH EXTERNAL {user}\r\n").as_bytes())?;
    let mut line = String::new();
    reader.by_ref().take(512).read_line(&mut line)?;
    if !line.starts_with("OK ") {
        return Err(std::io::Error::other(format!("it refuses us: {}", line.trim_end())));
    }
    reader.get_mut().write_all(b"BEGIN\r\n")?;
    call(&mut reader, 1, "Hello", None)?;
    let answer = call(&mut reader, 2, "NameHasOwner", Some(name))?;
    Ok(answer.first_chunk::<4>().is_some_and(|word| u32::from_le_bytes(*word) == 1))
}

/// Calls a method of the bus itself and waits for its answer: the body.
fn call(
    reader: &mut BufReader<UnixStream>,
    serial: u32,
    method: &str,
    argument: Option<&str>,
) -> std::io::Result<Vec<u8>> {
    reader.get_mut().write_all(&message(serial, method, argument))?;
    loop {
        let (kind, answers, body) = receive(reader)?;
        match kind {
            METHOD_RETURN if answers == serial => return Ok(body),
            ERROR if answers == serial => {
                let text = String::from_utf8_lossy(body.get(4..).unwrap_or_default()).into_owned();
                return Err(std::io::Error::other(text));
            }
            // Signals, such as the one about our own name.
            _ => {}
        }
    }
}

/// A method call in little-endian bytes.
fn message(serial: u32, method: &str, argument: Option<&str>) -> Vec<u8> {
    let mut body = Vec::new();
    if let Some(text) = argument {
        put_string(&mut body, text);
    }
    let mut fields = Vec::new();
    put_field(&mut fields, 1, "o", "/org/freedesktop/DBus");
    put_field(&mut fields, 2, "s", "org.freedesktop.DBus");
    put_field(&mut fields, 3, "s", method);
    put_field(&mut fields, 6, "s", "org.freedesktop.DBus");
    if argument.is_some() {
        pad(&mut fields, 8);
        fields.extend([8, 1, b'g', 0, 1, b's', 0]);
    }
    let mut bytes = vec![b'l', METHOD_CALL, 0, 1];
    bytes.extend(length(&body));
    bytes.extend(serial.to_le_bytes());
    bytes.extend(length(&fields));
    bytes.extend(fields);
    pad(&mut bytes, 8);
    bytes.extend(body);
    bytes
}

/// A header field that holds a string; its array begins at a multiple of eight.
fn put_field(fields: &mut Vec<u8>, code: u8, signature: &str, text: &str) {
    pad(fields, 8);
    fields.extend([code, 1]);
    fields.extend(signature.bytes());
    fields.push(0);
    put_string(fields, text);
}

fn put_string(bytes: &mut Vec<u8>, text: &str) {
    pad(bytes, 4);
    bytes.extend(length(text.as_bytes()));
    bytes.extend(text.bytes());
    bytes.push(0);
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}

fn pad(bytes: &mut Vec<u8>, to: usize) {
    bytes.resize(bytes.len().next_multiple_of(to), 0);
}

/// The next message: its kind, the serial that it answers, its body.
fn receive(reader: &mut BufReader<UnixStream>) -> std::io::Result<(u8, u32, Vec<u8>)> {
    let mut head = [0; 16];
    reader.read_exact(&mut head)?;
    let [order, kind, _, _, b0, b1, b2, b3, _, _, _, _, f0, f1, f2, f3] = head;
    let number =
        |bytes| if order == b'l' { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
    let (body, fields) = (number([b0, b1, b2, b3]), number([f0, f1, f2, f3]));
    if body > LONGEST || fields > LONGEST {
        return Err(std::io::Error::other("its message is too long"));
    }
    let mut rest = vec![0; usize::try_from(fields.next_multiple_of(8)).unwrap_or(0)];
    reader.read_exact(&mut rest)?;
    let mut content = vec![0; usize::try_from(body).unwrap_or(0)];
    reader.read_exact(&mut content)?;
    // The field REPLY_SERIAL: its code, the signature "u", and at the next multiple of four the
    // number.
    let at = rest.chunks_exact(4).position(|word| word == [5, 1, b'u', 0]);
    let word = at.and_then(|at| rest.chunks_exact(4).nth(at.saturating_add(1)));
    let answers = word.and_then(|word| word.first_chunk::<4>().copied()).map_or(0, number);
    Ok((kind, answers, content))
}
