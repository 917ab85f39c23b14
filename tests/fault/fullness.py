"""What the scenarios of full disks share: points, how it goes on when there is room again, and what has to be said."""

import dataclasses
import re

# How it goes on: the process is started anew, on the full disk first (crash) or with room (anew); or the same process
# takes the next
# release (next); or it tries again by itself after a minute (itself).
THEN = ("anew", "next", "crash", "next", "anew", "next", "crash", "itself")
SAYS_FULL = r"No space left|is full|no room|make room"
SAYS_END = "has to be started again"
SAYS_WAIT = "this node's disk cannot be written"  # a node that goes on by itself


@dataclasses.dataclass
class Point:
    room: int  # blocks or bytes, when it begins
    then: str = "anew"

    def __str__(self):
        return f"{self.room} {self.then}"


def parse(text):
    room, then = text.split()
    return Point(int(room), then)


def check_end(daemon, mark=0):
    """Whoever ends because the disk is full says so, and that it has to be started again if it can't be known what is
    written."""
    status = daemon.wait()
    said = "\n".join(daemon.lines[mark:])
    assert status == 1 or (status == 70 and SAYS_END in said), f"it ended with {status}:\n{daemon.tail()}"
    assert re.search(SAYS_FULL, said), f"it ended and did not say that the disk is full:\n{daemon.tail()}"


def check_refused(outcome, broker):
    """`lull publish` was told that there is no room, or found the broker gone."""
    status, said = outcome
    assert status in ((1,) if broker.running() else (1, 3)), f"lull publish ended with {status}:\n{said}"
    assert re.search(SAYS_FULL if broker.running() else r"\w",
                     said), f"lull publish does not say that the disk is full:\n{said}"
