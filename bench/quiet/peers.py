"""Those who send bulk data: each has begin(), which starts it on a line, and end()."""

import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time

from line import MEMORY, run

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from rig import BROKER, BUILD, LULL, MIB, NODE, cpu_seconds, fill, wait_until  # noqa: E402

FAULTS = os.path.join(BUILD, "tests", "fault", "liblull_fault.so")
HERE = os.path.dirname(os.path.abspath(__file__))


class Workplace:
    """Directories and data that several runs use; removed at the end."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix=f"lull-quiet-{os.getpid()}-", dir=MEMORY)
        self.releases = {}
        self.torrent = None

    def close(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def sparse(self, size):
        """A file of zeros for those who do not compress."""
        path = f"{self.directory}/zeros"
        with open(path, "ab") as file:
            file.truncate(max(size, os.path.getsize(path)))
        return path

    def torrent_of(self, size):
        """A torrent of at least so many bytes: its file and the directory of its data."""
        if self.torrent and self.torrent[2] >= size:
            return self.torrent
        data = f"{self.directory}/seed"
        os.makedirs(data, exist_ok=True)
        fill(f"{data}/bulk", size)
        path = f"{self.directory}/bulk.torrent"
        run("/usr/bin/python3", f"{HERE}/utp.py", "make", "--file", f"{data}/bulk", "--torrent", path)
        self.torrent = (path, data, size)
        return self.torrent


class Peer:
    """One way to send bulk data. `size` is what a node could take at most during the run."""

    def __init__(self, name, workplace, line, size):
        self.name, self.work, self.line, self.size = name, workplace, line, size
        self.directory = tempfile.mkdtemp(prefix="run-", dir=workplace.directory)
        self.servers, self.clients = [], []
        self.governed = None  # lull: whether its broker has a governor that is on

    def begin(self):
        pass

    def log(self, name):
        return open(f"{self.directory}/{name}.log", "ab")

    def serve(self, where, name, *command, **options):
        with self.log(name) as log:
            self.servers.append(self.line.start(where, *command, stdout=log, stderr=log, **options))

    def fetch(self, where, name, *command, **options):
        with self.log(name) as log:
            self.clients.append(self.line.start(where, *command, stdout=log, stderr=log, **options))

    def cpu(self):
        """CPU seconds so far of all that serves in the first broker's host."""
        spent = 0.0
        for pid in self.line.pids("bg"):
            try:
                with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                    if file.read().strip() != "lull-bench":
                        spent += cpu_seconds(pid)
            except FileNotFoundError:
                pass
        return spent

    def still_running(self):
        return all(client.poll() is None for client in self.clients)

    def keep_logs(self, place):
        os.makedirs(place, exist_ok=True)
        for path in glob.glob(f"{self.directory}/*.log"):
            shutil.copy(path, place)

    def end(self):
        self.line.stop(self.clients + self.servers)
        shutil.rmtree(self.directory, ignore_errors=True)


class Nothing(Peer):
    def cpu(self):
        return 0.0


class Curl(Peer):
    """nginx and curl, over plain HTTP; `congestion` is that of the sending host, `share` a limit as a part of the
    line."""

    def __init__(self, *arguments, congestion="cubic", share=None):
        super().__init__(*arguments)
        self.congestion, self.share = congestion, share

    def begin(self):
        path = self.work.sparse(4 * self.size)
        for where in sorted({broker for broker, _ in self.line.pairs()}):
            self.line.congestion(where, self.congestion)
            configuration = f"{self.directory}/{where}.conf"
            with open(configuration, "w", encoding="utf-8") as file:
                file.write(
                    f"daemon off; master_process off; pid {self.directory}/{where}.pid; error_log stderr; user root;\n"
                    f"events {{ worker_connections 512; }}\n"
                    f"http {{ access_log off; sendfile on; server {{ listen 8080; root {os.path.dirname(path)}; }} }}\n"
                )
            self.serve(where, f"nginx-{where}", "nginx", "-c", configuration, "-p", self.directory)
        time.sleep(0.3)
        for where, node in self.line.pairs():
            limit = []
            if self.share:
                limit = ["--limit-rate", str(int(self.line.shape.rate / 8 * self.share / self.line.shape.nodes))]
            self.fetch(node, node, "curl", "-s", "-S", "--retry", "5", "--retry-connrefused", *limit, "-o", "/dev/null",
                       f"http://{self.line.address(where)}:8080/{os.path.basename(path)}")


class Rsync(Peer):
    """An rsync daemon; the limit is 80 % of the line."""

    def begin(self):
        path = self.work.sparse(4 * self.size)
        for where in sorted({broker for broker, _ in self.line.pairs()}):
            configuration = f"{self.directory}/{where}.conf"
            with open(configuration, "w", encoding="utf-8") as file:
                file.write(f"use chroot = no\nuid = root\ngid = root\nlock file = {self.directory}/{where}.lock\n"
                           f"[bulk]\npath = {os.path.dirname(path)}\nread only = yes\n")
            self.serve(where, f"rsyncd-{where}", "rsync", "--daemon", "--no-detach", "--port=8730",
                       f"--config={configuration}")
        time.sleep(0.3)
        for where, node in self.line.pairs():
            limit = int(self.line.shape.rate / 8 * 0.8 / self.line.shape.nodes / 1024)
            self.fetch(node, node, "rsync", "--inplace", "--whole-file", f"--bwlimit={limit}",
                       f"rsync://{self.line.address(where)}:8730/bulk/{os.path.basename(path)}",
                       f"{self.directory}/{node}.copy")


