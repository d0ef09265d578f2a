//! What the words of the contract mean.

use std::rc::Rc;
use std::time::Duration;

use finit::config::expand;
use finit::config::spec::{
    Address, CommandLine, Exits, Kind, Missing, OkExit, Piece, Ready, ReloadAction, RestartWhen,
    SocketMode, Start, StopScope, UnixKind, UnixPath,
};
use finit::facts::SignalNumber;

use crate::{read, said, service, services};

const RUN: &str = "[service.x]\ncommand = '/x'\n";

/// The words of a command line without variables.
fn words(line: &CommandLine) -> Vec<String> {
    expand(line, |name| panic!("{name}"))
}

#[test]
fn the_shortest_file_is_a_daemon_with_every_default() {
    let sshd = service("[service.sshd]\ncommand = \"/usr/sbin/sshd -D\"\n");
    assert_eq!((sshd.name.as_str(), sshd.kind, sshd.line.0), ("sshd", Kind::Service, 1));
    assert_eq!(words(&sshd.commands[0]), ["/usr/sbin/sshd", "-D"]);
    assert_eq!(
        (sshd.start, sshd.ready.when.clone(), sshd.enabled),
        (Start::Boot, Ready::Exec, true)
    );
    assert_eq!(*sshd.targets, ["default"]);
    assert_eq!(sshd.start_timeout, Some(Duration::from_secs(60)));
    assert_eq!(sshd.restart.when, RestartWhen::Always);
    assert_eq!(sshd.restart.delay, Duration::from_millis(100));
    assert_eq!(sshd.restart.max_delay, Duration::from_secs(30));
    assert_eq!(sshd.restart.reset, Duration::from_secs(30));
    assert_eq!(sshd.stop.signal, SignalNumber::TERM);
    assert_eq!(sshd.stop.timeout, Some(Duration::from_secs(10)));
    assert_eq!((sshd.stop.scope, sshd.stop.kill, sshd.stop.hup), (StopScope::Cgroup, true, false));
    assert_eq!((sshd.exec.umask, sshd.exec.no_new_privileges), (0o022, false));
    assert_eq!(*sshd.ok_exit, OkExit::Listed(Exits::default()));
    assert!(sshd.sockets.is_none());
}

#[test]
fn inetd_and_listen_on_a_bare_port() {
    for (key, mode) in [("inetd", SocketMode::Inetd), ("listen", SocketMode::Listen)] {
        let sshd = service(&format!("[service.sshd]\ncommand = '/sshd -i'\n{key} = '22'\n"));
        let sockets = sshd.sockets.as_ref().unwrap();
        assert_eq!((sshd.start, sockets.mode, sockets.max), (Start::Demand, mode, 64));
        assert_eq!(sockets.sockets[0].address, Address::TcpPort(22));
        assert!(sockets.sockets[0].unlink);
    }
}

#[test]
fn five_consoles() {
    let gettys = services(
        "[service.getty]\ninstances = ['tty1', 'tty2', 'tty3', 'tty4', 'tty5']\n\
         command = '/sbin/agetty --noclear - $TERM'\ntty = '%i'\nprovides = 'login'\n",
    );
    assert_eq!(gettys.len(), 5);
    let last = &gettys[4];
    assert_eq!((last.name.as_str(), last.template.as_deref()), ("getty@tty5", Some("getty")));
    assert_eq!(last.exec.tty.as_deref(), Some("tty5"));
    assert_eq!(last.dependencies.provides, ["login"]);
    let word = last.commands[0].words.last().unwrap();
    assert_eq!(**word, [Piece::Split("TERM".to_owned())]);
}

#[test]
fn a_task_ends_and_counts_as_up() {
    let task = service("[task.x]\nsteps = ['/a 1', ['/b', '$x %%']]\n");
    assert_eq!((task.kind, task.ready.when.clone(), task.remain), (Kind::Task, Ready::Exit, true));
    assert_eq!(task.restart.when, RestartWhen::Never);
    assert_eq!(words(&task.commands[0]), ["/a", "1"]);
    assert_eq!(words(&task.commands[1]), ["/b", "$x %"]);
    assert!(!service("[task.x]\ncommand = '/a'\nremain = false\n").remain);
}

