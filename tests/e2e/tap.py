"""A stretch of line between nodes and broker that counts what passes, and does something at a chosen byte."""

import socket
import threading

CHUNK = 65536
EXCHANGE = 2  # the third of the broker's ports


class Tap:
    def __init__(self, listen, target):
        """Passes on three neighbouring ports from `listen` on to those from `target` on."""
        self.changed = threading.Condition()
        self.to_nodes = [0, 0, 0]  # bytes that the nodes have taken, by port
        self.trigger = None        # (byte, action)
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
            return self.to_nodes[EXCHANGE]

    def at(self, byte, action):
        """Does it once, as soon as so many bytes of the exchange have passed."""
        with self.changed:
            self.trigger = (byte, action)

    def _accept(self, listener, port, index):
        while not self.closed:
            try:
                node, _ = listener.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection(("127.0.0.1", port))
            except OSError:
                node.close()
                continue
            with self.changed:
                self.sockets |= {node, broker}
            threading.Thread(target=self._pump, args=(node, broker, None), daemon=True).start()
            threading.Thread(target=self._pump, args=(broker, node, index), daemon=True).start()

    def _pump(self, source, sink, index):
        try:
            while data := source.recv(CHUNK):
                sink.sendall(data)
                if index is not None:
                    self._count(index, len(data))
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _count(self, index, size):
        action = None
        with self.changed:
            self.to_nodes[index] += size
            if self.trigger and self.to_nodes[EXCHANGE] >= self.trigger[0]:
                action = self.trigger[1]
                self.trigger = None
        if action:
            action()

    def close(self):
        self.closed = True
        for end in [*self.listeners, *self.sockets]:
            end.close()
