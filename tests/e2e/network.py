"""Network namespaces for a broker and a node, with a router between them."""

import os
import subprocess


class NoNamespaces(Exception):
    """They cannot be made here."""


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


class Network:
    """Namespaces broker - router - node. Whatever is made here is removed again."""

    def __init__(self, fleet):
        if os.getuid() != 0:
            raise NoNamespaces("network namespaces need root")
        self.prefix = f"lull{os.getpid() % 100000}"
        self.names = {name: f"{self.prefix}-{name}" for name in ("b", "r", "n")}
        fleet.at_end.append(self.close)
        try:
            for name in self.names.values():
                run("ip", "netns", "add", name)
                run("ip", "-n", name, "link", "set", "lo", "up")
        except subprocess.CalledProcessError as problem:
            raise NoNamespaces(f"no network namespaces: {problem}") from None
        for host, net in (("b", 1), ("n", 2)):
            inner, outer = f"{self.prefix}{host}", f"{self.prefix}{host}r"
            run("ip", "link", "add", inner, "netns", self.names[host], "type", "veth", "peer", "name", outer, "netns",
                self.names["r"])
            self.ip(host, "addr", "add", f"10.77.{net}.2/24", "dev", inner)
            self.ip(host, "link", "set", inner, "up")
            self.ip(host, "route", "add", "default", "via", f"10.77.{net}.1")
            self.ip("r", "addr", "add", f"10.77.{net}.1/24", "dev", outer)
            self.ip("r", "link", "set", outer, "up")
        self.inside("r", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        self.rules("add table inet lull; add chain inet lull forward { type filter hook forward priority 0; }")

    def ip(self, host, *command):
        run("ip", "-n", self.names[host], *command)

    def inside(self, host, *command):
        run(*self.through(host), *command)

    def through(self, host):
        return ["ip", "netns", "exec", self.names[host]]

    def rules(self, text):
        run(*self.through("r"), "nft", text)

    def drop(self, way):
        """Packets to the broker (up), to the node (down), or both disappear."""
        for source, name in ((2, "up"), (1, "down")):
            if way in ("cut", f"cut-{name}"):
                self.rules(f"add rule inet lull forward ip saddr 10.77.{source}.2 drop")

    def reset(self):
        self.rules("add rule inet lull forward meta l4proto tcp reject with tcp reset")

    def forget(self):
        """What is connected now is dropped from now on, as by a router that has lost its table; new connections
        pass."""
        listing = [*self.through("b"), "ss", "-tnH", "state", "established", "src", "10.77.1.2"]
        out = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
        for line in out.splitlines():
            peer, port = line.split()[3].rsplit(":", 1)
            if peer.strip("[]").removeprefix("::ffff:") == "10.77.2.2":
                self.rules("; ".join(f"add rule inet lull forward tcp {end} {port} drop" for end in ("dport", "sport")))

    def slow(self):
        line = ["rate", "4mbit", "burst", "8k", "latency", "400ms"]
        self.inside("r", "tc", "qdisc", "add", "dev", f"{self.prefix}nr", "root", "tbf", *line)

    def narrow(self):
        """The line to the node carries 20 Mbit/s, with room for 200 ms in its queue, as many a real one."""
        line = ["rate", "20mbit", "burst", "10k", "limit", "500k"]
        self.inside("r", "tc", "qdisc", "add", "dev", f"{self.prefix}nr", "root", "tbf", *line)

    def mend(self):
        self.rules("flush chain inet lull forward")
        subprocess.run([*self.through("r"), "tc", "qdisc", "del", "dev", f"{self.prefix}nr", "root"],
                       capture_output=True,
                       check=False)

    def place(self, fleet):
        """Moves the broker into its namespace, and adds a node that is to be started in the other one."""
        fleet.broker.stop()
        path = f"{fleet.broker_directory}/broker.conf"
        with open(path, encoding="utf-8") as file:
            text = file.read().replace("listen = 127.0.0.1", "listen = 0.0.0.0")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        fleet.start_broker(through=self.through("b"))
        fleet.operator_through = self.through("b")
        key = fleet.address.rsplit("/", 1)[1]
        return fleet.add_node("node", f"tcp://10.77.1.2:{fleet.port}/{key}")

    def received(self, host):
        """Bytes that have come in at the host's interface, with the headers of all layers, and packets."""
        listing = [*self.through(host), "cat", "/proc/net/dev"]
        lines = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.splitlines()
        fields = next(line for line in lines if f"{self.prefix}{host}:" in line).split(":")[1].split()
        return int(fields[0]), int(fields[1])

    def close(self):
        for name in self.names.values():
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
