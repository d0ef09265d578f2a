//! Orders from outside: signals to PID 1, clients, and what boot steps ask for.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use super::configuration::Found;
use super::control::{self, Call};
use super::reaper::Owner;
use super::searches::{self, Looked, Wish};
use super::signals::Asked;
use super::tools::{Ask, SAY, Started};
use super::{Driver, Fact};
use crate::boot::{self, Place};
use crate::config::Loaded;
use crate::config::spec::{ControlSpec, LogSpec, PowerKey, SystemSpec};
use crate::engine::{Access, Cause, Event, Extent, Level, NodeId, Peer, Ticket, needed};
use crate::facts::{Errno, SpawnError};
use crate::os::reboot::{self, How};
use crate::os::socket::Endpoint;
use crate::os::spawn::{self, Launch, Plan};
use crate::os::users::Accounts;
use crate::os::{fds, socket, time};
use crate::proto::frame::{self, Answer};
use crate::proto::{Code, Power, Refusal, Reply, Request};

/// What is in the way of the control socket may be gone by then.
const CONTROL_REST: Duration = Duration::from_secs(1);

/// For orders that no client waits for: of the answer, a refusal is told on the console.
pub(super) const NOBODY: u64 = 0;

/// For whoever starts a service of a machine that has booted without its file.
const BROKEN: &str =
    "the file on the disk is still broken, as at the boot, and left out: see finitctl check";

/// For whoever starts a service of a file that has changed.
const EDITED: &str = "the file has changed and was read again";
/// The same where other instances were found.
const OTHERS: &str = "its instances are others by now";

/// For whoever starts a service after the machine went back.
const UNCONFIRMED: &str =
    "the file on the disk was not confirmed and is left out: finitctl apply reads it again";

/// A control socket at that path, and the folder that it is in. Anyone may look; who may do what is
/// decided by credentials.
fn control_at(path: &Path) -> Result<OwnedFd, Errno> {
    socket::make_folder_of(&Endpoint::UnixStream(path.to_owned()))?;
    socket::control_socket(path, 0o666)
}

impl Driver {
    /// A signal to PID 1.
    pub(super) fn on_asked(&mut self, asked: Asked) {
        let machine = self.context.place == Place::Machine;
        match asked {
            Asked::CtrlAltDel => match self.engine.shutdown_settings().ctrl_alt_del {
                PowerKey::Reboot => self.power(Power::Reboot, "Ctrl-Alt-Del"),
                PowerKey::Poweroff => self.power(Power::Poweroff, "Ctrl-Alt-Del"),
                PowerKey::Ignore => {}
            },
            Asked::Terminate if !machine => self.power(Power::Poweroff, "SIGTERM"),
            Asked::PowerOffContainer if !machine => self.power(Power::Poweroff, "SIGUSR2"),
            Asked::Terminate => self.replace_by(None, None),
            Asked::PowerOffContainer => {
                let text = "SIGUSR2 does nothing on a machine: use `finitctl poweroff`";
                self.console.tell(Level::Trouble, text);
            }
            Asked::Reopen => self.open_control(),
            Asked::Apply => self.apply(Cause::Signal("SIGHUP".into()), &[]),
            Asked::PowerFailure => self.power(Power::Poweroff, "SIGPWR"),
            Asked::KeyboardRequest => self.rescue_login(),
            Asked::Halt => self.power(Power::Halt, "SIGRTMIN+3"),
            Asked::PowerOff => self.power(Power::Poweroff, "SIGRTMIN+4"),
            Asked::Reboot => self.power(Power::Reboot, "SIGRTMIN+5"),
        }
    }

    fn power(&mut self, how: Power, signal: &'static str) {
        self.turn(Event::PowerAsked { how, cause: Cause::Signal(signal.into()) });
    }

    /// SIGHUP: the file is followed, or its errors are told.
    pub(super) fn apply(&mut self, cause: Cause, looked: &[Looked]) {
        let may = self.engine.may_apply(time::now());
        let spec = match may.map(|()| self.read(looked, None)) {
            Ok(Some(loaded)) => self.newest(loaded),
            Ok(None) => return self.search_for(Wish::Signal),
            Err(refusal) => Err(refusal),
        };
        match spec {
            Ok(spec) => self.follow(spec, cause, None),
            Err(refusal) => self.console.tell(Level::Trouble, &refusal.message),
        }
    }

    /// What the file says by now. One that did not change may still be one that was only looked
    /// at, and is not followed yet.
    fn newest(&mut self, loaded: Loaded) -> Result<Rc<SystemSpec>, Refusal> {
        if !loaded.is_broken() {
            self.may_move_control(&loaded.spec.control)?;
        }
        let changed = self.configuration.reread(loaded)?;
        Ok(changed.unwrap_or_else(|| Rc::clone(self.engine.spec())))
    }

