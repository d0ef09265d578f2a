//! Panics in a life, told as faults.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether a panic here is caught and told.
    static PLAYS: Cell<bool> = const { Cell::new(false) };
    /// Where the last one was, and what it said.
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

static HOOK: Once = Once::new();

/// Does that; of a panic, where it was and what it said, which is not printed: whoever shrinks a
/// life has hundreds of them.
pub fn caught<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |info| {
            if PLAYS.get() {
                LAST.replace(info.to_string().replace('\n', " "));
            } else {
                usual(info);
            }
        }));
    });
    PLAYS.set(true);
    let done = catch_unwind(AssertUnwindSafe(act));
    PLAYS.set(false);
    done.map_err(|_| LAST.take())
}

/// A fault without the names and numbers in it, so that shrinking does not end at another one; the
/// place of a panic is what it is.
pub fn kind(fault: &str) -> Vec<&str> {
    let same = |word: &&str| word.contains(".rs:") || !word.contains(|c: char| c.is_ascii_digit());
    fault.split(' ').filter(same).collect()
}
