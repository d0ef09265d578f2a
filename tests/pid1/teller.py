#!/usr/bin/python3
"""A service that tells what it is told to tell, through libsystemd itself.

teller.py FOLDER: orders come line by line through the FIFO FOLDER/orders, FOLDER/given holds what
it was handed at its start, and after each order its number is written to FOLDER/done.
"""
import ctypes
import os
import signal
import socket
import stat
import sys

lib = ctypes.CDLL("libsystemd.so.0")
folder = sys.argv[1]
workers = []
clients = []


def notify(text):
    return lib.sd_notify(0, text.replace(";", "\n").encode())


def store(fd, name, more=""):
    fds = (ctypes.c_int * 1)(fd)
    text = f"FDSTORE=1\nFDNAME={name}\n{more}".encode()
    return lib.sd_pid_notify_with_fds(0, 0, text, fds, 1)


def keep(name, content):
    fd = os.memfd_create(name)
    os.write(fd, content.encode())
    store(fd, name)
    os.close(fd)


def accept(name="", more=""):
    """Makes FOLDER/socket, then takes its next client: it is kept, and stays open here too."""
    if not clients:
        clients.append(socket.socket(socket.AF_UNIX))
        clients[0].bind(folder + "/socket")
        clients[0].listen()
        return
    clients.append(clients[0].accept()[0])
    store(clients[-1].fileno(), name, more)


def content(fd):
    return "a socket" if stat.S_ISSOCK(os.fstat(fd).st_mode) else os.pread(fd, 100, 0).decode()


def given():
    """Names and contents of the descriptors, and what the watchdog asks for."""
    names = ctypes.POINTER(ctypes.c_char_p)()
    count = lib.sd_listen_fds_with_names(0, ctypes.byref(names))
    parts = [f"{names[i].decode()}={content(3 + i)}" for i in range(count)]
    usec = ctypes.c_uint64()
    on = lib.sd_watchdog_enabled(0, ctypes.byref(usec))
    return " ".join(parts) + f" watchdog={usec.value if on > 0 else 'off'}"


def child(act):
    """Runs it in a child that ends at once; its number."""
    pid = os.fork()
    if pid == 0:
        act()
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def successor():
    """A child that lives on; this process ends once it is known."""
    pid = os.fork()
    if pid:
        notify(f"MAINPID={pid}")
        lib.sd_notify_barrier(0, ctypes.c_uint64(5_000_000))
        os._exit(0)


def worker(reaps):
    """A child that is the main process while this one lives on, and asks how it ended or not."""
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        while True:
            signal.pause()
    if reaps:
        workers.append(pid)
    notify(f"MAINPID={pid}")


def reap(*_):
    for pid in workers[:]:
        if os.waitpid(pid, os.WNOHANG)[0]:
            workers.remove(pid)


def swap(times):
    """The main process is a child and this one in turns."""
    for _ in range(int(times)):
        worker(True)
        pid = workers.pop()
        obey("barrier", "")
        notify(f"MAINPID={os.getpid()}")
        obey("barrier", "")
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def bus(name):
    address = ctypes.c_void_p()
    assert lib.sd_bus_open_system(ctypes.byref(address)) >= 0
    lib.sd_bus_request_name.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint64]
    assert lib.sd_bus_request_name(address, name.encode(), 0) >= 0


def obey(word, rest):
    if word == "tell":
        notify(rest)
    elif word == "shell":
        assert os.system(rest) == 0
    elif word == "child":
        child(lambda: notify(rest))
    elif word == "keep":
        keep(*rest.split("=", 1))
    elif word == "again":
        assert store(3, rest) > 0
    elif word == "accept":
        accept(*rest.split())
    elif word == "barrier":
        assert lib.sd_notify_barrier(0, ctypes.c_uint64(10_000_000)) >= 0
    elif word == "successor":
        successor()
    elif word in ("worker", "zombie"):
        worker(word == "worker")
    elif word == "swap":
        swap(rest)
    elif word == "bus":
        bus(rest)
    elif word == "end":
        notify(rest)
        os._exit(0)


signal.signal(signal.SIGCHLD, reap)
os.makedirs(folder, exist_ok=True)
with open(folder + "/given.new", "w") as file:
    file.write(given())
os.rename(folder + "/given.new", folder + "/given")
if not os.path.exists(folder + "/orders"):
    os.mkfifo(folder + "/orders")
number = 0
# Open for both, so that it never ends.
with open(os.open(folder + "/orders", os.O_RDWR)) as orders:
    with open(folder + "/ready", "w") as file:
        file.write(str(os.getpid()))
    for line in orders:
        word, _, rest = line.strip().partition(" ")
        obey(word, rest)
        number += 1
        with open(folder + "/done", "a") as file:
            file.write(f"{os.getpid()} {line}")
