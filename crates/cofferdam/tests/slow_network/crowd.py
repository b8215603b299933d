"""Many connections at once, which stand still: `crowd.py HOST PORT COUNT SENT_BYTES PATH [take]`.

Each sends a request (an upload of SENT_BYTES, if that is not 0) as far as it is taken, and reads nothing. When all are
made it makes the file `standing`, with how many could send all. Once there is a file `go`, with `take`, each reads until its end and the statuses are
counted: one line of JSON. Without `take`, and in the end, all are closed. A PATH of `-` is a tunnel: nothing is a request.
"""

import collections
import json
import os
import resource
import selectors
import socket
import sys
import time

PATIENCE_SECONDS = 90
WINDOW_BYTES = 4096

host, port, count, sent, path = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
method = "POST" if sent else "GET"
head = f"{method} {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {sent}\r\nConnection: close\r\n\r\n"
first = (b"" if path == "-" else head.encode()) + bytes(sent)


def begin(address):
    stream = socket.socket()
    for buffer in socket.SO_RCVBUF, socket.SO_SNDBUF:
        stream.setsockopt(socket.SOL_SOCKET, buffer, WINDOW_BYTES)
    stream.connect(address)
    stream.setblocking(False)
    return stream


def push(waiting):
    """Sends what is taken; nothing more is for half a second."""
    selector = selectors.DefaultSelector()
    for stream, rest in waiting.items():
        selector.register(stream, selectors.EVENT_WRITE, rest)
    while selector.get_map():
        ready = selector.select(0.5)
        if not ready:
            return
        for key, _ in ready:
            try:
                key.data[:] = key.data[key.fileobj.send(key.data):]
            except BlockingIOError:
                continue
            except OSError:
                key.data[:] = b""
            if not key.data:
                selector.unregister(key.fileobj)


def take(stream, end):
    heard = b""
    stream.setblocking(True)
    try:
        while time.time() < end:
            stream.settimeout(max(end - time.time(), 0.01))
            more = stream.recv(1 << 16)
            if not more:
                break
            heard += more
    except OSError as error:
        heard = heard or type(error).__name__.encode()
    return heard.split(b"\r\n")[0].decode()


address = socket.getaddrinfo(host, port, socket.AF_INET)[0][4]
streams = [begin(address) for _ in range(count)]
waiting = {stream: bytearray(first) for stream in streams}
push(waiting)
with open("standing.new", "w") as file:
    file.write(str(sum(not rest for rest in waiting.values())))
os.rename("standing.new", "standing")
end = time.time() + PATIENCE_SECONDS
while not os.path.exists("go") and time.time() < end:
    time.sleep(0.05)
if sys.argv[6:] == ["take"]:
    print(json.dumps(collections.Counter(take(stream, end) for stream in streams)), flush=True)
