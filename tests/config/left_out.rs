//! What a mistake costs: names that stay known, so that nothing is started without them.

use crate::read;

/// Names that are left out with their mistakes, and the services that are not.
fn left_out(text: &str) -> (Vec<(String, String)>, Vec<String>) {
    let spec = read(text).spec;
    let out = spec.left_out.into_iter().map(|one| (one.name, one.mistake)).collect();
    (out, spec.services.iter().map(|service| service.name.clone()).collect())
}

/// A service with further lines.
fn unit(name: &str, lines: &str) -> String {
    format!("[service.{name}]\ncommand = \"/x\"\n{lines}\n")
}

fn check(units: &[(&str, &str)], out: &[(&str, &str)], there: &[&str]) {
    let text: String = units.iter().map(|(name, lines)| unit(name, lines)).collect();
    let (found, services) = left_out(&text);
    let found: Vec<(&str, &str)> = found.iter().map(|(n, m)| (n.as_str(), m.as_str())).collect();
    assert_eq!((found.as_slice(), services), (out, there.iter().map(|n| n.to_string()).collect()));
}

#[test]
fn each_kind_of_mistake_leaves_its_name_behind() {
    check(&[("a", ""), ("b", "needs = \"a\"")], &[], &["a", "b"]);
    check(
        &[("a", "nicer = 3"), ("b", "needs = \"a\"")],
        &[("a", "unknown key `nicer` in [service.a]")],
        &["b"],
    );
    check(
        &[("a", "nice = \"x\""), ("b", "")],
        &[("a", "`nice` must be an integer, not a string")],
        &["b"],
    );
    check(&[("a", "needs = \"zebra\"")], &[("a", "nothing is called `zebra`")], &[]);
    check(&[("a", "="), ("b", "")], &[("a", "a part of the file cannot be read")], &["b"]);
    let circle = "a circle in which each waits for the next: a -> b -> a";
    check(&[("a", "needs = \"b\""), ("b", "needs = \"a\"")], &[("b", circle)], &["a"]);
    check(&[("fsck", ""), ("a", "")], &[], &["a"]);
}

/// An instance that is called as something else costs that instance, and nobody else.
#[test]
fn a_name_that_is_defined_twice_costs_the_second_one_alone() {
    let web = ("web", "instances = [\"a\", \"b\"]");
    let units = [web, ("\"web@a\"", ""), ("db", "")];
    check(&units, &[], &["web@b", "web@a", "db"]);
    let text = units.map(|(name, lines)| unit(name, lines)).concat();
    let text = format!("{text}[task.backup]\ncommand = \"/x\"\n");
    let errors = read(&text).errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].starts_with("error: `web@a` is defined twice"), "{errors:?}");
    assert_eq!(left_out(&text).1, ["web@b", "web@a", "db", "backup"]);
}

#[test]
fn a_circle_of_targets_costs_the_last_of_them() {
    let targets = "[target.a]\nwants = \"b\"\n[target.b]\nneeds = \"a\"\n";
    let (out, services) = left_out(&format!("{}{targets}", unit("x", "")));
    let circle = "a circle in which each waits for the next: a -> b -> a";
    assert_eq!(out, [("b".to_owned(), circle.to_owned())]);
    assert_eq!(services, ["x"]);
}

