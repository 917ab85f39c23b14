#!/usr/bin/env python3
"""The first installation on many nodes at once: what it costs the one that serves, next to nginx and rsync. See
bench/METHOD.md.
 The same tree to as many clients over loopback, in turn: lull's broker to real nodes with real keys; nginx with TLS 1.3
to curl, which pipes one archive into tar; an rsync daemon, which encrypts nothing, to rsync."""

import argparse
import csv
import dataclasses
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from rig import Daemon, Rig, cpu_seconds, free_ports, machine, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
GB = 1e9
METHODS = {
    "lull": "lull, CURVE", "nginx": "nginx, TLS 1.3, tar.zst of level 19",
    "nginx-3": "nginx, TLS 1.3, tar.zst of level 3", "rsync": "rsync daemon, no encryption",
    "rsync-zstd": "rsync daemon, -z by zstd, no encryption"
}


@dataclasses.dataclass
class Served:
    """One method, once: CPU seconds of the serving processes and of all clients, bytes that were sent, and seconds
    until the last is done."""
    server: float
    clients: float
    wire: int
    wall: float


def make_tree(directory, source, size):
    """Copies files in their order until they are `size` bytes; links are left out."""
    for folder, names, files in os.walk(source):
        names.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            into = os.path.join(directory, os.path.relpath(path, source))
            os.makedirs(os.path.dirname(into), exist_ok=True)
            shutil.copyfile(path, into)
            size -= os.path.getsize(path)
            if size <= 0:
                return


def files_of(tree):
    return [os.path.join(folder, name) for folder, _, names in os.walk(tree) for name in names]


