//! The log writer with this test in the place of PID 1.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread;

use finit::logger::{Kept, Message, Output, Target, packets};
use finit::os::passing::send_with_fds;
use nix::fcntl::OFlag;
use nix::mount::umount;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo, pipe2};

/// PID 1 as far as logs go.
pub struct Init {
    root: PathBuf,
    pub directory: PathBuf,
    kept: Kept,
    pub max_size: u64,
    pub keep: u32,
    pub writable: bool,
    pipes: Vec<(Output, OwnedFd, File)>,
    pub writer: Option<(OwnedFd, Child)>,
}

impl Init {
    pub fn new(test: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("finit-{test}-{}", std::process::id()));
        let _old = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let (root, kept) = (directory.clone(), Kept::make().unwrap());
        let (max_size, keep, writable) = (64 << 20, 4, true);
        Self { root, directory, kept, max_size, keep, writable, pipes: Vec::new(), writer: None }
    }

    /// Adds a service and gives its end of the pipe.
    pub fn service(&mut self, name: &str, target: Target) -> File {
        self.stream(Output { name: name.to_owned(), target, ..Output::default() })
    }

    /// The same of one stream of a service.
    pub fn stream(&mut self, output: Output) -> File {
        let (out, into) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let ours = File::from(into);
        let theirs = ours.try_clone().unwrap();
        self.pipes.push((output, out, ours));
        theirs
    }

    /// A service whose lines go to a FIFO, and that FIFO.
    pub fn probe(&mut self, name: &str) -> (File, BufReader<File>) {
        let path = self.directory.join(format!("{name}.fifo"));
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        let reader = File::options().read(true).write(true).open(&path).unwrap();
        let target = Target::File(path.to_str().unwrap().to_owned());
        (self.service(name, target), BufReader::new(reader))
    }

    pub fn start(&mut self) {
        let kind = SockType::SeqPacket;
        let (ours, theirs) =
            socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC).unwrap();
        let mut writer = Command::new(env!("CARGO_BIN_EXE_finit"));
        let child = writer.arg("--log-writer").stdin(theirs).spawn().unwrap();
        self.writer = Some((ours, child));
        let directory = self.directory.to_str().unwrap().to_owned();
        let settings = Message::Settings { directory, max_size: self.max_size, keep: self.keep };
        let mut messages: Vec<(Message, Option<BorrowedFd<'_>>)> = self.kept.messages().into();
        messages.push((settings, None));
        for (id, (output, out, _)) in (0..).zip(&self.pipes) {
            messages.push((Message::Open { id, output: output.clone() }, Some(out.as_fd())));
        }
        if self.writable {
            messages.push((Message::Writable, None));
        }
        self.send(messages);
    }

    pub fn send(&self, messages: Vec<(Message, Option<BorrowedFd<'_>>)>) {
        let (socket, _) = self.writer.as_ref().unwrap();
        for packet in packets(messages) {
            // A driver waits for room; a test may ask again.
            while let Err(errno) = send_with_fds(socket.as_fd(), &packet.bytes, &packet.fds) {
                assert_eq!(errno, nix::errno::Errno::EAGAIN);
                thread::yield_now();
            }
        }
    }

    pub fn tell(&self, message: Message) {
        self.send(vec![(message, None)]);
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.writer.as_ref().unwrap().1.id()).unwrap())
    }

    pub fn kill(&mut self) {
        let (_, mut child) = self.writer.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub fn finish(&mut self) {
        self.tell(Message::Finish);
        let (_, mut child) = self.writer.take().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }

    /// Everything that a service has written before is handled once this returns.
    pub fn barrier(&self, id: u32, probe: &mut (File, BufReader<File>)) {
        self.tell(Message::Flush { id });
        probe.0.write_all(b"probe\n").unwrap();
        let mut line = String::new();
        probe.1.read_line(&mut line).unwrap();
        assert!(line.ends_with("probe\n"), "{line}");
    }

    /// The texts of a service's lines, oldest first, without their time.
    pub fn lines(&self, name: &str) -> Vec<String> {
        let path = |n: u32| match n {
            0 => self.directory.join(format!("{name}.log")),
            n => self.directory.join(format!("{name}.log.{n}")),
        };
        let texts = (0..=self.keep).rev().filter_map(|n| fs::read_to_string(path(n)).ok());
        let text: String = texts.collect();
        text.lines().map(|line| line.split_once("Z ").unwrap().1.to_owned()).collect()
    }
}

impl Drop for Init {
    fn drop(&mut self) {
        if let Some((_, child)) = &mut self.writer {
            let _gone = (child.kill(), child.wait());
        }
        let _not_mounted = umount(&self.root.join("disk"));
        let _gone = fs::remove_dir_all(&self.root);
    }
}
