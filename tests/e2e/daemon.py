"""A daemon that a test started: its log lines as they come, and its end."""

import datetime
import re
import signal
import subprocess
import threading
import time


class DaemonError(AssertionError):
    pass


def time_of(line):
    """The moment that a log line bears, in seconds since 1970."""
    text = line.split(" ", 1)[0]
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Daemon:
    def __init__(self, name, command, environment, log):
        self.name = name
        self.log = log
        self.lines = []
        self.ended = False
        self.changed = threading.Condition()
        # It must not outlive the test, however that ends.
        guarded = ["setpriv", "--pdeathsig", "KILL", "--", *map(str, command)]
        self.process = subprocess.Popen(guarded, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, errors="replace")
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    @property
    def pid(self):
        return self.process.pid

    def _read(self):
        with open(self.log, "a", encoding="utf-8") as log:
            for line in self.process.stdout:
                log.write(line)
                log.flush()
                with self.changed:
                    self.lines.append(line.rstrip("\n"))
                    self.changed.notify_all()
        self.process.stdout.close()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def mark(self):
        """A place in the log, to wait for what comes after it."""
        with self.changed:
            return len(self.lines)

    def find(self, pattern, after=0):
        """The first line from a place on that matches, or None."""
        with self.changed:
            return next((line for line in self.lines[after:] if re.search(pattern, line)), None)

    def count(self, pattern, after=0):
        with self.changed:
            return sum(1 for line in self.lines[after:] if re.search(pattern, line))

    def wait_for(self, pattern, timeout=60, after=0):
        """Waits for a line that matches, and returns it. Fails if the daemon ends or the time is over."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                for line in self.lines[after:]:
                    if re.search(pattern, line):
                        return line
                left = deadline - time.monotonic()
                if self.ended or left <= 0:
                    why = "it ended" if self.ended else f"{timeout} s are over"
                    raise DaemonError(f"{self.name} did not say /{pattern}/: {why}; its last lines:\n{self.tail()}")
                self.changed.wait(left)

    def tail(self, count=25):
        return "\n".join("  " + line for line in self.lines[-count:])

    def running(self):
        return self.process.poll() is None

    def wait(self, timeout=30):
        """Waits for its end and for the last of its lines, and returns its exit status."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise DaemonError(f"{self.name} did not end within {timeout} s; its last lines:\n{self.tail()}") from None
        self.reader.join(timeout)
        return status

    def stop(self, timeout=30):
        """Asks it to end, and returns its exit status."""
        if self.running():
            self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self):
        if self.running():
            self.process.kill()
        return self.wait()