def family(pid):
    """A process and its children, as long as they live."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [pid, *map(int, file.read().split())]


def cpu_of_server(pid):
    return sum(cpu_seconds(each, children=True) for each in family(pid))


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


class Server:
    """A serving process that is ended by its pid, and the directory in which its clients put what they get."""

    def __init__(self, name, command, place, port):
        self.clients = f"{place}/clients"
        os.mkdir(self.clients)
        self.daemon = Daemon(name, command, {**os.environ, "LC_ALL": "C.UTF-8"}, f"{place}/{name}.log")
        wait_until(lambda: answers(port), 30, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.daemon.stop()
        try:
            self.daemon.process.wait(30)
        except subprocess.TimeoutExpired:
            self.daemon.process.kill()
            self.daemon.process.wait()
        shutil.rmtree(self.clients)

    def serve(self, options, tree, command_of):
        """Runs all clients at once."""
        before, begun = cpu_of_server(self.daemon.pid), time.monotonic()
        clients = []
        for i in range(options.nodes):
            os.mkdir(f"{self.clients}/{i}")
            clients.append(subprocess.Popen(command_of(f"{self.clients}/{i}"), stdin=subprocess.DEVNULL))
        seconds = 0.0
        for client in clients:
            _, status, usage = os.wait4(client.pid, 0)
            client.returncode = os.waitstatus_to_exitcode(status)
            if client.returncode != 0:
                raise RuntimeError(f"a client of {self.daemon.name} ended with {client.returncode}")
            seconds += usage.ru_utime + usage.ru_stime
        wall = time.monotonic() - begun
        time.sleep(0.2)  # the serving process waits for its children
        subprocess.run(["diff", "-rq", tree, f"{self.clients}/0"], check=True)
        return Served(cpu_of_server(self.daemon.pid) - before, seconds, 0, wall)


NGINX = """daemon off;
user {user};
worker_processes 2;
pid {place}/nginx.pid;
error_log stderr warn;
events {{ }}
http {{
    access_log off;
    sendfile on;
    client_body_temp_path {place}; proxy_temp_path {place}; fastcgi_temp_path {place};
    uwsgi_temp_path {place}; scgi_temp_path {place};
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {place}/cert.pem;
        ssl_certificate_key {place}/key.pem;
        ssl_protocols TLSv1.3;
        root {place};
    }}
}}
"""


def nginx(options, tree, archive):
    with tempfile.TemporaryDirectory(prefix="lull-bench-", dir=options.on) as place:
        port = free_ports()
        os.chmod(place, 0o755)
        os.symlink(archive, f"{place}/new.tar.zst")
        subprocess.run([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{place}/key.pem",
            "-out", f"{place}/cert.pem"
        ],
                       check=True,
                       capture_output=True)
        with open(f"{place}/nginx.conf", "w", encoding="utf-8") as file:
            file.write(NGINX.format(user="root" if os.getuid() == 0 else "nobody", place=place, port=port))
        with Server("nginx", ["nginx", "-e", "stderr", "-p", place, "-c", f"{place}/nginx.conf"], place,
                    port) as server:
            fetch = f"curl -sf --noproxy '*' --tlsv1.3 --cacert {place}/cert.pem https://127.0.0.1:{port}/new.tar.zst"
            served = server.serve(
                options, tree, lambda into: ["bash", "-o", "pipefail", "-c", f"{fetch} | tar -I zstd -xf - -C {into}"])
    return dataclasses.replace(served, wire=options.nodes * os.path.getsize(archive))


def rsync(options, tree, compress):
    with tempfile.TemporaryDirectory(prefix="lull-bench-", dir=options.on) as place:
        port, stats = free_ports(), f"{place}/stats"
        lines = [
            "address = 127.0.0.1", f"port = {port}", "use chroot = no", f"log file = {place}/log", "[new]",
            f"path = {tree}", "read only = yes", *(["uid = 0", "gid = 0"] if os.getuid() == 0 else [])
        ]
        with open(f"{place}/conf", "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        os.mkdir(stats)
        with Server("rsync", ["rsync", "--daemon", "--no-detach", f"--config={place}/conf"], place, port) as server:
            client = ["rsync", "-rlp", "--stats", *compress, f"rsync://127.0.0.1:{port}/new/"]
            served = server.serve(
                options, tree, lambda into: ["bash", "-c", f"{' '.join(client)} {into}/ > {stats}/$(basename {into})"])
        wire = 0
        for name in os.listdir(stats):
            with open(f"{stats}/{name}", encoding="utf-8") as file:
                wire += sum(map(int, re.findall(r"Total bytes (?:sent|received): (\d+)", file.read().replace(",", ""))))
    return dataclasses.replace(served, wire=wire)


def lull(options, tree):
    """The release is published before the nodes start, so that the upload is not counted."""
    with Rig(options.on) as rig:
        rig.publish(tree, "1.0")
        rig.add_nodes(options.nodes)
        before, begun = cpu_seconds(rig.broker.pid), time.monotonic()
        nodes = [rig.start_node(name) for name in rig.nodes]
        for node in nodes:
            node.wait_for(r": app 1\.0: active", 1200)
        wall = time.monotonic() - begun
        server, clients = cpu_seconds(rig.broker.pid) - before, sum(cpu_seconds(node.pid) for node in nodes)
        wire = sum(map(os.path.getsize,
                       files_of(f"{rig.directory}/broker/packs"))) * options.nodes  # each object is in there once
        subprocess.run(["diff", "-rq", tree, f"{rig.roots}/{rig.nodes[0]}/app/current/"], check=True)
    return Served(server, clients, wire, wall)


def measure(options):
    missing = [tool for tool in ("curl", "nginx", "openssl", "rsync", "tar", "zstd") if shutil.which(tool) is None]
    if missing:
        sys.exit(
            f"first_install.py: these tools are missing: {' '.join(missing)}; apt-get install $(cat bench/packages.txt)"
        )
    repeats = []
    with tempfile.TemporaryDirectory(prefix="lull-bench-", dir=options.on) as directory:
        os.chmod(directory, 0o755)
        tree, archives = f"{directory}/tree", {level: f"{directory}/new-{level}.tar.zst" for level in (19, 3)}
        os.mkdir(tree)
        make_tree(tree, options.source, options.size * 1_000_000)
        for level, archive in archives.items():
            subprocess.run(["tar", "-C", tree, "-I", f"zstd -{level} -T2", "-cf", archive, "."], check=True)
        content = sum(map(os.path.getsize, files_of(tree)))
        print(f"{machine()}; {len(files_of(tree))} files, {content / 1e6:.0f} MB, to {options.nodes}", flush=True)
        ways = {"lull": lambda: lull(options, tree), "nginx": lambda: nginx(options, tree, archives[19]),
                "nginx-3": lambda: nginx(options, tree, archives[3]), "rsync": lambda: rsync(options, tree, []),
                "rsync-zstd": lambda: rsync(options, tree, ["-z", "--compress-choice=zstd"])}
        for i in range(options.repeat):
            repeat = {}
            for name, serve in ways.items():
                repeat[name] = serve()
                print(f"{i + 1}: {name}: {repeat[name]}, load {os.getloadavg()[0]:.1f}", flush=True)
            repeats.append(repeat)
    return content * options.nodes, repeats


def table(content, repeats):
    lines = [
        "| | server, CPU s / GB of files | of it sent, GB | server, CPU s / GB sent | clients, CPU s / GB of files | "
        "until the last is done, s | "
        "lull's server CPU / its, median of the repeats |", "|---|--:|--:|--:|--:|--:|--:|"
    ]
    for name, title in METHODS.items():
        rows = [repeat[name] for repeat in repeats]
        figure = {
            key: statistics.median(getattr(row, key) for row in rows)
            for key in ("server", "clients", "wire", "wall")
        }
        ratio = statistics.median(repeat["lull"].server / repeat[name].server for repeat in repeats)
        lines.append(
            f"| {title} | {figure['server'] / content * GB:.2f} | {figure['wire'] / GB:.2f} | "
            f"{figure['server'] / figure['wire'] * GB:.2f} | "
            f"{figure['clients'] / content * GB:.1f} | {figure['wall']:.0f} | {ratio:.2f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--nodes", type=int, default=20, help="clients at once (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="how often (default: %(default)s)")
    parser.add_argument("--size", type=int, default=250, help="MB of files (default: %(default)s)")
    parser.add_argument("--source", default="/usr/lib", help="where they are copied from (default: %(default)s)")
    parser.add_argument("--on", help="directory for all data (default: the temporary directory)")
    parser.add_argument("--csv", help="write the figures of each repeat to this file")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything is ended and removed
    content, repeats = measure(options)
    print("\n" + table(content, repeats))
    if options.csv:
        with open(options.csv, "w", newline="", encoding="utf-8") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(("repeat", "method", "content_bytes", "server_cpu_s", "clients_cpu_s", "wire_bytes", "wall_s"))
            for i, repeat in enumerate(repeats):
                for name, row in repeat.items():
                    out.writerow(
                        (i + 1, name, content, f"{row.server:.2f}", f"{row.clients:.2f}", row.wire, f"{row.wall:.2f}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
