//! The log writer as a real process, with this test in the place of PID 1: what a service
//! writes is in the files, whole and once, over kills, full disks and floods.
//!
//! No test waits for a time: a line that comes out of a FIFO, or the end of the process, says
//! that what was before it is done.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "tests start processes and threads, and may fail"
)]

mod links;
#[path = "../helpers/logger.rs"]
mod rig;

use std::fs::{self, File};
use std::io::{BufRead, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use finit::logger::{Message, Output, Target};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};

use rig::Init;

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("line {n:06} {:.>60}", "")).collect()
}

/// 8 producers write numbered lines, some in one write, and `kills` writers are killed in the
/// middle of it: each line is there once and in order.
fn kills(test: &str, kills: usize, lines: usize, chunk: usize) -> (usize, Duration) {
    const PRODUCERS: usize = 8;
    let mut init = Init::new(test);
    (init.max_size, init.keep) = (1 << 20, 1000);
    let progress = Arc::new(AtomicUsize::new(0));
    let services: Vec<File> =
        (0..PRODUCERS).map(|n| init.service(&format!("p{n}"), Target::Files)).collect();
    init.start();
    let begin = Instant::now();
    let producers: Vec<_> = services
        .into_iter()
        .map(|mut service| {
            let progress = Arc::clone(&progress);
            thread::spawn(move || {
                for lines in numbers(lines / PRODUCERS).chunks(chunk) {
                    writeln!(service, "{}", lines.join("\n")).unwrap();
                    progress.fetch_add(lines.len(), Ordering::Relaxed);
                }
            })
        })
        .collect();
    let mut killed = 0;
    while !producers.iter().all(thread::JoinHandle::is_finished) {
        if killed < kills && progress.load(Ordering::Relaxed) > killed * lines / (kills + 1) {
            init.kill();
            init.start();
            killed += 1;
        }
        thread::yield_now();
    }
    init.finish();
    let took = begin.elapsed();
    for producer in 0..PRODUCERS {
        let name = format!("p{producer}");
        let (there, wanted) = (init.lines(&name), numbers(lines / PRODUCERS));
        let wrong = there.iter().zip(&wanted).position(|(a, b)| a != b);
        assert_eq!((wrong, there.len()), (None, wanted.len()), "{name} after {killed} kills");
    }
    (killed, took)
}

/// `FINIT_KILLS=10000 cargo test --test logger killed` kills more often.
#[test]
fn killed_writers_lose_no_line_and_double_none() {
    let wanted = std::env::var("FINIT_KILLS").map_or(200, |kills| kills.parse().unwrap());
    let (killed, took) = kills("kill", wanted, wanted * 500, 1);
    println!("{killed} kills in {took:?}");
    assert!(killed > wanted / 10, "only {killed} kills");
}

/// The stderr of a service beside its stdout, in a file that both of them may share.
fn stderr_of(name: &str, path: &Path) -> Output {
    let target = Target::File(path.to_str().unwrap().to_owned());
    Output { name: name.to_owned(), target, errors: true, ..Output::default() }
}

#[test]
fn killed_writers_lose_no_line_of_either_stream_and_mark_those_of_stderr() {
    let mut init = Init::new("streams");
    init.keep = 1000;
    let shared = init.directory.join("shared.log");
    let mut stdout = init.service("web", Target::Files);
    let size = Some(128 << 10);
    let mut stderr = init.stream(Output { max_size: size, ..stderr_of("web", &shared) });
    let mut other = init.stream(Output { tag: Some("db/x".into()), ..stderr_of("db", &shared) });
    init.start();
    for (count, line) in numbers(20_000).iter().enumerate() {
        for stream in [&mut stdout, &mut stderr, &mut other] {
            writeln!(stream, "{line}").unwrap();
        }
        if count % 400 == 0 {
            init.kill();
            init.start();
        }
    }
    init.finish();
    let lines = init.lines("shared");
    let of = |tag: &str| -> Vec<String> {
        lines.iter().filter_map(|line| line.strip_prefix(tag)).map(str::to_owned).collect()
    };
    let wanted = numbers(20_000);
    for there in [init.lines("web"), of("web: stderr: "), of("db/x: stderr: ")] {
        let wrong = there.iter().zip(&wanted).position(|(a, b)| a != b);
        assert_eq!((wrong, there.len()), (None, wanted.len()));
    }
    assert!(init.directory.join("shared.log.20").exists(), "rotated as one of both says");
}

