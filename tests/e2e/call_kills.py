#!/usr/bin/env python3
"""kill -9 of node, broker and executor in the middle of remote calls: call_kills.py [KILLS] [--seed N] [--control]
 Callers call all the time, each call with a word of its own. The program tells the word to a server of this test when
it begins, so that runs are counted by somebody who does not believe lull. KILLS times for each of the three daemons: at
a random moment it is killed, and started again. Afterwards no word was counted twice, each call had its output and
status 0, or another status and a message, and nothing of any call runs. --control plants faults that have to be
found."""

import argparse
import collections
import contextlib
import os
import random
import socket
import statistics
import subprocess
import sys
import threading
import time

import trees
from fleet import NODE, Fleet
from waiting import wait_until

TOOL = b"""#!/bin/bash
exec 3<>"/dev/tcp/127.0.0.1/$2" && echo "$1" >&3 && read -r answer <&3 && [[ $answer == counted ]] || exit 99
exec 3>&-
sleep "$3"
echo "result of $1"
"""
MARK = "lull-call-kills"
SLOW = 15  # seconds, after which the logs are shown


class Counter:
    """Counts how often each word was said to it."""

    def __init__(self):
        self.runs = collections.Counter()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._count, args=(connection,), daemon=True).start()

    def _count(self, connection):
        with connection, contextlib.suppress(OSError), connection.makefile("rw") as stream:
            word = stream.readline().strip()
            if word:
                self.runs[word] += 1
                stream.write("counted\n")
                stream.flush()


class Call:
    def __init__(self, word, status, out, err):
        self.word = word
        self.status = status
        self.out = out
        self.err = err


def judge(call, runs):
    """What is wrong with a call that has ended; None if nothing is."""
    if runs > 1:
        return f"{call.word} ran {runs} times"
    if call.status == 0 and call.out != f"result of {call.word}\n":
        return f"{call.word} ended with 0 and the output {call.out!r}"
    if call.status == 0 and runs == 0:
        return f"{call.word} ended with 0 and has not run"
    if call.status != 0 and not call.err.startswith("lull-node: "):
        return f"{call.word} ended with {call.status} and the message {call.err!r}"
    return None


def processes_of(campaign):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if campaign.encode() in trees.read(f"/proc/{pid}/cmdline"):
                found.append(int(pid))
    return found


