//! fstab(5) as far as finit has to understand it: mounting itself is the job of mount(8).

use std::path::Path;

use super::{Context, conf};

const FILE: &str = "/etc/fstab";

/// File systems that need the network.
const NETWORK: [&str; 22] = [
    "nfs",
    "nfs4",
    "smbfs",
    "smb3",
    "cifs",
    "ncp",
    "ncpfs",
    "coda",
    "afs",
    "ocfs2",
    "gfs",
    "gfs2",
    "lustre",
    "ceph",
    "glusterfs",
    "davfs",
    "sshfs",
    "fuse.sshfs",
    "fuse.glusterfs",
    "fuse.ceph",
    "fuse.s3fs",
    "fuse.rclone",
];

/// Places of devices that are named by what is on them.
const TAGS: [(&str, &str); 4] = [
    ("UUID=", "/dev/disk/by-uuid/"),
    ("LABEL=", "/dev/disk/by-label/"),
    ("PARTUUID=", "/dev/disk/by-partuuid/"),
    ("PARTLABEL=", "/dev/disk/by-partlabel/"),
];

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) source: String,
    pub(super) target: String,
    pub(super) fstype: String,
    pub(super) options: Vec<String>,
    /// When it is checked: 0 never, 1 first.
    pub(super) pass: u32,
}

impl Entry {
    pub(super) fn has(&self, option: &str) -> bool {
        self.options.iter().any(|known| known == option)
    }

    pub(super) fn is_network(&self) -> bool {
        is_network(&self.fstype) || self.has("_netdev")
    }

    /// A local file system that is mounted at boot, besides the root.
    pub(super) fn is_mounted_locally(&self) -> bool {
        self.is_mounted() && !self.is_network() && self.target != "/"
    }

    /// A file system that is mounted once there is a network.
    pub(super) fn is_mounted_remotely(&self) -> bool {
        self.is_mounted() && self.is_network()
    }

    pub(super) fn is_swap(&self) -> bool {
        self.fstype == "swap" && !self.has("noauto")
    }

    /// Whether it is mounted on or below one of these.
    pub(super) fn is_below<'a>(&self, targets: impl IntoIterator<Item = &'a String>) -> bool {
        targets.into_iter().any(|above| Path::new(&self.target).starts_with(above))
    }

    /// The device node that the boot does not go well without.
    pub(super) fn needed_device(&self) -> Option<String> {
        let device = self.device();
        let is_needed = self.is_mounted_locally() && !self.has("nofail") && !self.has("bind");
        (is_needed && device.starts_with("/dev/")).then_some(device)
    }

    /// The device node, where udev has made its link.
    pub(super) fn device(&self) -> String {
        TAGS.iter()
            .find_map(|(tag, folder)| Some((folder, self.source.strip_prefix(tag)?)))
            .map(|(folder, name)| format!("{folder}{}", encoded(name.trim_matches('"'))))
            .unwrap_or_else(|| self.source.clone())
    }

    fn is_mounted(&self) -> bool {
        self.fstype != "swap" && !self.has("noauto")
    }
}

/// The name of udev's link: what is unusual in a label becomes `\x20` and the like.
fn encoded(name: &str) -> String {
    let plain = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "#+-.:=@_".contains(c);
    let encode =
        |c: char| if plain(c) { c.to_string() } else { format!("\\x{:02x}", u32::from(c)) };
    name.chars().map(encode).collect()
}

/// Whether a file system of that type needs the network.
pub(super) fn is_network(fstype: &str) -> bool {
    NETWORK.contains(&fstype)
}

/// `nfs,nfs4,…`, as mount(8) takes it after `-t`, and after a `no` in front of it all.
pub(super) fn network_types() -> String {
    NETWORK.join(",")
}

/// The entries, in order; none where there is no file.
pub(super) fn read(context: &Context) -> Vec<Entry> {
    conf::read(&context.path(FILE)).map(|text| parse(&text)).unwrap_or_default()
}

/// The file without the lines for anything on or below these.
pub(super) fn without(context: &Context, targets: &[String]) -> String {
    let text = conf::read(&context.path(FILE)).unwrap_or_default();
    let kept = text.lines().filter(|line| {
        parse(line).first().is_none_or(|entry| entry.is_swap() || !entry.is_below(targets))
    });
    kept.map(|line| format!("{line}\n")).collect()
}

