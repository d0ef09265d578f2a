//! What a service says: a pipe for its output, and one for its stderr where that has a place of
//! its own. Both are kept as long as the service is known, whatever its definition becomes: a
//! process that was left behind may have it still.

use std::os::fd::AsFd;
use std::rc::Rc;

use super::Driver;
use super::logs::Logs;
use super::site::Site;
use crate::config::spec::{ExecSpec, LogTarget, Outlet, ServiceSpec, Stream};
use crate::engine::NodeId;
use crate::facts::{Errno, SpawnError, Stage};
use crate::logger::{Message, Output, Target};
use crate::os::fds;

/// Both, the one that all have first.
const STREAMS: [Stream; 2] = [Stream::Output, Stream::Errors];

/// Of the numbers by which the writer knows pipes: that of a stderr. No machine has as many nodes.
const ERRORS: u32 = 1 << 31;

impl Driver {
    /// Makes the pipes that a service does not have yet and tells the writer where what comes out
    /// of them goes.
    pub(super) fn prepare_output(
        &mut self,
        node: NodeId,
        spec: &ServiceSpec,
    ) -> Result<(), SpawnError> {
        let Some(site) = self.sites.of(node) else { return Ok(()) };
        let is_there = |stream: &Stream| site.pipe_of(*stream).is_some();
        let misses = |stream: &Stream| makes_pipe(&spec.exec, *stream) && !is_there(stream);
        let known = site.told.as_ref().is_some_and(|told| Rc::ptr_eq(told, &spec.exec));
        if (known || !STREAMS.iter().any(is_there)) && !STREAMS.iter().any(misses) {
            return Ok(());
        }
        let told = site.told.take();
        for stream in STREAMS {
            if let Err(errno) = prepare(&mut self.logs, node, site, stream, spec, told.as_deref()) {
                // What the writer was told is not known any more: the next start tells it anew.
                let subject = "its log pipe".to_owned();
                return Err(SpawnError { stage: Stage::Descriptors, errno, subject });
            }
        }
        site.told = Some(Rc::clone(&spec.exec));
        if told.is_some() {
            // The same pipe may go elsewhere: the writer is to know before the run's first word.
            self.flush_logs();
        }
        Ok(())
    }

    /// What comes out of the pipes of a service goes elsewhere from now on. The beginning of a
    /// line goes with its end.
    pub(super) fn redirect(&mut self, node: NodeId, spec: &ServiceSpec) {
        let Some(site) = self.sites.of(node) else { return };
        let told = site.told.replace(Rc::clone(&spec.exec));
        for stream in STREAMS {
            let same = told.as_ref().is_some_and(|told| leads_as(told, &spec.exec, stream));
            let opened = if same { Ok(()) } else { open(&mut self.logs, node, site, stream, spec) };
            if opened.is_err() {
                // Out of descriptors: until the next start it goes where it went.
                site.told = None;
            }
        }
    }

    /// The last line of a run may have no newline.
    pub(super) fn flush_line(&mut self, node: NodeId) {
        let Some(site) = self.sites.get(node) else { return };
        for stream in STREAMS {
            if site.pipe_of(stream).is_some() {
                self.logs.flush(number(node, stream));
            }
        }
    }

    /// Lets go of the pipes of a service that is gone for good.
    pub(super) fn close_output(&mut self, node: NodeId) {
        let Some(site) = self.sites.of(node) else { return };
        site.told = None;
        let output = site.pipe.take();
        let errors = site.rare_mut().and_then(|rare| rare.errors.take());
        for (stream, pipe) in STREAMS.into_iter().zip([output, errors]) {
            if pipe.is_some() {
                self.logs.tell(Message::Close { id: number(node, stream) });
            }
        }
    }

    /// Tells a new writer of all pipes that there are.
    pub(super) fn reopen_outputs(&mut self) {
        self.logs.forget_told();
        for (node, spec) in self.engine.services() {
            let Some(site) = self.sites.of(node) else { continue };
            let opened =
                STREAMS.map(|stream| open(&mut self.logs, node, site, stream, &spec).is_ok());
            site.told = (opened == [true; 2]).then(|| Rc::clone(&spec.exec));
        }
        self.flush_logs();
    }
}

/// Whether a stream of a service needs a pipe.
fn makes_pipe(exec: &ExecSpec, stream: Stream) -> bool {
    match stream {
        Stream::Output => exec.outlet(stream) == Outlet::Lines,
        Stream::Errors => exec.has_own_errors(),
    }
}

/// Makes one pipe, if it is needed and not there, and has it lead where a definition says.
fn prepare(
    logs: &mut Logs,
    node: NodeId,
    site: &mut Site,
    stream: Stream,
    spec: &ServiceSpec,
    told: Option<&ExecSpec>,
) -> Result<(), Errno> {
    if site.pipe_of(stream).is_some() {
        if told.is_some_and(|told| leads_as(told, &spec.exec, stream)) {
            return Ok(());
        }
        // What the last run has said belongs where that was to go.
        logs.flush(number(node, stream));
    } else if makes_pipe(&spec.exec, stream) {
        // It waits, as the service expects; the writer looks into it in ways that never do.
        let pipe = fds::pipe()?;
        match stream {
            Stream::Output => site.pipe = Some(pipe),
            Stream::Errors => site.make_rare().errors = Some(pipe),
        }
    }
    open(logs, node, site, stream, spec)
}

/// Tells the writer where a pipe leads, if it is there.
fn open(
    logs: &mut Logs,
    node: NodeId,
    site: &Site,
    stream: Stream,
    spec: &ServiceSpec,
) -> Result<(), Errno> {
    let Some((read, _)) = site.pipe_of(stream) else { return Ok(()) };
    let copy = fds::dup(read.as_fd())?;
    let output = Output {
        name: spec.name.clone(),
        target: target(spec.exec.log_of(stream)),
        tag: spec.exec.log_tag().map(str::to_owned),
        max_size: spec.exec.log_max(),
        errors: stream == Stream::Errors,
    };
    logs.tell_with(Message::Open { id: number(node, stream), output }, copy);
    Ok(())
}

/// Whether a stream leads to the same by both definitions.
fn leads_as(old: &ExecSpec, new: &ExecSpec, stream: Stream) -> bool {
    old.log_of(stream) == new.log_of(stream)
        && old.log_tag() == new.log_tag()
        && old.log_max() == new.log_max()
}

/// The number by which the writer knows a pipe.
fn number(node: NodeId, stream: Stream) -> u32 {
    match stream {
        Stream::Output => node.number(),
        Stream::Errors => node.number() | ERRORS,
    }
}

/// Where the writer puts lines. A pipe that leads nowhere is one that is there still, of a service
/// that has no use for it any more.
fn target(log: &LogTarget) -> Target {
    match log {
        LogTarget::Files => Target::Files,
        LogTarget::Syslog => Target::Syslog,
        LogTarget::Kmsg => Target::Kmsg,
        LogTarget::Console => Target::Console,
        LogTarget::None => Target::Nowhere,
        LogTarget::File(path) => Target::File(path.display().to_string()),
    }
}
