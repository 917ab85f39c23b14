"""Programs that an executor runs for a node: versions, streams, ends, refusals, and kill -9 of each side."""

import contextlib
import hashlib
import json
import os
import random
import shlex
import signal
import subprocess
import unittest

import trees
from fleet import BROKER, NODE, NOBODY, REPOSITORY, FleetTest, main
from waiting import wait_until

MIB = 1 << 20
UNIT = os.path.join(REPOSITORY, "packaging", "systemd", "lull-executor.service")
TOOL = """#!/bin/sh
case $1 in
    version) cat /app/version ;;
    cat) exec cat ;;
    end) echo "to out"; echo "to err" >&2; exit "$2" ;;
    signal) kill -"$2" $$ ;;
    wait) echo started; setsid sleep "$2" & exec sleep "$2" ;;
    much) exec head -c "$2" /dev/zero ;;
    arguments) shift; printf '<%s>' "$@" ;;
esac
"""


def capabilities():
    with open(UNIT, encoding="utf-8") as file:
        (line,) = [line for line in file if line.startswith("CapabilityBoundingSet=")]
    return [name.removeprefix("CAP_").lower() for name in line.split("=", 1)[1].split()]


def processes_with(word):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            words = trees.read(f"/proc/{pid}/cmdline").split(b"\0")
            if words[:2] == [b"sleep", word.encode()]:
                found.append(int(pid))
    return found


class Called:
    def __init__(self, done):
        self.status = done.returncode
        self.out = done.stdout
        self.err = done.stderr.decode(errors="replace")

    def __str__(self):
        return f"exit status {self.status}\n--- out\n{self.out[:500]!r}\n--- err\n{self.err}"


