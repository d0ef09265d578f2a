//! Templates whose instances are found: what is known of them is one more source, and nothing that
//! is found makes a good file a bad one.

use finit::config::spec::{LeftOut, Listing, SystemSpec, TemplateSpec};
use finit::config::{Found, Loaded, Source, parse, put};

/// A file on a machine on which these were found for its templates, or a look has failed.
fn on_machine(text: &str, found: &[(&str, Result<&[&str], &str>)]) -> Loaded {
    let mut sources = vec![Source::new("/etc/finit.toml", text)];
    let templates = parse(&sources).spec.templates;
    let mut known = Found::default();
    for (name, looked) in found {
        let template = templates.iter().find(|one| one.name == *name).expect("a template");
        let listing = |names: &[&str]| {
            Listing::of(names.iter().map(|name| ((*name).to_owned(), format!("/{name}"))))
        };
        let looked = looked.map(listing).map_err(str::to_owned);
        known.learn(name, template.search.as_ref().expect("a search"), &looked);
    }
    put(&known, &mut sources);
    parse(&sources)
}

/// The same, and what is said about it.
fn names(loaded: &Loaded) -> (Vec<&str>, Vec<&str>) {
    let services = loaded.spec.services.iter().map(|service| service.name.as_str());
    let said = loaded.diagnostics.iter().map(|diagnostic| diagnostic.message.as_str());
    assert_eq!(loaded.errors(), Vec::<String>::new());
    (services.collect(), said.collect())
}

fn remark<'s>(spec: &'s SystemSpec, name: &str) -> Option<&'s str> {
    let is_it = |one: &&TemplateSpec| one.name == name;
    spec.templates.iter().find(is_it).expect("a template").remark.as_deref()
}

const SITE: &str = "[service.site]\ncommand = \"/x --name=%i %I\"\ninstances.glob = \"/a/*\"\n";

/// What is known of that one.
fn known_of_site() -> Source {
    let spec = parse(&[Source::new("/etc/finit.toml", SITE)]).spec;
    let search = spec.templates[0].search.clone().unwrap();
    let mut known = Found::default();
    known.learn("site", &search, &Ok(Listing::of([("a".to_owned(), "/a/a".to_owned())])));
    known.source().unwrap()
}

#[test]
fn each_is_a_service_and_before_that_the_template_is_there() {
    let loaded = on_machine(SITE, &[]);
    assert_eq!(names(&loaded), (vec![], vec![]));
    assert_eq!(remark(&loaded.spec, "site"), Some("its instances are not looked for yet"));
    let loaded = on_machine(SITE, &[("site", Ok(&["b-c", "a"]))]);
    assert_eq!(names(&loaded), (vec!["site@b-c", "site@a"], vec![]));
    assert_eq!(remark(&loaded.spec, "site"), None);
    let first = &loaded.spec.services[0];
    assert_eq!(first.template.as_deref(), Some("site"));
    assert!(format!("{:?}", first.commands).contains("--name=b-c"));
    assert!(format!("{:?}", first.commands).contains("b/c"));
    assert_eq!(first.dependencies.after, ["find-instances"]);
    let loaded = on_machine(SITE, &[("site", Ok(&[]))]);
    assert_eq!(remark(&loaded.spec, "site"), Some("no instance was found"));
    // What is known of another pattern says nothing.
    let other =
        parse(&[Source::new("/etc/finit.toml", SITE.replace("/a/*", "/b/*")), known_of_site()]);
    assert_eq!(remark(&other.spec, "site"), Some("its instances are not looked for yet"));
}

#[test]
fn a_look_that_fails_costs_the_template_unless_something_is_known() {
    let text = format!("{SITE}[service.web]\ncommand = \"/x\"\nneeds = \"site\"\n");
    let loaded = on_machine(&text, &[("site", Err("no luck"))]);
    assert_eq!(names(&loaded), (vec!["web"], vec![]));
    let mistake = "its instances cannot be found: no luck".to_owned();
    assert_eq!(loaded.spec.left_out, [LeftOut { name: "site".to_owned(), mistake }]);
    assert_eq!(loaded.spec.templates, []);
    let loaded = on_machine(&text, &[("site", Ok(&["a"])), ("site", Err("no luck"))]);
    assert_eq!(names(&loaded), (vec!["site@a", "web"], vec![]));
    assert_eq!(remark(&loaded.spec, "site"), Some("its instances stay what they are: no luck"));
}

