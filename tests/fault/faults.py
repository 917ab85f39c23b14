"""The library that makes calls of a program go wrong, as the tests order it; and the trace of calls that it writes."""

import dataclasses
import os

from daemon import DaemonError
from fleet import BUILD
from waiting import wait_until

LIBRARY = os.path.join(BUILD, "tests", "fault", "liblull_fault.so")


@dataclasses.dataclass
class Fault:
    """What goes wrong in one process. Fields that are None are left to the library."""

    do: str = None        # kill-before, kill-after, fail, shorten, cut, cut-late
    at: int = None        # the number of the call, from 1
    times: int = None     # how many calls from it on; 0: all
    at_byte: int = None   # of all bytes written, instead of the number of the call
    kinds: str = None     # only these kinds count, for example "write,sync"
    under: str = None     # only paths that contain this count
    until: str = None     # a file: when it is there, nothing goes wrong any more
    errno: int = None
    disk: str = None      # a directory of the disk that is cut
    lie: str = None       # sync: syncs are forgotten; rename: done in two steps
    clock: str = None     # file with the seconds by which the wall clock is wrong
    trace: str = None     # file that gets one line a call

    def through(self):
        """The command that a program runs under."""
        assert os.path.exists(LIBRARY), f"{LIBRARY} is not built; run: cmake --build {BUILD} --target lull_fault"
        settings = {
            f"LULL_FAULT_{name.upper()}": value
            for name, value in dataclasses.asdict(self).items() if value is not None
        }
        return ["env", f"LD_PRELOAD={LIBRARY}", *[f"{name}={value}" for name, value in settings.items()]]

    def __str__(self):
        shown = {
            name: value
            for name, value in dataclasses.asdict(self).items() if value is not None and name not in ("trace", "disk")
        }
        return " ".join(f"{name}={value}" for name, value in shown.items())


@dataclasses.dataclass
class Call:
    number: int
    kind: str
    name: str
    bytes: int
    path: str

    def __str__(self):
        return f"{self.number} {self.name} {self.path}"


def read_trace(path):
    """The calls of a process in their order, and the number by which each was counted; 0: on another path than those
    that count."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line.rstrip("\n").split(" ", 4) for line in file]
    except FileNotFoundError:
        return []
    return [Call(int(number), kind, name, int(size), of) for number, kind, name, size, of in lines]


def phase_of(calls, landmarks):
    """The phase in which the last call lies: that of the last landmark, a part of a path, which was passed."""
    phase = "start"
    for call in calls:
        phase = next((name for mark, name in landmarks if mark in call.path), phase)
    return phase


def said_before_end(daemon, pattern, timeout=60, after=0):
    """Waits until the daemon says it (True) or has ended (False)."""
    try:
        daemon.wait_for(pattern, timeout, after)
        return True
    except DaemonError:
        if daemon.ended:
            return False
        raise


def settle(daemon, trace, last):
    """Waits until the process has ended, has passed the call with this number, or does nothing more."""
    seen, since = -1, 0

    def done():
        nonlocal seen, since
        size = os.path.getsize(trace) if os.path.exists(trace) else 0
        since = since + 1 if size == seen else 0
        seen = size
        return not daemon.running() or since >= 3

    wait_until(done, 60, f"call {last} of {daemon.name}")
