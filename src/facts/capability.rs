//! The pieces that the power of root is divided into; capabilities(7).

use serde::{Deserialize, Serialize};

/// Their names in the order of their numbers, without `CAP_`.
pub const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// The known name that a text means: "net_admin" for "CAP_NET_ADMIN" and for "net-admin".
pub fn plain(text: &str) -> String {
    let plain = text.to_ascii_lowercase().replace('-', "_");
    plain.strip_prefix("cap_").unwrap_or(&plain).to_owned()
}

/// The number of a capability by its name in `NAMES`.
pub fn number(name: &str) -> Option<u8> {
    NAMES.iter().position(|known| *known == name).and_then(|number| u8::try_from(number).ok())
}

/// How the file writes the capability of that number: "net-bind-service".
pub fn written(number: u8) -> String {
    let name = NAMES.get(usize::from(number));
    name.map_or_else(|| format!("number {number}"), |name| name.replace('_', "-"))
}

/// A set of capabilities, a bit each, that of number 0 the lowest, as the kernel has them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities(pub u64);

impl Capabilities {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// Whether it is none.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

impl FromIterator<u8> for Capabilities {
    fn from_iter<I: IntoIterator<Item = u8>>(numbers: I) -> Self {
        let bit = |number: u8| 1u64.checked_shl(u32::from(number)).unwrap_or(0);
        Self(numbers.into_iter().fold(0, |bits, number| bits | bit(number)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Capabilities, NAMES, number, plain, written};

    #[test]
    fn people_write_one_name_in_many_ways() {
        for text in
            ["net-bind-service", "NET_BIND_SERVICE", "CAP_NET_BIND_SERVICE", "cap-net-Bind_service"]
        {
            assert_eq!(number(&plain(text)), Some(10), "{text}");
        }
        assert_eq!(number(&plain("CAP_CAP_CHOWN")), None);
        assert_eq!(number("41"), None);
    }

    #[test]
    fn each_name_is_written_so_that_it_can_be_read() {
        for (at, name) in (0..).zip(NAMES) {
            assert_eq!(number(name), Some(at));
            assert_eq!(number(&plain(&written(at))), Some(at));
        }
        assert_eq!(written(63), "number 63");
    }

    #[test]
    fn a_set_has_the_bits_of_its_numbers() {
        assert_eq!(Capabilities::from_iter([0, 10, 10, 40]).0, 1 | 1 << 10 | 1 << 40);
        assert_eq!(Capabilities::from_iter([64]), Capabilities::NONE);
        assert!(Capabilities::default().is_none());
    }
}
