//! Listening, accepting, receiving: sockets as services are given them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail"
)]
#![allow(unsafe_code, reason = "a test may speak to the kernel")]
#![allow(missing_docs, reason = "the names of tests say it")]
#![allow(dead_code, reason = "the helpers are shared")]

#[path = "helpers/os.rs"]
mod helpers;

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;

use finit::facts::Errno;
use finit::os::socket::{Endpoint, Internet, Options, bind};
use finit::os::{fds, host, socket};
use helpers::{Folder, alone, need_root, own_descriptors, until};

#[test]
fn tcp_listens_on_both_families_and_says_who_connects() {
    let _alone = alone();
    host::loopback_up().ok();
    let listener = bind(&Endpoint::Tcp(Internet::Port(0)), &Options::default()).unwrap();
    assert_eq!(socket::accept(listener.as_fd()).unwrap().map(drop), None);
    let listener = std::net::TcpListener::from(listener);
    let port = listener.local_addr().unwrap().port();
    for to in ["127.0.0.1", "::1"] {
        let Ok(mut client) =
            std::net::TcpStream::connect((to.parse::<std::net::IpAddr>().unwrap(), port))
        else {
            assert_ne!(to, "127.0.0.1");
            continue;
        };
        let (fd, from) = until("a connection", || socket::accept(listener.as_fd()).unwrap());
        assert_eq!(from.unwrap().port(), client.local_addr().unwrap().port());
        fds::write(fd.as_fd(), b"hi").unwrap();
        let mut bytes = [0; 2];
        client.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"hi");
        // Non-blocking from birth.
        assert_eq!(fds::read(fd.as_fd(), &mut bytes), Err(Errno(libc::EAGAIN)));
    }
    let taken = Internet::Port(port);
    assert_eq!(
        bind(&Endpoint::Tcp(taken), &Options::default()).err(),
        Some(Errno(libc::EADDRINUSE))
    );
    let address = "192.0.2.1:9".parse().unwrap();
    let endpoint = Endpoint::Udp(Internet::Address(address));
    assert_eq!(bind(&endpoint, &Options::default()).err(), Some(Errno(libc::EADDRNOTAVAIL)));
    let options = Options { freebind: true, ..Options::default() };
    assert!(bind(&endpoint, &options).is_ok());
}

#[test]
fn a_socket_file_has_its_mode_and_replaces_only_a_socket() {
    let _alone = alone();
    need_root();
    let folder = Folder::new("socket");
    let path = folder.0.join("s");
    let endpoint = Endpoint::UnixStream(path.clone());
    let options = Options { mode: 0o642, gid: Some(77), ..Options::default() };
    let first = bind(&endpoint, &options).unwrap();
    let meta = fs::metadata(&path).unwrap();
    assert_eq!(meta.mode() & 0o7777, 0o642);
    assert_eq!(meta.gid(), 77);
    drop(first);
    let listener = bind(&endpoint, &options).unwrap();
    let _client = UnixStream::connect(&path).unwrap();
    let (fd, from) = socket::accept(listener.as_fd()).unwrap().unwrap();
    assert_eq!(from, None);
    let peer = socket::peer_credentials(fd.as_fd()).unwrap();
    assert_eq!(peer.pid.unsigned_abs(), std::process::id());
    assert_eq!(peer.uid, nix::unistd::getuid().as_raw());
    let groups: Vec<u32> = nix::unistd::getgroups().unwrap().iter().map(|g| g.as_raw()).collect();
    assert_eq!(socket::peer_groups(fd.as_fd()), groups);
    socket::unlink(&endpoint);
    assert!(!path.exists());
    fs::write(&path, "precious").unwrap();
    socket::unlink(&endpoint);
    assert_eq!(bind(&endpoint, &options).err(), Some(Errno(libc::EADDRINUSE)));
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    let long = Endpoint::UnixStream(folder.0.join("x".repeat(120)));
    assert_eq!(bind(&long, &options).err(), Some(Errno(libc::ENAMETOOLONG)));
}