@unittest.skipUnless(os.path.exists("/usr/bin/bwrap"), "needs bubblewrap")
class CallTest(FleetTest):
    executor_options = ("--serve-calls", "--allow-calls", "app")

    def setUp(self):
        super().setUp()
        self.mark = str(random.randrange(10**8, 10**9))
        self.executor = self.fleet.add_node("executor")
        self.start_executor()
        self.caller = self.fleet.add_node("till").start()

    def start_executor(self):
        self.executor.start(*self.executor_options)
        self.executor.daemon.wait_for("calls: serves")

    def publish(self, version, software="app"):
        tree = trees.make(f"{self.fleet.directory}/source-{software}", version)
        trees.write(f"{tree}/bin/tool", TOOL.encode(), 0o755)
        trees.write(f"{tree}/bin/secret", TOOL.encode(), 0o755)
        return self.fleet.publish(tree, version, "--callable", "bin/tool", software=software)

    def publish_and_install(self, version, software="app"):
        self.publish(version, software)
        self.caller.wait_active(version, software)

    def command(self, *arguments, software="app", options=()):
        return [NODE, "call", software, "--root", self.caller.root, *options, "--", *arguments]

    def call(self, *arguments, data=b"", through=(), **how):
        command = [*through, *self.command(*arguments, **how)]
        return Called(subprocess.run(command, input=data, capture_output=True, timeout=120, check=False))

    def expect(self, called, status, out=None, err=None):
        self.assertEqual(called.status, status, str(called))
        if out is not None:
            self.assertEqual(called.out, out, str(called))
        if err is not None:
            self.assertIn(err, called.err, str(called))

    def open(self, command):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

        def close():
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                with contextlib.suppress(OSError):
                    stream.close()

        self.addCleanup(close)
        return process

    def begin(self):
        """A call that does not end by itself; two processes of it."""
        process = self.open(self.command("wait", self.mark))
        self.assertEqual(process.stdout.readline(), b"started\n")
        wait_until(lambda: len(processes_with(self.mark)) == 2, 30, "both run")
        return process

    def expect_nothing_left(self):
        wait_until(lambda: not processes_with(self.mark), 30, "nothing of the call is left")

    def begun(self):
        return self.executor.daemon.count(r"call of till: .* begins")

    @staticmethod
    def peak(daemon):
        with open(f"/proc/{daemon.pid}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) >> 10 for line in file if line.startswith("VmHWM"))


class Results(CallTest):
    def test_streams_and_status_are_those_of_a_program_that_runs_here(self):
        self.publish_and_install("1.0")
        called = self.call("end", "7")
        self.expect(called, 7, b"to out\n")
        self.assertEqual(called.err, "to err\n")
        self.expect(self.call("cat", data=b"through\n"), 0, b"through\n")
        self.expect(self.call("cat"), 0, b"")
        self.expect(self.call("signal", "SEGV"), 128 + signal.SIGSEGV)
        self.expect(self.call("arguments", "a b", "", "$(id)", "--help"), 0, b"<a b><><$(id)><--help>")
        self.expect(self.call("end", "3", options=["--program", "bin/tool"]), 3)

    def shell(self, *arguments, redirected):
        """A call whose streams are as this text for a shell says."""
        call = " ".join(shlex.quote(str(word)) for word in self.command(*arguments))
        return Called(subprocess.run(["bash", "-c", f"{call} {redirected}"], capture_output=True, timeout=60,
                                     stdin=subprocess.DEVNULL, check=False))

    def test_streams_that_are_closed_or_cannot_be_read_are_no_other_files(self):
        self.publish_and_install("1.0")
        for _ in range(3):
            self.expect(self.shell("version", redirected="<&-"), 0, b"1.0\n")
            self.expect(self.shell("end", "5", redirected="<&-"), 5, b"to out\n")
        self.expect(self.shell("cat", redirected="<&-"), 0, b"")
        self.expect(self.shell("version", redirected=">&-"), 1, b"", "cannot write the output")
        self.expect(self.shell("cat", redirected="< /tmp"), 1, b"", "cannot read the input: Is a directory")

    def test_an_output_that_does_not_block_is_waited_for(self):
        self.publish_and_install("1.0")
        ours, theirs = os.pipe2(os.O_NONBLOCK)
        process = subprocess.Popen(self.command("much", "1000000"), stdin=subprocess.DEVNULL, stdout=theirs)
        os.close(theirs)
        os.set_blocking(ours, True)
        with open(ours, "rb") as stream:
            self.assertEqual(len(stream.read()), 1_000_000)
        self.assertEqual(process.wait(30), 0)

    def test_the_version_is_the_callers_while_the_fleet_moves_on(self):
        self.publish_and_install("1.0")
        self.expect(self.call("version"), 0, b"1.0\n")
        self.fleet.run(NODE, "hold", "app", "--root", self.caller.root)
        self.publish("2.0")
        self.executor.wait_active("2.0")
        self.expect(self.call("version"), 0, b"1.0\n")
        mark = self.caller.daemon.mark()
        self.fleet.run(NODE, "unhold", "app", "--root", self.caller.root)
        self.caller.wait_active("2.0", after=mark)
        self.expect(self.call("version"), 0, b"2.0\n")
        trees_of_calls = os.listdir(f"{self.executor.root}/.calls/app/versions")
        self.assertEqual(sorted(trees_of_calls), ["1-1.0", "2-2.0"], "side by side")

    def test_large_streams(self):
        self.publish_and_install("1.0")
        data = random.Random(1).randbytes(100 * MIB)
        called = self.call("cat", data=data)
        self.expect(called, 0)
        self.assertEqual(hashlib.sha256(called.out).digest(), hashlib.sha256(data).digest())
        peaks = {daemon.name: self.peak(daemon) for daemon in
                 (self.fleet.broker, self.executor.daemon, self.caller.daemon)}
        print(f"100 MiB in and out; peak MiB: {peaks}", flush=True)
        for name, peak in peaks.items():
            self.assertLess(peak, 128, name)

    def test_a_staged_tree_that_was_damaged_is_not_run(self):
        self.publish_and_install("1.0")
        self.expect(self.call("version"), 0, b"1.0\n")
        self.executor.stop()
        trees.write(f"{self.executor.root}/.calls/app/versions/1-1.0/version", b"other\n")
        self.start_executor()
        self.expect(self.call("version"), 0, b"1.0\n")
        self.assertIsNotNone(self.executor.daemon.find("contents differ"))


    @unittest.skipUnless(os.getuid() == 0, "needs root, to have rights to lose")
    def test_the_rights_that_the_unit_of_executors_leaves_are_enough(self):
        self.publish_and_install("1.0")
        self.executor.stop()
        few = ",".join(["-all", *("+" + name for name in capabilities())])
        self.executor.start(*self.executor_options,
                            through=["setpriv", "--no-new-privs", "--bounding-set", few, "--"])
        self.executor.daemon.wait_for("calls: serves")
        self.expect(self.call("version"), 0, b"1.0\n")
        process = self.begin()
        process.kill()
        self.expect_nothing_left()


class Refusals(CallTest):
    def test_refusals_name_their_reason(self):
        self.publish_and_install("1.0")
        self.publish_and_install("1.0", "other")
        self.expect(self.call("version", options=["--program", "bin/secret"]), 4, b"", "callable")
        self.expect(self.call("version", software="other"), 4, b"")
        self.expect(self.call("version", software="missing"), 1, b"", "not installed")
        self.expect(self.call("version", options=["--program", "../tool"]), 2, b"")
        self.assertEqual(self.begun(), 0)

    def test_a_daemon_that_does_not_run_is_named(self):
        self.publish_and_install("1.0")
        self.caller.stop()
        self.expect(self.call("version"), 3, b"", "daemon")

    def test_limits_that_the_caller_sets(self):
        self.publish_and_install("1.0")
        self.expect(self.call("much", str(50 * MIB), options=["--output", "1 MiB"]), 137, err="output")
        self.expect(self.call("wait", self.mark, options=["--time", "1"]), 137, b"started\n", "time")
        self.expect_nothing_left()

    @unittest.skipUnless(os.getuid() == 0, "needs root")
    def test_other_users_need_the_group(self):
        self.publish_and_install("1.0")
        nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
        self.expect(self.call("version", through=nobody), 4)
        self.caller.stop()
        self.caller.start("--call-group", "nogroup")
        self.expect(self.call("version", through=nobody), 0, b"1.0\n")


class Cancels(CallTest):
    def setUp(self):
        super().setUp()
        self.publish_and_install("1.0")

    def test_an_interrupt_ends_the_program(self):
        process = self.begin()
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(30), -signal.SIGINT)
        self.expect_nothing_left()

    def test_a_killed_command_and_a_closed_pipe_end_the_program(self):
        process = self.begin()
        process.kill()
        process.wait()
        self.expect_nothing_left()
        endless = self.open(self.command("much", "1000000000000"))
        self.assertEqual(len(endless.stdout.read(MIB)), MIB)
        endless.stdout.close()
        self.assertNotEqual(endless.wait(30), 0)
        self.executor.daemon.wait_for(r"ended after .*\(cancelled|ended after .*\(the caller")

    def test_the_executor_is_killed(self):
        process = self.begin()
        self.executor.daemon.kill()
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1, err)
        self.assertIn(b"unknown, not repeated", err)
        self.expect_nothing_left()
        self.start_executor()
        self.expect(self.call("version"), 0, b"1.0\n")
        self.assertEqual(self.begun(), 1, "the new daemon has begun the last call only")

    def test_the_broker_is_killed(self):
        process = self.begin()
        mark = self.executor.daemon.mark()
        self.fleet.broker.kill()
        _, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 1, err)
        self.assertIn(b"unknown, not repeated", err)
        self.expect_nothing_left()
        self.fleet.start_broker()
        self.executor.daemon.wait_for("calls: serves", 150, after=mark)
        self.expect(self.call("version"), 0, b"1.0\n")
        self.assertEqual(self.begun(), 2)

    def test_the_daemon_of_the_caller_is_killed(self):
        process = self.begin()
        self.caller.daemon.kill()
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1, err)
        self.assertIn(b"unknown, not repeated", err)
        self.expect_nothing_left()
        self.caller.start()
        self.expect(self.call("version"), 0, b"1.0\n")
        self.assertEqual(self.begun(), 2)

    def test_an_executor_that_is_stopped_leaves_nothing(self):
        process = self.begin()
        self.executor.stop()
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1, err)
        self.expect_nothing_left()


