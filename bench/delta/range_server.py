"""A web server on loopback that gives byte ranges of files, as zsync asks for them, and counts every byte."""

import http.server
import os
import re
import threading


class Counted:
    """A stream of a connection whose bytes are counted, headers included."""

    def __init__(self, stream, server):
        self.stream, self.server = stream, server

    def readline(self, limit=-1):
        return self._count(self.stream.readline(limit))

    def write(self, data):
        self._count(data)
        return self.stream.write(data)

    def _count(self, data):
        with self.server.lock:
            self.server.bytes += len(data)
        return data

    def __getattr__(self, name):
        return getattr(self.stream, name)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.rfile, self.wfile = Counted(self.rfile, self.server), Counted(self.wfile, self.server)

    def do_GET(self):  # the name that http.server wants
        path = os.path.join(self.server.directory, os.path.basename(self.path))
        if not os.path.isfile(path):
            self.send_error(404)
            return
        with open(path, "rb") as file:
            data = file.read()
        asked = re.findall(r"(\d+)-(\d*)", self.headers.get("Range", ""))
        ranges = [(int(first), min(int(last or len(data)), len(data) - 1)) for first, last in asked]
        if not ranges:
            self._answer(200, {}, data)
        elif len(ranges) == 1:
            (first, last), = ranges
            self._answer(206, {"Content-Range": f"bytes {first}-{last}/{len(data)}"}, data[first:last + 1])
        else:
            body = b""
            for first, last in ranges:
                body += f"\r\n--part\r\nContent-Range: bytes {first}-{last}/{len(data)}\r\n\r\n".encode()
                body += data[first:last + 1]
            self._answer(206, {"Content-Type": "multipart/byteranges; boundary=part"}, body + b"\r\n--part--\r\n")

    def _answer(self, status, headers, body):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class RangeServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, directory):
        super().__init__(("127.0.0.1", 0), Handler)
        self.directory = directory
        self.lock = threading.Lock()
        self.bytes = 0  # both ways
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.thread = threading.Thread(target=self.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.thread.join()
        self.server_close()
