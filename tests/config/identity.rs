//! As whom a service runs.

use finit::config::Severity;
use finit::facts::capability::Capabilities;

use crate::{read, said, service, services};

const RUN: &str = "[service.a]\ncommand = '/a'\n";

/// What is said about a text, and that it is no error.
fn warned(text: &str) -> String {
    let loaded = read(text);
    assert!(!loaded.is_broken(), "{}", said(text));
    assert!(loaded.diagnostics.iter().all(|one| one.severity == Severity::Warning));
    said(text)
}

#[test]
fn capabilities_are_written_as_people_write_them() {
    let of = |text: &str| {
        service(&format!("{RUN}user = 'web'\ncapabilities = {text}\n")).exec.capabilities.0
    };
    for text in ["'net-bind-service'", "'NET_BIND_SERVICE'", "['CAP_NET_BIND_SERVICE']"] {
        assert_eq!(of(text), 1 << 10, "{text}");
    }
    assert_eq!(of("['cap_chown', 'checkpoint-restore', 'chown']"), 1 | 1 << 40);
    assert_eq!(of("[]"), 0);
    let said = said(&format!("{RUN}user = 'web'\ncapabilities = ['net-bind-servce', '~chown']\n"));
    assert!(said.contains("`net-bind-servce` is no capability"), "{said}");
    assert!(said.contains("did you mean \"net-bind-service\"?"), "{said}");
    assert!(said.contains("`~chown` is no capability"), "{said}");
}

#[test]
fn capabilities_of_root_do_nothing_and_that_is_said() {
    for user in ["", "user = 'root'\n", "user = 0\n", "user = 'root:adm'\n"] {
        let text = format!("{RUN}{user}capabilities = 'chown'\n");
        let said = warned(&text);
        assert!(said.contains("is only for a user that is not root"), "{said}");
        assert_eq!(read(&text).spec.services[0].exec.capabilities, Capabilities::NONE);
    }
    // Who the user is to be is not known: that alone is said.
    let said = said(&format!("{RUN}user = '0x0'\ncapabilities = 'chown'\n"));
    assert!(!said.contains("is only for"), "{said}");
}

#[test]
fn capabilities_of_the_defaults_are_for_those_that_have_a_user() {
    let all = services(
        "[defaults]\ncapabilities = 'chown'\n[service.a]\ncommand = '/a'\n\
         [service.b]\ncommand = '/a'\nuser = 'web'\n\
         [service.c]\ncommand = '/a'\nuser = 'web'\ncapabilities = []\n\
         [service.d]\ncommand = '/a'\nuser = 0\n",
    );
    let bits: Vec<u64> = all.iter().map(|one| one.exec.capabilities.0).collect();
    assert_eq!(bits, [0, 1, 0, 0]);
    let said = said(&format!("[defaults]\ncapabilities = 'chwon'\n{RUN}"));
    assert!(said.contains("did you mean \"chown\"?"), "{said}");
}

#[test]
fn a_user_of_its_own_is_no_other_and_gains_no_rights() {
    let a =
        service(&format!("{RUN}dynamic-user = true\ngroups = ['audio']\ncapabilities = 'chown'\n"));
    let groups = a.exec.groups.as_deref().map(<[String]>::len);
    assert_eq!((a.exec.dynamic_user, &a.exec.user, groups), (true, &None, Some(1)));
    assert_eq!((a.exec.no_new_privileges, a.exec.capabilities.0), (true, 1));
    let a = service(&format!("{RUN}dynamic-user = false\nuser = 'web'\n"));
    assert_eq!((a.exec.dynamic_user, a.exec.user.as_deref()), (false, Some("web")));
    for (key, other) in [("user", "user = 'web'"), ("user", "user = 0"), ("group", "group = 'web'")]
    {
        let text = format!("{RUN}dynamic-user = true\n{other}\n");
        let said = said(&text);
        assert!(said.contains(&format!("`dynamic-user` and `{key}` exclude each other")), "{said}");
        assert!(read(&text).spec.services.is_empty());
    }
    assert!(said(&format!("{RUN}dynamic-user = 'yes'\n")).contains("must be true or false"));
}

#[test]
fn of_users_in_two_tables_the_upper_one_counts() {
    let of = |text: &str| {
        let exec = service(text).exec.clone();
        (exec.dynamic_user, exec.user.clone(), exec.group.clone())
    };
    let some = |text: &str| Some(text.to_owned());
    let own = "[defaults]\ndynamic-user = true\n";
    let web = "[defaults]\nuser = 'web'\ngroup = 'adm'\n";
    assert_eq!(of(&format!("{own}{RUN}")), (true, None, None));
    assert_eq!(of(&format!("{own}{RUN}user = 'db'\n")), (false, some("db"), None));
    assert_eq!(of(&format!("{own}{RUN}dynamic-user = false\n")), (false, None, None));
    assert_eq!(of(&format!("{web}{RUN}dynamic-user = true\n")), (true, None, None));
    // What is not so takes no user away: it would be root's then.
    let unchanged = (false, some("web"), some("adm"));
    assert_eq!(of(&format!("{web}{RUN}dynamic-user = false\n")), unchanged);
    assert!(said(&format!("{own}{RUN}group = 'adm'\n")).contains("exclude each other"));
    let over = "[override.service.a]\nuser = 'db'\n";
    assert_eq!(of(&format!("{RUN}dynamic-user = true\n{over}")), (false, some("db"), None));
}
