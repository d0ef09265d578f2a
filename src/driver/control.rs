//! `/run/initctl`: who is there, and lines in and out. Clients are tasks of their own that parse
//! bytes and nothing else; what they ask goes through one bounded queue to the loop.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader, Interest, ReadBuf,
};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};
use tokio::task::{AbortHandle, yield_now};
use tokio::time::{sleep, timeout};

use crate::engine::{Access, Peer, needed};
use crate::facts::Errno;
use crate::os::{closing, proc, socket};
use crate::proto::frame::{self, Answer, MAX_LINE, Spelling};
use crate::proto::{Code, Refusal, Request};

/// Clients at a time, of whom a few places are kept for root.
const CLIENTS: usize = 64;
const FOR_ROOT: usize = 2;
const EACH_USER: usize = 8;
/// How long nobody is taken in while too many children close what others gave.
const CROWDED: Duration = Duration::from_millis(100);
/// How long a begun line may take.
const LINE: Duration = Duration::from_secs(5);
/// How long a client may take nothing of an answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Answers that wait for a client: there is room for what one order makes of a thousand services.
const ANSWERS: usize = 4096;

/// A request and the way back.
#[derive(Debug)]
pub struct Call {
    /// Who asks.
    pub peer: Peer,
    /// When its process began, as [`proc::Process`] has it; none if it was gone already, or if it
    /// only looks.
    pub began: Option<u64>,
    /// What.
    pub request: Request,
    /// Whether it will wait for what comes of it.
    pub wait: bool,
    /// How it was written.
    pub spelling: Spelling,
    /// Where its answers go, ready to be sent.
    pub answers: mpsc::Sender<String>,
}

/// Which group may bring the machine down.
pub type PowerGroup = Option<u32>;

/// Has an answer go out, as soon as there is room: nothing that a client waits for is lost. Who
/// waits that long asks nothing else meanwhile, so that these are few.
pub fn answer(answers: &mpsc::Sender<String>, text: String) {
    if let Err(TrySendError::Full(text)) = answers.try_send(text) {
        let answers = answers.clone();
        tokio::spawn(async move {
            // A client that is gone misses its answer.
            let _gone = answers.send(text).await;
        });
    }
}

/// What all clients have copies of.
#[derive(Debug, Clone, Default)]
pub struct Clients {
    /// With each for as long as it is there.
    present: Arc<()>,
    /// Has them leave.
    leave: Arc<Notify>,
}

impl Clients {
    /// How many copies there are besides this one.
    pub fn count(&self) -> usize {
        Arc::strong_count(&self.present).saturating_sub(1)
    }

    /// What they say from now on is heard no more; what they have asked is answered still.
    pub fn hear_no_more(&self) {
        self.leave.notify_waiters();
    }
}

/// Accepts clients until the listener is closed by dropping the task.
pub async fn serve(
    listener: OwnedFd,
    power: PowerGroup,
    calls: mpsc::Sender<Call>,
    clients: Clients,
) {
    let listener = std::os::unix::net::UnixListener::from(listener);
    let Ok(listener) = UnixListener::from_std(listener) else { return };
    // One weak reference a client: how many there are is counted, not remembered.
    let mut guests: Vec<(u32, Weak<Notify>)> = Vec::new();
    loop {
        // Each may bring what takes for ever to close: who came before is heard first, and while
        // too many children close, nobody is taken in. Whoever is here goes on.
        yield_now().await;
        while closing::are_many() {
            sleep(CROWDED).await;
        }
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                pause_after(&error).await;
                continue;
            }
        };
        let Ok(peer) = identify(&stream, power) else { continue };
        guests.retain(|(_, guest)| guest.strong_count() > 0);
        let same = guests.iter().filter(|(uid, _)| *uid == peer.uid).count();
        let most = if peer.uid == 0 { CLIENTS } else { CLIENTS.saturating_sub(FOR_ROOT) };
        let crowded = guests.len() >= most || (peer.uid != 0 && same >= EACH_USER);
        let taken = Arc::new(Notify::new());
        guests.push((peer.uid, Arc::downgrade(&taken)));
        if crowded {
            tokio::spawn(turn_away(stream));
        } else {
            let (reader, writer) = stream.into_split();
            let (answers, outgoing) = mpsc::channel(ANSWERS);
            let (answered, present) = (Arc::clone(&taken), Arc::clone(&clients.present));
            let answering = tokio::spawn(async move {
                write_answers(writer, outgoing, answered).await;
                drop(present);
            });
            let answering = answering.abort_handle();
            let guest = Guest { peer, began: None, calls: calls.clone(), answers };
            tokio::spawn(read_requests(
                reader,
                guest,
                taken,
                answering,
                Arc::clone(&clients.leave),
            ));
        }
    }
}