    /// A file is not followed at all where that would leave nobody a way to give orders.
    fn may_move_control(&self, control: &ControlSpec) -> Result<(), Refusal> {
        if control.socket == self.engine.control_settings().socket {
            return Ok(());
        }
        // It is made again, and served, when the file is followed.
        control_at(&control.socket).map(drop).map_err(|errno| {
            let path = control.socket.display();
            let message = format!("control.socket: {path}: {errno}");
            Refusal::new(Code::NotSupported, message).hint("nothing was changed")
        })
    }

    /// The machine is made to match the file.
    fn follow(&mut self, spec: Rc<SystemSpec>, cause: Cause, ticket: Option<Ticket>) {
        self.configuration.follow();
        self.loaded(spec, Extent::Everything, cause, ticket);
    }

    /// Nobody confirmed the file on trial: this is what ran before.
    pub(super) fn go_back(&mut self) {
        let spec = self.configuration.go_back();
        let (extent, cause) = (Extent::Back, Cause::Timer("nobody confirmed the file".into()));
        self.trimmed = false;
        let before = self.settings();
        self.engine.handle(time::now(), Event::Loaded { spec, extent, cause, ticket: None });
        self.follow_settings(&before);
    }

    pub(super) fn loaded(
        &mut self,
        spec: Rc<SystemSpec>,
        extent: Extent,
        cause: Cause,
        ticket: Option<Ticket>,
    ) {
        self.trimmed = false;
        let before = self.settings();
        self.turn(Event::Loaded { spec, extent, cause, ticket });
        self.follow_settings(&before);
    }

    fn settings(&self) -> (ControlSpec, LogSpec) {
        (self.engine.control_settings().clone(), self.engine.log_settings().clone())
    }

    /// What a file says of orders and logs counts once it is followed, if that is another than
    /// before. Who is connected stays so.
    fn follow_settings(&mut self, (control, log): &(ControlSpec, LogSpec)) {
        if control != self.engine.control_settings() {
            // A finit that took over was not told where it listens.
            self.control_path.get_or_insert_with(|| control.socket.clone());
            self.open_control();
        }
        if log != self.engine.log_settings() {
            self.set_logs();
        }
    }

    /// A login for whoever sits at the machine, whatever else works. Who has the console leaves
    /// it: two on one terminal hang each other up for ever.
    fn rescue_login(&mut self) {
        let shell = super::configuration::rescue(self.engine.spec());
        self.asked_by_keyboard(Request::Start { names: vec![shell.to_owned()] });
        let Some(id) = self.engine.number(shell).filter(|id| self.engine.is_active(*id)) else {
            // It was refused, which is told.
            return;
        };
        let names: Vec<String> = self.on_console().filter(|name| name != shell).collect();
        if names.is_empty() {
            return;
        }
        let gone = names.join(" ");
        let text = format!(
            "{shell} takes the console; to go back: finitctl stop {shell}; finitctl start {gone}"
        );
        self.way_back = Some((id, text));
        self.asked_by_keyboard(Request::Stop { names });
    }

    /// Tells whoever got a login by the keyboard how to give the console back, once that login has
    /// the terminal: it hangs it up first, which drops what nobody has read yet.
    pub(super) fn tell_way_back(&mut self) {
        let has_it =
            |&mut (id, _): &mut (NodeId, _)| self.engine.is_up(id) || !self.engine.is_active(id);
        if let Some((_, text)) = self.way_back.take_if(has_it) {
            self.console.tell(Level::Trouble, &text);
        }
    }

    /// What the keyboard asks for. Nobody waits for the answer.
    fn asked_by_keyboard(&mut self, request: Request) {
        let command = "keyboard".to_owned();
        let peer = Peer { uid: 0, pid: 1, command, access: Access::Everything };
        self.turn(Event::Requested { ticket: Ticket(NOBODY), peer, request, waits: None });
    }

    /// Makes the control socket, or makes it anew.
    pub(super) fn open_control(&mut self) {
        if let Err(why) = self.try_control() {
            self.console.tell(Level::Trouble, &why);
        }
    }

    /// The same after a while, where it could not be made and a person was told so.
    pub(super) fn on_control_rested(&mut self) {
        // Somebody else may have asked for it meanwhile.
        if self.control_rest.take().is_some() {
            let _told = self.try_control();
        }
    }

