"""The gateway's rows of `scripts/bench`: what a cell's way to the network costs, beside other proxies and beside none.

As users have it: `cofferdam run` starts a cell, the load generator runs inside, and what it sends is caught, judged and
sent on by the session's gateway. The other side of a ratio is the same generator outside of any cell, through squid,
tinyproxy or mitmproxy, or to the origin at once. The origin is nginx on loopback. Nobody writes a log of accesses but
the gateway, which always tells the supervisor. All servers are this run's own, and ended by their numbers.
"""

import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

STREAM_BYTES = 1024**3
CONNECTIONS = 200
# Both sides sustain it: what is added to the latency is asked for, not where the queue begins.
RATE = 1_000
IDLE = 1_000
SECONDS_EACH = 2
PROXY = "198.18.0.1:3128"
ORIGIN = "origin.test"
START_SECONDS_MAX = 30
END_SECONDS_MAX = 10
LOAD_SECONDS_MAX = 120

NGINX = """
daemon off; master_process off; worker_processes 1; pid {root}/nginx.pid; error_log {root}/nginx.log crit;
events {{ worker_connections 8192; }}
http {{
    access_log off; sendfile on; keepalive_requests 1000000000; keepalive_timeout 600;
    client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
    server {{
        listen 127.0.0.1:{clear}; listen 127.0.0.1:{tls} ssl;
        ssl_certificate {root}/leaf.pem; ssl_certificate_key {root}/leaf.key;
        location = /stream {{ alias {root}/stream; }}
        location / {{ return 200 "hello from the origin\\n"; }}
    }}
}}
"""
SQUID = """
http_port 127.0.0.1:{port}
http_access allow all
cache deny all
access_log none
cache_log {root}/squid.log
cache_store_log none
netdb_filename none
pid_filename none
coredump_dir {root}
visible_hostname proxy.test
max_filedescriptors 8192
shutdown_lifetime 0 seconds
"""
TINYPROXY = """
Port {port}
Listen 127.0.0.1
Allow 127.0.0.1
MaxClients 1024
Timeout 600
LogLevel Critical
LogFile "{root}/tinyproxy.log"
"""

# Takes one body and says that it has it: what an upload goes to.
SINK = r"""
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
buffer = bytearray(1 << 20)
while True:
    peer, _ = listener.accept()
    head = b""
    while b"\r\n\r\n" not in head:
        more = peer.recv(65536)
        if not more:
            break
        head += more
    if b"ontent-" not in head:
        peer.close()
        continue
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    left = length - (len(head) - head.index(b"\r\n\r\n") - 4)
    while left > 0:
        left -= peer.recv_into(buffer)
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    peer.close()
"""

# The milliseconds from connect() to the first byte of the answer, on the first connection of a cell.
FIRST = r"""
import os, socket, ssl, sys, time
proxy, host, port, tls = ("198.18.0.1", 3128), sys.argv[1], sys.argv[2], sys.argv[3] == "tls"
context = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE")) if tls else None
start = time.perf_counter()
peer = socket.create_connection(proxy)
if tls:
    peer.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    peer.recv(4096)
    peer = context.wrap_socket(peer, server_hostname=host)
peer.sendall(f"GET {'' if tls else f'http://{host}:{port}'}/ HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
answer = peer.recv(4096)
print((time.perf_counter() - start) * 1000 if answer.startswith(b"HTTP/1.1 200") else answer)
"""

# Opens connections, says one request on each, and holds them until its input ends.
HOLD = r"""
import os, resource, socket, ssl, sys
host, count, tls = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "tls"
resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, count + 100))
context = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE")) if tls else None
held = []
for _ in range(count):
    peer = socket.create_connection(("198.18.0.1", 3128))
    if tls:
        peer.sendall(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        peer.recv(4096)
        peer = context.wrap_socket(peer, server_hostname=host.split(":")[0])
    peer.sendall(f"GET {'' if tls else f'http://{host}'}/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert peer.recv(4096).startswith(b"HTTP/1.1 200")
    held.append(peer)
print("up", flush=True)
sys.stdin.read()
"""