#[test]
fn an_instance_that_does_not_fit_is_left_out_with_a_warning() {
    let long = "x".repeat(125);
    let text = format!(
        "{SITE}tty = \"%i\"\nconflicts = \"rival\"\n\
         [service.rival]\ncommand = \"/x\"\nalias = \"site@alias\"\n\
         [service.\"site@own\"]\ncommand = \"/x\"\n\
         [service.getty]\ncommand = \"/x\"\ntty = \"tty1\"\n"
    );
    let found = ["good", "own", "alias", "tty1", "65000", &long, "also"];
    let loaded = on_machine(&text, &[("site", Ok(&found))]);
    let (services, said) = names(&loaded);
    let mut own: Vec<&str> = services.into_iter().filter(|one| one.starts_with("site@")).collect();
    own.sort_unstable();
    assert_eq!(own, ["site@65000", "site@also", "site@good", "site@own"]);
    let said = said.join("\n");
    for words in [
        "the instance `own` is left out: `site@own` is defined by itself",
        "is left out: the name `site@xxx",
        "`site@tty1` is left out: the terminal `tty1` is taken",
        "`site@alias` is left out: it is another name of something else",
    ] {
        assert!(said.contains(words), "{said}");
    }
    // One whose own strings are wrong, where the others' are not.
    let port = "[service.p]\ncommand = \"/x\"\nlisten = \"%i\"\ninstances.glob = \"/a/*\"\n";
    let loaded = on_machine(port, &[("p", Ok(&["80", "http"]))]);
    let (services, said) = names(&loaded);
    assert_eq!((services, said.len()), (vec!["p@80"], 1));
    assert!(said[0].starts_with("the instance `http` is left out: "), "{said:?}");
}

#[test]
fn who_needs_one_waits_for_it_and_never_starts_without_it() {
    let text = format!(
        "{SITE}provides = \"web\"\n[service.x]\ncommand = \"/x\"\nneeds = [\"site@a\", \"web\"]\n"
    );
    let loaded = on_machine(&text, &[]);
    assert_eq!(names(&loaded), (vec!["x"], vec![]));
    let mut awaited: Vec<&str> =
        loaded.spec.templates.iter().map(|one| one.name.as_str()).collect();
    awaited.sort_unstable();
    assert_eq!((awaited, loaded.spec.left_out), (vec!["site", "site@a", "web"], vec![]));
    let loaded = on_machine(&text, &[("site", Ok(&[]))]);
    let left_out: Vec<&str> = loaded.spec.left_out.iter().map(|one| one.name.as_str()).collect();
    assert_eq!((left_out, loaded.spec.templates.len()), (vec!["site@a", "web"], 1));
    let loaded = on_machine(&text, &[("site", Ok(&["a"]))]);
    assert_eq!((loaded.spec.left_out, loaded.spec.templates.len()), (vec![], 1));
}

/// An instance that is found changes nobody else's definition.
#[test]
fn who_wants_the_template_is_the_same_whatever_is_found() {
    let text = format!("{SITE}wanted-by = \"x\"\n[service.x]\ncommand = \"/x\"\n");
    let others = |found: &[&str]| {
        let loaded = on_machine(&text, &[("site", Ok(found))]);
        let x = loaded.spec.services.iter().find(|one| one.name == "x").unwrap().clone();
        assert_eq!(x.dependencies.wants, ["site"]);
        x
    };
    assert_eq!(others(&[]), others(&["a", "b"]));
}

#[test]
fn what_an_override_says_takes_the_place_of_where_it_was_looked() {
    let search = |text: &str| {
        let loaded = on_machine(text, &[]);
        assert_eq!(names(&loaded), (vec![], vec![]));
        format!("{:?}", loaded.spec.templates[0].search)
    };
    let glob = "[service.x]\ncommand = \"/x\"\ninstances = { glob = \"/*/*\", name = \"$1\" }\n";
    let over = |line: &str| format!("{glob}[override.service.x]\ninstances.{line}\n");
    assert!(search(&over("command = \"/list\"")).contains("/list"));
    assert!(search(&over("name = \"$2\"")).contains("$2"));
    let list = on_machine(
        "[service.x]\ncommand = \"/x\"\ninstances = [\"a\"]\n\
         [override.service.x]\ninstances = { glob = \"/b/*\" }\n",
        &[("x", Ok(&["c"]))],
    );
    assert_eq!(names(&list).0, ["x@c"]);
}

/// Somebody makes a folder of the right name.
#[test]
fn what_is_found_makes_way_for_what_is_written_before_and_after_it() {
    let web = "[service.web]\ncommand = \"/x\"\nafter = \"backup\"\n";
    let backup = "[service.backup]\ncommand = \"/x\"\nafter = \"%i\"\ninstances.glob = \"/a/*\"\n";
    let more = "[service.db]\ncommand = \"/x\"\nalias = \"name-db\"\n";
    let named = format!("{backup}alias = \"name-%i\"\n");
    for text in [format!("{web}{more}{named}"), format!("{named}{more}{web}")] {
        let loaded = on_machine(&text, &[("backup", Ok(&["web", "db"]))]);
        let (mut services, said) = names(&loaded);
        services.sort_unstable();
        assert_eq!(services, ["db", "web"], "{text}");
        assert_eq!((said.len(), &*loaded.spec.left_out), (2, &[][..]), "{said:?}");
        let said = said.join("\n");
        for words in [
            "`backup@web` is left out: a circle in which each waits for the next: ",
            "`backup@db` is left out: `name-db` names two things",
        ] {
            assert!(said.contains(words), "{said}");
        }
        assert!(remark(&loaded.spec, "backup").is_some_and(|remark| remark.contains("left out")));
    }
}

