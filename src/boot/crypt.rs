//! Encrypted disks: what crypttab(5) names is opened before anything is checked or mounted, by
//! `cryptdisks_start` of Debian's package cryptsetup, which knows its words and key scripts.

use std::time::Duration;

use super::{Context, Tools, conf, fstab, program};

const FILE: &str = "/etc/crypttab";

const OPENER: &str = "cryptdisks_start";

/// Its way of asking writes a passphrase to the console where that is not its input.
const AT_CONSOLE: &str = "exec cryptdisks_start \"$@\" </dev/console >/dev/console 2>&1";

/// A key is made slow to try on purpose, by seconds.
const WITH_KEYS: Duration = Duration::from_secs(90);

/// Somebody may be on the way; a machine that can be reached is easier to help than one that
/// waits.
const WITH_PERSON: Duration = Duration::from_secs(5 * 60);

/// One line.
pub(super) struct Line {
    name: String,
    /// The node of what is encrypted, unless that is an image.
    device: Option<String>,
    may_be_missing: bool,
    /// Whether it is there only with the network.
    network: bool,
    /// Whether a person may be asked.
    asks: bool,
}

impl Line {
    /// The device node that the boot does not go well without.
    pub(super) fn needed_device(&self) -> Option<String> {
        self.device.clone().filter(|_| !self.may_be_missing)
    }
}

/// What is to be open and is not, of those that need the network or of the others; an initramfs
/// opens what the root lies on.
pub(super) fn closed(network: bool, context: &Context) -> Vec<Line> {
    let text = conf::read(&context.path(FILE)).unwrap_or_default();
    let lines = conf::lines(&text).filter_map(parse).filter(|line| line.network == network);
    lines.filter(|line| !is_open(line, context)).collect()
}

fn is_open(line: &Line, context: &Context) -> bool {
    context.path("/dev/mapper").join(&line.name).exists()
}

fn parse(line: &str) -> Option<Line> {
    let mut fields = line.split_ascii_whitespace();
    let (name, source, key) = (fields.next()?, fields.next()?, fields.next()?);
    let options: Vec<&str> = fields.next().unwrap_or_default().split(',').collect();
    let network = options.contains(&"_netdev");
    let is_scripted = options.iter().any(|option| option.starts_with("keyscript="));
    // By the time of the network the console is somebody else's, and a script has to do without.
    let asks = is_scripted && !network || !is_scripted && ["none", "-"].contains(&key);
    (!options.contains(&"noauto")).then(|| Line {
        name: name.to_owned(),
        device: Some(fstab::device(source)).filter(|device| device.starts_with("/dev/")),
        may_be_missing: options.contains(&"nofail"),
        network,
        asks,
    })
}

/// Opens them: first those that have keys, then those that a person has.
pub(super) async fn open(
    mut lines: Vec<Line>,
    context: &Context,
    tools: &impl Tools,
) -> Result<(), String> {
    let is_absent = |device: &String| fstab::is_absent(device, context);
    lines.retain(|line| !line.may_be_missing || !line.device.as_ref().is_some_and(is_absent));
    if lines.is_empty() {
        return Ok(());
    }
    if !conf::has_program(context, OPENER) {
        let names = names(lines.iter());
        return Err(format!("{FILE}: {names} not opened: install cryptsetup for {OPENER}"));
    }
    let mut troubles = Vec::new();
    let (asking, keyed): (Vec<&Line>, Vec<&Line>) = lines.iter().partition(|line| line.asks);
    if !keyed.is_empty() {
        let program = [OPENER].into_iter().chain(keyed.iter().map(|line| line.name.as_str()));
        let opened = program::call(tools, &program.collect::<Vec<_>>(), WITH_KEYS).await;
        troubles.extend(opened.err().map(|trouble| trouble.fatal(OPENER)));
    }
    let asking: Vec<&Line> = asking.into_iter().filter(|line| !line.network).collect();
    if !asking.is_empty() {
        let most = WITH_PERSON.as_secs();
        let names = names(asking.iter().copied());
        tools.say(&format!("devices: asking up to {most} s for {names} of {FILE}"));
        let program = ["/bin/sh", "-c", AT_CONSOLE, OPENER].into_iter();
        let program = program.chain(asking.iter().map(|line| line.name.as_str()));
        // Its words are on the console.
        program::call(tools, &program.collect::<Vec<_>>(), WITH_PERSON).await.ok();
    }
    // The word of the kernel counts: without the program cryptsetup, its tool is content.
    lines.retain(|line| !is_open(line, context));
    if let Some(line) = lines.first() {
        let left = format!("{FILE}: {} not opened: run {OPENER} by hand", names(lines.iter()));
        let steps = if line.network { "mount-network" } else { "fsck mount-local" };
        troubles.push(format!("{left}, then finitctl start {steps}"));
    }
    if troubles.is_empty() { Ok(()) } else { Err(troubles.join("; ")) }
}

fn names<'a>(lines: impl Iterator<Item = &'a Line>) -> String {
    lines.map(|line| line.name.as_str()).collect::<Vec<_>>().join(", ")
}
