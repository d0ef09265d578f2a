//! A service that says more than anybody can hear: it is slowed down, and nobody else is.

use std::time::Instant;

use crate::machine::Machine;

/// Most words of a service that PID 1 hears in a turn, and in a second.
const TURN: u64 = 32;
const SECOND: u64 = 3200;
/// What waits in the kernel, net.unix.max_dgram_qlen, and more.
const QUEUE: u64 = 1024;

/// E9, G5: how much it gets through is measured against the time, of which a slow machine takes
/// more, and the patience of others in words of it, which a slow machine hears more slowly, too.
#[test]
fn a_flood_of_valid_words_slows_the_sender_and_nobody_else() {
    let machine = Machine::boot(
        r#"
        [service.flood]
        command = "/programs/flood /out/sent"
        ready = "notify"
        [service.calm]
        command = ["/bin/sh", "-c", "systemd-notify --ready --status=calm; exec sleep infinity"]
        ready = "notify"
        notify-from = "any"
        start = "manual"
        "#,
    );
    machine.until("flood", "up");
    let sent = || {
        let bytes = std::fs::read(machine.path("/out/sent")).unwrap_or_default();
        bytes.try_into().map_or(0, u64::from_ne_bytes)
    };
    let more = |least: u64| machine.wait("words", |_| (sent() >= least).then(&sent));
    let begin = Instant::now();
    let first = more(1);
    let mut meanwhile: Vec<u64> = Vec::new();
    while meanwhile.len() < 200 {
        let before = sent();
        let status = machine.status("flood");
        assert!(status["reason"].as_str().unwrap().starts_with("word "), "{status}");
        meanwhile.push(sent() - before);
    }
    meanwhile.sort_unstable();
    assert!(meanwhile[100] <= 2 * TURN, "{meanwhile:?}");
    for _ in 0..5 {
        machine.order(&["start", "calm"]);
        assert_eq!(machine.status("calm")["reason"], "calm");
        machine.order(&["stop", "calm"]);
    }
    let last = more(first + 10 * QUEUE);
    let most = QUEUE + TURN + begin.elapsed().as_millis() as u64 * SECOND / 1000;
    assert!(last - first <= most, "{} words, and no more than {most} can be heard", last - first);
    assert_eq!(machine.status("flood")["restarts"], 0);
}