@unittest.skipUnless(os.path.exists("/usr/bin/bwrap"), "needs bubblewrap")
class ExecutorOfTheBroker(FleetTest):
    def setUp(self):
        super().setUp()
        self.fleet.broker.stop()
        self.fleet.environment["PATH"] = f"{os.path.dirname(NODE)}:{self.fleet.environment['PATH']}"
        self.options = ("--calls", "--allow-calls", "app")
        self.fleet.start_broker(*self.options)
        self.fleet.broker.wait_for("calls: serves")
        self.caller = self.fleet.add_node("till").start()
        tree = trees.make(f"{self.fleet.directory}/source", "1.0")
        trees.write(f"{tree}/bin/tool", TOOL.encode(), 0o755)
        self.fleet.publish(tree, "1.0", "--callable", "bin/tool")
        self.caller.wait_active("1.0")

    def call(self):
        done = subprocess.run([NODE, "call", "app", "--root", self.caller.root, "--", "version"], capture_output=True,
                              timeout=120, check=False)
        return done.returncode, done.stdout, done.stderr

    def executors(self):
        """Processes of the executor, by what they were started with."""
        between = "-" if os.getuid() == 0 else "/"
        root = f"{self.fleet.broker_directory}{between}executor".encode()
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                words = trees.read(f"/proc/{pid}/cmdline").split(b"\0")
                if b"--serve-calls" in words and root in words:
                    found.append(int(pid))
        return found

    def test_it_runs_calls_is_the_same_node_after_a_restart_and_ends_with_the_broker(self):
        self.assertEqual(self.call()[:2], (0, b"1.0\n"))
        self.fleet.broker.stop()
        self.assertEqual(self.executors(), [])
        self.fleet.start_broker(*self.options)
        self.fleet.broker.wait_for("calls: serves")
        wait_until(lambda: self.call()[:2] == (0, b"1.0\n"), 120, "the caller is connected again")
        self.assertEqual([row["node"] for row in json.loads(self.fleet.lull("nodes", "--json").out)["nodes"]],
                         ["executor", "till"])

    def test_it_is_started_again_when_it_is_killed_and_ends_with_a_broker_that_is_killed(self):
        (pid,) = self.executors()
        mark = self.fleet.broker.mark()
        os.kill(pid, signal.SIGKILL)
        self.fleet.broker.wait_for("was ended by signal 9; it is started again in 1 s", after=mark)
        self.fleet.broker.wait_for("calls: serves", after=mark)
        self.assertEqual(self.call()[:2], (0, b"1.0\n"))
        self.fleet.broker.process.kill()
        wait_until(lambda: not self.executors(), 30, "the executor has ended")

    def test_without_lull_node_the_broker_says_what_to_do(self):
        self.fleet.broker.stop()
        command = [BROKER, "run", "--data", self.fleet.broker_directory, *self.options]
        outcome = self.fleet.run(*command, status=1, environment={**self.fleet.environment, "PATH": "/nowhere"})
        self.assertIn("--calls needs the program lull-node", str(outcome))


if __name__ == "__main__":
    main()
