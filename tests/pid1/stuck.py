#!/usr/bin/python3
"""A file system of a user: its one file can be opened, and polled once; whoever asks for more waits
for ever.

stuck.py FOLDER USER: mounts it at FOLDER; FOLDER.mounted is there once it can be used.
"""
import ctypes
import os
import struct
import sys

LOOKUP, GETATTR, OPEN, INIT, POLL = 1, 3, 14, 26, 40
polled = False
folder, user = sys.argv[1], int(sys.argv[2])

if not os.path.exists("/dev/fuse"):
    os.mknod("/dev/fuse", 0o020600, os.makedev(10, 229))
fuse = os.open("/dev/fuse", os.O_RDWR)
os.mkdir(folder)
words = b"fd=%d,rootmode=40000,user_id=%d,group_id=%d" % (fuse, user, user)
assert ctypes.CDLL(None).mount(b"stuck", folder.encode(), b"fuse", 0, words) == 0
os.mkdir(folder + ".mounted")


def attributes(node):
    mode = 0o040755 if node == 1 else 0o100666
    return struct.pack("<6Q10I", node, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, user, user, 0, 4096, 0)


while True:
    request = os.read(fuse, 1 << 20)
    _, what, unique, node = struct.unpack_from("<IIQQ", request)
    if what == INIT:
        body = struct.pack("<IIIIHHIIHHI7I", 7, 31, 0, 0, 12, 9, 4096, 1, 0, 0, *[0] * 8)
    elif what == LOOKUP:
        body = struct.pack("<QQQQII", 2, 0, 3600, 3600, 0, 0) + attributes(2)
    elif what == GETATTR:
        body = struct.pack("<QII", 3600, 0, 0) + attributes(node)
    elif what == OPEN:
        body = struct.pack("<QII", 1, 0, 0)
    elif what == POLL and not polled:
        body, polled = struct.pack("<II", 0, 0), True
    else:
        continue
    os.write(fuse, struct.pack("<IiQ", 16 + len(body), 0, unique) + body)
