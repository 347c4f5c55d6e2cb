"""Counts visits in a store that speaks Redis' protocol. Nothing but Python's standard library."""

import json
import os
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STORE = (os.environ["STORE_HOST"], int(os.environ["STORE_PORT"]))
PASSWORD = os.environ["STORE_PASSWORD"]
GREETING = os.environ.get("GREETING", "")


def encode(*words):
    """A command as the protocol wants it: a list of counted strings."""
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        word = str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)


def answer(stream):
    """One answer: a line, a number or a string; an error is raised."""
    line = stream.readline()
    if not line:
        raise OSError("the store closed the connection")
    kind, rest = line[:1], line[1:].strip()
    if kind == b"-":
        raise OSError(rest.decode())
    if kind == b":":
        return int(rest)
    if kind == b"$":
        length = int(rest)
        return None if length < 0 else stream.read(length + 2)[:-2].decode()
    return rest.decode()


def ask(*words):
    """Sends one command on a connection of its own."""
    with socket.create_connection(STORE, timeout=3) as connection:
        connection.sendall(encode("AUTH", PASSWORD) + encode(*words))
        with connection.makefile("rb") as stream:
            answer(stream)
            return answer(stream)


class Api(BaseHTTPRequestHandler):
    """/livez: the server answers. /healthz: the store does, too. /visits: counts one more."""

    def do_GET(self):
        try:
            if self.path == "/livez":
                self.send(200, {"ok": True})
            elif self.path == "/healthz":
                self.send(200, {"ok": ask("PING") == "PONG"})
            elif self.path in ("/", "/visits"):
                self.send(200, {"greeting": GREETING, "visits": ask("INCR", "visits")})
            else:
                self.send(404, {"error": "there is /visits, /healthz and /livez"})
        except OSError as error:
            self.send(503, {"error": f"the store does not answer: {error}"})

    def send(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        """Probes would fill the log."""


ThreadingHTTPServer(("", 8080), Api).serve_forever()
