//! `health` of a service.

use super::{Key, key};

const HEALTH: &str = "service.health";
const DURATION: &str = "a duration";

pub(super) const KEYS: [Key; 7] = [
    key(
        "service",
        "health",
        "a table",
        "",
        r#"{ http = "8080/healthz" }"#,
        "A check that is repeated while a service is up: a `command`, `tcp` or `http`. After so \
         many `failures` in a row it is stopped, and what follows is as after a crash: \
         `restart` decides. One success, and they are counted anew.",
    ),
    key(
        HEALTH,
        "command",
        "a command or a table",
        "",
        r#""/bin/true""#,
        "Run as the service is; it has to end with success.",
    ),
    key(
        HEALTH,
        "tcp",
        "a port or an address with a port, in quotes",
        "",
        r#""127.0.0.1:80""#,
        "Where somebody has to accept connections; a port alone is that of this machine.",
    ),
    key(
        HEALTH,
        "http",
        "the address of a page, in quotes",
        "",
        r#""http://127.0.0.1:8080/healthz""#,
        "The page that has to be answered for with a status from 200 to 399; \
         `\"8080/healthz\"` is on this machine. Hosts are numbers, and nothing is encrypted: a \
         `command` can do more.",
    ),
    key(
        HEALTH,
        "every",
        DURATION,
        r#""10s""#,
        r#""1m""#,
        "How long until the first check, and after each until the next.",
    ),
    key(HEALTH, "timeout", DURATION, r#""2s""#, r#""5s""#, "How long one check may take."),
    key(
        HEALTH,
        "failures",
        "an integer",
        "3",
        "5",
        "How many checks in a row have to fail until it is stopped.",
    ),
];
