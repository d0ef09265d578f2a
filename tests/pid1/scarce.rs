//! PID 1 at the limit of its descriptors: it waits without spinning, and all goes on once there
//! are some again.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::machine::Machine;
use crate::talk::{Line, Said};

/// Has PID 1 open no descriptor under this number or a higher one.
fn limit(machine: &Machine, number: u32) {
    let [pid, most] = [format!("--pid={}", machine.pid), format!("--nofile={number}:")];
    assert!(Command::new("prlimit").args([pid, most]).status().unwrap().success());
}

/// The number below which PID 1 has so many to spare.
fn sparing(machine: &Machine, spare: usize) -> u32 {
    let open = fs::read_dir(format!("/proc/{}/fd", machine.pid)).unwrap();
    let open: BTreeSet<u32> =
        open.map(|fd| fd.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    (0..).filter(|number| !open.contains(number)).nth(spare).unwrap()
}

/// How long PID 1 has had a processor.
fn ran(machine: &Machine) -> Duration {
    let text = fs::read_to_string(format!("/proc/{}/schedstat", machine.pid)).unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// C2: whoever it has not taken yet waits. One whose process then finds none left ends empty, and
/// the next are served.
#[test]
fn c2_without_descriptors_pid_1_waits_and_all_goes_on_when_there_are_some() {
    let machine = Machine::boot(
        r#"
        [service.echo]
        command = "/programs/serve"
        inetd = "7"
        [service.up]
        command = "/programs/idle"
        restart = { delay = "1ms", max-delay = "50ms" }
        "#,
    );
    machine.booted();
    let path = machine.path("/run/initctl");
    for spare in 0..=40 {
        let before = machine.main_pid("up");
        limit(&machine, sparing(&machine, spare));
        let clients = machine.begin(&["/programs/clients", "7", "4", "4"]);
        let mut line = Line::to(&path).unwrap();
        line.send(b"status up\n").unwrap();
        assert_eq!(machine.run(&["kill", "-9", &before.to_string()]).code, 0);
        if spare == 0 {
            let (began, had) = (Instant::now(), ran(&machine));
            machine.wait("a second without descriptors", |m| {
                (m.console().matches("accept: ").count() > 8).then_some(())
            });
            let (took, ran) = (began.elapsed(), ran(&machine) - had);
            assert!(ran < took / 10, "{ran:?} of {took:?}\n{}", machine.story());
        }
        limit(&machine, 4096);
        assert!(line.hear().is_ok(), "{spare}");
        let said = Said::from(clients.wait_with_output().unwrap());
        assert!(said.text.contains(" 0 refused,"), "{spare}: {}", said.text);
        machine.wait("another process", |m| (m.main_pid("up") != before).then_some(()));
        let said = machine.run(&["/programs/clients", "7", "4", "4"]);
        assert!(said.text.starts_with("4 fine"), "{spare}: {}", said.text);
    }
}