#[test]
fn commands_are_split_as_by_a_shell() {
    let value = |name: &str| (name == "V").then(|| "one  two".to_owned());
    let cases: [(&str, &[&str]); 19] = [
        ("/a  b\tc", &["/a", "b", "c"]),
        (r#"/a 'b  c' "d  e""#, &["/a", "b  c", "d  e"]),
        (r#"/a b\ c \'d "\"e\\\x""#, &["/a", "b c", "'d", r#""e\\x"#]),
        (r#"/a '' """#, &["/a", "", ""]),
        (r"/a 'x'y'z'", &["/a", "xyz"]),
        ("/a $V", &["/a", "one", "two"]),
        ("/a ${V}", &["/a", "one  two"]),
        (r#"/a "$V""#, &["/a", "one  two"]),
        ("/a --v=$V", &["/a", "--v=one  two"]),
        ("/a $NONE b", &["/a", "b"]),
        ("/a ${NONE} b", &["/a", "", "b"]),
        ("/a '$V' $$V \\$V", &["/a", "$V", "$V", "$V"]),
        ("/a ';' \\| a\\>'b'", &["/a", ";", "|", "a>b"]),
        ("/a ä 漢字", &["/a", "ä", "漢字"]),
        ("/a \\\n  --b", &["/a", "--b"]),
        ("/a b\\\nc \\\r\n d\\\n", &["/a", "bc", "d"]),
        ("\\\n/a \"b\\\nc\" 'b\\\nc'", &["/a", "bc", "b\\\nc"]),
        ("/a $V\\\n", &["/a", "one", "two"]),
        ("/a \\\n\\\n", &["/a"]),
    ];
    for (text, expected) in cases {
        let spec = service(&format!("[service.x]\ncommand = '''{text}'''\n"));
        assert_eq!(expand(&spec.commands[0], value), expected, "{text}");
    }
}

#[test]
fn the_words_of_an_array_are_exact() {
    let spec = service("[service.x]\ncommand = ['/a', '$V', '${V}', '$$', 'b c', '%n']\n");
    assert_eq!(words(&spec.commands[0]), ["/a", "$V", "${V}", "$$", "b c", "x"]);
}

#[test]
fn percent_signs_stand_for_name_and_instance() {
    let spec = service(
        "[service.t]\ninstances = ['a-b.c']\ncommand = '/x %i %I %n %% %s'\n\
         env = { WHO = '%n' }\nbefore-start = '/y %i'\ncwd = '/srv/%I'\n",
    );
    assert_eq!(words(&spec.commands[0]), ["/x", "a-b.c", "a/b.c", "t@a-b.c", "%", "%s"]);
    assert_eq!(spec.exec.env, [("WHO".to_owned(), "t@a-b.c".to_owned())]);
    assert_eq!(words(&spec.hooks.before_start[0].command), ["/y", "a-b.c"]);
    assert_eq!(spec.exec.cwd.as_deref(), Some("/srv/a/b.c"));
    assert!(said(&format!("{RUN}cwd = '/%i'\n")).contains("`%i` stands for an instance"));
}

#[test]
fn a_script_of_a_file_with_other_ends_of_lines_is_the_same_script() {
    let text = "[task.t]\nscript = \"\"\"\nfalse ||\n  true\n\"\"\"\n";
    for text in [text.to_owned(), text.replace('\n', "\r\n")] {
        assert_eq!(words(&service(&text).commands[0])[3], "false ||\n  true\n");
    }
}

#[test]
fn a_script_keeps_the_percent_signs_of_the_shell() {
    let text = "[service.t]\ninstances = ['one']\nscript = 'f=${1%%.*}; echo %i $f %s'\n";
    let script = words(&service(text).commands[0]);
    assert_eq!(script, ["/bin/sh", "-eu", "-c", "f=${1%%.*}; echo one $f %s"]);
}

/// A user that is none must never become root (CVE-2017-1000082, CVE-2020-13776; hazard D5).
#[test]
fn no_odd_user_is_taken() {
    let odd = [
        "",
        "0day",
        "0x0",
        "-1",
        "4294967295",
        "4294967296",
        "00",
        "007",
        "+0",
        " ",
        " root",
        "root ",
        "ro ot",
        "root\\u0000x",
        "ünal",
        "-",
        ".",
        "a:",
        ":a",
        "a:b:c",
        "a/b",
        "1.0",
        "1e3",
    ];
    for user in odd {
        for (key, table) in [("user", ""), ("group", ""), ("groups", ""), ("user", "hook")] {
            let text = if table == "hook" {
                format!("{RUN}before-start = {{ run = '/y', user = \"{user}\" }}\n")
            } else {
                format!("{RUN}{key} = \"{user}\"\n")
            };
            let loaded = read(&text);
            assert!(loaded.is_broken(), "{text}");
            assert!(loaded.spec.services.is_empty(), "{text}");
        }
    }
    for user in ["-1", "4294967295", "0.5", "true", "99999999999999999999999"] {
        assert!(read(&format!("{RUN}user = {user}\n")).is_broken(), "{user}");
    }
}

#[test]
fn users_by_name_number_and_with_a_group() {
    let of = |text: &str| {
        let exec = service(&format!("{RUN}{text}\n")).exec.clone();
        (exec.user.clone(), exec.group.clone(), exec.no_new_privileges)
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(of("user = 'www-data'"), (some("www-data"), None, true));
    assert_eq!(of("user = 1000"), (some("1000"), None, true));
    assert_eq!(of("user = '1000:adm'"), (some("1000"), some("adm"), true));
    assert_eq!(of("user = '_a.b-c$'\ngroup = 5"), (some("_a.b-c$"), some("5"), true));
    assert_eq!(of("user = 'root'"), (some("root"), None, false));
    assert_eq!(of("user = 0"), (some("0"), None, false));
    assert_eq!(of("group = 'adm'"), (None, some("adm"), false));
    assert!(said(&format!("{RUN}user = 'a:b'\ngroup = 'c'\n")).contains("said twice"));
}

#[test]
fn durations_have_units() {
    let of = |text: &str| service(&format!("{RUN}stop.timeout = '{text}'\n")).stop.timeout;
    let millis = |number| Some(Duration::from_millis(number));
    assert_eq!(of("250ms"), millis(250));
    assert_eq!(of("10s"), millis(10_000));
    assert_eq!(of("1h30m"), millis(5_400_000));
    assert_eq!(of("1d1ms"), millis(86_400_001));
    assert_eq!(of("0s"), millis(0));
    assert_eq!(of("never"), None);
    let odd =
        ["", "10", "s", "1.5s", "-1s", "1 s", "10S", "1x", "99999999999999999999s", "9999999w"];
    for text in odd {
        assert!(read(&format!("{RUN}stop.timeout = '{text}'\n")).is_broken(), "{text}");
    }
    assert!(said(&format!("{RUN}stop.timeout = 10\n")).contains("write \"10s\""));
    assert!(said(&format!("{RUN}stop.timeout = '10'\n")).contains("write \"10s\""));
}

#[test]
fn modes_are_octal_strings() {
    let of = |text: &str| service(&format!("{RUN}umask = {text}\n")).exec.umask;
    assert_eq!((of("'077'"), of("'0750'")), (0o077, 0o750));
    for text in ["22", "0o22", "'22'", "'0888'", "'1777'", "'+022'", "''"] {
        assert!(read(&format!("{RUN}umask = {text}\n")).is_broken(), "{text}");
    }
}

#[test]
fn limits_have_names_units_and_two_sides() {
    let spec = service(&format!(
        "{RUN}limits = {{ nofile = 65536, core = 'never', nproc = '100:200', as = '64M', \
         stack = '8M:unlimited', memlock = 'unlimited' }}\n"
    ));
    let never = libc::RLIM_INFINITY;
    assert_eq!(
        spec.exec.limits,
        [
            (libc::RLIMIT_NOFILE, 65536, 65536),
            (libc::RLIMIT_CORE, 0, 0),
            (libc::RLIMIT_NPROC, 100, 200),
            (libc::RLIMIT_AS, 64 << 20, 64 << 20),
            (libc::RLIMIT_STACK, 8 << 20, never),
            (libc::RLIMIT_MEMLOCK, never, never),
        ]
    );
    for text in ["nofile = 'never'", "nofile = '2:1'", "nofile = -1", "nofile = '64M'", "as = 'x'"]
    {
        assert!(read(&format!("{RUN}limits = {{ {text} }}\n")).is_broken(), "{text}");
    }
    assert!(said(&format!("{RUN}limits.nofiles = 1\n")).contains("did you mean `nofile`?"));
}

#[test]
fn addresses_in_all_their_forms() {
    let of = |text: &str| {
        let text = format!("{RUN}listen = '{text}'\n");
        service(&text).sockets.clone().unwrap().sockets[0].address.clone()
    };
    let file = |path: &str| UnixPath::File(path.into());
    let cases = [
        ("22", Address::TcpPort(22)),
        (":22", Address::TcpPort(22)),
        ("tcp:22", Address::TcpPort(22)),
        ("127.0.0.1:80", Address::Tcp("127.0.0.1:80".parse().unwrap())),
        ("[::1]:80", Address::Tcp("[::1]:80".parse().unwrap())),
        ("tcp:[::1]:80", Address::Tcp("[::1]:80".parse().unwrap())),
        ("udp:53", Address::UdpPort(53)),
        ("udp:10.0.0.1:53", Address::Udp("10.0.0.1:53".parse().unwrap())),
        ("/run/x.sock", Address::Unix(UnixKind::Stream, file("/run/x.sock"))),
        ("unix:/run/x", Address::Unix(UnixKind::Stream, file("/run/x"))),
        ("@x", Address::Unix(UnixKind::Stream, UnixPath::Abstract("x".to_owned()))),
        ("unix-dgram:/dev/log", Address::Unix(UnixKind::Datagram, file("/dev/log"))),
        ("unix-seqpacket:@x", {
            Address::Unix(UnixKind::Seqpacket, UnixPath::Abstract("x".to_owned()))
        }),
        ("fifo:/run/x", Address::Fifo("/run/x".into())),
    ];
    for (text, address) in cases {
        assert_eq!(of(text), address, "{text}");
    }
    let long = format!("/{}", "x".repeat(107));
    let odd = [
        "",
        "0",
        "65536",
        "tcp:",
        "udp:x",
        "localhost:80",
        "::1:80",
        "127.0.0.1",
        "ssh",
        "@",
        "run/x",
        "unix:x",
        "fifo:x",
        "netlink:x",
        long.as_str(),
    ];
    for text in odd {
        assert!(read(&format!("{RUN}listen = '{text}'\n")).is_broken(), "{text}");
    }
    assert!(said(&format!("{RUN}listen = 'localhost:80'\n")).contains("not host names"));
    for text in ["udp:53", "unix-dgram:/x", "fifo:/x"] {
        assert!(read(&format!("{RUN}inetd = '{text}'\n")).is_broken(), "{text}");
    }
}

#[test]
fn every_field_of_a_socket() {
    let spec = service(&format!(
        "{RUN}listen = [{{ on = '/run/x', name = 'x', mode = '0660', user = 'a', group = 5, \
         backlog = 9, unlink = false, nonblocking = true }}, {{ on = '80', v6only = true, \
         freebind = true, reuseport = true, keepalive = true, nodelay = true, device = 'eth0' }}]\n"
    ));
    let [socket, network] = &spec.sockets.as_ref().unwrap().sockets[..] else { panic!() };
    assert_eq!((socket.name.as_deref(), socket.mode), (Some("x"), Some(0o660)));
    assert_eq!((socket.user.as_deref(), socket.group.as_deref()), (Some("a"), Some("5")));
    assert_eq!((socket.backlog, socket.unlink, socket.nonblocking), (Some(9), false, true));
    assert!(network.v6only == Some(true) && network.freebind && network.reuseport);
    assert!(network.keepalive && network.nodelay);
    assert_eq!(network.device.as_deref(), Some("eth0"));
}

#[test]
fn restart_as_a_word_and_as_a_table() {
    let of = |text: &str| service(&format!("{RUN}restart = {text}\n")).restart.clone();
    assert_eq!(of("'on-crash'").when, RestartWhen::OnCrash);
    let spec = of("{ when = 'on-failure', delay = '0s', burst = 5, within = '1m' }");
    assert_eq!((spec.when, spec.delay), (RestartWhen::OnFailure, Duration::ZERO));
    assert_eq!((spec.burst, spec.within), (Some(5), Duration::from_secs(60)));
    assert_eq!(of("{ delay = '5m' }").max_delay, Duration::from_secs(300));
    assert_eq!(of("{ max-delay = '50ms' }").delay, Duration::from_millis(50));
}

#[test]
fn hooks_reloads_and_exits_that_are_fine() {
    let spec = service(&format!(
        "{RUN}before-start = ['/a', ['/b', 'c d'], {{ run = '/e', may-fail = true, user = 'u', \
         timeout = '1s' }}]\nreload = ['hup', '/r']\nok-exit = [1, 'USR1', 143]\n"
    ));
    let hooks = &spec.hooks.before_start;
    assert_eq!(words(&hooks[1].command), ["/b", "c d"]);
    assert!(hooks[2].may_fail && hooks[2].user.as_deref() == Some("u"));
    assert_eq!(hooks[2].timeout, Some(Duration::from_secs(1)));
    assert_eq!(spec.hooks.reload[0], ReloadAction::Signal(SignalNumber::HUP));
    assert!(matches!(&spec.hooks.reload[1], ReloadAction::Run(hook) if !hook.may_fail));
    let signals = vec![SignalNumber::parse("USR1").unwrap()];
    assert_eq!(*spec.ok_exit, OkExit::Listed(Exits { codes: vec![1, 143], signals }));
    assert_eq!(*service(&format!("{RUN}ok-exit = 'any'\n")).ok_exit, OkExit::Any);
}

/// A list in `run` is what a list in its place is: commands, or the words of the only one.
#[test]
fn a_list_in_run_loses_nothing() {
    let spec = service(&format!(
        "{RUN}before-start = {{ run = ['/a b', ['/c', 'd e']] }}\n\
         stop.command = {{ run = ['/ctl', '--stop', 'a b'] }}\n"
    ));
    let [first, second] = &*spec.hooks.before_start else { panic!("{:?}", spec.hooks) };
    assert_eq!(words(&first.command), ["/a", "b"]);
    assert_eq!(words(&second.command), ["/c", "d e"]);
    let stop = spec.stop.command.as_ref().expect("a command");
    assert_eq!(words(&stop.command), ["/ctl", "--stop", "a b"]);
}

#[test]
fn the_environment_in_order() {
    let spec = service(&format!(
        "{RUN}env = {{ Z = '1', A = '2' }}\nenv-file = ['-/etc/default/x', '/y']\n\
         env-pass = 'container'\nenv-unset = ['LANG']\n"
    ));
    let names: Vec<_> = spec.exec.env.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Z", "A"]);
    let missing: Vec<_> = spec.exec.env_files.iter().map(|(_, missing)| *missing).collect();
    assert_eq!(missing, [Missing::Allowed, Missing::Error]);
    for text in ["env = { 'A=B' = '1' }", "env = { '' = '1' }", "env.A = \"\\u0000\""] {
        assert!(read(&format!("{RUN}{text}\n")).is_broken(), "{text}");
    }
}

#[test]
fn defaults_lie_below_every_service_and_task() {
    let all = services(
        "[defaults]\nstop.timeout = '1s'\nrestart = 'on-failure'\ncommand = '/d'\nlog = 'kmsg'\n\
         inetd-max = 5\n[service.a]\n[service.b]\nscript = 'b'\nstop.hup = true\nlog = 'none'\n\
         [service.c]\ninetd = '22'\n[task.t]\n",
    );
    let timeouts: Vec<_> = all.iter().map(|s| s.stop.timeout.unwrap().as_secs()).collect();
    assert_eq!(timeouts, [1, 1, 1, 1]);
    assert_eq!(words(&all[0].commands[0]), ["/d"]);
    assert_eq!(words(&all[1].commands[0])[3], "b");
    assert!(all[1].stop.hup);
    assert_eq!(all[2].sockets.as_ref().unwrap().max, 5);
    assert_eq!(all[2].restart.when, RestartWhen::OnFailure);
    assert_eq!(all[3].restart.when, RestartWhen::Never, "a task has a default of its own");
    assert_eq!(said("[defaults]\nstop.timeout = 1\n").matches("error").count(), 1);
}

#[test]
fn wanted_by_is_written_from_the_other_side() {
    let all = services(
        "[service.a]\ncommand = '/a'\n[service.b]\ncommand = '/b'\nwanted-by = ['a', 'mine']\n\
         [target.mine]\nneeds = 'a|b'\n",
    );
    assert_eq!(all[0].dependencies.wants, ["b"]);
    assert_eq!(*all[1].targets, ["mine"]);
    // Who comes at its times does so, whoever wants it beside them.
    let all = services(
        "[service.a]\ncommand = '/a'\n\
         [task.b]\ncommand = '/b'\nwanted-by = 'a'\nschedule = 'daily'\n\
         [task.c]\ncommand = '/c'\nwanted-by = 'mine'\nwatch.exists = '/c'\n\
         [task.d]\ncommand = '/d'\nwanted-by = 'a'\n[target.mine]\n",
    );
    assert_eq!(*all[1].targets, ["default"]);
    assert_eq!(*all[2].targets, ["mine"]);
    assert_eq!(*all[3].targets, <[String; 0]>::default());
}

#[test]
fn alternatives_milestones_steps_aliases_and_instances_are_names() {
    services(
        "[service.a]\ncommand = '/a'\nneeds = ['b | c', 'network', 'other']\nafter = ['fsck', 't']\n\
         wants = 't@one'\nalias = 'first'\n[service.b]\ncommand = '/b'\nalias = 'c'\nprovides = 'other'\n\
         [service.t]\ncommand = '/t'\ninstances = ['one']\n[target.rescue]\nwants = 'first'\n",
    );
}

#[test]
fn the_machine_itself() {
    let loaded = read(
        "[boot]\nhostname = 'box'\nfstab = false\ndevices = 'mdev'\nmodules = 'loop'\n\
         sysctl = { 'vm.swappiness' = 10, 'kernel.core_pattern' = '%n.%i%%' }\nskip = ['fsck']\n[shutdown]\ntimeout = '9s'\n\
         ctrl-alt-del = 'ignore'\n[control]\npower-group = 'adm'\n[log]\nmax-size = '512K'\nkeep = 2\n",
    );
    assert!(!loaded.is_broken(), "{:?}", loaded.errors());
    let spec = loaded.spec;
    assert_eq!((spec.boot.hostname.as_deref(), spec.boot.fstab), (Some("box"), false));
    let settings = [("vm.swappiness", "10"), ("kernel.core_pattern", "%n.%i%%")];
    assert_eq!(spec.boot.sysctl, settings.map(|(name, value)| (name.into(), value.into())));
    assert_eq!(spec.shutdown.timeout, Duration::from_secs(9));
    assert_eq!((spec.log.max_size, spec.log.keep), (512 << 10, 2));
    assert_eq!(spec.control.power_group.as_deref(), Some("adm"));
}

/// A thousand services with the same policies have them in memory once.
#[test]
fn services_share_what_is_the_same() {
    let text = "[service.a]\ncommand = '/a'\n[service.b]\ncommand = '/b'\n\
                [service.c]\ncommand = '/c'\nstop.timeout = '1s'\n";
    let all = read(text).spec.services;
    assert!(Rc::ptr_eq(&all[0].exec, &all[1].exec) && Rc::ptr_eq(&all[0].stop, &all[1].stop));
    assert!(Rc::ptr_eq(&all[1].exec, &all[2].exec) && !Rc::ptr_eq(&all[1].stop, &all[2].stop));
    assert_eq!(all[0].stop.timeout, Some(Duration::from_secs(10)));
    assert_eq!(all[2].stop.timeout, Some(Duration::from_secs(1)));
}

#[test]
fn readiness_in_the_defaults_is_for_those_that_can_have_it() {
    let text = "[defaults]\nready = 'notify'\nnotify-from = 'any'\nwatchdog = '1m'\n\
                [service.a]\ncommand = '/a'\n[service.i]\ncommand = '/i'\ninetd = '7'\n\
                [task.t]\ncommand = '/t'\n";
    assert_eq!(said(text), "");
    let ready: Vec<_> =
        read(text).spec.services.iter().map(|spec| spec.ready.when.to_string()).collect();
    assert_eq!(ready, ["notify", "exec", "exit"]);
    assert!(said("[defaults]\nready = 'nofity'\n").contains("is no readiness"));
}

#[test]
fn host_names_are_those_of_hostname_7() {
    let said = |name: &str| said(&format!("[boot]\nhostname = '{name}'\n"));
    let longest = format!("{}.x", "a".repeat(62));
    for good in ["box", "a-b.example.org", "my_box", "3com", &longest] {
        assert_eq!(said(good), "");
    }
    let (long, part) = (format!("{longest}y"), "a".repeat(64));
    for (bad, why) in [
        ("", "it is empty"),
        ("-x", "no part of it begins or ends with `-`"),
        ("a.b-", "no part of it begins or ends with `-`"),
        (".x", "1 to 63 letters"),
        ("a..b", "1 to 63 letters"),
        ("x.", "1 to 63 letters"),
        (&part, "1 to 63 letters"),
        (&long, "longer than 64 bytes"),
        ("a b", "can stand in it"),
        ("a/b", "can stand in it"),
        ("bÜro", "can stand in it"),
    ] {
        assert!(said(bad).contains(why), "{}", said(bad));
    }
}