    /// Who can be heard at another path is heard there until this one is there.
    fn try_control(&mut self) -> Result<(), String> {
        if let Some(rest) = self.control_rest.take() {
            rest.abort();
        }
        let path = self.engine.control_settings().socket.clone();
        let opened = control_at(&path).and_then(|listener| {
            self.listener = None;
            if let Some(task) = self.control.take() {
                task.abort();
            }
            self.serve_control(listener)
        });
        opened.map_err(|errno| {
            self.control_rest = Some(self.later(CONTROL_REST, Fact::ControlRested));
            let path = path.display();
            format!("control socket {path}: {errno}; it is made as soon as it can be")
        })?;
        if let Some(old) = self.control_path.replace(path.clone()) {
            socket::unlink_other(&old, &path);
        }
        Ok(())
    }

    /// Serves whoever comes to this listener.
    pub(super) fn serve_control(&mut self, listener: OwnedFd) -> Result<(), Errno> {
        let group = self.engine.control_settings().power_group.as_ref();
        let power =
            group.and_then(|name| Accounts::load().ok()?.group(name).map(|group| group.gid));
        if let (Some(name), None) = (group, power) {
            let text = format!(
                "control.power-group: there is no group `{name}` in /etc/group: root alone has \
                 power over this machine"
            );
            self.console.tell(Level::Trouble, &text);
        }
        // For the next finit: whoever comes between the two waits.
        self.listener = Some(fds::dup(listener.as_fd())?);
        let serve = control::serve(listener, power, self.callers.clone(), self.clients.clone());
        self.control = Some(tokio::spawn(serve));
        Ok(())
    }

    /// A client asks.
    pub(super) fn on_call(&mut self, call: Call) {
        self.answer_call(call, &[]);
    }

    /// The same, and what it has waited for was looked at by now.
    pub(super) fn answer_call(&mut self, call: Call, looked: &[Looked]) {
        // Whoever may not is refused by the engine, with all others.
        let may = call.peer.access >= needed(&call.request);
        let mut notes = Vec::new();
        match &call.request {
            Request::Wait { job } if may => {
                let run = self.run_of(&call);
                match run.and_then(|run| self.engine.refuse_to_follow(run, *job)) {
                    Some(refusal) => self.refuse(&call, refusal),
                    None => self.board.follow(*job, call.spelling, call.answers),
                }
                return;
            }
            Request::Apply if may => return self.apply_for(call, None, looked),
            Request::ApplyOnTrial { seconds } if may => {
                let time = Duration::from_secs(seconds.get());
                return self.apply_for(call, Some(time), looked);
            }
            Request::Plan if may => return self.plan_for(call, looked),
            Request::Upgrade { program } if may => {
                self.replace_by(program.clone(), Some(call));
                return;
            }
            // An edited file is read before a service is started from it, and nothing else of
            // it is followed.
            Request::Start { names } | Request::Restart { names } if may => {
                let Some(loaded) = self.read(looked, Some(names)) else {
                    return self.search_for(Wish::Call(call));
                };
                notes.extend(searches::notes(looked, Some(names)));
                match self.configuration.reread_definitions(loaded) {
                    Ok(Found::Same) => {}
                    Ok(Found::Broken) => notes.push(BROKEN.to_owned()),
                    Ok(Found::Unconfirmed) => notes.push(UNCONFIRMED.to_owned()),
                    Ok(Found::Other { spec, edited }) => {
                        notes.push(if edited { EDITED } else { OTHERS }.to_owned());
                        let cause = Cause::person(&call.peer, call.request.spoken());
                        self.loaded(spec, Extent::Definitions, cause, None);
                    }
                    Err(refusal) => {
                        self.refuse(&call, refusal);
                        return;
                    }
                }
            }
            _ => {}
        }
        let waits = if call.wait { self.run_of(&call) } else { None };
        let ticket = self.ticket(&call, notes);
        self.turn(Event::Requested { ticket, peer: call.peer, request: call.request, waits });
    }

    /// Follows the file for a client; for so long, if it is to be on trial.
    fn apply_for(&mut self, call: Call, trial: Option<Duration>, looked: &[Looked]) {
        let may = self.engine.may_apply(time::now());
        let spec = match may.map(|()| self.read(looked, None)) {
            Ok(Some(loaded)) => self.newest(loaded),
            Ok(None) => return self.search_for(Wish::Call(call)),
            Err(refusal) => Err(refusal),
        };
        let spec = match spec {
            Ok(spec) => spec,
            Err(refusal) => return self.refuse(&call, refusal),
        };
        let cause = Cause::person(&call.peer, call.request.spoken());
        let notes = searches::notes(looked, None);
        match trial {
            None => {
                let ticket = self.ticket(&call, notes);
                self.follow(spec, cause, Some(ticket));
            }
            Some(time) if self.engine.differs(&spec) => {
                self.configuration.try_out();
                let ticket = self.ticket(&call, notes);
                self.loaded(spec, Extent::Trial(time), cause, Some(ticket));
            }
            Some(_) => {
                // Comments may have changed; the next look need not find that again.
                self.follow(spec, cause, None);
                let message = "nothing changed: nothing is on trial, and nothing to confirm";
                let reply = Reply::Done { message: message.to_owned() };
                let reply = self.complete(reply, notes);
                self.send(&call, &Answer::Reply(reply));
            }
        }
    }

