"""What a program of a call can reach and take: ways out of the sandbox, each with the same attempt outside of it."""

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

import trees
from fleet import BUILD, NOBODY, REPOSITORY
from waiting import wait_until

RUNNER = os.path.join(BUILD, "tests", "e2e", "sandbox_run")
ATTEMPTS = os.path.join(REPOSITORY, "tests", "e2e", "breakouts.py")
MIB = 1 << 20
ROOT = os.getuid() == 0

# Runs a command in a user namespace with all users, in which nobody may make further ones.
NO_NAMESPACES = """
import ctypes, os, sys
ours, theirs = os.pipe()
self = os.getpid()
if os.fork() == 0:
    os.read(ours, 1)
    for map in ("uid_map", "gid_map"):
        with open(f"/proc/{self}/{map}", "w") as file:
            file.write("0 0 70000")
    os._exit(0)
assert ctypes.CDLL(None).unshare(0x10000000) == 0
os.write(theirs, b"x")
os.wait()
with open("/proc/sys/user/max_user_namespaces", "w") as file:
    file.write("0")
os.execv(sys.argv[1], sys.argv[1:])
"""


class Outcome:
    def __init__(self, done, result):
        self.status = done.returncode
        self.out = done.stdout
        self.err = done.stderr.decode(errors="replace")
        self.result = result

    def __str__(self):
        return f"exit status {self.status}, {self.result}\n--- out\n{self.out[:1000]!r}\n--- err\n{self.err[-2000:]}"


