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
const TAGS: [(&str, &str); 5] = [
    ("UUID=", "/dev/disk/by-uuid/"),
    ("LABEL=", "/dev/disk/by-label/"),
    ("PARTUUID=", "/dev/disk/by-partuuid/"),
    ("PARTLABEL=", "/dev/disk/by-partlabel/"),
    ("ID=", "/dev/disk/by-id/"),
];

/// Where those are.
const LINKS: &str = "/dev/disk/";

/// Options that name files which have to be there first: the layers of an overlay, and what
/// systemd.mount(5) has for whatever else.
const NEEDS: [&str; 6] = [
    "lowerdir",
    "upperdir",
    "workdir",
    "x-systemd.requires-mounts-for",
    "x-systemd.requires",
    "x-systemd.after",
];

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) source: String,
    /// Without slashes at its end, as the kernel tells it.
    pub(super) target: String,
    /// The target as its line has it, which some mount(8) look for letter by letter.
    pub(super) written: String,
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

    pub(super) fn is_swap(&self) -> bool {
        self.fstype == "swap" && !self.has("noauto")
    }

    /// Whether it shows a part of the file tree at another place too.
    pub(super) fn is_bind(&self) -> bool {
        self.has("bind") || self.has("rbind")
    }

    /// Whether what is mounted there has to be there before: its own target lies below, or a file
    /// that it is made of.
    pub(super) fn lies_on(&self, target: &str) -> bool {
        self.target != target && self.files().any(|path| Path::new(path).starts_with(target))
    }

    /// Its target and the files that it is made of: what a bind mount shows, an image, the layers
    /// of an overlay.
    fn files(&self) -> impl Iterator<Item = &str> {
        let needs = self.options.iter().filter_map(|option| option.split_once('='));
        let needs = needs.filter(|(key, _)| NEEDS.contains(key)).map(|(_, value)| value);
        // `//server/share` is no path; `/a:/b` are two, to who joins them.
        let paths = needs.chain([self.source.as_str()]);
        let paths = paths.filter(|path| path.starts_with('/') && !path.starts_with("//"));
        paths.flat_map(|paths| paths.split(':')).chain([self.target.as_str()])
    }

    /// The device node that the boot does not go well without.
    pub(super) fn needed_device(&self) -> Option<String> {
        let is_needed = self.is_mounted() && !self.is_network() && !self.has("nofail");
        self.device_node().filter(|_| is_needed && !self.is_bind())
    }

    /// The node of the device that it lies on, if it lies on one.
    pub(super) fn device_node(&self) -> Option<String> {
        Some(device(&self.source)).filter(|device| device.starts_with("/dev/"))
    }

    /// Whether the device that it lies on is known to be missing.
    pub(super) fn is_absent(&self, context: &Context) -> bool {
        self.device_node().is_some_and(|node| is_absent(&node, context))
    }

    /// Whether it is mounted at boot; the root is there before.
    fn is_mounted(&self) -> bool {
        self.fstype != "swap"
            && !self.has("noauto")
            && self.target.starts_with('/')
            && self.target != "/"
    }
}

/// Whether that device node is known to be missing. Without udev, which makes the links, others find
/// a disk by what is on it.
pub(super) fn is_absent(node: &str, context: &Context) -> bool {
    let is_there = |path: &str| context.path(path).exists();
    !is_there(node) && (!node.starts_with(LINKS) || is_there(LINKS))
}