    /// Tells a client what following the file would do.
    fn plan_for(&mut self, call: Call, looked: &[Looked]) {
        let Some(loaded) = self.read(looked, None) else {
            return self.search_for(Wish::Call(call));
        };
        self.trimmed = false;
        match self.configuration.look(loaded) {
            Ok(spec) => {
                let kept = looked.iter().filter_map(Looked::kept);
                let changes = kept.chain(self.engine.plan(spec)).collect();
                self.send(&call, &Answer::Reply(Reply::Plan(changes)));
            }
            Err(refusal) => self.refuse(&call, refusal),
        }
    }

    fn ticket(&mut self, call: &Call, notes: Vec<String>) -> Ticket {
        self.last_ticket = self.last_ticket.wrapping_add(1);
        let waiting = (call.spelling.clone(), call.answers.clone(), notes);
        self.tickets.insert(self.last_ticket, waiting);
        Ticket(self.last_ticket)
    }

    /// Answers with a refusal.
    pub(super) fn refuse(&self, call: &Call, refusal: Refusal) {
        self.send(call, &Answer::Refused(refusal));
    }

    fn send(&self, call: &Call, answer: &Answer) {
        control::answer(&call.answers, frame::encode_answer(&call.spelling, answer));
    }

    /// A boot step asks.
    pub(super) fn on_ask(&mut self, ask: Ask) {
        match ask {
            Ask::Say(line) => self.console.tell(SAY, &line),
            Ask::Alone(tell) => {
                self.alone.push(tell);
                self.sweep();
            }
            Ask::Run { argv, output, started } => {
                let result = self.start_tool(&argv, output.as_fd());
                // The step that asked gave up meanwhile; its program is reaped all the same.
                drop(started.send(result));
            }
        }
    }

    fn start_tool(
        &mut self,
        argv: &[Vec<u8>],
        output: std::os::fd::BorrowedFd<'_>,
    ) -> Result<Started, SpawnError> {
        let socket = &self.engine.control_settings().socket;
        let env: [(&[u8], &[u8]); 3] = [
            (b"PATH", super::environment::PATH.as_bytes()),
            (b"LANG", b"C.UTF-8"),
            // Some give orders to finit.
            (b"FINIT_SOCKET", socket.as_os_str().as_bytes()),
        ];
        let limits = self.limits(&[]);
        let plan = Plan::new(&Launch {
            argv,
            path: super::environment::PATH.as_bytes(),
            env: &env,
            stdout: Some(output),
            stderr: Some(output),
            limits: &limits,
            ..Launch::default()
        })?;
        let spawned = spawn::spawn(plan)?;
        let pid = spawned.pid;
        let (tell, exit) = tokio::sync::oneshot::channel();
        self.reaper.adopt(spawned, Owner::Future(tell));
        Ok(Started { pid, exit })
    }

    /// The services are down: the rest of the shutdown is a future of its own, while the loop
    /// goes on reaping and talking.
    pub(super) fn finish(&mut self, how: Power) {
        self.finish_logs();
        let how = last_word(how);
        let (mut context, hand) = (self.context.clone(), self.hand.clone());
        context.boot.skip.extend(self.engine.spared());
        let spec = self.engine.shutdown_settings().clone();
        let left = self.engine.shutdown_left(time::now());
        self.beside(async move {
            let kernel = boot::shutdown::Real;
            let errno = boot::shutdown::finish(how, &spec, &context, left, &hand, &kernel).await;
            boot::Tools::say(&hand, &format!("reboot(2): {errno}"));
            reboot::leave();
        });
    }
}

/// What the kernel is told in the end.
fn last_word(how: Power) -> How {
    match how {
        Power::Poweroff => How::Poweroff,
        Power::Reboot => How::Restart,
        Power::Halt => How::Halt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a namespace, where other tests are, to halt and to power off are the same.
    #[test]
    fn each_end_of_the_machine_is_its_own() {
        let ends = [Power::Poweroff, Power::Reboot, Power::Halt].map(last_word);
        assert_eq!(ends, [How::Poweroff, How::Restart, How::Halt]);
    }
}
