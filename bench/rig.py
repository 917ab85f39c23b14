"""A broker and many nodes on loopback, as processes with log files, and what /proc says about them."""

import datetime
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

MIB = 1 << 20
REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("LULL_BUILD", os.path.join(REPOSITORY, "build", "release"))
BROKER = os.path.join(BUILD, "broker", "lull-broker")
LULL = os.path.join(BUILD, "publisher", "lull")
NODE = os.path.join(BUILD, "subscriber", "lull-node")
BARE = os.path.join(BUILD, "bench", "bench_bare_zmq")


def free_ports(first=27000):
    """The first of three neighbours that nobody listens on."""
    for base in range(first, 32000, 3):
        try:
            for port in range(base, base + 3):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
    raise RuntimeError("no three free ports in a row were found")


def wait_until(condition, timeout, what, every=0.05):
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {timeout} s")
        time.sleep(every)
    return found


def fill(path, size):
    """Incompressible bytes."""
    with open(path, "wb") as file:
        while size > 0:
            block = os.urandom(min(size, 8 * MIB))
            file.write(block)
            size -= len(block)


class Daemon:
    """A process whose output goes to a file; lines are looked at afterwards, so that nothing is disturbed while it is
    measured."""

    def __init__(self, name, command, environment, log):
        self.name = name
        self.log = log
        self.offset = 0
        self.lines = []
        with open(log, "ab") as out:
            guarded = ["setpriv", "--pdeathsig", "KILL", "--", *command]
            self.process = subprocess.Popen(guarded, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    @property
    def pid(self):
        return self.process.pid

    def read(self):
        """All complete lines up to now."""
        with open(self.log, "rb") as file:
            file.seek(self.offset)
            new = file.read()
        whole = new[:new.rfind(b"\n") + 1]
        self.offset += len(whole)
        self.lines += whole.decode(errors="replace").splitlines()
        return self.lines

    def find(self, pattern, after=0):
        return next((match for line in self.read()[after:] if (match := re.search(pattern, line))), None)

    def wait_for(self, pattern, timeout=120, after=0, every=0.05):
        def found():
            match = self.find(pattern, after)
            if match is None and self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended:\n" + "\n".join(self.lines[-20:]))
            return match
        return wait_until(found, timeout, f"{self.name} did not say /{pattern}/", every)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)