/// Descriptors may be spent; the listener stays ready, so a rest keeps PID 1 from spinning.
async fn pause_after(error: &io::Error) {
    if error.kind() != io::ErrorKind::ConnectionAborted {
        sleep(Duration::from_millis(100)).await;
    }
}

/// Who is there, and what that one may do. The kernel says it, of the moment of connect(2).
fn identify(stream: &UnixStream, power: PowerGroup) -> Result<Peer, Errno> {
    let credentials = socket::peer_credentials(stream.as_fd())?;
    let groups = || {
        let mut groups = socket::peer_groups(stream.as_fd());
        groups.push(credentials.gid);
        groups
    };
    let access = match power {
        _ if credentials.uid == 0 => Access::Everything,
        Some(group) if groups().contains(&group) => Access::Power,
        _ => Access::Look,
    };
    Ok(Peer { uid: credentials.uid, pid: credentials.pid, command: String::new(), access })
}

/// What a client says, and nothing else. Descriptors that come along are for nobody: they are
/// closed where that holds nobody up, and who sent them is heard no more.
struct Words(OwnedReadHalf);

impl AsyncRead for Words {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream: &UnixStream = self.0.as_ref();
        loop {
            ready!(stream.poll_read_ready(context))?;
            let room = buffer.initialize_unfilled();
            match stream.try_io(Interest::READABLE, || hear(stream, room)) {
                Ok(count) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

fn hear(stream: &UnixStream, room: &mut [u8]) -> io::Result<usize> {
    let said = socket::receive(stream.as_fd(), room);
    let said = said.map_err(|errno| io::Error::from_raw_os_error(errno.0))?;
    let said = said.ok_or(io::ErrorKind::WouldBlock)?;
    if said.fds.is_empty() {
        return Ok(said.length);
    }
    closing::aside(said.fds);
    Err(io::ErrorKind::InvalidData.into())
}

/// Ends a conversation: what was sent and is not heard any more goes with the connection, and the
/// descriptors in it are not to be closed by us.
pub fn leave(stream: BorrowedFd<'_>) {
    socket::hear_no_more(stream);
    let mut room = [0; 4096];
    let mut fds = Vec::new();
    while let Ok(Some(said)) = socket::receive(stream, &mut room) {
        if said.length == 0 && said.fds.is_empty() {
            break;
        }
        fds.extend(said.fds);
    }
    // One child for all of them.
    closing::aside(fds);
}

async fn turn_away(mut stream: UnixStream) {
    let line = to_unheard(Refusal::new(Code::Busy, "too many clients").hint("try again"));
    // Whoever does not read it has lost nothing.
    let _unread = timeout(ANSWER, stream.write_all(line.as_bytes())).await;
    leave(stream.as_fd());
}

/// The line for a client who was not heard: how it would have asked is not known, and finitctl must
/// understand it.
pub fn to_unheard(refusal: Refusal) -> String {
    frame::encode_answer(&Spelling::Json(Value::Null), &Answer::Refused(refusal))
}

/// A client, and the ways to the loop and back.
struct Guest {
    peer: Peer,
    /// When its process began, once that was asked.
    began: Option<u64>,
    calls: mpsc::Sender<Call>,
    answers: mpsc::Sender<String>,
}

impl Guest {
    /// Finds out what its process is called and when it began, before the first request that is
    /// remembered or waited for. Whoever only looks is asked for neither, and a look into /proc
    /// would be a fifth of the time that its answer takes.
    fn find_process(&mut self, request: &Request) {
        if needed(request) == Access::Look || self.began.is_some() {
            return;
        }
        if let Some(process) = proc::process(self.peer.pid) {
            self.peer.command = String::from_utf8_lossy(&process.name).into_owned();
            self.began = Some(process.began);
        }
    }
}

/// Hears a client until it closes its side, or has to leave. Who is gone altogether waits for no
/// answer either, and leaves its place to another.
async fn read_requests(
    reader: OwnedReadHalf,
    guest: Guest,
    taken: Arc<Notify>,
    answering: AbortHandle,
    leaves: Arc<Notify>,
) {
    let mut reader = BufReader::with_capacity(1024, Words(reader));
    {
        let (mut talk, mut end) =
            (pin!(converse(&mut reader, guest, taken)), pin!(leaves.notified()));
        poll_fn(|cx| match end.as_mut().poll(cx) {
            Poll::Pending => talk.as_mut().poll(cx),
            left => left,
        })
        .await;
    }
    let stream: &UnixStream = reader.get_ref().0.as_ref();
    leave(stream.as_fd());
    if socket::is_hung_up(stream.as_fd()) {
        answering.abort();
    }
}

/// Lines of a client, one after the other. None is read while answers wait to be taken: they are
/// longer than questions, and who asks may never read.
async fn converse(reader: &mut BufReader<Words>, mut guest: Guest, taken: Arc<Notify>) {
    while let Some(line) = read_line(reader).await {
        let call = match line.map(|line| frame::decode(&line)) {
            Ok(Ok(call)) => call,
            Ok(Err((spelling, refusal))) => {
                let text = frame::encode_answer(&spelling, &Answer::Refused(refusal));
                if guest.answers.send(text).await.is_err() {
                    break;
                }
                continue;
            }
            Err(why) => {
                let refusal = Refusal::new(Code::BadRequest, why);
                let text = frame::encode_answer(&Spelling::Words, &Answer::Refused(refusal));
                // The connection ends here, whether this arrives or not.
                let _end = guest.answers.send(text).await;
                break;
            }
        };
        let frame::Call { request, spelling, wait } = call;
        guest.find_process(&request);
        let (peer, began, way) = (guest.peer.clone(), guest.began, guest.answers.clone());
        let call = Call { peer, began, request, wait, spelling, answers: way };
        if guest.calls.send(call).await.is_err() {
            break;
        }
        let answers = &guest.answers;
        while answers.capacity() < answers.max_capacity() && !answers.is_closed() {
            taken.notified().await;
        }
    }
}

/// The next line; none at the end, an error for one that is too long, too slow or no text.
async fn read_line(reader: &mut BufReader<Words>) -> Option<Result<String, &'static str>> {
    // A client may be silent between two lines for as long as it likes.
    if reader.fill_buf().await.ok()?.is_empty() {
        return None;
    }
    let mut line = Vec::new();
    let most = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
    let mut limited = reader.take(most);
    match timeout(LINE, limited.read_until(b'\n', &mut line)).await {
        Err(_) => return Some(Err("the line took too long")),
        Ok(Err(_)) => return None,
        Ok(Ok(count)) if count >= MAX_LINE && line.last() != Some(&b'\n') => {
            return Some(Err("the line is longer than 64 KiB"));
        }
        // Half an order may be another one: `stop db` of `stop db-replica`.
        Ok(Ok(_)) if line.last() != Some(&b'\n') => {
            return Some(Err("the line does not end with a newline"));
        }
        Ok(Ok(_)) => {}
    }
    Some(String::from_utf8(line).map_err(|_| "the line is not UTF-8"))
}

/// Sends answers as they come. Ends when nobody can send any more, or when the client is gone.
async fn write_answers(
    mut writer: OwnedWriteHalf,
    mut outgoing: mpsc::Receiver<String>,
    taken: Arc<Notify>,
) {
    while let Some(text) = outgoing.recv().await {
        if write(&mut writer, text.as_bytes()).await.is_err() {
            break;
        }
        taken.notify_one();
    }
    drop(outgoing);
    taken.notify_one();
}

/// Writes all, as long as the client takes some of it now and then.
async fn write(writer: &mut OwnedWriteHalf, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = timeout(ANSWER, writer.write(bytes)).await??;
        bytes = bytes.get(count..).unwrap_or_default();
    }
    Ok(())
}
