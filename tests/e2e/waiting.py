"""For what nothing announces."""

import os
import time


def a_second():
    """What is promised to happen within a second, in seconds; more where others keep the machine from its work."""
    return 1.0 if os.getloadavg()[0] < 4 * os.cpu_count() else 10.0


def wait_until(condition, timeout, what):
    """Looks again and again until the condition holds, and returns what it returned."""
    deadline = time.monotonic() + timeout
    while True:
        if found := condition():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout} s")
        time.sleep(0.05)