/// The same where two exclude each other.
#[test]
fn what_is_found_makes_way_where_it_ties_two_rivals() {
    let others = "[service.x]\ncommand = \"/x\"\n[service.y]\ncommand = \"/x\"\nneeds = \"x\"\n\
                  [service.z]\ncommand = \"/x\"\n";
    let template = "[service.t]\ncommand = \"/x\"\nneeds = \"%i\"\ninstances.glob = \"/a/*\"\n";
    for (web, lost) in [
        ("conflicts = \"t\"", &["t@web"][..]),
        ("conflicts = \"t@web\"", &["t@web"]),
        ("conflicts = \"x\"\nneeds = \"t\"", &["t@x", "t@y"]),
        ("conflicts = \"x\"\nneeds = \"t@x\"", &["t@x"]),
    ] {
        let web = format!("[service.web]\ncommand = \"/x\"\n{web}\n");
        for text in [format!("{web}{template}{others}"), format!("{others}{template}{web}")] {
            let mut found = vec!["x", "y", "z"];
            found.extend(lost.contains(&"t@web").then_some("web"));
            let loaded = on_machine(&text, &[("t", Ok(&found))]);
            let (services, said) = names(&loaded);
            let is_there = |name: &str| services.contains(&name);
            let left_out: Vec<&str> = lost.iter().copied().filter(|one| !is_there(one)).collect();
            assert_eq!((&*left_out, said.len()), (lost, lost.len()), "{text}{said:?}");
            assert_eq!(services.len(), 4 + found.len() - lost.len(), "{text}{services:?}");
            assert!(said.iter().all(|one| one.contains("exclude each other")), "{said:?}");
        }
    }
    // What is written is wrong whatever is found.
    let web = "[service.web]\ncommand = \"/x\"\nconflicts = \"t\"\n";
    let text = format!("{web}{others}{}", template.replace("%i", "web"));
    assert!(on_machine(&text, &[("t", Ok(&["x"]))]).errors()[0].contains("exclude each other"));
}

/// Whoever may make a file may give it any name, and a terminal shows what is said of it.
#[test]
fn nothing_in_the_name_of_what_is_found_is_obeyed_by_a_terminal() {
    let bad = ["a\u{1b}[2J", "b\r\tc", "d\u{9b}2J", "e\u{202e}f\n"];
    let loaded = on_machine(SITE, &[("site", Ok(&bad))]);
    let said = names(&loaded).1;
    assert_eq!(said.len(), bad.len());
    assert!(said[0].starts_with("`/a\u{fffd}[2J` is left out: "), "{said:?}");
    assert!(said[1].starts_with("`/b\u{fffd}\u{fffd}c` is left out: "), "{said:?}");
    assert!(said[3].starts_with("`/e\u{fffd}f\\n` is left out: "), "{said:?}");
    let all = said.join("") + remark(&loaded.spec, "site").expect("a remark");
    assert!(!all.chars().any(|c| c.is_control() || c == '\u{202e}'), "{all:?}");
}

/// PID 1 reads that at each start of a service: to compare each with all others would take minutes.
#[test]
fn a_thousand_that_do_not_fit_are_left_out_without_advice_for_each() {
    let text = format!("{SITE}needs = \"mnt@%i\"\n");
    let long: Vec<String> = (0..1000).map(|number| format!("{number:0>100}")).collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    let loaded = on_machine(&text, &[("site", Ok(&long))]);
    let (services, said) = names(&loaded);
    assert_eq!(services, Vec::<&str>::new());
    assert!(said.iter().all(|said| said.contains("is left out: nothing is called `mnt@")));
    // Advice is for what is written.
    let typo = format!("{SITE}needs = \"maim\"\n[service.main]\ncommand = \"/x\"\n");
    let errors = on_machine(&typo, &[]).errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("did you mean"), "{errors:?}");
}

#[test]
fn of_many_that_cannot_be_only_some_are_told() {
    let port = "[service.p]\ncommand = \"/x\"\nlisten = \"%i\"\ninstances.glob = \"/a/*\"\n";
    let bad: Vec<String> = (0..900).map(|number| format!("no-port-{number}")).collect();
    let mut found: Vec<&str> = bad.iter().map(String::as_str).collect();
    found.push("80");
    let loaded = on_machine(port, &[("p", Ok(&found))]);
    let (services, said) = names(&loaded);
    assert_eq!((services, said.len()), (vec!["p@80"], 6));
    let remark = remark(&loaded.spec, "p").expect("a remark");
    assert_eq!(remark.matches("is left out").count(), 5, "{remark}");
    assert!(remark.ends_with("; 895 more are left out"), "{remark}");
}
