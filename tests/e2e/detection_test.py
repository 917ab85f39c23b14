"""Who uses a version is found, by which detector, and how soon the release that waits becomes active; what is not found
is said as well.

Prints the table of docs/in-use.md. Two nodes: one of root's, one of an ordinary user's."""

import os
import shutil
import subprocess
import sys
import threading
import time

import trees
from daemon import time_of
from fleet import NOBODY, NODE, Fleet, FleetTest, main
from waiting import a_second, wait_until

ECHO_SH = b"#!/bin/sh\nwhile IFS= read -r line; do echo \"$line\"; done\n"
ECHO_PY = b"import sys\nfor line in sys.stdin:\n    print(line, end='', flush=True)\n"
ECHO_JS = b"process.stdin.pipe(process.stdout);\n"
# Python that the test gives on the command line: it gets files by the environment, so that no argument names them.
ECHO = ECHO_PY.decode()
MAP = ("import ctypes, os\nfile = os.open(os.environ['FILE'], os.O_RDONLY)\nlibrary = ctypes.CDLL(None)\n"
       "library.mmap(None, ctypes.c_size_t(1), 1, 2, file, ctypes.c_long(0))\nos.close(file)\n" + ECHO
       )  # PROT_READ, MAP_PRIVATE
OPEN = "import os\nfile = os.open(os.environ['FILE'], os.O_RDONLY)\n" + ECHO
SEND = ("import os, socket\nhere, there = socket.socketpair()\nfile = os.open(os.environ['FILE'], os.O_RDONLY)\n"
        "socket.send_fds(here, [b'x'], [file])\nos.close(file)\n" + ECHO)
LEAVE_PY = b"import os\nos.chdir('/')\n" + ECHO_PY
CHROOT = "import os\nos.chroot(os.environ['FILE'])\nos.chdir('/')\n" + ECHO
UNSEEN = "-"


def some_library():
    """A shared library of this machine that no program needs to work."""
    with open("/proc/self/maps", encoding="utf-8") as file:
        return next(line.split()[-1] for line in file if "/libm" in line and ".so" in line)


def make_tree(tree):
    """Programs in several languages that write what they read, until their input ends."""
    trees.write(f"{tree}/app.bin", trees.read("/bin/cat"), 0o755)
    os.makedirs(f"{tree}/bin")
    os.symlink("../app.bin", f"{tree}/bin/app")
    trees.write(f"{tree}/lib/library.so", trees.read(some_library()))
    trees.write(f"{tree}/lib/data", b"contents\n")
    trees.write(f"{tree}/share/app.sh", ECHO_SH, 0o755)
    trees.write(f"{tree}/share/app.py", f"#!{sys.executable}\n".encode() + ECHO_PY, 0o755)
    trees.write(f"{tree}/share/leave.py", LEAVE_PY)
    trees.write(f"{tree}/share/app.js", ECHO_JS)
    trees.write(f"{tree}/share/package/__main__.py", ECHO_PY)
    return tree