/// Lines of a script that look like headers cut no service in two, nor what follows it.
#[test]
fn a_script_that_holds_headers_is_one_service_whatever_else_is_wrong() {
    let script = "script = \"\"\"\ncat >/x <<END\n[log]\nlevel = 3\n[service.y]\nEND\n\"\"\"\n";
    let text = format!("[service.a]\n{script}{}{}", unit("b", "user = \"x"), unit("c", ""));
    let unreadable = "a part of the file cannot be read".to_owned();
    assert_eq!(left_out(&text), (vec![("b".to_owned(), unreadable)], vec!["a".into(), "c".into()]));
    assert_eq!(read(&text).errors().len(), 1);
    // A mistake of its own is told, and nothing of what the script holds is a service.
    let text = format!("[service.a]\n{script}user = www-data\n{}", unit("c", ""));
    let text = text.replace("level = 3", "# '''\n[service.z]\ncommand = \"/z\"");
    let unreadable = "a part of the file cannot be read".to_owned();
    assert_eq!(left_out(&text), (vec![("a".to_owned(), unreadable)], vec!["c".into()]));
    let errors = read(&text).errors();
    assert!(errors.len() == 1 && errors[0].contains("must stand in quotes"), "{errors:?}");
    // One that is never closed takes nothing along that ends a string of its own.
    let text = format!("[service.a]\nscript = \"\"\"\necho\n[service.d]\n{script}");
    assert_eq!(left_out(&text).1, ["d"]);
    for steps in ["steps = [\"\"\"/x\"\"\"]", "steps = [\"/w\",\n\"\"\"\n/x [y]\n\"\"\"]"] {
        let text = format!("[service.a]\nscript = \"\"\"\necho [\n[task.d]\n{steps}\n");
        assert_eq!(left_out(&text).1, ["d"], "{text}");
    }
    // What it runs may stand in what cannot be read.
    let text = "[service.a]\ncommand = \"/x\n[service.a.stop]\ntimeout = \"1s\"\n";
    assert_eq!(read(text).errors().len(), 1, "{:?}", read(text).errors());
}

/// An editor's mark before the first header hides no owner of a mistake.
#[test]
fn a_mark_at_the_beginning_of_a_file_makes_no_second_mistake() {
    let text = [unit("a", "="), unit("b", "needs = \"a\"")].concat();
    let [plain, marked] = [text.clone(), format!("\u{feff}{text}")].map(|text| read(&text));
    assert_eq!((marked.errors().len(), marked.spec), (plain.errors().len(), plain.spec));
}

#[test]
fn whatever_else_it_answers_to_goes_with_it_where_it_is_needed() {
    let zebra = "nothing is called `zebra`";
    let bad = "needs = \"zebra\"\nprovides = \"mail\"\nalias = \"postfix\"";
    check(&[("a", bad), ("b", "needs = \"mail\"")], &[("a", zebra), ("mail", zebra)], &["b"]);
    // Somebody else stands for it.
    check(
        &[("a", bad), ("c", "provides = \"mail\""), ("b", "needs = \"mail\"")],
        &[("a", zebra)],
        &["c", "b"],
    );
    let lines = "instances = [\"1\"]\nneeds = \"zebra\"";
    check(
        &[("t", lines), ("b", "needs = \"t\""), ("c", "needs = \"t@1\"")],
        &[("t", zebra), ("t@1", zebra)],
        &["b", "c"],
    );
    let unknown = "unknown key `nicer` in [service.t]";
    check(
        &[("t", "instances = [\"1\"]\nnicer = 1"), ("c", "needs = \"t@1\"")],
        &[("t", unknown), ("t@1", unknown)],
        &["c"],
    );
}

#[test]
fn a_need_that_may_be_defined_where_nothing_can_be_read_is_left_out_too() {
    let unreadable = "a part of the file cannot be read";
    check(
        &[("a", "="), ("b", "needs = \"mail\""), ("c", "after = \"mail\"")],
        &[("a", unreadable), ("mail", unreadable)],
        &["b", "c"],
    );
}

#[test]
fn a_target_is_left_out_as_a_service_is() {
    let text = "[target.desk]\nwant = \"x\"\n".to_owned() + &unit("a", "needs = \"desk\"");
    let (found, services) = left_out(&text);
    assert_eq!((found.len(), services), (1, vec!["a".to_owned()]));
    assert_eq!(found[0], ("desk".to_owned(), "unknown key `want` in [target.desk]".to_owned()));
}

#[test]
fn a_name_below_a_misspelt_kind_is_no_stranger() {
    let text =
        format!("[sevrice.d]\ncommand = \"/d\"\n{}{}", unit("a", "needs = \"d\""), unit("b", ""));
    let read = read(&text);
    let said: Vec<&str> = read.diagnostics.iter().map(|one| one.message.as_str()).collect();
    let unknown = "unknown table [sevrice]";
    assert_eq!(said, [unknown]);
    let (out, there) = left_out(&text);
    assert_eq!(out, [("d".to_owned(), unknown.to_owned())]);
    assert_eq!(there, ["a", "b"]);
}
