//! The virtual console: its keyboard speaks the language of the person in front of it.

use std::time::Duration;

use super::{Context, Done, Report, Tools, program};

const VIRTUAL_CONSOLE: &str = "/dev/tty0";
const DEADLINE: Duration = Duration::from_secs(10);

/// Loads the keymap, in UTF-8 mode, which is the kernel's own default but may have been
/// switched off by an initramfs. Without a keymap the kernel's own stays.
pub(super) async fn console(context: &Context, tools: &impl Tools) -> Report {
    let Some(keymap) = &context.boot.keymap else {
        return Ok(Done::Skipped("no keymap is set"));
    };
    if !context.path(VIRTUAL_CONSOLE).exists() {
        return Ok(Done::Skipped("there is no virtual console"));
    }
    // Best effort: without kbd_mode the mode is what the kernel started with.
    program::call(tools, &["kbd_mode", "-u", "-C", VIRTUAL_CONSOLE], DEADLINE).await.ok();
    match program::call(tools, &["loadkeys", "-q", "-u", keymap], DEADLINE).await {
        Ok(()) => Ok(Done::Worked),
        // The keymap was asked for by name, so that nobody to load it is a failure.
        Err(trouble) => Err(trouble.fatal("loadkeys")),
    }
}
