"""What has to hold of a fleet after any fault, found out without the programs' own word where that is possible."""

import os
import stat

import trees
from waiting import wait_until


class Checker:
    def __init__(self, fleet):
        self.fleet = fleet
        self.releases = {}     # software -> seq -> (version, manifest, contents)
        self.highest = {}      # (node, software) -> highest seq that was current
        self.cursors = {}      # (node, epoch) -> highest seq that was recorded of this log
        self.unhealthy = set()  # (software, seq): it does not work, and nodes may go back from it
        self.lost = set()      # (software, seq): in no copy of the broker's log any more, on purpose of the test
        self.keep = 10         # --keep of the broker
        self.holders = []      # (pid, executable, its digest)

    def published(self, software, version, seq, manifest, contents):
        self.releases.setdefault(software, {})[seq] = (version, manifest, contents)

    def forget(self, software, seq):
        """The broker may have lost this release, or removed it from its log."""
        self.lost.add((software, seq))

    def newest(self, software):
        seq = max(seq for seq in self.releases[software] if (software, seq) not in self.lost)
        return seq, self.releases[software][seq][0]

    def holding(self, pid):
        """From now on this process must keep what it runs from."""
        executable = os.readlink(f"/proc/{pid}/exe")
        self.holders.append((pid, executable, trees.digest(executable)))

    def ended(self, pid):
        self.holders = [holder for holder in self.holders if holder[0] != pid]

    def check_broker(self):
        """What was acknowledged is there, with the same numbers and contents."""
        listed = {(row["software"], row["seq"]): row for row in self.fleet.releases()}
        for software, releases in self.releases.items():
            for seq, (version, manifest, _) in releases.items():
                row = listed.get((software, seq))
                if (software, seq) in self.lost or (row is None and self.may_be_gone(software, seq)):
                    continue
                assert row is not None, f"{software} {version} was committed at {seq} and is not listed"
                assert row["version"] == version, f"{software} at {seq} was {version} and is {row['version']}"
                assert manifest in [build["manifest"]
                                    for build in row["builds"]], f"{software} {version} has another manifest"

    def may_be_gone(self, software, seq):
        """Whether so many newer releases supersede it that the broker may have removed it: not while a node has it."""
        newer = sum(1 for other in self.releases[software] if other > seq)
        return newer >= self.keep and not any((node.current(software) or (0,))[0] == seq for node in self.fleet.nodes)

    def check_current(self, node, software):
        """`current` leads to one release that was published, and its number has not fallen."""
        current = node.current(software)
        before = self.highest.get((node.name, software))
        if current is None:
            assert before is None, f"{node.name}: {software} was installed ({before}) and is gone"
            return
        seq, version = current
        assert seq >= (before or 0) or (
            software, before) in self.unhealthy, f"{node.name}: {software} went back from {before} to {seq}"
        self.highest[(node.name, software)] = seq
        known_version, _, _ = self.releases[software][seq]
        assert version == known_version, f"{node.name}: {software} at {seq} is called {version}, not {known_version}"
        there = f"{seq}-{version}" in node.versions(software)
        assert there, f"{node.name}: current of {software} leads to {seq}-{version}, which is not there"

    def check_tree(self, node, software, seq):
        """A version is complete, byte for byte."""
        version, _, contents = self.releases[software][seq]
        tree = f"{node.root}/{software}/versions/{seq}-{version}"
        found = trees.snapshot(tree)
        wrong = [path for path in {**contents, **found} if contents.get(path) != found.get(path)]
        assert not wrong, f"{node.name}: {tree} differs from what was published in {wrong[:5]}"
        for path, entry in found.items():
            mode = stat.S_IMODE(os.lstat(f"{tree}/{path}").st_mode)
            assert entry[0] == "link" or mode <= 0o777, f"{node.name}: {tree}/{path} has mode {mode:o}"

    def check_versions(self, node, software):
        """Whatever has the name of a version is a release that was published, and complete."""
        for name in node.versions(software):
            seq, version = name.split("-", 1)
            known = self.releases[software].get(int(seq))
            assert known is not None and known[0] == version, f"{node.name}: {name} was never published"
            try:
                self.check_tree(node, software, int(seq))
            except (AssertionError, FileNotFoundError):
                if name in node.versions(software):  # else it was removed meanwhile
                    raise

    def check_installed(self, node, software):
        self.check_current(node, software)
        self.check_versions(node, software)

    def check_node(self, node):
        for software in self.releases:
            self.check_installed(node, software)
        cursor = node.status()["cursor"]
        known = self.cursors.get((node.name, cursor["epoch"]), 0)
        assert cursor["seq"] >= known, f"{node.name}: its record of the log went back to {cursor['seq']}"
        self.cursors[(node.name, cursor["epoch"])] = cursor["seq"]

    def check_ledger(self):
        """What the broker was told to be active is there."""
        for software, releases in self.releases.items():
            rows = self.fleet.ledger(software) if any((software, seq) not in self.lost for seq in releases) else {}
            for node in self.fleet.nodes:
                active = rows.get(node.name, {}).get("active")
                told = max((seq for seq, release in releases.items() if release[0] == active), default=0)
                has = (node.current(software) or (0,))[0]
                assert has >= told, f"{node.name}: {software} {active} ({told}) was reported to be active, and {has} is"

    def check_holders(self):
        """What runs has kept its files: the executable is where it was, and is what it was."""
        for pid, executable, digest in self.holders:
            assert os.path.exists(f"/proc/{pid}"), f"pid {pid} has ended"
            now = os.readlink(f"/proc/{pid}/exe")
            assert now == executable, f"pid {pid} runs {now} instead of {executable}"
            assert trees.digest(executable) == digest, f"{executable} was changed while pid {pid} runs it"

    def check_running(self):
        """What has to hold at any moment."""
        self.check_broker()
        self.check_ledger()
        self.check_holders()
        for node in self.fleet.nodes:
            self.check_node(node)

    def remains(self, node):
        """What a finished release leaves behind only until it is cleaned up."""
        places = [f"{node.root}/{software}/versions" for software in self.releases]
        hidden = [f"{place}/{name}" for place in places for name in os.listdir(place) if name.startswith(".")]
        recorded = ["objects in the journal"] if node.status()["incoming_bytes"] else []
        return hidden + os.listdir(f"{node.root}/.lull/incoming") + recorded

    def check_converged(self, timeout=120):
        """All nodes end with the newest release of everything, say so, and agree with their own check."""
        for software in self.releases:
            seq, version = self.newest(software)

            def there(row, seq=seq, version=version):
                return row["state"] == "active" and row["seq"] == seq and row.get("active") == version

            self.fleet.wait_ledger(there, f"{software} {version} active everywhere", timeout, software)
            for node in self.fleet.nodes:
                assert node.current(software) == (seq, version), f"{node.name}: {software} is {node.current(software)}"
        for node in self.fleet.nodes:
            self.fleet.node("verify", "--root", node.root)
            wait_until(lambda node=node: not self.remains(node), 10, f"{node.name}: nothing unfinished is left")
        self.check_running()
