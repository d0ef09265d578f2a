"""caller.py FROM TO PORT FILE: a connection that stays. What is heard on it goes to FILE."""

import socket
import sys

source, target, port, path = sys.argv[1:]
line = socket.create_connection((target, int(port)), source_address=(source, 0))
with open(path, "w", buffering=1) as book:
    book.write("connected\n")
    for said in line.makefile():
        book.write(said)
    book.write("closed\n")