#[test]
fn a_file_is_rotated_as_its_own_service_says_wherever_its_lines_waited() {
    let mut init = Init::new("own");
    (init.keep, init.writable) = (100, false);
    let mut probe = init.probe("probe");
    let own = |name: &str, max_size| Output {
        name: name.to_owned(),
        max_size: Some(max_size),
        ..Output::default()
    };
    let mut small = init.stream(own("small", 64 << 10));
    let mut plain = init.service("plain", Target::Files);
    let mut never = init.stream(own("never", 0));
    init.max_size = 256 << 10;
    init.start();
    let mut say = |from: usize, to: usize| {
        for line in &numbers(to)[from..] {
            writeln!(small, "{line}").unwrap();
            writeln!(plain, "{line}").unwrap();
            writeln!(never, "{line}").unwrap();
        }
    };
    say(0, 3000);
    for id in [1, 2, 3] {
        init.tell(Message::Flush { id });
    }
    // Of lines that wait for the disk the next writer knows no more than their files.
    init.kill();
    init.writable = true;
    init.start();
    say(3000, 8000);
    // Elsewhere, the same holds.
    for id in [1, 2, 3] {
        init.barrier(id, &mut probe);
    }
    let first = init.directory.clone();
    let second = first.join("elsewhere");
    let directory = second.to_str().unwrap().to_owned();
    init.tell(Message::Settings { directory, max_size: 256 << 10, keep: 100 });
    say(8000, 10_000);
    init.finish();
    let sizes = |folder: &Path, name: &str| -> Vec<u64> {
        let path = |n: u32| match n {
            0 => folder.join(format!("{name}.log")),
            n => folder.join(format!("{name}.log.{n}")),
        };
        (0..100).map_while(|n| Some(fs::metadata(path(n)).ok()?.len())).collect()
    };
    for (folder, files) in [(&first, 8), (&second, 2)] {
        let small = sizes(folder, "small");
        assert!(small.len() > files && small.iter().all(|size| *size <= 64 << 10), "{small:?}");
        assert_eq!(sizes(folder, "never").len(), 1);
    }
    let plain = sizes(&first, "plain");
    assert!(plain.len() > 2 && plain.iter().any(|size| *size > 128 << 10), "{plain:?}");
    for name in ["small", "plain", "never"] {
        init.directory.clone_from(&first);
        let mut lines = init.lines(name);
        init.directory.clone_from(&second);
        lines.extend(init.lines(name));
        assert_eq!(lines, numbers(10_000), "{name}");
    }
}

#[test]
fn rotated_files_stay_small_and_few() {
    let mut init = Init::new("rotate");
    (init.max_size, init.keep) = (64 << 10, 2);
    let mut service = init.service("web", Target::Files);
    init.start();
    for line in numbers(10_000) {
        writeln!(service, "{line}").unwrap();
    }
    init.finish();
    let mut sizes = Vec::new();
    for name in ["web.log", "web.log.1", "web.log.2"] {
        let facts = fs::metadata(init.directory.join(name)).unwrap();
        assert_eq!(facts.permissions().mode() & 0o777, 0o640);
        sizes.push(facts.len());
    }
    assert!(sizes.iter().all(|size| (1..=64 << 10).contains(size)), "{sizes:?}");
    assert!(!init.directory.join("web.log.3").exists());
    let (there, wanted) = (init.lines("web"), numbers(10_000));
    assert_eq!(there, wanted[wanted.len() - there.len()..]);
}

#[test]
fn a_full_disk_costs_no_line_until_the_spool_is_full_and_then_they_are_counted() {
    let mut init = Init::new("full");
    let mut probe = init.probe("probe");
    let mut service = init.service("web", Target::Files);
    let disk = init.directory.join("disk");
    fs::create_dir(&disk).unwrap();
    if mount(Some("t"), &disk, Some("tmpfs"), MsFlags::empty(), Some("size=256k")).is_err() {
        return; // Not root.
    }
    init.directory = disk.join("log");
    let filler = disk.join("filler");
    let fill = || fs::write(&filler, vec![0; 160 << 10]).unwrap();
    fill();
    init.start();
    for line in numbers(2000) {
        writeln!(service, "{line}").unwrap();
    }
    init.barrier(1, &mut probe);
    let half = init.lines("web").len();
    assert!((1..1900).contains(&half), "{half} lines fit");
    assert!(fs::read(init.directory.join("web.log")).unwrap().ends_with(b"\n"), "half a line");
    init.kill();
    init.start();
    fs::remove_file(&filler).unwrap();
    init.finish();
    assert_eq!(init.lines("web"), numbers(2000));

    fs::remove_file(init.directory.join("web.log")).unwrap();
    fill();
    init.start();
    for line in numbers(20_000) {
        writeln!(service, "{line}").unwrap();
    }
    init.barrier(1, &mut probe);
    fs::remove_file(&filler).unwrap();
    (init.max_size, init.keep) = (60 << 10, 1);
    let directory = init.directory.to_str().unwrap().to_owned();
    init.tell(Message::Settings { directory, max_size: 4 << 20, keep: 1 });
    mount(Some("t"), &disk, Some("tmpfs"), MsFlags::MS_REMOUNT, Some("size=8m")).unwrap();
    init.finish();
    let there = init.lines("web");
    let notes: Vec<&String> = there.iter().filter(|line| line.contains("lines lost")).collect();
    assert_eq!(notes.len(), 1);
    assert!(notes[0].ends_with("lines lost: No space left on device"), "{}", notes[0]);
    let lost: usize = notes[0].split(' ').nth(1).unwrap().parse().unwrap();
    assert!(lost > 1000);
    assert_eq!(lost + there.len() - 1, 20_000);
}