class Unmeasured(Exception):
    """Something that had to run did not; the row says so."""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def await_port(port, process, name):
    end = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < end:
        if process.poll() is not None:
            raise Unmeasured(f"{name} ended at once: {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise Unmeasured(f"{name} does not listen")


@contextmanager
def running(argv, port, **how):
    if shutil.which(argv[0]) is None:
        raise Unmeasured(f"{argv[0]} is not installed")
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **how)
    try:
        await_port(port, process, argv[0])
        yield process
    finally:
        # Politely first: squid leaves shared memory behind when it is killed.
        process.terminate()
        try:
            process.wait(timeout=END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def certificates(root):
    """An authority, and a leaf for the origin by its name and its address."""

    def openssl(*words):
        run = subprocess.run(["openssl", *words], cwd=root, capture_output=True)
        if run.returncode:
            raise Unmeasured(f"openssl: {run.stderr.decode(errors='replace')[:300]}")

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    names = f"subjectAltName=DNS:{ORIGIN},IP:127.0.0.1\nextendedKeyUsage=serverAuth\n"
    (root / "names").write_text(names)
    openssl("req", "-x509", *key, "-keyout", "authority.key", "-out", "authority.pem", "-subj", "/CN=bench", "-days", "2")
    openssl("req", *key, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=origin")
    by = ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial", "-days", "2", "-extfile", "names"]
    openssl("x509", "-req", "-in", "leaf.csr", *by, "-out", "leaf.pem")
    # Beside all that this machine believes, which a gateway reads at its start.
    ours, machines = (root / "authority.pem").read_text(), Path("/etc/ssl/certs/ca-certificates.crt")
    (root / "believed.pem").write_text(ours + (machines.read_text() if machines.exists() else ""))


class Scene:
    """An origin for one row, and the ways to it."""

    def __init__(self, place):
        self.place, self.root = place, place.directory("network")
        self.clear, self.tls = free_port(), free_port()
        self.load = str(Path(place.cofferdam).with_name("load"))
        if not (self.root / "leaf.pem").exists():
            certificates(self.root)
            with open(self.root / "stream", "wb") as file:
                file.truncate(STREAM_BYTES)

    def file(self, name, template, **values):
        path = self.root / name
        path.write_text(template.format(root=self.root, **values))
        return str(path)

    @contextmanager
    def peer(self, name):
        """Its address, and the flag by which the generator believes what it signs."""
        port = free_port()
        argv = {
            "squid": lambda: ["squid", "-N", "-n", f"bench{port}", "-f", self.file("squid.conf", SQUID, port=port)],
            "tinyproxy": lambda: ["tinyproxy", "-d", "-c", self.file("tinyproxy.conf", TINYPROXY, port=port)],
            "mitmdump": lambda: [
                "mitmdump", "--quiet", "--listen-host", "127.0.0.1", "--listen-port", str(port),
                "--set", f"confdir={self.root}/mitmproxy",
                "--set", f"ssl_verify_upstream_trusted_ca={self.root}/authority.pem",
            ],
        }[name]()
        with running(argv, port, cwd=self.root):
            yield f"127.0.0.1:{port}"

    def ran(self, argv, **how):
        run = subprocess.run(
            argv, cwd=self.place.directory("empty"), stdin=subprocess.DEVNULL, capture_output=True,
            timeout=LOAD_SECONDS_MAX, **how
        )
        if run.returncode:
            raise Unmeasured(f"{' '.join(argv[-6:])}: exit {run.returncode}: {run.stderr.decode(errors='replace')[-400:]}")
        return run.stdout.decode()

    def outside(self, words):
        return loaded(self.ran([self.load, *words]))

    def run_in_cell(self, allow, argv):
        directory = str(Path(self.load).parent)
        flags = ["--mount", f"{directory}:ro", "--allow", f"{allow} address=127.0.0.1"]
        # The origin's authority is believed by the gateway, and the gateway's own by what runs in the cell.
        env = {**os.environ, "SSL_CERT_FILE": f"{self.root}/believed.pem"}
        return [self.place.cofferdam, "run", "--rm", *flags, "--", *argv], env

    def inside(self, allow, words):
        # The cell knows where its authorities are.
        shell = ["sh", "-c", 'exec "$@" ${0:+tls="$SSL_CERT_FILE"}', "tls" if "tls" in words else ""]
        argv, env = self.run_in_cell(allow, [*shell, self.load, *[word for word in words if word != "tls"]])
        return loaded(self.ran(argv, env=env))


def loaded(text):
    told = json.loads(text)
    if told["errors"] or not told["requests"]:
        raise Unmeasured(f"{told['errors']} connections failed after {told['requests']} requests: {told['error']}")
    return told


@contextmanager
def scene(place):
    made = Scene(place)
    conf = made.file("nginx.conf", NGINX, clear=made.clear, tls=made.tls)
    with running(["nginx", "-c", conf, "-p", str(made.root), "-e", f"{made.root}/nginx.log"], made.clear):
        yield made


def pairs(place, ours, theirs):
    """What both sides were seen to do, in turns whose order is drawn."""
    sides, seen = {"ours": ours, "theirs": theirs}, {"ours": [], "theirs": []}
    for _ in range(max(3, place.rounds // 3)):
        for name in random.sample(list(sides), 2):
            seen[name].append(sides[name]())
    return seen


def ratio(place, ours, theirs, unit):
    medians = {name: statistics.median(all) for name, all in pairs(place, ours, theirs).items()}
    return {**medians, "ratio": medians["ours"] / medians["theirs"], "unit": unit}


def microseconds_each(told):
    return told["seconds"] * 1e6 / told["requests"]


def many(*words):
    return [f"connections={CONNECTIONS}", f"seconds={SECONDS_EACH}", *words]


def connect_stream(place, peer):
    with scene(place) as at, at.peer(peer) as proxy:
        once = ["proxy=connect", "path=/stream", "requests=1"]
        ours = [f"to={PROXY}", f"host={ORIGIN}:{at.clear}", *once]
        theirs = [f"to={proxy}", f"host=127.0.0.1:{at.clear}", *once]
        allow = f"{ORIGIN}:{at.clear} protocols=tcp"
        return ratio(
            place, lambda: at.inside(allow, ours)["seconds"], lambda: at.outside(theirs)["seconds"], "s : s, 1 GiB"
        )


def clear_requests(place, peer):
    with scene(place) as at, at.peer(peer) as proxy:
        ours = many(f"to={PROXY}", f"host={ORIGIN}:{at.clear}", "proxy=absolute")
        theirs = many(f"to={proxy}", f"host=127.0.0.1:{at.clear}", "proxy=absolute")
        allow = f"http://{ORIGIN}:{at.clear}/**"
        return ratio(
            place,
            lambda: microseconds_each(at.inside(allow, ours)),
            lambda: microseconds_each(at.outside(theirs)),
            "µs a request",
        )


def opened_requests(place):
    with scene(place) as at, at.peer("mitmdump") as proxy:
        connections = "connections=20"  # what a Python proxy takes without queues of seconds
        ours = [*many(f"to={PROXY}", f"host={ORIGIN}:{at.tls}", "proxy=connect", "tls"), connections]
        believing = f"tls={at.root}/mitmproxy/mitmproxy-ca-cert.pem"
        theirs = [*many(f"to={proxy}", f"host=127.0.0.1:{at.tls}", "proxy=connect", believing), connections]
        allow = f"{ORIGIN}:{at.tls}/**"
        return ratio(
            place,
            lambda: microseconds_each(at.inside(allow, ours)),
            lambda: microseconds_each(at.outside(theirs)),
            "µs a request",
        )


def added_latency(place, percentile):
    with scene(place) as at:
        rate = f"rate={RATE}"
        ours = many(f"to={PROXY}", f"host={ORIGIN}:{at.clear}", "proxy=absolute", rate)
        theirs = many(f"host=127.0.0.1:{at.clear}", rate)
        allow = f"http://{ORIGIN}:{at.clear}/**"
        seen = pairs(place, lambda: at.inside(allow, ours)[percentile], lambda: at.outside(theirs)[percentile])
        medians = {name: statistics.median(all) / 1000 for name, all in seen.items()}
        return {**medians, "ratio": medians["ours"] - medians["theirs"], "unit": "ms, added"}


def first_connection(place, tls):
    with scene(place) as at:
        port, scheme = (at.tls, "") if tls else (at.clear, "http://")
        script = ["/usr/bin/python3", "-c", FIRST, ORIGIN, str(port), "tls" if tls else "clear"]
        argv, env = at.run_in_cell(f"{scheme}{ORIGIN}:{port}/**", script)
        spent = [float(at.ran(argv, env=env)) for _ in range(place.rounds)]
        return {"ours": statistics.median(spent), "theirs": place.rounds, "ratio": statistics.median(spent), "unit": "ms alone"}


def resident_mib(place):
    """Of the one gateway that runs: it lies in the scratch directory."""
    program, found = str(Path(place.cofferdam).with_name("cofferdam-gateway")), []
    for entry in Path("/proc").iterdir():
        try:
            # It lets no ordinary user look what program it is; its name is enough, as its parent is ours.
            if entry.name.isdigit() and (entry / "comm").read_text().strip() == "cofferdam-gatew":
                parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
                if os.readlink(f"/proc/{parent}/exe").startswith(place.cofferdam):
                    status = (entry / "status").read_text()
                    found.append(int(status.split("VmRSS:")[1].split()[0]) / 1024)
        except OSError:
            continue
    if len(found) != 1:
        raise Unmeasured(f"{len(found)} gateways run beside {program}, and not 1")
    return found[0]


@contextmanager
def in_cell(at, allow, script, *words):
    argv, env = at.run_in_cell(allow, ["/usr/bin/python3", "-c", script, *words])
    cwd = at.place.directory("empty")
    with subprocess.Popen(argv, cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        try:
            if run.stdout.readline() != b"up\n":
                raise Unmeasured(f"what runs in the cell says: {run.stderr.read()[-300:]!r}")
            yield run
        finally:
            run.stdin.close()
            run.wait(timeout=START_SECONDS_MAX)


def memory_of_idle(place, tls):
    with scene(place) as at:
        host = f"{ORIGIN}:{at.tls if tls else at.clear}"
        scheme = "" if tls else "http://"
        with in_cell(at, f"{scheme}{host}/**", HOLD, host, str(IDLE), "tls" if tls else "clear"):
            time.sleep(1)
            mib = resident_mib(place)
    return {"ours": mib, "theirs": IDLE, "ratio": mib, "unit": "MiB of idle, alone"}


# Streams through the proxy each time that it is told which way, and says so when it is done.
STREAMS = r"""
import subprocess, sys
load, *words = sys.argv[1:]
print("up", flush=True)
for line in sys.stdin:
    subprocess.run([load, *words, *line.split()], check=True, stdout=subprocess.DEVNULL)
    print("done", flush=True)
"""


def memory_while_streaming(place):
    """After a gibibyte each way, and before; the first MiB has warmed up."""
    with scene(place) as at:
        port = free_port()
        with running(["/usr/bin/python3", "-c", SINK, str(port)], port):
            allow = f"GET,POST http://{ORIGIN}:{port}/**"
            flags = ["--allow", f"http://{ORIGIN}:{at.clear}/** address=127.0.0.1"]
            way = [at.load, f"to={PROXY}", "proxy=absolute", "requests=1", "seconds=60"]
            down, up = f"host={ORIGIN}:{at.clear} path=/stream\n", f"host={ORIGIN}:{port} body={STREAM_BYTES}\n"
            argv, env = at.run_in_cell(allow, ["/usr/bin/python3", "-c", STREAMS, *way])
            argv[3:3] = flags
            cwd, pipe = place.directory("empty"), subprocess.PIPE
            with subprocess.Popen(argv, cwd=cwd, env=env, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as run:

                def told(line):
                    run.stdin.write(line)
                    run.stdin.flush()
                    if run.stdout.readline() != "done\n":
                        raise Unmeasured(f"a stream broke: {run.stderr.read()[-300:]}")
                    return resident_mib(place)

                run.stdout.readline()
                told(f"host={ORIGIN}:{port} body={1 << 20}\n")
                before = told(f"host={ORIGIN}:{at.clear} path=/\n")
                after = max(told(down), told(up))
                run.stdin.close()
                run.wait(timeout=START_SECONDS_MAX)
    return {"ours": after, "theirs": before, "ratio": after - before, "unit": "grown MiB"}


ROWS = [
    ("CONNECT, 1 GiB : squid", 1.0, lambda place: connect_stream(place, "squid")),
    ("  the same : tinyproxy", None, lambda place: connect_stream(place, "tinyproxy")),
    ("HTTP request : squid", 0.667, lambda place: clear_requests(place, "squid")),
    ("  the same : tinyproxy", None, lambda place: clear_requests(place, "tinyproxy")),
    ("HTTPS request, opened : mitmproxy", 1 / 20, opened_requests),
    ("p50 at 200 connections - direct, ms", 0.3, lambda place: added_latency(place, "p50")),
    ("p99 at 200 connections - direct, ms", 2.0, lambda place: added_latency(place, "p99")),
    ("first connection, cold gateway, ms", 25, lambda place: first_connection(place, False)),
    ("  the same, HTTPS", None, lambda place: first_connection(place, True)),
    ("gateway, 1,000 idle connections, MiB", 30, lambda place: memory_of_idle(place, False)),
    ("  the same, HTTPS, idle", 30, lambda place: memory_of_idle(place, True)),
    ("gateway, grown by 1 GiB each way, MiB", 2, memory_while_streaming),
]
