//! What finit holds for a node outside the engine: its processes, group, pipe and sockets.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use super::groups::Way;
use super::notify::Pace;
use super::records::Mark;
use super::store::Stored;
use crate::config::spec::{ExecSpec, Stream};
use crate::engine::NodeId;
use crate::facts::Pid;
use crate::os::cgroup::Group;
use crate::os::fds;

/// What is held for one node.
#[derive(Default)]
pub struct Site {
    /// Its processes that we started and have not reaped, by generation. Each leads a session
    /// and a group of its own, but for a main process that it named itself.
    pub runs: Few<Pid>,
    /// Its control group.
    pub group: Option<Group>,
    /// How its next process gets into that.
    pub way: Way,
    /// Its log pipe; both ends, for ever.
    pub pipe: Option<(OwnedFd, OwnedFd)>,
    /// The definition by which the log writer was told where that, and the pipe of its stderr,
    /// leads.
    pub told: Option<Rc<ExecSpec>>,
    /// Its sockets.
    pub sockets: Vec<OwnedFd>,
    /// What few have.
    rare: Option<Box<Rare>>,
    /// Whether connections are to be told.
    pub watched: bool,
}

/// What is held for some nodes: nothing of it takes room where there is nothing.
#[derive(Debug, Default)]
pub struct Rare {
    /// Those of its processes that are another's children, which alone is told how they end.
    pub foreign: Few<OwnedFd>,
    /// Sessions of its processes that are reaped but may have members still, where there is
    /// no control group to tell.
    pub sessions: Vec<Pid>,
    /// By which it tells of itself.
    pub notify: Option<OwnedFd>,
    /// How much it has told lately.
    pub pace: Pace,
    /// Descriptors came by it that a child had to close.
    pub hoards: bool,
    /// The pipe for the line of a run, by its generation.
    pub line: Option<(u32, OwnedFd)>,
    /// Descriptors that it gave to be kept for its next start.
    pub kept: Vec<Stored>,
    /// The last number of those that are watched.
    pub last_kept: u32,
    /// What its files of variables said last.
    pub variables: Vec<(String, String)>,
    /// The number of the user that it has for itself, or had last.
    pub own_user: Option<u32>,
    /// What records of its processes go by.
    pub marks: Few<Mark>,
    /// The log pipe of its stderr; both ends, as of the other.
    pub errors: Option<(OwnedFd, OwnedFd)>,
}

/// Where there is nothing.
static NOTHING: Rare = Rare {
    foreign: Few::None,
    sessions: Vec::new(),
    notify: None,
    pace: Pace::NONE,
    hoards: false,
    line: None,
    kept: Vec::new(),
    last_kept: 0,
    variables: Vec::new(),
    own_user: None,
    marks: Few::None,
    errors: None,
};

impl Site {
    /// Its log pipe for a stream, if it has one.
    pub fn pipe_of(&self, stream: Stream) -> Option<&(OwnedFd, OwnedFd)> {
        match stream {
            Stream::Output => self.pipe.as_ref(),
            Stream::Errors => self.rare().errors.as_ref(),
        }
    }

    /// Where what the next process says goes. One before it may have set O_NONBLOCK, which is the
    /// pipe's and not the process's: a full pipe would then cost the next one its lines.
    pub fn output(&self, stream: Stream) -> Option<BorrowedFd<'_>> {
        let write = self.pipe_of(stream)?.1.as_fd();
        // There is no error for a pipe that is open.
        let _set = fds::set_nonblocking(write, false);
        Some(write)
    }

    /// What few have, to look at.
    pub fn rare(&self) -> &Rare {
        self.rare.as_deref().unwrap_or(&NOTHING)
    }

    /// The same to put something in.
    pub fn make_rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Puts all of it in place of what is there, if it is anything.
    pub fn set_rare(&mut self, rare: Rare) {
        let Rare {
            foreign,
            sessions,
            notify,
            pace: _,
            hoards: _,
            line,
            kept,
            last_kept: _,
            variables,
            own_user,
            marks,
            errors,
        } = &rare;
        let nothing = foreign.is_empty()
            && sessions.is_empty()
            && notify.is_none()
            && line.is_none()
            && kept.is_empty()
            && variables.is_empty()
            && own_user.is_none()
            && marks.is_empty()
            && errors.is_none();
        self.rare = (!nothing).then(|| Box::new(rare));
    }

    /// The same to take something out.
    pub fn rare_mut(&mut self) -> Option<&mut Rare> {
        self.rare.as_deref_mut()
    }

    /// Forgets sessions without members.
    pub fn review_sessions(&mut self, has_members: impl Fn(Pid) -> bool) {
        if let Some(rare) = &mut self.rare {
            rare.sessions.retain(|leader| has_members(*leader));
        }
    }
}

/// A map by generation of the few that there are at a time: most services have one process, and
/// a thousand of them a thousand of these.
#[derive(Debug, Default)]
pub enum Few<T> {
    /// None.
    #[default]
    None,
    /// As usual.
    One([(u32, T); 1]),
    /// At least one.
    Many(Vec<(u32, T)>),
}

impl<T> Few<T> {
    /// That of a run.
    pub fn get(&self, generation: &u32) -> Option<&T> {
        self.iter().find(|(known, _)| known == &generation).map(|(_, one)| one)
    }

    /// Puts one in, and gives the one that it takes the place of.
    pub fn insert(&mut self, generation: u32, one: T) -> Option<T> {
        let former = self.remove(&generation);
        let one = (generation, one);
        *self = match std::mem::take(self) {
            Self::None => Self::One([one]),
            Self::One([first]) => Self::Many(vec![first, one]),
            Self::Many(mut many) => {
                many.push(one);
                Self::Many(many)
            }
        };
        former
    }

    /// Takes one out.
    pub fn remove(&mut self, generation: &u32) -> Option<T> {
        let at = self.iter().position(|(known, _)| known == generation)?;
        match std::mem::take(self) {
            Self::None => None,
            Self::One([(_, one)]) => Some(one),
            Self::Many(mut many) => {
                let (_, one) = many.swap_remove(at);
                if !many.is_empty() {
                    *self = Self::Many(many);
                }
                Some(one)
            }
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    /// All, in no order.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.iter().map(|(_, one)| one)
    }

    /// All with their generations.
    pub fn iter(&self) -> impl Iterator<Item = (&u32, &T)> {
        let all: &[(u32, T)] = match self {
            Self::None => &[],
            Self::One(one) => one,
            Self::Many(many) => many,
        };
        all.iter().map(|(generation, one)| (generation, one))
    }
}

impl<T> FromIterator<(u32, T)> for Few<T> {
    fn from_iter<I: IntoIterator<Item = (u32, T)>>(all: I) -> Self {
        let mut few = Self::None;
        for (generation, one) in all {
            few.insert(generation, one);
        }
        few
    }
}

/// All of them, by node.
#[derive(Default)]
pub struct Sites(Vec<Site>);

impl Sites {
    /// That of a node, made if it is new.
    pub fn of(&mut self, node: NodeId) -> Option<&mut Site> {
        let index = usize::try_from(node.number()).ok()?;
        if index >= self.0.len() {
            self.0.resize_with(index.checked_add(1)?, Site::default);
        }
        self.0.get_mut(index)
    }

    /// That of a node, if there is one.
    pub fn get(&self, node: NodeId) -> Option<&Site> {
        self.0.get(usize::try_from(node.number()).ok()?)
    }

    /// Gives back the room that growing has left.
    pub fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }

    /// All with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Site)> {
        (0u32..).map(NodeId::from_number).zip(&self.0)
    }
}