/// Where udev has made its link to the device node that is named by what is on it; any other name
/// stands for itself.
pub(super) fn device(source: &str) -> String {
    TAGS.iter()
        .find_map(|(tag, folder)| Some((folder, source.strip_prefix(tag)?)))
        .map(|(folder, name)| format!("{folder}{}", encoded(name.trim_matches('"'))))
        .unwrap_or_else(|| source.to_owned())
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

/// The entries, in order; none where there is no file.
pub(super) fn read(context: &Context) -> Vec<Entry> {
    conf::read(&context.path(FILE)).map(|text| parse(&text)).unwrap_or_default()
}

/// What is mounted at boot without the network, and what waits for it: by its type, because its
/// line says `_netdev`, or because it lies on something that does.
pub(super) fn mounted(context: &Context) -> (Vec<Entry>, Vec<Entry>) {
    let all = read(context).into_iter().filter(Entry::is_mounted);
    let (mut network, mut local): (Vec<Entry>, Vec<Entry>) = all.partition(Entry::is_network);
    loop {
        let waits = |entry: &Entry| network.iter().any(|other| entry.lies_on(&other.target));
        let (later, now): (Vec<Entry>, Vec<Entry>) = local.into_iter().partition(waits);
        local = now;
        if later.is_empty() {
            return (local, network);
        }
        network.extend(later);
    }
}

/// Takes out the first that lies on none of the others, nor on one of these targets, which are
/// being mounted.
pub(super) fn take_next(waiting: &mut Vec<Entry>, busy: &[String]) -> Option<Entry> {
    let is_next = |entry: &Entry| {
        let mut others = waiting.iter().map(|other| &other.target).chain(busy);
        !busy.contains(&entry.target) && !others.any(|target| entry.lies_on(target))
    };
    let next = waiting.iter().position(is_next);
    // Of those that lie on each other, the first: what mount(8) says of it is told.
    let next = next.or((busy.is_empty() && !waiting.is_empty()).then_some(0))?;
    Some(waiting.remove(next))
}

/// The line of this machine's own fstab(5) for that target; for helpers.
pub(super) fn line(target: &str) -> Option<Entry> {
    let text = conf::read(Path::new(FILE))?;
    parse(&text).into_iter().find(|entry| entry.target == target)
}

/// Targets of this machine's own fstab(5) that need the network; for helpers.
pub(super) fn network_targets() -> Vec<String> {
    let lines = parse(&conf::read(Path::new(FILE)).unwrap_or_default());
    lines.into_iter().filter(Entry::is_network).map(|entry| entry.target).collect()
}

/// Lines without at least a source and a target mean nothing to mount(8) either.
fn parse(text: &str) -> Vec<Entry> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines.filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Entry> {
    let mut fields = line.split_ascii_whitespace().map(unescape);
    let (source, written) = (fields.next()?, fields.next()?);
    let mut target = written.clone();
    while target.len() > 1 && target.ends_with('/') {
        target.pop();
    }
    let fstype = fields.next().unwrap_or_else(|| "auto".to_owned());
    let options = fields.next().unwrap_or_else(|| "defaults".to_owned());
    // The fifth field is for dump(8).
    let pass = fields.nth(1).and_then(|pass| pass.parse().ok()).unwrap_or(0);
    let options = options.split(',').map(str::to_owned).collect();
    Some(Entry { source, target, written, fstype, options, pass })
}

/// `\040` is a space, as getmntent(3) has it; any other backslash stands for itself.
pub(super) fn unescape(field: &str) -> String {
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

    /// Whose last writes would be lost if the shipped file took the network down before they are
    /// unmounted.
    #[test]
    fn the_shipped_file_knows_what_needs_the_network() {
        let shipped = include_str!("../../config/finit.toml").replace("\\\n", "");
        let list = shipped.split("findmnt -mnt ").nth(1).and_then(|rest| rest.split(' ').next());
        let known: Vec<&str> = list.unwrap().split(',').collect();
        assert_eq!(NETWORK.iter().find(|fstype| !known.contains(fstype)), None);
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
            ("ID=ata-x", "/dev/disk/by-id/ata-x"),
            ("server:/home", "server:/home"),
        ] {
            let entry = parse_line(&format!("{source} /x ext4")).unwrap();
            assert_eq!(super::device(&entry.source), device);
        }
    }

    #[test]
    fn kinds() {
        let kind = |line: &str| {
            let entry = parse_line(line).unwrap();
            match () {
                () if entry.is_mounted() && entry.is_network() => "network",
                () if entry.is_mounted() => "local",
                () if entry.is_swap() => "swap",
                () => "none",
            }
        };
        for (line, expected) in [
            ("/dev/a / ext4 defaults 0 1", "none"),
            ("/dev/a /home ext4", "local"),
            ("/dev/a none ext4", "none"),
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
    fn what_lies_on_what() {
        let lies_on = |line: &str, target: &str| parse_line(line).unwrap().lies_on(target);
        for line in [
            "/dev/a /srv/www ext4",
            "/srv /www none bind",
            "/srv/image /mnt ext4 loop",
            "/mnt/a:/srv/b /pool fuse.mergerfs",
            "overlay /mnt overlay lowerdir=/etc:/srv/etc,upperdir=/x,workdir=/y",
            "overlay /mnt overlay lowerdir=/etc,upperdir=/srv/x,workdir=/srv/y",
            "//nas/a /mnt cifs credentials=/x,x-systemd.requires-mounts-for=/srv/keys",
            "/dev/a /mnt ext4 x-systemd.requires=/srv",
        ] {
            assert!(lies_on(line, "/srv"), "{line}");
        }
        for line in [
            "/dev/a /srv ext4",
            "/srv/self /srv none bind",
            "/dev/a /srv2 ext4",
            "//srv/a /mnt cifs",
            "nas:/srv /mnt nfs",
            "/dev/a /mnt ext4 x-systemd.requires=srv.mount,context=/srv",
        ] {
            assert!(!lies_on(line, "/srv"), "{line}");
        }
    }

    #[test]
    fn lines_keep_their_order_where_they_can() {
        let order = |text: &str, busy: &[&str]| {
            let (mut waiting, busy) = (parse(text), busy.iter().map(|&target| target.to_owned()));
            let busy: Vec<String> = busy.collect();
            let next = std::iter::from_fn(|| take_next(&mut waiting, &busy));
            next.map(|entry| entry.target).collect::<Vec<_>>().join(" ")
        };
        let text = "a /z x\na /a/b/c x\na /a/b/ x\n/a/b/c /m x bind\na /a x\na /b x\n";
        assert_eq!(order(text, &[]), "/z /a /a/b /a/b/c /m /b");
        assert_eq!(order(text, &["/a"]), "/z /b");
        // Each on the other.
        assert_eq!(order("/b /a x\n/a /b x\n", &[]), "/a /b");
        assert_eq!(order("/b /a x\n/a /b x\n", &["/c"]), "");
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
                assert!(!device(&entry.source).is_empty());
            }
        }
    }
}
