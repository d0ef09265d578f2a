//! Kernel modules that nothing asks for by itself: modules-load.d(5), the older /etc/modules,
//! `boot.modules`, and `modules_load=` on the kernel command line.

use std::time::Duration;

use super::{Context, Done, Report, Tools, conf, mounts, program};

/// A driver may probe its hardware for a while.
const DEADLINE: Duration = Duration::from_secs(90);

/// Loads them, and mounts the kernel's own file systems that come with one.
pub(super) async fn modules(context: &Context, tools: &impl Tools) -> Report {
    if let Some(name) = mounts::missing_module(context) {
        // That a kernel has it not at all is no failure.
        program::call(tools, &["modprobe", "-bq", "--", name], DEADLINE).await.ok();
    }
    let report = load(context, tools).await;
    mounts::mount_for_tools(context);
    report
}

/// Loads all of them with one modprobe: already loaded and blacklisted ones are no failures.
async fn load(context: &Context, tools: &impl Tools) -> Report {
    let names = wanted(context);
    if names.is_empty() {
        return Ok(Done::Skipped("no modules are asked for"));
    }
    if !context.path("/proc/modules").exists() {
        return Ok(Done::Skipped("the kernel takes no modules"));
    }
    let mut program = vec!["modprobe", "-abq", "--"];
    program.extend(names.iter().map(String::as_str));
    match program::call(tools, &program, DEADLINE).await {
        Ok(()) => Ok(Done::Worked),
        // modprobe -q does not say which one it did not find.
        Err(trouble) => Err(format!("{} ({})", trouble.fatal("modprobe"), names.join(" "))),
    }
}

/// The names, each once, in the order in which they are found.
fn wanted(context: &Context) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: &str| {
        if !name.is_empty() && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    };
    let mut files = conf::drop_ins(context, "modules-load.d");
    files.push(context.path("/etc/modules"));
    for text in files.iter().filter_map(|file| conf::read(file)) {
        // Options after a name, as /etc/modules once had them, belong into modprobe.d(5).
        conf::lines(&text).filter_map(|line| line.split_whitespace().next()).for_each(&mut add);
    }
    context.boot.modules.iter().for_each(|name| add(name));
    for key in ["modules_load", "modules-load"] {
        context.values(key).flat_map(|list| list.split(',')).for_each(&mut add);
    }
    names
}
