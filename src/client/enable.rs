//! `finitctl enable` and `disable`: whether the boot starts a service, said in the file where the
//! service is. No finit has to run, and one that does is told nothing: `apply` and the next boot
//! read the file.
//!
//! Everything but one stretch of the file stays byte for byte, and the new text is read as finit
//! reads it before it takes the place of the old one: it must say this and change nothing else.

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::change::{self, Wait};
use super::connect::Failure;
use super::{Form, Session, Status, offline};
use crate::config::spec::{ServiceSpec, Start, SystemSpec};
use crate::config::{self, Disk, Loaded, Reader, Source, Switched};
use crate::facts::Errno;
use crate::os::attributes;
use crate::proto::{Code, Refusal, Request};

/// Links that are followed from the file to where it is.
const LINKS: usize = 16;

/// The attribute that says who else may do what with a file, acl(5).
const ACCESS_LIST: &CStr = c"system.posix_acl_access";

/// The words behind `enable` and `disable`.
pub fn arguments(command: Command) -> Command {
    let flag = |name: &'static str| Arg::new(name).long(name);
    change::one(command)
        .arg(
            flag("root")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .help("Of the system in this folder, which need not run"),
        )
        .arg(
            flag("file")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("The file that describes the machine; without it the one that finit reads"),
        )
        .arg(
            flag("now")
                .action(ArgAction::SetTrue)
                .conflicts_with("root")
                .help("Start it, or stop it, as well"),
        )
        .after_help(
            "The file where the service is defined is edited: `enabled`, and nothing else in it.\n\
             A template is enabled as a whole; NAME@INSTANCE is put into its `instances` or taken \
             out.\nIt counts from the next boot or `finitctl apply` on.",
        )
}

/// `finitctl enable`.
///
/// # Errors
/// No such service, or a file that cannot be edited.
pub fn enable(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    set(session, matches, true)
}

/// `finitctl disable`.
///
/// # Errors
/// No such service, or a file that cannot be edited.
pub fn disable(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    set(session, matches, false)
}

fn set(session: &mut Session, matches: &ArgMatches, on: bool) -> Result<Status, Failure> {
    let name = matches.get_one::<String>("name").cloned().unwrap_or_default();
    let file = match (matches.get_one::<PathBuf>("file"), matches.contains_id("root")) {
        (Some(file), _) => file.clone(),
        (None, true) => offline::FILE.into(),
        (None, false) => offline::file(session)?,
    };
    let root = matches.get_one::<PathBuf>("root").cloned().unwrap_or_else(|| "/".into());
    let path = root.join(file.strip_prefix("/").unwrap_or(&file));
    let path = if root == Path::new("/") { file } else { path };
    let loaded = config::load(&path, &Rooted(&root));
    if loaded.is_broken() {
        let message = format!("{} has errors: mend it first; nothing was changed", path.display());
        let mut errors = loaded.errors();
        return Err(Failure::Local(match session.form {
            Form::Text => {
                errors.iter().for_each(|error| session.output.warn(error));
                message
            }
            Form::Json => {
                errors.push(message);
                errors.join("\n")
            }
        }));
    }
    let goal = Goal::of(&loaded.spec, &name, on)?;
    if on && goal.instance.is_some() && goal.known.is_some_and(|spec| !spec.enabled) {
        let template = &goal.header;
        return Err(Failure::Local(format!(
            "the template {template} is disabled: finitctl enable {template}"
        )));
    }
    let edited = match goal.is_reached(&loaded.spec) {
        true => None,
        false => Some(goal.edit(&loaded, &root).map_err(Failure::Local)?),
    };
    tell(session, &goal, edited.as_deref());
    if !matches.get_flag("now") {
        return Ok(Status::Done);
    }
    let names = vec![name];
    let request = if on { Request::Start { names } } else { Request::Stop { names } };
    change::perform(session, &request, Wait::Follow)
}

fn tell(session: &mut Session, goal: &Goal<'_>, edited: Option<&Path>) {
    let word = if goal.on { "enabled" } else { "disabled" };
    if session.form == Form::Json {
        session.output.json(&serde_json::json!({
            "name": goal.name, "enabled": goal.on, "edited": edited,
        }));
        return;
    }
    let name = goal.name;
    match edited {
        None => session.output.line(&format!("{name} is {word} already")),
        Some(file) => session.output.line(&format!("{name} is {word} in {}", file.display())),
    }
    let by_itself = |spec: &ServiceSpec| {
        matches!(spec.start, Start::Boot | Start::Demand) || spec.schedule.is_some()
    };
    if goal.on && goal.known.is_some_and(|spec| !by_itself(spec)) {
        session.output.line(
            "its `start` is \"manual\", so the boot does not start it: remove that from the file",
        );
    }
}