#[test]
fn names_without_a_file_and_fifos_work() {
    let _alone = alone();
    let name = PathBuf::from(format!("@finit-test-{}", std::process::id()));
    let listener = bind(&Endpoint::UnixSeqpacket(name.clone()), &Options::default()).unwrap();
    assert!(bind(&Endpoint::UnixSeqpacket(name), &Options::default()).is_err());
    drop(listener);
    let folder = Folder::new("fifo");
    let path = folder.0.join("f");
    let options = Options { mode: 0o600, ..Options::default() };
    let fifo = bind(&Endpoint::Fifo(path.clone()), &options).unwrap();
    assert!(fs::metadata(&path).unwrap().file_type().is_fifo());
    fs::OpenOptions::new().write(true).open(&path).unwrap().write_all(b"x").unwrap();
    let mut bytes = [0; 4];
    assert_eq!(fds::read(fifo.as_fd(), &mut bytes), Ok(1));
    assert_eq!(fds::read(fifo.as_fd(), &mut bytes), Err(Errno(libc::EAGAIN)), "it never ends");
}

#[test]
fn the_control_socket_replaces_a_stale_one_and_nothing_else() {
    let _alone = alone();
    let folder = Folder::new("control");
    let path = folder.0.join("initctl");
    drop(socket::control_socket(&path, 0o600).unwrap());
    let socket = socket::control_socket(&path, 0o660).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "no temporary name is left");
    let client = socket::connect(&path).unwrap();
    assert!(socket::accept(socket.as_fd()).unwrap().is_some());
    drop(client);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "precious").unwrap();
    assert_eq!(socket::control_socket(&path, 0o600).err(), Some(Errno(libc::EEXIST)));
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

#[test]
fn datagrams_come_with_their_sender_and_leave_no_descriptors() {
    let _alone = alone();
    let folder = Folder::new("notify");
    let path = folder.0.join("notify");
    let ours = bind(&Endpoint::UnixDatagram(path.clone()), &Options::default()).unwrap();
    socket::pass_credentials(ours.as_fd()).unwrap();
    let client = UnixDatagram::unbound().unwrap();
    client.connect(&path).unwrap();
    let mut buffer = [0; 64];
    assert!(socket::receive(ours.as_fd(), &mut buffer).unwrap().is_none());
    client.send(b"READY=1").unwrap();
    let got = socket::receive(ours.as_fd(), &mut buffer).unwrap().unwrap();
    assert_eq!((&buffer[..got.length], got.cut), (b"READY=1".as_slice(), false));
    assert_eq!(got.sender.unwrap().pid.unsigned_abs(), std::process::id());
    client.send(&[b'x'; 100]).unwrap();
    let got = socket::receive(ours.as_fd(), &mut buffer).unwrap().unwrap();
    assert_eq!((got.length, got.cut), (64, true));

    let file = fds::memfd("sent").unwrap();
    let send = |count: usize| {
        let numbers = vec![file.as_raw_fd(); count];
        let rights = [nix::sys::socket::ControlMessage::ScmRights(&numbers)];
        let bytes = [std::io::IoSlice::new(b"FDSTORE=1")];
        let flags = nix::sys::socket::MsgFlags::empty();
        nix::sys::socket::sendmsg::<()>(client.as_raw_fd(), &bytes, &rights, flags, None).unwrap();
    };
    let before = own_descriptors();
    send(253);
    let got = socket::receive(ours.as_fd(), &mut buffer).unwrap().unwrap();
    assert_eq!((got.fds.len(), got.cut), (253, false));
    assert!(got.fds.iter().all(|fd| fd.as_raw_fd() > 2));
    drop(got);
    assert_eq!(own_descriptors(), before);

    // Out of descriptors in the midst of them: those that came through are ours, and close.
    let limit = nix::sys::resource::Resource::RLIMIT_NOFILE;
    let (soft, hard) = nix::sys::resource::getrlimit(limit).unwrap();
    let highest = fds::dup(file.as_fd()).unwrap().as_raw_fd();
    send(50);
    nix::sys::resource::setrlimit(limit, u64::try_from(highest).unwrap() + 10, hard).unwrap();
    let got = socket::receive(ours.as_fd(), &mut buffer).unwrap().unwrap();
    nix::sys::resource::setrlimit(limit, soft, hard).unwrap();
    assert!(got.cut);
    assert!(!got.fds.is_empty() && got.fds.len() < 50);
    drop(got);
    assert_eq!(own_descriptors(), before);
}
