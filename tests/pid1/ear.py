"""In the place of a syslog daemon and of the kernel's ring: what both hear goes to /out/heard."""

import os
import select
import socket

log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/dev/log")
os.mkfifo("/dev/kmsg")
# With both ends open it is never at its end.
ring = os.open("/dev/kmsg", os.O_RDWR)
heard = open("/out/heard", "a", buffering=1)
open("/out/ear", "w").close()
while True:
    for ready in select.select([log, ring], [], [])[0]:
        if ready is log:
            heard.write("syslog " + log.recv(65536).decode() + "|\n")
        else:
            for line in os.read(ring, 65536).decode().splitlines():
                heard.write("kmsg " + line + "|\n")
