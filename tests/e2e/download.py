"""Others' traffic: a download over TCP between two network namespaces, as long as somebody wants it."""

import socket
import subprocess
import sys
import time

BLOCK = 1 << 16


class Download:
    """From namespace `source` to `sink`, with the kernel's usual congestion control."""

    def __init__(self, network, source, sink, address, seconds):
        command = ["python3", __file__]
        self.server = subprocess.Popen([*network.through(source), *command, "serve"], stdout=subprocess.PIPE, text=True)
        self.port = self.server.stdout.readline().strip()
        self.client = subprocess.Popen([*network.through(sink), *command, "take", address, self.port, str(seconds)],
                                       stdout=subprocess.PIPE, text=True)

    def bytes(self):
        """That it has taken in its time."""
        try:
            return int(self.client.communicate(timeout=120)[0])
        finally:
            self.server.kill()
            self.server.communicate()


def serve():
    with socket.create_server(("0.0.0.0", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        connection, _ = listener.accept()
        with connection:
            block = bytes(BLOCK)
            try:
                while True:
                    connection.sendall(block)
            except OSError:
                pass  # it has had enough


def take(host, port, seconds):
    taken = 0
    with socket.create_connection((host, int(port))) as connection:
        end = time.monotonic() + float(seconds)
        while time.monotonic() < end:
            taken += len(connection.recv(BLOCK))
    print(taken)


if __name__ == "__main__":
    serve() if sys.argv[1] == "serve" else take(*sys.argv[2:])
