"""The laboratory's line: hosts as network namespaces, two routers, a shaped line between them, and a relay that adds
the delay.

    bg, bg2, fg -> ra -> [tbf or htb] -> relay -> rb -> client, n1, n2, ...

Traffic stays inside. Whatever is made here is removed by close()."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from rig import BUILD, wait_until  # noqa: E402

OURS = os.environ.get("LULL_BENCH_BUILD", BUILD)
BENCH = os.path.join(OURS, "bench", "lull-bench")
LINE = os.path.join(OURS, "bench", "bench_quiet_line")
MEMORY = "/dev/shm"  # data lie there, so that no disk is measured
PORT = 7800  # of the foreground's server
REAL_TIME = ["chrt", "--fifo", "10"]  # the foreground is somebody else's machine: our load must not slow it


@dataclass(frozen=True)
class Shape:
    """What the line is like."""
    rate: int = 20_000_000        # bit/s, of Ethernet frames
    rtt: float = 0.020            # s; 0: no relay
    buffer: float = 0.200         # s at this rate
    jitter: float = 0.0           # s, at most so much more for each packet, on the way down
    nodes: int = 1
    brokers: int = 1
    queue: str = "fifo"           # of the router: fifo, fair (two equal classes), priority (the foreground first)
    own: str = ""  # the foreground's server is the broker's host, whose interface is the line: bfifo or pfifo_fast
    changes: tuple = ()           # (s after the start, bit/s): the line becomes slower or faster


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def sweep(own=None):
    """Removes namespaces and data of a laboratory whose process is `own` or no longer there."""
    def left(name, prefix):
        pid = name.removeprefix(prefix).split("-")[0]
        return name.startswith(prefix) and pid.isdigit() and (int(pid) == own or not os.path.exists(f"/proc/{pid}"))

    for name in os.listdir("/run/netns") if os.path.isdir("/run/netns") else []:
        if left(name, "quiet"):
            remove_space(name)
    for name in os.listdir(MEMORY):
        if left(name, "lull-quiet-"):
            shutil.rmtree(f"{MEMORY}/{name}", ignore_errors=True)


def remove_space(name):
    """Ends what runs in a namespace, and removes it."""
    for pid in subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True,
                              check=False).stdout.split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


class Line:
    def __init__(self, shape):
        self.shape = shape
        self.prefix = f"quiet{os.getpid()}"
        self.spaces = []
        self.processes = []
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- namespaces and processes ----

    def space(self, name):
        return f"{self.prefix}-{name}"

    def inside(self, name, *command):
        return ["ip", "netns", "exec", self.space(name), *command]

    def run(self, name, *command):
        return run(*self.inside(name, *command))

    def start(self, name, *command, **options):
        """A process in a namespace; it ends with the line at the latest."""
        process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *self.inside(name, *command)],
                                   stdin=subprocess.DEVNULL,
                                   **options)
        self.processes.append(process)
        return process

    def pids(self, name):
        return [int(pid) for pid in run("ip", "netns", "pids", self.space(name)).split()]

    def stop(self, processes):
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 10
        for process in processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def close(self):
        self.stop(self.processes)
        for name in self.spaces:
            remove_space(name)
        self.spaces = []

    # ---- making it ----

    def _make(self):
        shape = self.shape
        sources = ["bg", "fg"] + ([f"bg{i}" for i in range(2, shape.brokers + 1)])
        receivers = ["client"] + [f"n{i}" for i in range(1, shape.nodes + 1)]
        for name in sources + receivers + ["ra", "rb"] + (["relay"] if shape.rtt else []):
            self._add_space(name)
        for router, hosts, first in (("ra", sources, 1), ("rb", receivers, 100)):
            for i, host in enumerate(hosts):
                self._join(host, router, first + i)
        self._middle()
        self._shape()
        self._listen()

    def _add_space(self, name):
        self.spaces.append(self.space(name))
        run("ip", "netns", "add", self.space(name))
        run("ip", "-n", self.space(name), "link", "set", "lo", "up")
        settings = ["net.ipv4.tcp_no_metrics_save=1", "net.ipv4.ip_forward=1",
                    "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"]
        self.run(name, "sysctl", "-q", "-w", *settings)

    def _veth(self, one, one_device, other, other_device):
        run("ip", "link", "add", "name", one_device, "netns", self.space(one), "type", "veth", "peer", "name",
            other_device, "netns", self.space(other))
        for name, device in ((one, one_device), (other, other_device)):
            self.run(name, "ethtool", "-K", device, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off",
                     "sg", "off")
            run("ip", "-n", self.space(name), "link", "set", device, "gso_max_segs", "1")
            run("ip", "-n", self.space(name), "link", "set", device, "up")

    def _address(self, name, device, address):
        run("ip", "-n", self.space(name), "addr", "add", address, "dev", device)

    def _join(self, host, router, net):
        self._veth(host, "eth0", router, host)
        self._address(host, "eth0", f"10.77.{net}.2/24")
        self._address(router, host, f"10.77.{net}.1/24")
        run("ip", "-n", self.space(host), "route", "add", "default", "via", f"10.77.{net}.1", "congctl", "cubic")

    def congestion(self, host, control):
        """What TCP of this host uses from now on; a route may name it where the sysctl is not free to."""
        router = self.address(host).rsplit(".", 1)[0] + ".1"
        run("ip", "-n", self.space(host), "route", "replace", "default", "via", router, "congctl", control)

    def _middle(self):
        if self.shape.rtt:
            self._veth("ra", "line", "relay", "near")
            self._veth("relay", "far", "rb", "line")
        else:
            self._veth("ra", "line", "rb", "line")
        for name, end in (("ra", 1), ("rb", 2)):
            self._address(name, "line", f"10.77.250.{end}/24")
            run("ip", "-n", self.space(name), "route", "add", "default", "via", f"10.77.250.{3 - end}")
        if self.shape.rtt:
            one_way = f"{self.shape.rtt / 2 * 1e6:.0f}us"
            relay = self.start("relay",
                               LINE,
                               "relay",
                               "--near",
                               "near",
                               "--far",
                               "far",
                               "--down",
                               one_way,
                               "--up",
                               one_way,
                               "--jitter",
                               f"{self.shape.jitter * 1e6:.0f}us",
                               stdout=subprocess.PIPE)
            if relay.stdout.readline() != b"ready\n":
                raise RuntimeError("the relay did not start")

    def shaped(self):
        """Namespace and interface that the line's rate is made by."""
        return ("bg", "eth0") if self.shape.own else ("ra", "line")

    def burst(self, rate):
        return str(max(1600, int(rate / 8 * 0.0005)))  # 0.5 ms, at least one frame

    def _shape(self):
        space, device = self.shaped()
        limit = str(int(self.shape.rate / 8 * self.shape.buffer))
        if self.shape.queue == "fifo":
            self.run(space, "tc", "qdisc", "add", "dev", device, "root", "handle", "1:", "tbf", "rate",
                     str(self.shape.rate), "burst", self.burst(self.shape.rate), "limit", limit)
            if self.shape.own == "pfifo_fast":
                run("ip", "-n", self.space(space), "link", "set", device, "txqueuelen", str(int(limit) // 1514))
                self.run(space, "tc", "qdisc", "add", "dev", device, "parent", "1:1", "handle", "10:", "pfifo_fast")
            return
        self._classes(space, device, limit)

    def _classes(self, space, device, limit):
        """The foreground is class 1:10, all others 1:20."""
        fair = self.shape.queue == "fair"
        self.run(space, "tc", "qdisc", "add", "dev", device, "root", "handle", "1:", "htb", "default", "20")
        self._set_classes("add", self.shape.rate)
        for number in (10, 20):
            self.run(space, "tc", "qdisc", "add", "dev", device, "parent", f"1:{number}", "handle", f"{number}:",
                     "bfifo", "limit",
                     str(int(limit) // 2) if fair else limit)
        to = ["match", "ip", "dst", f"{self.address('client')}/32"]
        self.run(space, "tc", "filter", "add", "dev", device, "parent", "1:", "protocol", "ip", "u32", *to, "flowid",
                 "1:10")

    def _set_classes(self, verb, rate):
        space, device = self.shaped()
        sizes = ["burst", self.burst(rate), "cburst", self.burst(rate), "quantum", "1514"]
        fair = self.shape.queue == "fair"
        share = rate // 2 if fair else rate // 100
        for parent, number, least, first in (("1:", 1, rate, True), ("1:1", 10, share, True), ("1:1", 20, share, fair)):
            self.run(space, "tc", "class", verb, "dev", device, "parent", parent, "classid", f"1:{number}", "htb",
                     "rate", str(least), "ceil", str(rate), "prio", "0" if first else "1", *sizes)

    def change(self, rate):
        """The line has another rate from now on; the buffer keeps its bytes."""
        space, device = self.shaped()
        if self.shape.queue != "fifo":
            return self._set_classes("change", rate)
        limit = str(int(self.shape.rate / 8 * self.shape.buffer))
        self.run(space, "tc", "qdisc", "change", "dev", device, "root", "handle", "1:", "tbf", "rate", str(rate),
                 "burst", self.burst(rate), "limit", limit)

    # ---- who is where ----

    def address(self, name):
        if name == "client":
            return "10.77.100.2"
        if name.startswith("n"):
            return f"10.77.{100 + int(name[1:])}.2"
        return {"bg": "10.77.1.2", "fg": "10.77.2.2"}.get(name) or f"10.77.{1 + int(name[2:])}.2"

    def nodes(self):
        return [f"n{i}" for i in range(1, self.shape.nodes + 1)]

    def pairs(self):
        """Which broker's host serves which node's."""
        brokers = ["bg"] + [f"bg{i}" for i in range(2, self.shape.brokers + 1)]
        return [(brokers[i % len(brokers)], node) for i, node in enumerate(self.nodes())]

    def foreground(self):
        return "bg" if self.shape.own else "fg"

    def _listen(self):
        where = self.foreground()
        server = self.start(where,
                            *REAL_TIME,
                            BENCH,
                            "serve",
                            "--listen",
                            f"0.0.0.0:{PORT}",
                            "--congestion",
                            "cubic",
                            stdout=subprocess.PIPE)
        if not server.stdout.readline():
            raise RuntimeError("lull-bench serve did not start")
        self.server = server

    # ---- measuring ----

    def ping(self, count=20):
        """Round trips between client and foreground server, ms."""
        self.run("client", "ping", "-n", "-c", "2", "-i", "0.2",
                 self.address(self.foreground()))  # the first one asks for hardware addresses
        out = self.run("client", "ping", "-n", "-c", str(count), "-i", "0.02", self.address(self.foreground()))
        least, mean, most, deviation = map(float, out.rsplit("=", 1)[1].split()[0].split("/"))
        return {"least": least, "mean": mean, "most": most, "deviation": deviation}

    def count(self, path):
        """Writes the counters of all receivers' interfaces to a file every 20 ms."""
        with open(path, "wb") as file:
            return self.start("rb", LINE, "count", "client", *self.nodes(), stdout=file)

    def delivered(self):
        """Bytes that have reached each of the nodes."""
        text = self.run("rb", "cat", "/proc/net/dev")
        fields = {line.split(":")[0].strip(): line.split(":")[1].split() for line in text.splitlines() if ":" in line}
        return {node: int(fields[node][8]) for node in self.nodes()}

    def wait_for_bulk(self, enough=60_000, timeout=30):
        wait_until(lambda: sum(self.delivered().values()) > enough, timeout, "nothing of the bulk transfer came")
