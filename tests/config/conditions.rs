//! What must hold for a start.

use finit::config::explain;
use finit::config::spec::{Condition, TESTS, Test};

use crate::{said, service, services};

fn key_and_value(condition: &Condition) -> (String, &str) {
    (condition.key(), condition.value.as_str())
}

#[test]
fn every_form_of_every_test_is_read_in_the_order_of_the_file() {
    let example = |test: Test| match test {
        Test::AcPower | Test::FirstBoot => "true",
        Test::Virtualization => "\"kvm\"",
        Test::Capability => "\"kill\"",
        Test::KernelArg => "\"debug\"",
        Test::Cpus => "\">=2\"",
        _ => "\"/x\"",
    };
    for (name, test) in TESTS {
        for (prefix, not, any) in [
            ("", false, false),
            ("not-", true, false),
            ("any-", false, true),
            ("any-not-", true, true),
        ] {
            let line = format!("assert.{prefix}{name} = {}", example(test));
            let web = service(&format!("[service.web]\ncommand = '/a'\n{line}\n"));
            let found = &web.conditions.as_ref().unwrap().assert;
            assert_eq!(found.len(), 1, "{line}");
            let one = &found[0];
            assert_eq!((one.test, one.not, one.any), (test, not, any), "{line}");
            assert_eq!(one.key(), format!("{prefix}{name}"));
        }
    }
}

#[test]
fn lists_are_conditions_of_their_own() {
    let web = service(
        "[service.web]\ncommand = '/a'\nneeds-path = '/run/%n'\n\
         only-if = { exists = ['/a', '/%n'], cpus = 2, not-ac-power = true }\n\
         only-if-command = { run = ['/c d', '/e'], may-fail = true }\n",
    );
    let conditions = web.conditions.as_ref().unwrap();
    assert_eq!(conditions.paths, ["/run/web"]);
    let found: Vec<_> = conditions.only_if.iter().map(key_and_value).collect();
    let expected = [("exists", "/a"), ("exists", "/web"), ("cpus", "2"), ("not-ac-power", "yes")];
    assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value)));
    assert_eq!(conditions.commands.len(), 2);
    assert!(conditions.commands.iter().all(|hook| hook.may_fail));
}

#[test]
fn most_services_have_none_and_defaults_are_for_all() {
    assert_eq!(service("[service.web]\ncommand = '/a'\n").conditions, None);
    let all = services(
        "[defaults]\nonly-if.not-kernel-arg = 'nox'\n[service.a]\ncommand = '/a'\n\
         [service.b]\ncommand = '/a'\nonly-if.exists = '/b'\n",
    );
    let counts = all.iter().map(|one| one.conditions.as_ref().unwrap().only_if.len());
    assert_eq!(counts.collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn names_of_capabilities_are_taken_as_people_write_them() {
    for text in ["net_admin", "NET_ADMIN", "CAP_NET_ADMIN", "cap_net_admin"] {
        let web =
            service(&format!("[service.web]\ncommand = '/a'\nonly-if.capability = '{text}'\n"));
        assert_eq!(web.conditions.as_ref().unwrap().only_if[0].value, "net_admin");
    }
}

#[test]
fn a_mistyped_condition_is_an_error_with_a_suggestion() {
    for (wrong, right) in [
        ("only-if.exist", "exists"),
        ("assert.not-exsits", "not-exists"),
        ("only-if.any-kernel-args", "any-kernel-arg"),
        ("only-if.firstboot", "first-boot"),
    ] {
        let said = said(&format!("[service.web]\ncommand = '/a'\n{wrong} = '/x'\n"));
        assert!(said.contains(&format!("did you mean `{right}`?")), "{said}");
    }
}

#[test]
fn each_form_is_explained() {
    for key in ["only-if.exists", "assert.not-exists", "only-if.any-not-exists"] {
        let page = explain(key).unwrap();
        assert!(page.contains("Whether there is something by that name."), "{page}");
    }
    assert!(explain("needs-path").unwrap().contains("comes by itself"));
    assert_eq!(explain("only-if.exsts"), None);
}
