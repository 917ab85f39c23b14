"""A stretch of line to the broker that counts what passes, and does something at a chosen byte."""

import socket
import threading

CHUNK = 65536
EXCHANGE = 2  # the third of the broker's ports


class Tap:
    def __init__(self, listen, target):
        """Passes on three neighbouring ports from `listen` on to those from `target` on."""
        self.changed = threading.Condition()
        self.to_clients = [0, 0, 0]  # bytes that the nodes or publishers have taken, by port
        self.to_broker = [0, 0, 0]   # bytes that they have sent, by port
        self.trigger = None          # (counts, port, byte, action)
        self.listeners = []
        self.sockets = set()
        self.closed = False
        for i in range(3):
            listener = socket.create_server(("127.0.0.1", listen + i))
            self.listeners.append(listener)
            threading.Thread(target=self._accept, args=(listener, target + i, i), daemon=True).start()

    def fetched(self):
        """How many bytes of the exchange the nodes have taken up to now."""
        with self.changed:
            return self.to_clients[EXCHANGE]

    def at(self, byte, action):
        """Does it once, as soon as so many bytes of the exchange have passed."""
        with self.changed:
            self.trigger = (self.to_clients, EXCHANGE, byte, action)

    def at_upload(self, byte, action):
        """Does it once, as soon as so many bytes for the exchange have passed, as uploads do."""
        with self.changed:
            self.trigger = (self.to_broker, EXCHANGE, byte, action)

    def _accept(self, listener, port, index):
        while not self.closed:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection(("127.0.0.1", port))
            except OSError:
                client.close()
                continue
            with self.changed:
                self.sockets |= {client, broker}
            threading.Thread(target=self._pump, args=(client, broker, self.to_broker, index), daemon=True).start()
            threading.Thread(target=self._pump, args=(broker, client, self.to_clients, index), daemon=True).start()

    def _pump(self, source, sink, counts, index):
        try:
            while data := source.recv(CHUNK):
                sink.sendall(data)
                self._count(counts, index, len(data))
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _count(self, counts, index, size):
        action = None
        with self.changed:
            counts[index] += size
            if self.trigger:
                watched, port, byte, what = self.trigger
                if watched[port] >= byte:
                    action, self.trigger = what, None
        if action:
            action()

    def close(self):
        self.closed = True
        for end in [*self.listeners, *self.sockets]:
            end.close()
