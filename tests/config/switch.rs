//! `enabled` is changed in the text of a file, and nothing else is.

use finit::config::{Source, parse, switch, switch_instance};

/// A file, whom it is about, what is asked for, and the file after that.
const TABLE: &[(&str, &str, bool, &str)] = &[
    // Where it is said already, only that word changes.
    (
        "# mine\n[service.web]\nenabled  =  false   # for now\ncommand = \"/w\"\n",
        "web",
        true,
        "# mine\n[service.web]\nenabled  =  true   # for now\ncommand = \"/w\"\n",
    ),
    // Else it comes first below its header.
    (
        "[service.a]\ncommand = \"/a\"\n\n# the web\n[ service . \"web\" ] # x\n# why\ncommand = \"/w\"\n\n[task.z]\ncommand = \"/z\"\n",
        "web",
        false,
        "[service.a]\ncommand = \"/a\"\n\n# the web\n[ service . \"web\" ] # x\nenabled = false\n# why\ncommand = \"/w\"\n\n[task.z]\ncommand = \"/z\"\n",
    ),
    (
        "[task.z]\r\ncommand = '/z'\r\n",
        "z",
        false,
        "[task.z]\r\nenabled = false\r\ncommand = '/z'\r\n",
    ),
    (
        "[service.web]\ncommand='/w'\n[service.web.stop]\nhup=true",
        "web",
        false,
        "[service.web]\nenabled = false\ncommand='/w'\n[service.web.stop]\nhup=true",
    ),
    // Other ways to write a table.
    (
        "[service]\nweb = {command = '/w'}\n",
        "web",
        false,
        "[service]\nweb = { enabled = false,command = '/w'}\n",
    ),
    (
        "[service]\nweb.command = '/w'\nweb.stop.hup = true\n",
        "web",
        false,
        "[service]\nweb.enabled = false\nweb.command = '/w'\nweb.stop.hup = true\n",
    ),
    (
        "service.web.command = '/w'\n",
        "web",
        false,
        "service.web.enabled = false\nservice.web.command = '/w'\n",
    ),
    // Behind the mark of an editor.
    (
        "\u{feff}[service.web]\ncommand = '/w'\n",
        "web",
        false,
        "\u{feff}[service.web]\nenabled = false\ncommand = '/w'\n",
    ),
    (
        "\u{feff}service.web.command = '/w'\n",
        "web",
        false,
        "\u{feff}service.web.enabled = false\nservice.web.command = '/w'\n",
    ),
    // What is laid over it has the last word.
    (
        "[service.web]\ncommand = '/w'\nenabled = true\n[override.service.web]\nenabled = false\n",
        "web",
        true,
        "[service.web]\ncommand = '/w'\nenabled = true\n[override.service.web]\nenabled = true\n",
    ),
    (
        "[override.service.web]\nnice = 1\n[service.web]\ncommand = '/w'\n",
        "web",
        false,
        "[override.service.web]\nnice = 1\n[service.web]\nenabled = false\ncommand = '/w'\n",
    ),
    (
        "[defaults]\nenabled = false\n[service.web]\ncommand = '/w'\n",
        "web",
        true,
        "[defaults]\nenabled = false\n[service.web]\nenabled = true\ncommand = '/w'\n",
    ),
];

#[test]
fn one_word_changes_and_everything_else_stays_byte_for_byte() {
    for (before, name, on, after) in TABLE {
        let sources = [Source::new("/etc/finit.toml", *before)];
        let switched = switch(&sources, name, *on).expect(before);
        assert_eq!(switched.text, *after);
        let loaded = parse(&[Source::new("/etc/finit.toml", switched.text)]);
        assert_eq!(loaded.errors(), Vec::<String>::new(), "{after}");
        let service = loaded.spec.services.iter().find(|service| service.name == *name).unwrap();
        assert_eq!(service.enabled, *on, "{after}");
    }
}

#[test]
fn the_file_is_changed_that_has_the_last_word() {
    let sources = [
        Source::new("/etc/finit.toml", "[service.web]\ncommand = '/w'\n"),
        Source::new("/etc/finit.toml.d/a.toml", "[service.other]\ncommand = '/o'\n"),
        Source::new("/etc/finit.toml.d/b.toml", "[override.service.web]\nenabled = true\n"),
    ];
    assert_eq!(switch(&sources, "web", false).unwrap().source, 2);
    assert_eq!(switch(&sources, "other", false).unwrap().source, 1);
    assert!(switch(&sources, "nobody", false).is_err());
}

#[test]
fn instances_come_into_their_list_and_go() {
    let list = |list: &str| format!("[service.getty]\ninstances = [{list}]\ncommand = '/g'\n");
    let table = [
        ("'a'", "b", true, "'a', \"b\""),
        ("\n  'a', # first\n  'b',\n", "c", true, "\n  'a', # first\n  'b', \"c\",\n"),
        ("'a', 'b', 'c'", "a", false, "'b', 'c'"),
        ("'a', 'b', 'c'", "c", false, "'a', 'b'"),
        ("'a', 'b', 'c'", "b", false, "'a', 'c'"),
        ("'a', 'b',", "b", false, "'a',"),
        // A comment goes with the line of the one that it is about, and with no other.
        ("\n 'a', # one\n 'b', # two\n", "a", false, "\n 'b', # two\n"),
        ("\n 'a', # one\n 'b' # two\n", "b", false, "\n 'a', # one\n"),
        ("\n 'a',\n # stays\n 'b',\n", "a", false, "\n # stays\n 'b',\n"),
        ("\n 'a',\n # stays\n 'b'\n", "b", false, "\n 'a',\n # stays\n"),
        ("\r\n 'a', # one\r\n 'b',\r\n", "b", false, "\r\n 'a', # one\r\n"),
        ("'a', # both\n 'b'", "a", false, "# both\n 'b'"),
        ("'a', # stays\n 'b', ", "b", false, "'a', # stays\n "),
        ("'a', # stays\n 'b'", "b", false, "'a', # stays\n "),
        ("\n 'a', 'b', # both\n 'c'\n", "b", false, "\n 'a', # both\n 'c'\n"),
        ("'a'\n , 'b'", "a", false, "'b'"),
    ];
    for (before, instance, on, after) in table {
        let sources = [Source::new("/etc/finit.toml", list(before))];
        let switched = switch_instance(&sources, "getty", instance, on).unwrap();
        assert_eq!(switched.text, list(after));
    }
    let last = [Source::new("/etc/finit.toml", list("'a'"))];
    let why = switch_instance(&last, "getty", "a", false).unwrap_err();
    assert_eq!(why, "it is the last one of getty: finitctl disable getty");
}
