"""A program on a terminal of its own: what it is shown, what is typed, its end."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import time

GET_NUMBER = 0x80045430  # TIOCGPTN


class Terminal:
    def __init__(self, command, environment):
        self.shown = ""
        self.status = None
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            try:
                os.execve(command[0], list(map(str, command)), environment)
            finally:
                os._exit(127)

    def device(self):
        """Where it lies."""
        number = fcntl.ioctl(self.master, GET_NUMBER, bytes(4))
        return f"/dev/pts/{struct.unpack('I', number)[0]}"

    def wait_for(self, pattern, timeout=30):
        """Waits until the terminal shows what matches, and returns the match."""
        deadline = time.monotonic() + timeout
        while not (found := re.search(pattern, self.shown)):
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                raise AssertionError(f"the terminal does not show /{pattern}/, but: {self.shown!r}")
        return found

    def _read(self, timeout):
        if not select.select([self.master], [], [], timeout)[0]:
            return False
        try:
            self.shown += os.read(self.master, 65536).decode(errors="replace")
            return True
        except OSError:  # all of the other side is closed
            return False

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self):
        """Types an end of input, waits for the program's end, and returns the moment of it."""
        self.type("\x04")
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return time.time()

    def wait_end(self):
        """Waits until it is ended by others."""
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.master)
