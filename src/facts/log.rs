//! What files and lines of a service are called, for who writes them and who tells where they are.

use std::fmt::Write as _;

/// What stands before its lines, where a name does: no more of it than a line can bear.
pub fn tag(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// The name of a service as a file name: no folder, no hidden file, nothing unprintable.
pub fn file_name(name: &str) -> String {
    const LONGEST: usize = 200;
    let mut file = String::new();
    for (index, byte) in name.bytes().enumerate() {
        let hidden = byte == b'.' && index == 0;
        if file.len() > LONGEST {
            break;
        }
        if hidden || byte == b'/' || byte == b'%' || !(0x21..0x7f).contains(&byte) {
            write!(file, "%{byte:02X}").unwrap_or_default();
        } else {
            file.push(char::from(byte));
        }
    }
    if file.is_empty() { "unnamed.log".to_owned() } else { file + ".log" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_stay_in_their_folder() {
        assert_eq!(file_name("../../etc/passwd"), "%2E.%2F..%2Fetc%2Fpasswd.log");
        assert_eq!(file_name("getty@tty1"), "getty@tty1.log");
        assert_eq!(file_name(""), "unnamed.log");
        assert!(file_name(&"ä".repeat(500)).len() < 220);
    }
}