/// What the file is to say.
struct Goal<'a> {
    /// As it was typed.
    name: &'a str,
    on: bool,
    /// The name in the header of the definition, and the instance if only that is meant.
    header: String,
    instance: Option<String>,
    /// The service, or the first instance of the template, as it is.
    known: Option<&'a Rc<ServiceSpec>>,
}

impl<'a> Goal<'a> {
    fn of(spec: &'a SystemSpec, name: &'a str, on: bool) -> Result<Self, Failure> {
        let header =
            |spec: &ServiceSpec| spec.template.clone().unwrap_or_else(|| spec.name.clone());
        let goal = |header, instance, known| Self { name, on, header, instance, known };
        let is_meant = |spec: &&Rc<ServiceSpec>| {
            header(spec) == name || spec.alias.iter().any(|alias| alias == name)
        };
        if let Some(known) = spec.services.iter().find(is_meant) {
            return Ok(goal(header(known), None, Some(known)));
        }
        let of_template = |template: &str| {
            spec.services.iter().find(|spec| spec.template.as_deref() == Some(template))
        };
        let is_found =
            |name: &str| spec.templates.iter().any(|one| one.name == name && one.search.is_some());
        if is_found(name) {
            return Ok(goal(name.to_owned(), None, None));
        }
        if let Some((template, _)) = name.split_once('@').filter(|(name, _)| is_found(name)) {
            let word = if on { "enable" } else { "disable" };
            let message = format!(
                "the instances of {template} are found on the machine, and no file lists them"
            );
            let hint = format!("finitctl {word} {template} is for all of them");
            return Err(Failure::Refused(Refusal::new(Code::NotSupported, message).hint(hint)));
        }
        if let Some((template, instance)) = name.split_once('@')
            && let Some(known) = of_template(template)
        {
            return Ok(goal(template.to_owned(), Some(instance.to_owned()), Some(known)));
        }
        if spec.targets.iter().any(|target| target.name == name) {
            let message = format!("{name} is a target: `enabled` is a key of services and tasks");
            return Err(Failure::Refused(Refusal::new(Code::NotSupported, message)));
        }
        let names: Vec<String> = spec.services.iter().map(|spec| header(spec)).collect();
        let refusal = Refusal::new(Code::NoSuchService, format!("no service is called `{name}`"));
        let near = config::suggest(name, names.iter().map(String::as_str));
        Err(Failure::Refused(match near {
            Some(near) => refusal.hint(format!("did you mean `{near}`?")),
            None => refusal,
        }))
    }

    /// Whether a service is one that this is about.
    fn is_about(&self, spec: &ServiceSpec) -> bool {
        match &self.instance {
            Some(instance) => spec.name == format!("{}@{instance}", self.header),
            None => spec.template.as_ref().unwrap_or(&spec.name) == &self.header,
        }
    }

    fn is_reached(&self, spec: &SystemSpec) -> bool {
        let mut about = spec.services.iter().filter(|spec| self.is_about(spec));
        match &self.instance {
            Some(_) => about.next().is_some() == self.on,
            None => {
                let mut found = spec.templates.iter().filter(|one| one.name == self.header);
                about.all(|spec| spec.enabled == self.on)
                    && found.all(|template| template.enabled == self.on)
            }
        }
    }

    /// Writes the file; the answer is where that is.
    fn edit(&self, loaded: &Loaded, root: &Path) -> Result<PathBuf, String> {
        let Switched { source, text } = match &self.instance {
            Some(instance) => {
                config::switch_instance(&loaded.sources, &self.header, instance, self.on)?
            }
            None => config::switch(&loaded.sources, &self.header, self.on)?,
        };
        let old = loaded.sources.get(source).ok_or("there is no such file")?;
        let mut sources = loaded.sources.clone();
        if let Some(place) = sources.get_mut(source) {
            *place = Source::new(&old.path, text.as_str());
        }
        let new = config::parse(&sources);
        if let Some(error) = new.diagnostics.iter().find(|diagnostic| diagnostic.is_error()) {
            let word = if self.on { "with" } else { "without" };
            return Err(format!("{word} {} the file has an error: {}", self.name, error.message));
        }
        if !self.is_all(&loaded.spec, &new.spec) {
            return Err(format!(
                "{} says it in a way that only a person understands: write it there yourself",
                old.path.display()
            ));
        }
        replace(old, &text, root).map_err(|why| format!("{}: {why}", old.path.display()))?;
        Ok(old.path.clone())
    }