class Echo:
    """A program that runs until its input ends. `detached`: it is no child of ours, and has no terminal."""

    def __init__(self, command, environment, cwd="/", detached=False):
        command = ["setsid", "--fork", *command] if detached else command
        self.process = subprocess.Popen(command,
                                        env=environment,
                                        cwd=cwd,
                                        stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.detached = detached
        self.process.stdin.write(b"hello\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line == b"hello\n", f"{command} said {line}"

    def runs(self):
        self.process.stdin.write(b"still here\n")
        self.process.stdin.flush()
        return self.process.stdout.readline() == b"still here\n"

    def end(self):
        """Lets it end, and returns the moment of it."""
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self.process.stdout.read()
        if not self.detached:
            self.process.wait()
        ended = time.time()
        self.process.wait()
        self.process.stdout.close()
        return ended


class Table:
    def __init__(self):
        self.rows = []

    def add(self, what, seen, named, took):
        self.rows.append((what, seen, named, took))

    def __str__(self):
        lines = ["| use of the version | seen by | named | from its end to the switch, ms |", "|---|---|---|--:|"]
        return "\n".join(lines + [f"| {' | '.join(row)} |" for row in self.rows])


class Detection(FleetTest):
    shared = True
    fleet: Fleet

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.table = Table()
        cls.addClassCleanup(lambda: print(f"\n{cls.table}", flush=True))
        cls.number = 0
        fleet = cls.fleet
        cls.tree = make_tree(f"{fleet.directory}/source")
        cls.node = fleet.add_node("root").start()
        cls.user = fleet.add_node("user")
        fleet.run("chown", "-R", f"{NOBODY}:{NOBODY}", cls.user.root)
        cls.user.daemon = fleet.start("user", fleet.as_nobody(NODE, "daemon", "--root", cls.user.root))
        cls.user.daemon.wait_for("announcements: connected")

    def setUp(self):
        super().setUp()
        self.publish()
        for node in (self.node, self.user):
            node.wait_active(self.version)
        self.old = self.version

    def publish(self):
        cls = type(self)
        cls.number += 1
        cls.version = f"1.{cls.number}"
        trees.write(f"{self.tree}/version", self.version.encode())
        self.fleet.publish(self.tree, self.version, "--start", "bin/app")

    # ---- what is installed ----

    def place(self, path, node=None):
        return f"{(node or self.node).root}/app/current/{path}"

    def directory(self, node=None):
        return os.path.realpath(f"{(node or self.node).root}/app/current")

    def run_it(self, *how, node=None):
        return [NODE, "run", "app", "--root", (node or self.node).root, *how]

    def echo(self, command, cwd="/", detached=False, **environment):
        program = Echo(command, {**self.fleet.environment, **environment}, cwd, detached)
        self.addCleanup(lambda: program.process.stdout.closed or program.end())
        return program

    # ---- what is asserted ----

    def holders(self, node):
        return self.fleet.ledger()[node.name].get("holders", [])

    def held(self, what, program, seen, node=None, named=True):
        """The release waits, says by what the holder was seen and who it is, and becomes active when the program
        ends."""
        node = node or self.node
        mark = node.daemon.mark()
        self.publish()
        line = node.daemon.wait_for(f"app {self.version}: waiting", after=mark)
        said = line.split(": seen ", 1)[1]
        self.assertRegex(said, rf"^pid \d+ by {seen}$" if named else seen)
        self.check_named(node, program, named)
        self.assertTrue(program.runs())
        self.assertEqual(node.current()[1], self.old, "what is in use is not replaced")
        mark = node.daemon.mark()
        ended = program.end()
        took = time_of(node.wait_active(self.version, after=mark)) - ended
        self.assertLess(took, a_second())
        self.table.add(what, seen if named else seen.split(":", 1)[0].removeprefix("by "), "yes" if named else "no",
                       f"{1000 * max(took, 0):.0f}")

    def check_named(self, node, program, named):
        rows = wait_until(lambda: (row := self.fleet.ledger()[node.name])["state"] == "waiting" and row, 30,
                          "the broker knows")
        pids = [holder["pid"] for holder in rows["holders"]]
        if not named:
            self.assertEqual(pids, [])
        elif not program.detached:
            self.assertEqual(pids, [program.process.pid])
            self.assertEqual(rows["holders"][0]["uid"], os.stat(f"/proc/{program.process.pid}").st_uid)

    def not_seen(self, what, program, node=None):
        """The release becomes active, though the program still runs: its files stay where they were."""
        node = node or self.node
        tree = self.directory(node)
        mark = node.daemon.mark()
        self.publish()
        node.wait_active(self.version, after=mark)
        self.assertIsNone(node.daemon.find(f"app {self.version}: waiting", after=mark))
        self.assertTrue(program.runs())
        self.assertEqual(trees.read(f"{tree}/version").decode(), self.old, "the version before is kept")
        program.end()
        self.table.add(what, "**not seen**", "no", UNSEEN)

    # ---- the table's rows ----

    def test_01_a_program_by_lull_node_run(self):
        self.held("a program, by `lull-node run`", self.echo(self.run_it()), "lock, program")

    def test_02_a_program(self):
        self.held("a program, started directly", self.echo([self.place("bin/app")]), "program")

    def test_03_a_shared_library(self):
        self.held("a shared library, in a program of the system",
                  self.echo(["/bin/cat"], LD_PRELOAD=self.place("lib/library.so")), "mapping")

    def test_04_a_mapping(self):
        self.held("a mapped file whose descriptor is closed",
                  self.echo([sys.executable, "-c", MAP], FILE=self.place("lib/data")), "mapping")

    def test_05_an_open_file(self):
        self.held("an open file", self.echo([sys.executable, "-c", OPEN], FILE=self.place("lib/data")), "open file")

    def test_06_a_descriptor_on_its_way(self):
        program = self.echo([sys.executable, "-c", SEND], FILE=self.place("lib/data"))
        self.held("an open file in transit through a socket",
                  program,
                  "by lease: somebody whom /proc does not show has data open",
                  named=False)

    def test_07_a_shell_script_by_lull_node_run(self):
        self.held("a shell script, by `lull-node run`", self.echo(self.run_it("--program", "share/app.sh")),
                  "lock, argument")

    def test_08_a_shell_script(self):
        self.held("a shell script, started directly", self.echo([self.place("share/app.sh")]), "argument")

    def test_09_a_python_script_by_lull_node_run(self):
        self.held("a Python script, by `lull-node run`", self.echo(self.run_it("--program", "share/app.py")),
                  "lock, argument")

    def test_10_a_python_script(self):
        self.held("a Python script, started directly", self.echo([self.place("share/app.py")]), "argument")

    def test_11_a_python_script_by_a_relative_path(self):
        program = self.echo([sys.executable, "-u", "app/current/share/app.py"], cwd=self.node.root)
        self.held("a Python script, by a path relative to a directory outside", program, "argument")

    def test_12_a_node_script(self):
        if not shutil.which("node"):
            self.skipTest("there is no node")
        self.held("a Node script, started directly", self.echo(["node", self.place("share/app.js")]), "argument")

    def test_13_a_python_module_from_inside(self):
        program = self.echo([sys.executable, "-m", "package"], cwd=self.place("share"))
        self.held("`python -m`, from inside the tree", program, "working directory, argument")

    def test_14_a_python_module_by_pythonpath(self):
        program = self.echo([sys.executable, "-m", "package"], PYTHONPATH=self.place("share"))
        self.not_seen("`python -m`, with PYTHONPATH, from outside", program)

    def test_15_a_script_that_left_where_its_path_began(self):
        program = self.echo([sys.executable, "app/current/share/leave.py"], cwd=self.node.root)
        self.not_seen("a script by a relative path that then changes its directory", program)

    def test_16_a_working_directory(self):
        self.held("a shell whose working directory is inside", self.echo(["/bin/cat"], cwd=self.place("share")),
                  "working directory")

    def test_17_a_root(self):
        program = self.echo([sys.executable, "-c", CHROOT], FILE=self.directory())
        self.held("a process whose root (chroot) is inside", program, "working directory, root")

    def unshare(self, *command):
        """A command in a mount namespace of its own."""
        if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
            self.skipTest("mount namespaces cannot be made here")
        return ["unshare", "-m", *command]

    def test_18_another_mount_namespace(self):
        self.held("a program in another mount namespace", self.echo(self.unshare(self.place("bin/app"))), "program")

    def test_19_an_argument_in_another_mount_namespace(self):
        mount = f"{self.fleet.directory}/mount"
        os.makedirs(mount, exist_ok=True)
        script = f"mount --bind {self.directory()} {mount} && exec {sys.executable} {mount}/share/app.py"
        self.held("a Python script by a mount that only its namespace has", self.echo(self.unshare("sh", "-c", script)),
                  "argument")

    def test_20_a_program_through_an_overlay(self):
        mount = f"{self.fleet.directory}/overlay"
        script = (
            f"mkdir -p {mount} && mount -t tmpfs none {mount} && mkdir {mount}/upper {mount}/work {mount}/merged && "
            f"mount -t overlay none -o lowerdir={self.directory()},upperdir={mount}/upper,workdir={mount}/work "
            f"{mount}/merged && "
            f"exec {mount}/merged/app.bin")
        with open("/proc/filesystems", encoding="utf-8") as file:
            if "overlay" not in file.read():
                self.skipTest("this kernel has no overlays")
        program = self.echo(self.unshare("sh", "-c", script))
        self.held("a program through an overlay (a container)",
                  program,
                  "by lease: somebody whom /proc does not show has app.bin open",
                  named=False)

    def test_21_a_daemon(self):
        self.held("a daemon without a terminal", self.echo([self.place("bin/app")], detached=True), "program")

    def test_22_a_daemon_by_lull_node_run(self):
        self.held("a daemon without a terminal, by `lull-node run`", self.echo(self.run_it(), detached=True),
                  "lock, program")

    def test_23_a_shell_that_goes_elsewhere(self):
        """No event tells of that: the slow look finds out, which begins quickly."""
        program = self.echo(["sh", "-c", "read -r line; echo $line; read -r line; cd /; echo $line; read -r line"],
                            cwd=self.place("share"))
        mark = self.node.daemon.mark()
        self.publish()
        waiting = time_of(
            self.node.daemon.wait_for(f"app {self.version}: waiting: seen pid .* by working directory", after=mark))
        self.assertTrue(program.runs())
        took = time_of(self.node.wait_active(self.version, after=mark)) - waiting
        program.end()
        self.assertLess(took, 1 + a_second())
        self.table.add("a shell that changes to another directory and stays", "working directory", "yes",
                       f"{1000 * max(took, 0):.0f}")

    # ---- a node that runs as an ordinary user ----

    def test_30_the_users_own_program(self):
        program = self.echo(self.fleet.as_nobody(self.place("app.bin", self.user)))
        self.held("user's node: a program of the same user", program, "program", self.user)

    def test_31_roots_program(self):
        program = self.echo([self.place("bin/app", self.user)])
        self.held("user's node: a program of root's",
                  program,
                  "by lease: somebody whom /proc does not show has app.bin open",
                  self.user,
                  named=False)

    def test_32_roots_program_by_lull_node_run(self):
        program = self.echo(self.run_it(node=self.user))
        seen = "by lease: somebody whom /proc does not show has app.bin open, by lock: whoever holds it cannot be found"
        self.held("user's node: a program of root's, by `lull-node run`", program, seen, self.user, named=False)

    def test_33_roots_script(self):
        self.held("user's node: a Python script of root's", self.echo([self.place("share/app.py", self.user)]),
                  "argument", self.user)

    def test_34_roots_script_by_a_relative_path(self):
        program = self.echo([sys.executable, "app/current/share/app.py"], cwd=self.user.root)
        self.not_seen("user's node: a Python script of root's, by a relative path", program, self.user)

    def test_35_roots_working_directory(self):
        self.not_seen("user's node: a working directory of root's",
                      self.echo(["/bin/cat"], cwd=self.place("share", self.user)), self.user)

    # ---- programs that come and go ----

    def short_lived(self, what, command, seen):
        """A program starts every 10 ms and ends at once, as long as it takes."""
        ending = threading.Event()
        failures = []
        runs = [0]

        def run():
            while not ending.is_set():
                begun = time.monotonic()
                done = subprocess.run(command,
                                      env=self.fleet.environment,
                                      stdin=subprocess.DEVNULL,
                                      capture_output=True,
                                      check=False)
                runs[0] += 1
                failures.extend([done.stderr] if done.returncode else [])
                ending.wait(max(0.0, begun + 0.010 - time.monotonic()))

        thread = threading.Thread(target=run)
        thread.start()
        try:
            mark = self.node.daemon.mark()
            self.publish()
            begun = time_of(self.node.daemon.wait_for(f"app {self.version}: staged", after=mark))
            took = time_of(self.node.wait_active(self.version, after=mark)) - begun
        finally:
            ending.set()
            thread.join()
        self.assertEqual(failures, [])
        self.assertLess(took, 20)
        waited = self.node.daemon.find(f"app {self.version}: waiting", after=mark)
        if waited:
            self.assertRegex(waited, f": seen (pid .* by {seen}|by l)")
        self.table.add(what, seen if waited else "a gap between two runs", "yes" if waited else "",
                       f"{1000 * took:.0f}, from staged, {runs[0]} runs")

    def test_40_short_lived_by_lull_node_run(self):
        self.short_lived("a program every 10 ms that ends at once, by `lull-node run`", self.run_it(), "lock, program")

    def test_41_short_lived(self):
        self.short_lived("a program every 10 ms that ends at once, started directly", [self.place("bin/app")],
                         "program")


if __name__ == "__main__":
    main()