/// Lines without at least a source and a target mean nothing to mount(8) either.
fn parse(text: &str) -> Vec<Entry> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines.filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Entry> {
    let mut fields = line.split_ascii_whitespace().map(unescape);
    let (source, mut target) = (fields.next()?, fields.next()?);
    while target.len() > 1 && target.ends_with('/') {
        target.pop();
    }
    let fstype = fields.next().unwrap_or_else(|| "auto".to_owned());
    let options = fields.next().unwrap_or_else(|| "defaults".to_owned());
    // The fifth field is for dump(8).
    let pass = fields.nth(1).and_then(|pass| pass.parse().ok()).unwrap_or(0);
    let options = options.split(',').map(str::to_owned).collect();
    Some(Entry { source, target, fstype, options, pass })
}

/// `\040` is a space, as getmntent(3) has it; any other backslash stands for itself.
fn unescape(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        match (first, tail) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                let digit = |ascii: &u8| ascii & 0o7;
                bytes.push((digit(a) << 6) | (digit(b) << 3) | digit(c));
                rest = after;
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_as_fstab_5_has_them() {
        let text = "# comment\n\n/dev/sda1 / ext4 errors=remount-ro 0 1\n\
                    \tUUID=12-34\t/my\\040disk vfat noauto,user 0 2 # more\n\
                    tmpfs /tmp\nlonely\nproc /proc proc defaults x y\n";
        let entries = parse(text);
        let short: Vec<_> = entries
            .iter()
            .map(|e| {
                format!("{} {} {} {} {}", e.source, e.target, e.fstype, e.options.join(","), e.pass)
            })
            .collect();
        assert_eq!(
            short,
            [
                "/dev/sda1 / ext4 errors=remount-ro 1",
                "UUID=12-34 /my disk vfat noauto,user 2",
                "tmpfs /tmp auto defaults 0",
                "proc /proc proc defaults 0",
            ]
        );
    }

    #[test]
    fn escapes() {
        for (field, plain) in [
            ("a\\040b", "a b"),
            ("\\011\\012\\134", "\t\n\\"),
            ("\\04", "\\04"),
            ("\\777", "\\777"),
            ("\\", "\\"),
            ("ä\\303\\244", "ää"),
            ("\\377", "\u{fffd}"),
        ] {
            assert_eq!(unescape(field), plain, "{field}");
        }
    }

    #[test]
    fn devices_by_tag() {
        for (source, device) in [
            ("/dev/sda1", "/dev/sda1"),
            ("UUID=\"ab-cd\"", "/dev/disk/by-uuid/ab-cd"),
            ("LABEL=root", "/dev/disk/by-label/root"),
            ("LABEL=my\\040dä/sk", "/dev/disk/by-label/my\\x20dä\\x2fsk"),
            ("PARTLABEL=x", "/dev/disk/by-partlabel/x"),
            ("server:/home", "server:/home"),
        ] {
            let entry = parse_line(&format!("{source} /x ext4")).unwrap();
            assert_eq!(entry.device(), device);
        }
    }

    #[test]
    fn kinds() {
        let kind = |line: &str| {
            let entry = parse_line(line).unwrap();
            match () {
                () if entry.is_mounted_locally() => "local",
                () if entry.is_mounted_remotely() => "network",
                () if entry.is_swap() => "swap",
                () => "none",
            }
        };
        for (line, expected) in [
            ("/dev/a / ext4 defaults 0 1", "none"),
            ("/dev/a /home ext4", "local"),
            ("/dev/a /home ext4 noauto", "none"),
            ("/dev/a /home ext4 defaults,_netdev", "network"),
            ("srv:/a /a nfs4 rw", "network"),
            ("srv:/a /a nfs noauto", "none"),
            ("/dev/b none swap sw", "swap"),
            ("/dev/b none swap noauto", "none"),
        ] {
            assert_eq!(kind(line), expected, "{line}");
        }
    }

    #[test]
    fn garbage_is_survived() {
        let mut noise = 1u64;
        for _ in 0..2000 {
            let text: String = (0..60)
                .map(|_| {
                    noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    char::from(b"\\0123 \n\t#,=/x\xff\x00\xc3"[(noise >> 40) as usize % 16])
                })
                .collect();
            for entry in parse(&text) {
                assert!(!entry.device().is_empty());
            }
        }
    }
}
