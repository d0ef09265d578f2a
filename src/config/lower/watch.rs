//! Paths that start a service or a task.

use std::rc::Rc;

use super::super::raw::Value;
use super::super::report::Problem;
use super::super::spec::{SocketMode, SocketsSpec, Trigger, Watched};
use super::super::values;
use super::section::Section;

/// Reads `watch`, a table of paths.
pub(super) fn watch(
    s: &mut Section<'_, '_, '_>,
    sockets: Option<&SocketsSpec>,
) -> Option<Rc<[Watched]>> {
    let entry = s.entry("watch")?;
    let table = s.table("watch")?;
    if sockets.is_some_and(|sockets| sockets.mode == SocketMode::Inetd) {
        let problem = Problem::new("`watch` and `inetd` exclude each other");
        s.report
            .error(entry.at, problem.hint("each connection starts it: use `listen`, or a task"));
    }
    let before = s.report.errors();
    let mut inner = s.inner(table, "service.watch");
    // A mistyped key is told already.
    let unknown = inner.is_mistyped(&Trigger::ALL.map(Trigger::name));
    let mut found = Vec::new();
    for trigger in Trigger::ALL {
        let key = trigger.name();
        let paths = inner.list(key, values::absolute);
        if let (Some([]), Some(entry)) = (paths.as_deref(), inner.entry(key))
            && matches!(&entry.node.value, Value::Array(items) if items.is_empty())
        {
            let problem = Problem::new(format!("`watch.{key}` names no path"));
            inner.report.error(entry.node.at, problem.hint("remove it, or write what to watch"));
        }
        found.extend(paths.into_iter().flatten().map(|path| Watched { trigger, path }));
    }
    if found.is_empty() && !unknown && s.report.errors() == before {
        let problem = Problem::new("`watch` names no path");
        let hint = "add `changed`, `modified`, `exists`, `glob` or `not-empty`";
        s.report.error(entry.at, problem.hint(hint));
    }
    Some(found.into())
}