class Utp(Peer):
    """libtorrent over uTP alone, with its target for the queueing delay in ms."""

    def __init__(self, *arguments, target=100):
        super().__init__(*arguments)
        self.target = target

    def begin(self):
        torrent, data, _ = self.work.torrent_of(self.size)
        program = ["/usr/bin/python3", f"{HERE}/utp.py"]
        for where in sorted({broker for broker, _ in self.line.pairs()}):
            self.serve(where, f"seed-{where}", *program, "seed", "--torrent", torrent, "--data", data, "--target",
                       str(self.target))
        time.sleep(1.5)
        for where, node in self.line.pairs():
            self.fetch(node, node, *program, "fetch", "--torrent", torrent, "--data", f"{self.directory}/{node}",
                       "--target", str(self.target), "--from", self.line.address(where))


class Lull(Peer):
    """The real broker and real nodes. The release is published once; each run has new nodes."""

    def __init__(self, *arguments, urgency="normal", governor="on", drift=0, options=()):
        super().__init__(*arguments)
        self.urgency, self.governor, self.drift, self.options = urgency, governor, drift, list(options)

    def environment(self, home):
        return {**os.environ, "LULL_KEYS": f"{home}/keys", "HOME": home, "LC_ALL": "C.UTF-8"}

    def command(self, where, home, *command):
        environment = self.environment(home)
        address = f"{home}/broker/address"
        if os.path.exists(address):
            with open(address, encoding="utf-8") as file:
                environment["LULL_BROKER"] = file.read().strip()
        done = subprocess.run(self.line.inside(where, *command),
                              env=environment,
                              stdin=subprocess.DEVNULL,
                              capture_output=True,
                              text=True,
                              check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def start_broker(self, where, home):
        options = list(self.options)
        known = "--governor" in subprocess.run([BROKER, "run", "--help"], capture_output=True, text=True,
                                               check=False).stdout
        self.governed = known and self.governor == "on"
        if known:
            options += ["--governor", self.governor]
        self.serve(where,
                   f"broker-{where}",
                   BROKER,
                   "run",
                   "--data",
                   f"{home}/broker",
                   *options,
                   env=self.environment(home))
        wait_until(lambda: "listening on" in self.said(f"broker-{where}"), 60, "the broker did not start")

    def said(self, name):
        with open(f"{self.directory}/{name}.log", encoding="utf-8", errors="replace") as file:
            return file.read()

    def prepare(self, where):
        """A broker's directory with a release that is large enough; made once."""
        key = (where, self.urgency)
        size, home = self.work.releases.get(key, (0, None))
        if size >= self.size:
            self.start_broker(where, home)
            return home
        if home:
            shutil.rmtree(home)
        home = tempfile.mkdtemp(prefix=f"broker-{where}-", dir=self.work.directory)
        self.command(where, home, LULL, "keygen", "--name", "operator")
        self.command(where, home, BROKER, "init", "--data", f"{home}/broker", "--operator", f"{home}/keys/public.key",
                     "--listen", "0.0.0.0:7700", "--advertise", self.line.address(where))
        self.start_broker(where, home)
        tree = f"{home}/tree"
        os.makedirs(tree)
        for i in range(self.size // (4 * MIB) + 1):
            fill(f"{tree}/{i:04}", 4 * MIB)
        self.command(where, home, LULL, "publish", tree, "--name", "bulk", "--version", "1.0", "--urgency",
                     self.urgency)
        shutil.rmtree(tree)
        self.work.releases[key] = (self.size, home)
        return home

    def begin(self):
        homes = {where: self.prepare(where) for where in sorted({broker for broker, _ in self.line.pairs()})}
        daemons = []
        for where, node in self.line.pairs():
            name = f"{node}-{os.path.basename(self.directory)[4:].replace('_', '-').lower()}"
            bundle = f"{self.directory}/{node}.join"
            self.command(where, homes[where], LULL, "nodes", "new", name, "--out", bundle)
            self.command(node, homes[where], NODE, "join", bundle, "--root", f"{self.directory}/{node}")
            daemons.append((node, NODE, "daemon", "--root", f"{self.directory}/{node}"))
        clock = {"LD_PRELOAD": FAULTS, "LULL_FAULT_DRIFT": str(self.drift)} if self.drift else {}
        for node, *command in daemons:
            self.fetch(node, node, *command, env={**os.environ, **clock})

    def still_running(self):
        published = min(size for (_, urgency), (size, _) in self.work.releases.items() if urgency == self.urgency)
        return super().still_running() and max(self.line.delivered().values()) < published


KINDS = {
    "nothing": (Nothing, {}),
    "priority": (Curl, {}),  # cubic, and a router that lets the foreground go first
    "cubic": (Curl, {}),
    "bbr": (Curl, {"congestion": "bbr"}),
    "curl-limit": (Curl, {"share": 0.5}),
    "curl-limit-80": (Curl, {"share": 0.8}),
    "rsync": (Rsync, {}),
    "utp": (Utp, {"target": 100}),
    "utp-25": (Utp, {"target": 25}),
    "lull": (Lull, {}),
    "lull-urgent": (Lull, {"urgency": "urgent"}),
    "lull-background": (Lull, {"urgency": "background"}),
    "lull-drift": (Lull, {"drift": 200}),  # the nodes' clocks are fast by 200 millionths
    "lull-off": (Lull, {"governor": "off"}),
}


def make(name, workplace, line, size, broker_options=()):
    kind, options = KINDS[name]
    if kind is Lull:
        options = {**options, "options": broker_options}
    return kind(name, workplace, line, size, **options)
