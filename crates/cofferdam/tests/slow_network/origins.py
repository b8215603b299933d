"""Python's own HTTP server, which notes each request: `origins.py FILE`. FILE.port tells where."""

import http.server
import json
import sys


class Noting(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            body = b""
            while length := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(length)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self):
        body = self.body().decode("latin-1")
        with open(sys.argv[1], "a", encoding="utf-8") as file:
            file.write(json.dumps({"line": f"{self.command} {self.path}", "body": body}) + "\n")
        self.send_response(200)
        self.send_header("Content-Length", "12")
        self.end_headers()
        self.wfile.write(b"all is well\n")

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Noting)
with open(sys.argv[1] + ".port", "w", encoding="ascii") as told:
    told.write(f"{server.server_address[1]}\n")
server.serve_forever()
