//! As whom a service runs, and what that one may do.

use super::super::raw::{Table, Value};
use super::super::report::Problem;
use super::super::values;
use super::section::Section;
use crate::facts::capability::{self, Capabilities};

/// What is said about it.
pub(super) struct Identity {
    pub user: Option<String>,
    pub dynamic_user: bool,
    pub group: Option<String>,
    pub groups: Option<Vec<String>>,
    pub capabilities: Capabilities,
    /// Whether that is root.
    pub is_root: bool,
}

pub(super) fn identity(s: &mut Section<'_, '_, '_>) -> Identity {
    let (user, group) = user_and_group(s);
    let dynamic_user = dynamic_user(s);
    let is_root = !dynamic_user && user.as_deref().is_none_or(is_name_of_root);
    let names = s.list("capabilities", values::capability);
    let numbers = names.iter().flatten().filter_map(|name| capability::number(name));
    let mut capabilities = Capabilities::from_iter(numbers);
    // A user that is wrong is not root either.
    if is_root
        && s.entry("user").is_none_or(|_| user.is_some())
        && !capabilities.is_none()
        && let Some(place) = s.place("capabilities")
    {
        let problem = Problem::new("`capabilities` is only for a user that is not root");
        s.report.warning(place, problem.hint("root has them anyway: add `user`"), &[]);
        capabilities = Capabilities::NONE;
    }
    let groups = s.list("groups", values::user);
    Identity { user, dynamic_user, group, groups, capabilities, is_root }
}

/// Whether it has a user of its own, which is no other's and has no other group.
fn dynamic_user(s: &mut Section<'_, '_, '_>) -> bool {
    let is_dynamic = s.flag("dynamic-user").unwrap_or(false);
    let Some(place) = s.place("dynamic-user").filter(|_| is_dynamic) else { return false };
    for key in ["user", "group"] {
        if let Some(other) = s.place(key) {
            let problem = Problem::new(format!("`dynamic-user` and `{key}` exclude each other"));
            let label = (other, "the other one".to_owned());
            s.report.error_with(place, problem.hint("remove one"), &[label]);
        }
    }
    true
}

fn is_name_of_root(user: &str) -> bool {
    user == "root" || user == "0"
}

/// Takes out of a definition that the defaults have become a part of what they say of users that
/// are not its own.
pub(super) fn fit(whole: &mut Table, says_capabilities: bool) {
    let user = whole.get("user").map(|entry| &entry.node.value);
    let is_root = match user {
        None if is_dynamic(whole) => false,
        None | Some(Value::Integer(0)) => true,
        Some(Value::String(text)) => is_name_of_root(text.split(':').next().unwrap_or_default()),
        Some(_) => false,
    };
    if is_root && !says_capabilities {
        whole.remove("capabilities");
    }
}

/// Takes out of a table what another one that is laid over it says in another way. A group alone
/// takes no user away: the service would be root's.
pub(super) fn make_way(below: &mut Table, above: &Table) {
    if is_dynamic(above) {
        below.remove("user");
        below.remove("group");
    } else if above.get("user").is_some() && above.get("dynamic-user").is_none() {
        below.remove("dynamic-user");
    }
    if above.get("user").is_some_and(|entry| pair(&entry.node.value).is_some()) {
        below.remove("group");
    } else if above.get("group").is_some()
        && let Some(user) = below.entries.iter_mut().find(|entry| entry.key == "user")
        && let Some(length) = pair(&user.node.value)
        && let Value::String(text) = &mut user.node.value
    {
        text.truncate(length);
    }
}

/// The length of the user in `"u:g"`, if it is that.
fn pair(user: &Value) -> Option<usize> {
    match user {
        Value::String(text) => text.find(':'),
        _ => None,
    }
}

fn is_dynamic(table: &Table) -> bool {
    let said = table.get("dynamic-user").map(|entry| &entry.node.value);
    matches!(said, Some(Value::Boolean(true)))
}

/// User and group: `"u"`, `"u:g"` or a number.
fn user_and_group(s: &mut Section<'_, '_, '_>) -> (Option<String>, Option<String>) {
    let group = s.user("group");
    if s.entry("user").is_none_or(|entry| pair(&entry.node.value).is_none()) {
        return (s.user("user"), group);
    }
    let pair = s.get("user", |text| {
        let (user, group) = text.split_once(':').unwrap_or((text, ""));
        Ok((values::user(user)?, values::user(group)?))
    });
    if let (Some(place), Some(user)) = (s.place("group"), s.place("user")) {
        let label = (user, "the other one".to_owned());
        s.report.error_with(place, Problem::new("the group is said twice"), &[label]);
    }
    match pair {
        Some((user, group)) => (Some(user), Some(group)),
        None => (None, group),
    }
}