class Rig:
    def __init__(self, on=None, nodes_on=None, network=None, broker_options=()):
        """The broker's data go into a new directory in `on`, the nodes' roots into one in `nodes_on`. With a `network`
        (tests/e2e/network.py) broker and operator are at its one end, the nodes at the other."""
        self.at_broker, self.at_nodes = (network.through("b"), network.through("n")) if network else ([], [])
        self.directory = tempfile.mkdtemp(prefix="lull-bench-", dir=on)
        self.roots = tempfile.mkdtemp(prefix="lull-bench-", dir=nodes_on or on)
        self.started = []
        self.nodes = []
        self.keys = f"{self.directory}/keys"
        self.environment = {**os.environ, "LULL_KEYS": self.keys, "HOME": self.directory, "LC_ALL": "C.UTF-8"}
        self.run(LULL, "keygen", "--name", "operator")
        data = f"{self.directory}/broker"
        place = ["--listen", f"0.0.0.0:{free_ports()}", "--advertise", "10.77.1.2"
                 ] if network else ["--listen", f"127.0.0.1:{free_ports()}"]
        self.run(BROKER, "init", "--data", data, "--operator", f"{self.keys}/public.key", *place)
        with open(f"{data}/address", encoding="utf-8") as file:
            self.environment["LULL_BROKER"] = file.read().strip()
        self.broker = self.start("broker", [*self.at_broker, BROKER, "run", "--data", data, *broker_options])
        self.broker.wait_for("listening on")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for daemon in self.started:
            daemon.stop()
        for daemon in self.started:
            try:
                daemon.process.wait(30)
            except subprocess.TimeoutExpired:
                daemon.process.kill()
                daemon.process.wait()
        for directory in (self.directory, self.roots):
            shutil.rmtree(directory, ignore_errors=True)

    def run(self, *command):
        done = subprocess.run([*self.at_broker, *command],
                              env=self.environment,
                              stdin=subprocess.DEVNULL,
                              capture_output=True,
                              text=True,
                              check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def start(self, name, command):
        daemon = Daemon(name, command, self.environment, f"{self.directory}/{name}.log")
        self.started.append(daemon)
        return daemon

    def add_nodes(self, count):
        """Enrols the nodes; start_nodes() starts them."""
        for _ in range(count):
            name = f"n{len(self.nodes) + 1}"
            bundle = f"{self.directory}/{name}.join"
            self.run(LULL, "nodes", "new", name, "--out", bundle)
            self.run(NODE, "join", bundle, "--root", f"{self.roots}/{name}")
            self.nodes.append(name)

    def start_nodes(self):
        """Starts all nodes, and returns when each has its connection."""
        daemons = [self.start_node(name) for name in self.nodes]
        for daemon in daemons:
            daemon.wait_for("announcements: connected", timeout=300)
        return daemons

    def start_node(self, name):
        return self.start(name, [*self.at_nodes, NODE, "daemon", "--root", f"{self.roots}/{name}"])

    def publish(self, tree, version, software="app"):
        """Publishes a tree; returns what `lull publish --json` says."""
        return json.loads(self.run(LULL, "publish", tree, "--name", software, "--version", version, "--json"))


def seconds_at(text):
    """A time of a log, like 2026-01-31T09:12:00.000250Z, in seconds since 1970."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def memory_of(pid, rollup=True):
    """VmRSS, VmHWM, RssAnon and Pss in KiB; the last only with `rollup`, which costs a walk through the page tables."""
    figures = {}
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name in ("VmRSS", "VmHWM", "RssAnon"):
                figures[name] = int(value.split()[0])
    if not rollup:
        return figures
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
        for line in file:
            if line.startswith("Pss:"):
                figures["Pss"] = int(line.split()[1])
    return figures


def cpu_seconds(pid, children=False):
    """User and system time of a process so far; on request with that of its children that have ended."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()
    return sum(map(int, fields[11:15 if children else 13])) / os.sysconf("SC_CLK_TCK")


def cpu_by_thread(pid):
    """The same by thread id."""
    times = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/stat", encoding="utf-8") as file:
            name, _, rest = file.read().partition("(")[2].rpartition(")")
        fields = rest.split()
        times[f"{thread} {name}"] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return times


def forget_peak(pid):
    """Lets VmHWM begin anew; needs the right to, and is done without where that is missing."""
    try:
        with open(f"/proc/{pid}/clear_refs", "w", encoding="utf-8") as file:
            file.write("5")
    except PermissionError:
        pass


class MemorySampler:
    """The most RssAnon and VmRSS in KiB that processes had while it ran."""

    def __init__(self, pids, every=0.05):
        self.most = {pid: {"RssAnon": 0, "VmRSS": 0} for pid in pids}
        self.every = every
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._sample)

    def _sample(self):
        while not self.ending.wait(self.every):
            for pid, most in self.most.items():
                for name, value in memory_of(pid, rollup=False).items():
                    if name in most:
                        most[name] = max(most[name], value)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()


def sync_speed(directory, size=256 << 20):
    """What the disk under a directory does right now: milliseconds for the fsync of 4 KiB, and MiB/s for bytes that are
    made durable as a node does it, an fsync every 16 MiB."""
    path = os.path.join(directory, "sync-speed")
    block = os.urandom(4 << 20)
    file = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        small = []
        for i in range(30):
            os.pwrite(file, block[:4096], i * 4096)
            begun = time.monotonic()
            os.fsync(file)
            small.append((time.monotonic() - begun) * 1e3)
        begun = time.monotonic()
        for offset in range(0, size, len(block)):
            os.pwrite(file, block, offset)
            if offset % (16 << 20) == 0:
                os.fsync(file)
        os.fsync(file)
        took = time.monotonic() - begun
    finally:
        os.close(file)
        os.unlink(path)
    return {"fsync_ms": sorted(small)[len(small) // 2], "mib_per_s": size / (1 << 20) / took}


def machine():
    """The machine in general words, and how busy it is."""
    load = os.getloadavg()[0]
    with open("/proc/meminfo", encoding="utf-8") as file:
        memory = int(file.readline().split()[1]) / (1 << 20)
    linux = os.uname().release.split("-")[0]
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, Linux {linux}, load {load:.1f} at the start"


def percentile(values, share):
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -(-len(ordered) * share // 100) - 1))]
