"""A name server whose answers change, and two web servers: `names.py DIRECTORY`, in a network of its own.

Every question is noted in DIRECTORY/asked, and DIRECTORY/ready is made when all of them listen. At 93.184.216.34 is the
world outside, at 127.0.0.1 what nobody may be brought to by a name.
"""

import http.server
import ipaddress
import pathlib
import socket
import struct
import sys
import threading

OUTSIDE, INSIDE = "93.184.216.34", "127.0.0.1"
A, CNAME, AAAA = 1, 5, 28
NAMES = {
    "public.test": [OUTSIDE],
    "private.test": ["10.0.0.1"],
    "loopback.test": [INSIDE],
    "mixed.test": [OUTSIDE, INSIDE],
    "six.test": ["fd00::1"],
    "mapped.test": ["::ffff:127.0.0.1"],
    "nat64.test": ["64:ff9b::7f00:1"],
    "sixtofour.test": ["2002:7f00:1::"],
    "teredo.test": ["2001:0:7f00:1::"],
    "link.test": ["fe80::1"],
    "shared.test": ["100.64.0.1"],
    "metadata.test": ["169.254.169.254"],
    "benchmark.test": ["198.18.0.1"],
    "multicast.test": ["224.0.0.1"],
    "zero.test": ["0.0.0.0"],
    "alias.test": "loopback.test",
}
directory = pathlib.Path(sys.argv[1])
turn = {"rebound.test": 0}


def name_of(question):
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1:at + 1 + question[at]].decode("latin-1"))
        at += 1 + question[at]
    return ".".join(labels).lower(), at + 1


def record(owner, kind, data):
    return owner + struct.pack(">2HIH", kind, 1, 0, len(data)) + data


def packed(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def answer(question):
    name, end = name_of(question)
    kind = struct.unpack(">H", question[end:end + 2])[0]
    with open(directory / "asked", "a", encoding="latin-1") as file:
        file.write(name + "\n")
    found, records = NAMES.get(name, []), []
    if name in turn and kind == A:
        found = [OUTSIDE if turn[name] == 0 else INSIDE]
        turn[name] += 1
    if isinstance(found, str):
        records.append(record(b"\xc0\x0c", CNAME, packed(found)))
        owner, found = packed(found), NAMES[found]
    else:
        owner = b"\xc0\x0c"
    for address in map(ipaddress.ip_address, found):
        if kind == (A if address.version == 4 else AAAA):
            records.append(record(owner, kind, address.packed))
    head = question[:2] + struct.pack(">5H", 0x8180, 1, len(records), 0, 0)
    return head + question[12:end + 4] + b"".join(records)


def resolve(server):
    while True:
        question, client = server.recvfrom(512)
        server.sendto(answer(question), client)


class Word(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        outside = self.connection.getsockname()[0] == OUTSIDE
        self.wfile.write(b"outside" if outside else b"INSIDE")

    def log_message(self, *_):
        pass


names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind((INSIDE, 53))
threading.Thread(target=resolve, args=(names,), daemon=True).start()
web = http.server.ThreadingHTTPServer(("", 8080), Word)
(directory / "ready").touch()
web.serve_forever()
