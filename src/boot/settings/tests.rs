//! Tables for sysctl.d(5).

use super::*;

#[test]
fn names() {
    for (name, path) in [
        ("kernel.panic", Some("kernel/panic")),
        ("kernel/panic", Some("kernel/panic")),
        ("net.ipv4.conf.eth0/100.forwarding", Some("net/ipv4/conf/eth0.100/forwarding")),
        ("net/ipv4/conf/eth0.100/forwarding", Some("net/ipv4/conf/eth0.100/forwarding")),
        ("single", Some("single")),
        ("", None),
        (".", None),
        ("../../etc/passwd", None),
        ("net/../../../etc/passwd", None),
        ("/etc/passwd", None),
        ("net//x", None),
    ] {
        assert_eq!(path_of(name).as_deref(), path, "{name}");
    }
}

#[test]
fn lines() {
    let setting = |path: &str, value: Option<&str>, failure| {
        Some(Setting { path: path.to_owned(), value: value.map(str::to_owned), failure })
    };
    for (line, expected) in [
        ("kernel.panic = 10", setting("kernel/panic", Some("10"), Failure::ToldIfKnown)),
        ("a.b=c=d", setting("a/b", Some("c=d"), Failure::ToldIfKnown)),
        ("-a.b = \t1 2  3 ", setting("a/b", Some("1 2  3"), Failure::Overlooked)),
        ("- a.b=", setting("a/b", Some(""), Failure::Overlooked)),
        ("-a.b", setting("a/b", None, Failure::Overlooked)),
        ("a.b", None),
        ("=1", None),
        ("-", None),
    ] {
        assert_eq!(parse(line), expected, "{line}");
    }
}

#[test]
fn patterns() {
    for (pattern, name, expected) in [
        ("*", "eth0", true),
        ("*", "", true),
        ("eth*", "eth0", true),
        ("eth?", "eth0", true),
        ("eth?", "eth", false),
        ("*0", "eth00", true),
        ("e*h*1", "eth0", false),
        ("**a", "bba", true),
        ("a", "b", false),
        ("", "", true),
        ("*ab*ab", "abab", true),
        ("*ab*ab", "ab", false),
    ] {
        assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
    }
}

#[test]
fn explicit_names_win_over_patterns_and_later_values_over_earlier() {
    let base = std::env::temp_dir().join(format!("finit-sysctl-{}", std::process::id()));
    for interface in ["all", "eth0", "lo"] {
        let folder = base.join("net/conf").join(interface);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("rp_filter"), "").unwrap();
    }
    let settings: Vec<Setting> = [
        "net.conf.all.rp_filter = 1",
        "net.conf.*.rp_filter = 2",
        "-net.conf.lo.rp_filter",
        "kernel.x = 1",
        "kernel.x = 2",
    ]
    .iter()
    .filter_map(|line| parse(line))
    .collect();
    let writes: Vec<String> = resolve(&base, &settings)
        .into_iter()
        .map(|(path, value, _)| format!("{path}={value}"))
        .collect();
    std::fs::remove_dir_all(&base).unwrap();
    assert_eq!(writes, ["net/conf/all/rp_filter=1", "net/conf/eth0/rp_filter=2", "kernel/x=2"]);
}

#[test]
fn garbage_is_survived() {
    let mut noise = 7u64;
    for _ in 0..5000 {
        let line: String = (0..24)
            .map(|_| {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                char::from(b"-.=/*?ab \t\x00\xff"[(noise >> 40) as usize % 12])
            })
            .collect();
        if let Some(setting) = parse(&line) {
            assert!(
                setting.path.split('/').all(|part| !part.is_empty() && part != ".."),
                "{line:?}"
            );
        }
        fits(&line, "net.ipv4");
    }
}