#[test]
fn a_fifo_that_is_full_or_unread_gets_each_line_once_and_no_file_is_made_for_a_device() {
    let mut init = Init::new("fifo");
    let mut probe = init.probe("probe");
    let (mut slow, mut reader) = init.probe("slow");
    let unread = init.directory.join("unread.fifo");
    mkfifo(&unread, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let mut early = init.service("early", Target::File(unread.to_str().unwrap().to_owned()));
    let device = PathBuf::from(format!("/dev/finit-{}", std::process::id()));
    let mut absent = init.service("absent", Target::File(device.to_str().unwrap().to_owned()));
    init.start();
    for line in numbers(2000) {
        writeln!(slow, "{line}").unwrap();
    }
    writeln!(early, "before its reader").unwrap();
    writeln!(absent, "before its device").unwrap();
    for id in [1, 2, 3] {
        init.barrier(id, &mut probe);
    }
    assert!(fs::remove_file(&device).is_err(), "a file in the place of a device");
    // What an unread FIFO held would go with the last that has it open.
    init.kill();
    init.start();
    // A new reader has everything tried again; so has the word that files can be made.
    let all = |reader: &mut dyn Read, lines: usize| {
        let mut text = Vec::new();
        while text.iter().filter(|byte| **byte == b'\n').count() < lines {
            init.tell(Message::Writable);
            let mut some = vec![0; 64 << 10];
            let count = reader.read(&mut some).unwrap();
            text.extend_from_slice(&some[..count]);
        }
        let text = String::from_utf8(text).unwrap();
        text.lines().map(|line| line.split_once(": ").unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(all(reader.get_mut(), 2000), numbers(2000));
    let mut reader = File::options().read(true).write(true).open(&unread).unwrap();
    assert_eq!(all(&mut reader, 1), ["before its reader"]);
}

#[test]
fn lines_from_before_the_disk_keep_their_time_over_a_kill() {
    let mut init = Init::new("early");
    init.writable = false;
    let mut probe = init.probe("probe");
    let mut service = init.service("early", Target::Files);
    let mut other = init.service("other", Target::Files);
    init.start();
    writeln!(service, "first").unwrap();
    writeln!(other, "other").unwrap();
    init.tell(Message::Flush { id: 1 });
    init.tell(Message::Flush { id: 2 });
    init.kill();
    init.start();
    writeln!(service, "second").unwrap();
    init.tell(Message::Flush { id: 1 });
    init.tell(Message::Flush { id: 2 });
    assert!(!init.directory.join("early.log").exists());
    init.tell(Message::Writable);
    init.barrier(1, &mut probe);
    assert_eq!(init.lines("early"), ["first", "second"]);
    assert_eq!(init.lines("other"), ["other"]);
    assert_eq!(
        fs::metadata(init.directory.join("early.log")).unwrap().permissions().mode() & 0o777,
        0o640
    );
}

#[test]
fn a_line_without_end_is_split_and_bytes_are_made_harmless() {
    let mut init = Init::new("endless");
    let mut endless = init.service("endless", Target::Files);
    let mut binary = init.service("binary", Target::Files);
    init.start();
    endless.write_all(&vec![b'x'; 1_000_000]).unwrap();
    binary.write_all(b"a\0b\x1b[31m\xff\n").unwrap();
    init.finish();
    let pieces = init.lines("endless");
    assert!(pieces.iter().rev().skip(1).all(|piece| piece.ends_with(" [line goes on]")));
    let whole: usize = pieces.iter().map(|piece| piece.matches('x').count()).sum();
    assert_eq!((whole, pieces.len()), (1_000_000, 123));
    assert_eq!(init.lines("binary"), [r"a\x00b\x1b[31m\xff"]);
}

#[test]
fn odd_pipes_never_make_their_service_wait() {
    let mut init = Init::new("odd");
    let mut packet = init.service("packet", Target::Files);
    let mut small = init.service("small", Target::Files);
    fcntl(&packet, FcntlArg::F_SETFL(OFlag::O_DIRECT)).unwrap();
    fcntl(&small, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    init.start();
    for _ in 0..1000 {
        packet.write_all(b"x").unwrap();
        small.write_all(&[b'y'; 700]).unwrap();
    }
    init.finish();
    let count = |name, of| -> usize {
        init.lines(name).iter().map(|line: &String| line.matches(of).count()).sum()
    };
    assert_eq!((count("packet", 'x'), count("small", 'y')), (1000, 700_000));
}

#[test]
fn the_beginning_of_a_line_waits_for_its_end() {
    let mut init = Init::new("begin");
    let mut probe = init.probe("probe");
    let mut service = init.service("web", Target::Files);
    init.start();
    write!(service, "begun").unwrap();
    let (socket, mut child) = init.writer.take().unwrap();
    drop(socket); // PID 1 executes itself.
    assert!(child.wait().unwrap().success());
    init.start();
    init.kill();
    init.start();
    write!(service, " and ended\nlast words").unwrap();
    init.barrier(1, &mut probe);
    kill(init.pid(), Signal::SIGTERM).unwrap();
    assert_eq!(init.lines("web"), ["begun and ended", "last words"]);
    write!(service, "at the end").unwrap();
    init.tell(Message::Close { id: 1 });
    init.finish();
    assert_eq!(init.lines("web").last().unwrap(), "at the end");
}

#[test]
fn a_moved_file_is_made_anew() {
    let mut init = Init::new("moved");
    let mut probe = init.probe("probe");
    let mut service = init.service("web", Target::Files);
    init.start();
    writeln!(service, "one").unwrap();
    init.barrier(1, &mut probe);
    fs::rename(init.directory.join("web.log"), init.directory.join("old")).unwrap();
    // The path is looked at once a second: lines until then are in the moved file.
    while !init.directory.join("web.log").exists() {
        writeln!(service, "two").unwrap();
        init.barrier(1, &mut probe);
    }
    init.finish();
    assert_eq!(init.lines("web")[0], "two");
}

#[test]
fn a_flood_does_not_delay_others() {
    let mut init = Init::new("flood");
    (init.max_size, init.keep) = (1 << 20, 1);
    let (mut quiet, mut fifo) = init.probe("quiet");
    let stop = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = (0..2)
        .map(|n| {
            let mut service = init.service(&format!("flood{n}"), Target::Files);
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                let lines = "flood\n".repeat(1000);
                while !stop.load(Ordering::Relaxed) {
                    service.write_all(lines.as_bytes()).unwrap();
                }
            })
        })
        .collect();
    init.start();
    let mut delays: Vec<Duration> = (0..500)
        .map(|_| {
            let begin = Instant::now();
            quiet.write_all(b"here\n").unwrap();
            let mut line = String::new();
            fifo.read_line(&mut line).unwrap();
            assert!(line.ends_with("quiet: here\n"));
            begin.elapsed()
        })
        .collect();
    stop.store(true, Ordering::Relaxed);
    floods.into_iter().for_each(|flood| flood.join().unwrap());
    init.finish();
    delays.sort();
    println!("median {:?}, 99 % {:?}, worst {:?}", delays[250], delays[495], delays[499]);
    assert!(delays[250] < Duration::from_millis(20), "{:?}", delays[250]);
}

/// A field of smaps_rollup in KiB.
fn memory(pid: Pid, field: &str) -> usize {
    let path = format!("/proc/{pid}/smaps_rollup");
    let mut text = String::new();
    File::open(Path::new(&path)).unwrap().read_to_string(&mut text).unwrap();
    let line = text.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_thousand_idle_pipes_cost_little() {
    for count in [10, 1000] {
        let mut init = Init::new(&format!("idle{count}"));
        let mut probe = init.probe("probe");
        let mut services: Vec<File> =
            (1..count).map(|n| init.service(&format!("service-{n}"), Target::Files)).collect();
        init.start();
        for service in &mut services {
            writeln!(service, "started").unwrap();
        }
        init.barrier(count - 1, &mut probe);
        let files = fs::read_dir(format!("/proc/{}/fd", init.pid())).unwrap().count();
        let (pss, own) = (memory(init.pid(), "Pss:"), memory(init.pid(), "Pss_Anon:"));
        println!("{count} pipes: PSS {pss} KiB, of it anonymous {own} KiB, {files} descriptors");
        assert!(own < 800 && files < count as usize + 90);
        init.finish();
        assert_eq!(init.lines(&format!("service-{}", count - 1)), ["started"]);
    }
}