def processes_with(word):
    """Pids of processes that have this as a word of their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if word.encode() in trees.read(f"/proc/{pid}/cmdline").split(b"\0"):
                found.append(int(pid))
    return found


class Listener:
    """Says 'hello' to everybody who connects."""

    def __init__(self, family, address):
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.bind(address)
        self.socket.listen()
        self.address = self.socket.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                with connection:
                    connection.sendall(b"hello")

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class SandboxTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="lull-sandbox-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.directory)
        os.chmod(self.directory, 0o755)
        self.tree = f"{self.directory}/versions/2-2.0"
        self.secret = f"{self.directory}/secret"
        trees.write(self.secret, b"the secret of the node\n")
        trees.write(f"{self.tree}/data", b"data\n")
        trees.write(f"{self.directory}/versions/1-1.0/data", b"of another version\n")
        trees.write(f"{self.tree}/bin/attempt", trees.read(ATTEMPTS), 0o755)
        self.mark = str(random.randrange(10**8, 10**9))  # seconds that a sleep of this test alone takes

    def script(self, text, name="script"):
        trees.write(f"{self.tree}/bin/{name}", f"#!/bin/sh\n{text}\n".encode(), 0o755)
        return f"bin/{name}"

    def run_inside(self, program, *arguments, options=(), data=b"", through=(), environment=None, **how):
        result = f"{self.directory}/result"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(result)
        command = [*through, RUNNER, result, self.tree, *options, "--", program, *arguments]
        done = subprocess.run(command, input=data, capture_output=True, timeout=120, check=False,
                              env=environment or dict(os.environ, LULL_SECRET="of the daemon"), **how)
        end = json.loads(trees.read(result)) if os.path.exists(result) else None
        return Outcome(done, end)

    def inside(self, attempt, *arguments, **how):
        return self.run_inside("bin/attempt", attempt, *map(str, arguments), **how)

    def outside(self, attempt, *arguments, through=(), **how):
        command = [*through, sys.executable, ATTEMPTS, attempt, *map(str, arguments)]
        done = subprocess.run(command, input=b"", capture_output=True, timeout=120, check=False,
                              env=dict(os.environ, LULL_SECRET="of the daemon"), **how)
        return Outcome(done, None)

    def expect_denied(self, attempt, *arguments, **how):
        outcome = self.inside(attempt, *arguments, **how)
        self.assertEqual((outcome.status, outcome.result and outcome.result["end"]), (1, "exited"), str(outcome))
        self.assertIn("denied: ", outcome.err, str(outcome))
        return outcome

    def expect_control(self, attempt, *arguments, **how):
        """The same succeeds outside: the attempt is a real one."""
        outcome = self.outside(attempt, *arguments, **how)
        self.assertEqual(outcome.status, 0, str(outcome))

    def expect_way_closed(self, attempt, *arguments, **how):
        self.expect_control(attempt, *arguments)
        return self.expect_denied(attempt, *arguments, **how)


class Use(SandboxTest):
    """What a program is meant to have."""

    def test_streams_arguments_and_exit_status(self):
        program = self.script('cat; echo "$#:$1:$2:$3" >&2; exit 7')
        outcome = self.run_inside(program, "a b", "$(id); ls", "", data=b"through\n")
        self.assertEqual((outcome.status, outcome.out, outcome.err), (7, b"through\n", "3:a b:$(id); ls:\n"))
        self.assertEqual(outcome.result["input"], 8)

    def test_a_signal_that_ends_the_program_is_reported(self):
        outcome = self.run_inside(self.script("kill -SEGV $$"))
        self.assertEqual(outcome.status, 128 + signal.SIGSEGV, str(outcome))

    def test_the_environment_holds_nothing_else(self):
        outcome = self.run_inside(self.script("env"))
        self.assertEqual(
            sorted(outcome.out.decode().split("\n")[:-1]),
            ["HOME=/tmp", "LANG=C.UTF-8", "LULL_SOFTWARE=app", "LULL_VERSION=1.0", "PATH=/usr/local/bin:/usr/bin:/bin",
             "PWD=/tmp"])

    def test_large_streams(self):
        data = random.Random(1).randbytes(64 * MIB)
        outcome = self.run_inside(self.script("exec cat"), data=data)
        self.assertEqual(outcome.status, 0, str(outcome))
        self.assertEqual(hashlib.sha256(outcome.out).digest(), hashlib.sha256(data).digest())

    def test_a_program_that_reads_nothing_does_not_wait_for_its_input(self):
        outcome = self.run_inside(self.script("exit 4"), data=b"x" * 16 * MIB)
        self.assertEqual(outcome.status, 4, str(outcome))

    def test_processor_time_counts_what_the_program_has_started(self):
        outcome = self.run_inside(self.script("python3 -c 'for i in range(3000000): pass'; true"))
        self.assertGreater(outcome.result["processor"], 0.05, str(outcome))

    def test_scratch_space_can_be_written(self):
        outcome = self.run_inside(self.script("echo x >/tmp/x && echo y >/dev/shm/y && cat /tmp/x /dev/shm/y"))
        self.assertEqual(outcome.out, b"x\ny\n", str(outcome))

    def test_programs_that_are_not_in_the_tree_are_refused(self):
        for program in ("../../../../usr/bin/id", "/usr/bin/id", "bin/../../1-1.0/data", "missing", "data", "bin"):
            outcome = self.run_inside(program)
            self.assertEqual((outcome.status, outcome.result), (125, None), f"{program}: {outcome}")
        os.symlink("/usr/bin/id", f"{self.tree}/bin/link")
        self.assertEqual(self.run_inside("bin/link").status, 125)

    @unittest.skipUnless(ROOT, "needs root")
    def test_where_user_namespaces_are_forbidden_the_reason_is_named(self):
        outcome = self.run_inside(self.script("exit 0"), through=[sys.executable, "-c", NO_NAMESPACES])
        self.assertEqual(outcome.status, 125, str(outcome))
        self.assertIn("user.max_user_namespaces", outcome.err)


class Files(SandboxTest):
    @unittest.skipUnless(ROOT, "needs root")
    def test_a_place_that_every_program_could_read_is_refused(self):
        self.tree = tempfile.mkdtemp(prefix="lull-sandbox-", dir="/usr/local")
        self.addCleanup(shutil.rmtree, self.tree)
        outcome = self.run_inside("bin/attempt")
        self.assertEqual(outcome.status, 125, str(outcome))
        self.assertIn("/usr", outcome.err)

    def test_an_absolute_path(self):
        self.expect_way_closed("read_file", self.secret)

    def test_names_with_dots(self):
        self.expect_control("read_file", f"{self.tree}/../../secret")
        self.expect_denied("read_file", "/app/../../../../.." + self.secret)
        self.expect_denied("read_file", "/app/../../secret")

    def test_a_link_out_of_the_tree(self):
        os.symlink(self.secret, f"{self.tree}/link")
        os.symlink("../../secret", f"{self.tree}/relative")
        self.expect_control("read_file", f"{self.tree}/link")
        self.expect_control("read_file", f"{self.tree}/relative")
        self.expect_denied("read_file", "/app/link")
        self.expect_denied("read_file", "/app/relative")

    def test_another_version(self):
        self.expect_control("read_file", f"{self.tree}/../1-1.0/data")
        self.expect_denied("read_file", "/app/../1-1.0/data")
        self.expect_denied("read_file", f"{self.directory}/versions/1-1.0/data")

    def test_secrets_of_the_machine(self):
        for path in ("/etc/passwd", "/etc/hostname", "/etc/machine-id"):
            self.expect_denied("read_file", path)
        self.expect_control("read_file", "/etc/passwd")

    def test_a_root_directory_in_proc(self):
        self.expect_way_closed("leave_by_root", self.secret)

    @unittest.skipUnless(ROOT, "the control needs root")
    def test_chroot(self):
        self.expect_way_closed("leave_by_chroot", self.secret)

    @unittest.skipUnless(ROOT, "the control needs root")
    def test_a_file_handle(self):
        denied = self.expect_denied("leave_by_handle")
        self.assertIn("PermissionError", denied.err)

    def test_writing_into_the_tree(self):
        copy = shutil.copytree(self.tree, f"{self.directory}/copy")
        self.expect_control("change_tree", copy)
        self.expect_denied("change_tree", "/app")
        self.assertEqual(trees.read(f"{self.tree}/data"), b"data\n")

    def test_writing_elsewhere(self):
        self.expect_control("write_all_of", f"{self.directory}/new")
        places = ("/new", "/usr/new", "/etc/new", "/var/tmp/new", "/dev/new", "/run/new", "/proc/sys/kernel/hostname",
                  f"{self.directory}/new2")
        self.expect_denied("write_all_of", *places)

    def test_files_of_tmp_are_not_those_of_the_machine(self):
        name = f"/tmp/lull-sandbox-{self.mark}"
        self.assertEqual(self.inside("write_file", name).status, 0)
        self.assertFalse(os.path.exists(name))

    @unittest.skipUnless(ROOT, "the control needs root")
    def test_devices(self):
        self.expect_way_closed("make_device")
        self.expect_control("open_device", "/dev/mem", "/dev/kmsg", "/dev/vda", "/dev/sda")
        self.expect_denied("open_device", "/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg", "/dev/vda", "/dev/sda",
                           "/dev/fuse", "/dev/kvm", "/dev/net/tun", "/dev/tty", "/dev/console")

    def test_cgroups(self):
        self.assertTrue(os.path.exists("/sys/fs/cgroup"))
        self.expect_denied("write_all_of", "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/unified/cgroup.procs",
                           "/sys/fs/cgroup/memory/tasks", "/sys/fs/cgroup/release_agent")


class Others(SandboxTest):
    def setUp(self):
        super().setUp()
        self.other = subprocess.Popen(["sleep", self.mark])
        self.addCleanup(self.other.wait)
        self.addCleanup(self.other.kill)

    def test_the_environment_of_the_daemon(self):
        self.expect_way_closed("find_in_environment", "LULL_SECRET")

    def test_seeing_processes(self):
        self.expect_way_closed("see_process", self.mark)

    def test_signals_to_a_process(self):
        self.expect_way_closed("signal_process", self.other.pid)

    def test_signals_to_all(self):
        outcome = self.inside("signal_all", options=["seconds=2"])
        self.assertIn(outcome.result["end"], ("exited", "timed out"), str(outcome))
        self.assertIsNone(self.other.poll(), "a process outside lives on")

    def test_tracing(self):
        self.expect_way_closed("trace_child")

    @unittest.skipUnless(ROOT, "the control needs root")
    def test_memory_of_processes(self):
        self.expect_control("read_memory_of", self.other.pid)
        self.expect_denied("read_memory_of", 1)

    def test_inherited_descriptors(self):
        with open(self.secret, "rb") as file:
            os.set_inheritable(file.fileno(), True)
            passed = {"pass_fds": (file.fileno(),)}
            self.expect_control("use_descriptors", **passed)
            self.expect_denied("use_descriptors", **passed)
            self.expect_denied("use_any_descriptor", **passed)

    def test_keyrings(self):
        self.expect_way_closed("use_keyring")


class Network(SandboxTest):
    def listen(self, family, address):
        listener = Listener(family, address)
        self.addCleanup(listener.close)
        return listener

    def test_loopback_of_the_machine(self):
        port = self.listen(socket.AF_INET, ("127.0.0.1", 0)).address[1]
        self.expect_way_closed("connect", port)
        allowed = self.inside("connect", port, options=["network"])
        self.assertEqual((allowed.status, allowed.out), (0, b"b'hello'\n"), str(allowed))

    def test_abstract_unix_sockets(self):
        self.listen(socket.AF_UNIX, f"\0lull-{self.mark}")
        self.expect_way_closed("connect_unix", f"@lull-{self.mark}")

    def test_unix_sockets(self):
        path = f"{self.directory}/socket"
        self.listen(socket.AF_UNIX, path)
        os.chmod(path, 0o777)
        self.expect_way_closed("connect_unix", path)

    def test_sockets_that_reach_the_host_without_a_network(self):
        for options in ([], ["network"]):
            self.expect_denied("open_socket", "AF_VSOCK", "SOCK_STREAM", options=options)
            self.expect_denied("open_socket", "AF_PACKET", "SOCK_RAW", options=options)
            self.expect_denied("open_socket", "AF_ALG", "SOCK_SEQPACKET", options=options)
        self.assertEqual(self.inside("open_socket", "AF_INET6", "SOCK_DGRAM").status, 0)

    @unittest.skipUnless(ROOT, "the control needs root")
    def test_raw_sockets(self):
        self.expect_way_closed("open_socket", "AF_INET", "SOCK_RAW", 1)  # ICMP


class Privileges(SandboxTest):
    @unittest.skipUnless(ROOT, "needs root")
    def test_a_setuid_program(self):
        shutil.copy("/usr/bin/id", f"{self.tree}/bin/id")
        os.chmod(f"{self.tree}/bin/id", 0o4755)
        nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
        copy = shutil.copy(ATTEMPTS, self.directory)
        os.chmod(copy, 0o755)
        control = subprocess.run([*nobody, "python3", copy, "run_setuid", f"{self.tree}/bin/id"], check=False)
        self.assertEqual(control.returncode, 0)
        self.expect_denied("run_setuid", "/app/bin/id")

    @unittest.skipUnless(ROOT, "the control needs root")
    def test_becoming_root(self):
        self.expect_way_closed("become_root")

    @unittest.skipUnless(ROOT, "the control needs root")
    def test_mounts(self):
        self.expect_control("mount_memory", through=["unshare", "--mount"])
        self.expect_denied("mount_memory")
        self.expect_denied("remount_tree", "/app")

    def test_namespaces(self):
        self.expect_way_closed("nest")
        self.expect_way_closed("nest_by_clone")
        self.expect_denied("join_namespace")

    @unittest.skipUnless(ROOT, "the control needs root")
    def test_names_and_priorities(self):
        self.expect_control("name_host", through=["unshare", "--uts"])
        self.expect_denied("name_host")
        self.expect_way_closed("be_preferred")

    def test_raising_limits(self):
        self.expect_denied("raise_limits")
        self.expect_denied("escape_memory_killer")

    def test_core_dumps(self):
        self.expect_way_closed("dump_core")

    @unittest.skipUnless(ROOT, "the control needs root")
    def test_system_calls_that_no_program_needs(self):
        self.expect_control("call", "bpf")
        self.expect_control("call", "memfd_create")
        for name in ("bpf", "perf_event_open", "io_uring_setup", "memfd_create", "userfaultfd", "init_module"):
            self.expect_denied("call", name)
        self.expect_way_closed("share_memory")


class Shares(SandboxTest):
    def left(self):
        return processes_with(self.mark)

    def test_processes(self):
        outcome = self.expect_way_closed("fork_many", 150, options=["processes=50"])
        self.assertLess(int(outcome.out), 50)

    def test_memory(self):
        self.expect_way_closed("take_memory", 300 * MIB, options=["memory=128M"])

    def test_shared_memory(self):
        self.expect_way_closed("map_shared", 600 * MIB, options=["memory=128M"])

    def test_disk(self):
        for place in ("/tmp", "/dev/shm"):
            self.expect_way_closed("fill", place, 48 * MIB, options=["scratch=32M"])
        self.expect_way_closed("write_large", "/tmp/large", 256 * MIB, options=["scratch=32M"])

    def test_endless_output(self):
        outcome = self.inside("write_forever", options=["output=8M"])
        self.assertEqual(outcome.result["end"], "too much output", str(outcome))
        self.assertLessEqual(len(outcome.out), 8 * MIB)

    def test_output_that_nobody_takes_is_not_kept(self):
        outcome = self.inside("write_forever", options=["slow", "seconds=2"])
        self.assertEqual((outcome.result["end"], outcome.result["output"]), ("timed out", 0), str(outcome))

    def test_time(self):
        for attempt in ("wait_forever", "burn"):
            outcome = self.inside(attempt, options=["seconds=1"])
            self.assertEqual(outcome.result["end"], "timed out", str(outcome))
            self.assertLess(outcome.result["took"], 20)

    def test_a_program_that_detaches_is_not_left_running(self):
        self.expect_control("leave_behind", self.mark)
        left = wait_until(self.left, 30, "the control leaves a process behind")
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.left(), 30, "it is gone")
        outcome = self.inside("leave_behind", self.mark)
        self.assertEqual(outcome.status, 0, str(outcome))
        self.assertEqual(self.left(), [])

    def test_nothing_is_left_of_a_runner_that_is_killed(self):
        program = self.script(f"setsid sleep {self.mark} & echo started; exec sleep {self.mark}")
        runner = subprocess.Popen([RUNNER, f"{self.directory}/result", self.tree, "--", program],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.assertEqual(runner.stdout.readline(), b"started\n")
        self.assertGreaterEqual(len(wait_until(self.left, 30, "it runs")), 1)
        runner.kill()
        runner.wait()
        runner.stdout.close()
        wait_until(lambda: not self.left(), 30, "everything is gone")


if __name__ == "__main__":
    unittest.main(verbosity=2)
