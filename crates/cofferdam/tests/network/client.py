"""A client that says what it is told to, byte by byte, and tells what it heard: `client.py CASES`.

CASES is a file with a list of objects in JSON: `name`, `to` (host and port), `before` (texts that are each answered by a
head with status 200), `tls` (`sni`, `alpn`, and how its first flight is cut), `send` (texts of one byte a letter, sent one
by one). It prints one object: for each name what was heard until the end, and `<reset>` or `<silence>` where that was no
end. The cases run at once.
"""

import json
import socket
import ssl
import sys
import threading
import time

PATIENCE_SECONDS = 12
PAUSE_SECONDS = 0.03


def hear_head(stream):
    heard = b""
    while b"\r\n\r\n" not in heard:
        more = stream.recv(1)
        if not more:
            break
        heard += more
    return heard


def in_records(flight, length):
    """The one handshake record of a first flight as several of at most `length` bytes."""
    kind, version, body = flight[:1], flight[1:3], flight[5:]
    parts = [body[at:at + length] for at in range(0, len(body), length)]
    return b"".join(kind + version + len(part).to_bytes(2, "big") + part for part in parts)


class Tls:
    """TLS over a socket, whose first flight is cut as a test wants."""

    def __init__(self, raw, wish):
        context = ssl.create_default_context()
        # Whether the certificate is trusted is tried by real programs; here the server's is taken as it comes.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if wish.get("alpn"):
            context.set_alpn_protocols(wish["alpn"])
        self.raw, self.incoming, self.outgoing = raw, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=wish.get("sni"))
        self.first, self.wish = True, wish
        self.retry(self.tls.do_handshake)

    def flush(self):
        pending = self.outgoing.read()
        if not pending:
            return
        if self.first and "record" in self.wish:
            pending = in_records(pending, self.wish["record"])
        step = self.wish["segment"] if self.first and "segment" in self.wish else len(pending)
        for at in range(0, len(pending), step):
            self.raw.sendall(pending[at:at + step])
            if step < len(pending):
                time.sleep(0.001)
        self.first = False

    def retry(self, act):
        while True:
            try:
                done = act()
                self.flush()
                return done
            except ssl.SSLWantReadError:
                self.flush()
                more = self.raw.recv(65536)
                if not more:
                    self.incoming.write_eof()
                self.incoming.write(more)

    def sendall(self, data):
        self.retry(lambda: self.tls.write(data))

    def recv(self, length):
        try:
            return self.retry(lambda: self.tls.read(length))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""


def run(case):
    heard, stream = b"", None
    try:
        raw = stream = socket.create_connection(tuple(case["to"]), timeout=PATIENCE_SECONDS)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for text in case.get("before", []):
            stream.sendall(text.encode("latin-1"))
            head = hear_head(stream)
            if b" 200 " not in head.split(b"\r\n")[0] + b" ":
                return (head + stream.recv(65536)).decode("latin-1")
        if case.get("tls"):
            stream = Tls(raw, case["tls"])
        for piece in case.get("send", []):
            stream.sendall(piece.encode("latin-1"))
            time.sleep(PAUSE_SECONDS)
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            more = stream.recv(65536)
            if not more:
                break
            heard += more
        return heard.decode("latin-1")
    except socket.timeout:
        return heard.decode("latin-1") + "<silence>"
    except (ConnectionResetError, BrokenPipeError, ssl.SSLError, ConnectionRefusedError) as error:
        return heard.decode("latin-1") + "<reset>" + type(error).__name__


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        cases = json.load(file)
    answers = {}

    def note(case):
        answers[case["name"]] = run(case)

    threads = [threading.Thread(target=note, args=(case,)) for case in cases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(answers))


main()
