"""For what nothing announces."""

import time


def wait_until(condition, timeout, what):
    """Looks again and again until the condition holds, and returns what it returned."""
    deadline = time.monotonic() + timeout
    while True:
        if found := condition():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout} s")
        time.sleep(0.05)