    /// Whether the new definitions say what they are to say, and all else as before.
    fn is_all(&self, old: &SystemSpec, new: &SystemSpec) -> bool {
        let others = |spec: &SystemSpec| {
            let mut spec = spec.clone();
            spec.services.retain(|spec| !self.is_about(spec));
            let templates = spec.templates.iter_mut().filter(|one| one.name == self.header);
            templates.for_each(|template| template.enabled = self.on);
            spec
        };
        let same = old.services.iter().filter(|spec| self.is_about(spec)).all(|old| {
            let new = new.services.iter().find(|new| new.name == old.name);
            self.instance.is_some()
                || new.is_some_and(|new| {
                    ServiceSpec { enabled: old.enabled, ..ServiceSpec::clone(new) } == **old
                })
        });
        self.is_reached(new) && same && others(old) == others(new)
    }
}

/// Puts a text in the place of that file, at once or not at all: a link to it stays a link, and
/// the new file has the owner, the mode and the attributes of the old one.
fn replace(old: &Source, text: &str, root: &Path) -> Result<(), String> {
    let path = follow(&old.path, root)?;
    let folder = path.parent().ok_or("it is in no folder")?;
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    // Begins with a dot, so that no finit reads it as a drop-in.
    let beside = folder.join(format!(".{file_name}.{}", std::process::id()));
    let write = || {
        let replaced = File::open(&path)?;
        let was = replaced.metadata()?;
        let mut options = File::options();
        let mut new = options.write(true).create_new(true).mode(0o600).open(&beside)?;
        new.write_all(text.as_bytes())?;
        if new.metadata().map(|new| (new.uid(), new.gid()))? != (was.uid(), was.gid()) {
            std::os::unix::fs::fchown(&new, Some(was.uid()), Some(was.gid()))?;
        }
        // Before the mode, whose middle would let the whole group in where a list narrows it; a
        // list has set the mode already, and some lists do not outlive that it is set again.
        copy_attributes(&replaced, &new).map_err(std::io::Error::other)?;
        if new.metadata()?.mode() != was.mode() {
            new.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(was.mode()))?;
        }
        new.sync_all()?;
        // Somebody may have saved it meanwhile.
        if fs::read(&path)? != old.text.as_bytes() {
            return Err(std::io::Error::other("it was edited just now: try again"));
        }
        fs::rename(&beside, &path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|error| {
        // What is not there need not go.
        let _gone = fs::remove_file(&beside);
        error.to_string()
    })
}

/// Gives a file the extended attributes of the one whose place it takes, the access list among
/// them. The folder may have given it a list of its own; it goes if the other has none.
fn copy_attributes(from: &File, to: &File) -> Result<(), String> {
    let names = |file: &File| match attributes::names(file.as_fd()) {
        Err(Errno(libc::EOPNOTSUPP)) => Ok(Vec::new()),
        names => names.map_err(|errno| format!("its attributes: {errno}")),
    };
    let kept = names(from)?;
    let is_foreign = |name: &CString| name.as_c_str() == ACCESS_LIST && !kept.contains(name);
    let said = |name: &CStr, errno| format!("its attribute {}: {errno}", name.to_string_lossy());
    for name in names(to)?.iter().filter(|name| is_foreign(name)) {
        attributes::remove(to.as_fd(), name).map_err(|errno| said(name, errno))?;
    }
    for name in &kept {
        let copied = attributes::get(from.as_fd(), name).and_then(|value| {
            // The kernel has labelled it already, and not everybody may set a label.
            match attributes::get(to.as_fd(), name) {
                Ok(has) if has == value => Ok(()),
                _ => attributes::set(to.as_fd(), name, &value),
            }
        });
        copied.map_err(|errno| said(name, errno))?;
    }
    Ok(())
}

/// The files of the system in that folder, found as that system would find them.
struct Rooted<'a>(&'a Path);

impl Reader for Rooted<'_> {
    fn file(&self, path: &Path) -> Result<Option<Vec<u8>>, String> {
        Disk.file(&follow(path, self.0)?)
    }

    fn folder(&self, path: &Path) -> Result<Vec<PathBuf>, String> {
        Disk.folder(&follow(path, self.0)?)
    }
}

/// Where a file is, links followed as that system would: one that begins with `/` begins at its
/// root.
fn follow(path: &Path, root: &Path) -> Result<PathBuf, String> {
    let mut at = path.to_owned();
    for _ in 0..LINKS {
        let Ok(link) = fs::read_link(&at) else {
            let leads_nowhere = at != path && matches!(at.try_exists(), Ok(false));
            return if leads_nowhere { Err(config::TO_NOTHING.to_owned()) } else { Ok(at) };
        };
        at = match link.strip_prefix("/") {
            Ok(inside) => root.join(inside),
            Err(_) => at.parent().unwrap_or(root).join(link),
        };
    }
    Err("too many links".to_owned())
}