class Campaign:
    def __init__(self, options):
        self.kills = options.kills
        self.victims = options.only or ("broker", "executor", "node")
        self.chance = random.Random(options.seed)
        self.counter = Counter()
        self.name = f"{MARK}-{os.getpid()}"
        self.fleet = Fleet(broker_options=["--calls-per-minute", "100000", "--calls-per-node", "16"])
        self.executor = self.fleet.add_node("executor")
        self.executor_options = ("--serve-calls", "--allow-calls", "app", "--call-network", "app", "--call-slots", "8")
        self.executor.start(*self.executor_options)
        self.caller = self.fleet.add_node("till").start()
        tree = trees.make(f"{self.fleet.directory}/source", "1.0")
        trees.write(f"{tree}/bin/tool", TOOL, 0o755)
        self.fleet.publish(tree, "1.0", "--callable", "bin/tool")
        self.caller.wait_active("1.0")
        self.executor.daemon.wait_for("calls: serves")
        self.over = threading.Event()
        self.calls = []
        self.counted = threading.Lock()
        self.next = 0

    def word(self):
        with self.counted:
            self.next += 1
            return f"{self.name}-{self.next}"

    def call(self, seconds):
        word = self.word()
        done = subprocess.run([NODE, "call", "app", "--root", self.caller.root, "--", word, str(self.counter.port),
                               f"{seconds:.3f}"], capture_output=True, text=True, timeout=300, check=False,
                              stdin=subprocess.DEVNULL, env=self.fleet.environment)
        call = Call(word, done.returncode, done.stdout, done.stderr)
        with self.counted:
            self.calls.append(call)
        return call

    def keep_calling(self, seed):
        chance = random.Random(seed)
        while not self.over.is_set():
            call = self.call(chance.choice((0, 0.05, 0.5)))
            if call.status != 0:  # refused at once while a daemon is away: not a thousand times a second
                self.over.wait(0.05)

    def works_again(self):
        return self.call(0).status == 0

    def kill(self, whom):
        self.over.wait(self.chance.uniform(0.1, 0.8))
        if whom == "broker":
            self.fleet.broker.kill()
            self.fleet.start_broker()
        elif whom == "executor":
            self.executor.daemon.kill()
            self.executor.start(*self.executor_options, wait=False)
        else:
            self.caller.daemon.kill()
            self.caller.start(wait=False)
        begun = time.monotonic()
        wait_until(self.works_again, 180, f"calls work again after the {whom} was killed")
        seconds = time.monotonic() - begun
        if seconds > SLOW:
            print(f"{seconds:.1f} s until calls worked again after the {whom} was killed\n{self.fleet.report()}",
                  flush=True)
        return seconds

    def run(self):
        callers = [threading.Thread(target=self.keep_calling, args=[i]) for i in range(3)]
        for caller in callers:
            caller.start()
        again = collections.defaultdict(list)
        try:
            order = [whom for whom in self.victims for _ in range(self.kills)]
            self.chance.shuffle(order)
            for whom in order:
                again[whom].append(self.kill(whom))
        finally:
            self.over.set()
            for caller in callers:
                caller.join()
        wait_until(lambda: not processes_of(self.name), 60, "nothing of a call is left running")
        problems = [problem for call in self.calls if (problem := judge(call, self.counter.runs[call.word]))]
        problems += [f"{word} ran and nobody asked for it" for word in
                     self.counter.runs.keys() - {call.word for call in self.calls}]
        self.report(problems, again)
        return 1 if problems else 0

    def report(self, problems, again):
        for problem in problems[:10]:
            print(f"VIOLATION: {problem}", flush=True)
        ends = collections.Counter("result" if call.status == 0 else call.err.strip().split(":")[-1].strip()
                                   for call in self.calls)
        for end, count in ends.most_common(12):
            print(f"{count:6} {end}", flush=True)
        for whom, seconds in again.items():
            print(f"{whom}: killed {len(seconds)} times; calls work again after {statistics.median(seconds):.1f} s "
                  f"(median), {max(seconds):.1f} s (longest)", flush=True)
        print(f"{len(self.calls)} calls, {sum(self.counter.runs.values())} runs: {len(problems)} violations",
              flush=True)

    def control(self):
        """Faults that the judgement has to find, on a real call."""
        call = self.call(0)
        assert call.status == 0 and judge(call, self.counter.runs[call.word]) is None, call.err
        tool = f"{self.fleet.directory}/source/bin/tool"
        for _ in range(2):  # a second run, as if somebody had repeated the call
            subprocess.run([tool, f"{self.name}-twice", str(self.counter.port), "0"], check=True, capture_output=True)
        faults = {
            "a call ran twice": judge(Call(f"{self.name}-twice", 0, f"result of {self.name}-twice\n", ""),
                                      self.counter.runs[f"{self.name}-twice"]),
            "a result of nothing": judge(Call("never", 0, "result of never\n", ""), self.counter.runs["never"]),
            "another's result": judge(Call(call.word, 0, "result of other\n", ""), 1),
            "no message": judge(Call(call.word, 1, "", ""), 1),
        }
        left = subprocess.Popen([tool, f"{self.name}-left", str(self.counter.port), "60"])
        wait_until(lambda: self.counter.runs[f"{self.name}-left"] == 1, 30, "the program that is left")
        faults["a program is left"] = processes_of(self.name)
        left.kill()
        left.wait()
        for name, found in faults.items():
            print(f"{name}: {'found' if found else 'NOT FOUND'}", flush=True)
        return 0 if all(faults.values()) else 1

    def close(self, failed):
        self.over.set()
        self.counter.listener.close()
        self.fleet.close()
        if failed:
            print(f"everything stays in {self.fleet.directory}\n{self.fleet.report()}", flush=True)
        else:
            self.fleet.remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kills", type=int, nargs="?", default=3, help="kills of each daemon")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", choices=("broker", "executor", "node"), help="kill no other daemon")
    parser.add_argument("--control", action="store_true", help="plants faults, each of which has to be found")
    options = parser.parse_args()
    campaign = Campaign(options)
    failed = True
    try:
        failed = bool(campaign.control() if options.control else campaign.run())
    finally:
        campaign.close(failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
