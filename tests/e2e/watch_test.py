"""`lull watch`: what changes in a directory is released, once, complete, and without a command."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time
import unittest

import trees
from daemon import time_of
from fleet import BROKER, LULL, FleetTest, free_ports, main
from tap import Tap
from waiting import wait_until

AS_ROOT = unittest.skipUnless(os.getuid() == 0, "SKIPPED: needs root, to mount")
SQUASHFS = unittest.skipUnless(shutil.which("mksquashfs"), "SKIPPED: needs mksquashfs")


class WatchTest(FleetTest):

    def setUp(self):
        super().setUp()
        self.directory = f"{self.fleet.directory}/software"
        self.state = f"{self.fleet.directory}/state"
        os.mkdir(self.directory)
        self.watcher = None

    def command(self, *options, settle="1s"):
        return [LULL, "watch", self.directory, "--state", self.state, "--settle", settle, *options]

    def watch(self, *options, **how):
        self.watcher = self.fleet.start("watcher", self.command(*options, **how))
        self.watcher.wait_for("watches ")
        return self.watcher

    def stop(self):
        self.assertEqual(self.watcher.stop(), 0, self.watcher.tail())

    def put(self, software, **files):
        for name, text in files.items():
            trees.write(f"{self.directory}/{software}/{name}", text.encode())

    def released(self, software="app"):
        return [row["version"] for row in self.fleet.releases() if row["software"] == software]

    def wait_released(self, software, version, after=0):
        return self.watcher.wait_for(f"{software}: released {version}", after=after)

    def status(self):
        return json.loads(self.fleet.lull("watch", self.directory, "--state", self.state, "--status", "--json").out)

    def rows(self):
        """The rows of the status by software; none before the watcher has written the first."""
        if not any(name.endswith(".json") for name in os.listdir(self.state)):
            return {}
        return {row["software"]: row for row in self.status()["software"]}


class Releases(WatchTest):
    nodes = 1

    def test_a_build_that_writes_for_some_seconds_gives_exactly_one_release(self):
        self.watch()
        os.mkdir(f"{self.directory}/app")
        for i in range(20):
            self.put("app", **{f"file-{i}": f"{i}" * 1000})
            time.sleep(0.2)  # the build's own pace, shorter than the settle time
        self.put("app", VERSION="1.0\n")
        self.wait_released("app", "1.0")
        self.fleet.nodes[0].wait_active("1.0")
        self.assertEqual(trees.snapshot(f"{self.fleet.nodes[0].root}/app/current/"),
                         trees.snapshot(f"{self.directory}/app"))
        self.assertEqual(self.released(), ["1.0"])
        self.stop()

    def test_a_file_and_a_tree_are_replaced_by_rename(self):
        self.put("app", VERSION="1.0\n", data="old")
        self.watch()
        self.wait_released("app", "1.0")
        trees.write(f"{self.fleet.directory}/new-version", b"1.1\n")
        os.rename(f"{self.fleet.directory}/new-version", f"{self.directory}/app/VERSION")
        self.wait_released("app", "1.1")
        trees.write(f"{self.fleet.directory}/next/VERSION", b"1.2\n")
        trees.write(f"{self.fleet.directory}/next/data", b"new")
        os.rename(f"{self.directory}/app", f"{self.fleet.directory}/before")
        os.rename(f"{self.fleet.directory}/next", f"{self.directory}/app")
        self.wait_released("app", "1.2")
        self.assertEqual(self.released(), ["1.0", "1.1", "1.2"])
        self.stop()

    def test_options_of_lull_conf_count_and_its_file_is_no_part_of_the_release(self):
        self.put("app", **{
            ".lull-version": "2.0\n",
            "lull.conf": "policy = now\nexclude = *.log\nexclude = /tmp\nstart = run --fast\n",
            "run": "#!/bin/sh\n", "a.log": "x", ".git/HEAD": "ref"})
        self.put("app", **{"tmp/x": "x", "sub/tmp/y": "y"})
        os.chmod(f"{self.directory}/app/run", 0o755)
        self.watch()
        self.wait_released("app", "2.0")
        node = self.fleet.nodes[0]
        node.wait_active("2.0")
        self.assertEqual(set(trees.snapshot(f"{node.root}/app/current/")), {"run", "sub", "sub/tmp", "sub/tmp/y"})
        mark = self.watcher.mark()
        self.put("app", **{"b.log": "the log of a program is left out, so its changes do not count"})
        self.put("app", **{"sub/tmp/y": "new"})  # without a new version
        self.watcher.wait_for("app: the watcher waits .*: version 2.0 .* is already published with other contents",
                              after=mark)
        self.put("app", **{".lull-version": "2.1\n"})
        self.wait_released("app", "2.1")
        # the same file serves `lull publish`, whose command line goes first
        other = f"{self.fleet.directory}/other"
        shutil.copytree(f"{self.directory}/app", other)
        out = self.fleet.lull("publish", other, "--name", "app", "--version", "2.2", "--exclude", "sub", "--json").out
        self.assertEqual(json.loads(out)["files"], 4)  # run, a.log, b.log, tmp/x: --exclude replaces those of the file
        self.stop()


class Once(WatchTest):
    """Whatever happens to the watcher, nothing is published twice."""

    def test_a_restart_a_lost_state_and_changed_times_publish_nothing_twice(self):
        self.put("stamped", data="contents")
        self.put("named", VERSION="3.1\n", data="contents")
        self.watch()
        self.wait_released("stamped", "")
        self.wait_released("named", "3.1")
        before = self.fleet.releases()
        self.assertRegex(self.released("stamped")[0], r"^\d{4}\.\d\d\.\d\d-\d{6}$")

        mark = self.watcher.mark()
        for software in ("stamped", "named"):
            os.utime(f"{self.directory}/{software}/data")
            self.watcher.wait_for(f"{software}: has the contents of .*nothing to do", after=mark)
        self.stop()
        os.utime(f"{self.directory}/named/data")
        self.watch()  # remembers
        self.watcher.wait_for("named: has the contents of 3.1")
        self.stop()
        shutil.rmtree(self.state)
        self.watch()  # asks the broker
        for software in ("stamped", "named"):
            self.watcher.wait_for(f"{software}: has the contents of .*nothing to do")
        self.stop()
        with open(f"{self.directory}/stamped/data", "w", encoding="utf-8") as file:
            file.write("other contents")
        self.watch()
        self.wait_released("stamped", "")
        self.stop()
        self.assertEqual(len(self.fleet.releases()), len(before) + 1)

    def test_after_kill_9_in_the_middle_of_an_upload_there_is_one_release(self):
        trees.make(f"{self.directory}/app", "1.0", large=20_000_000)
        port = free_ports()
        tap = Tap(port, self.fleet.port)
        self.fleet.at_end.append(tap.close)
        killed = threading.Event()

        def kill():
            self.watcher.process.kill()
            killed.set()

        tap.at_upload(10_000_000, kill)
        self.watch("--broker", f"tcp://127.0.0.1:{port}/{self.fleet.address.rsplit('/', 1)[1]}")
        self.assertTrue(killed.wait(60), "the upload did not come so far")
        self.watcher.wait()
        self.assertEqual(self.status()["running"], False)
        self.assertEqual(self.released(), [])
        self.watch()
        self.watcher.wait_for("app: (released|has the contents of)")
        self.assertEqual(len(self.released()), 1)
        self.stop()

    def test_a_rollback_is_not_undone(self):
        self.put("app", data="one")
        self.watch()
        self.wait_released("app", "")
        self.put("app", data="two")
        mark = self.watcher.mark()
        self.wait_released("app", "", after=mark)
        self.stop()
        self.fleet.lull("rollback", "app")
        shutil.rmtree(self.state)
        self.watch()
        self.watcher.wait_for("app: has the contents of .*nothing to do")
        self.stop()
        self.assertEqual(len(self.released()), 3)

    def test_a_second_watcher_of_the_directory_is_refused(self):
        self.put("app", data="one")
        self.watch()
        outcome = self.fleet.run(*self.command(), status=4)
        self.expect(outcome, "cannot watch", "another process has it")
        self.stop()


class Failures(WatchTest):

    def test_broken_software_is_reported_and_does_not_stop_the_others(self):
        self.put("good", VERSION="1.0\n")
        self.put("fifo", VERSION="1.0\n")
        os.mkfifo(f"{self.directory}/fifo/pipe")
        self.put("options", VERSION="1.0\n", **{"lull.conf": "# options\npolcy = now\n"})
        self.put("program", VERSION="1.0\n", **{"lull.conf": "health = bin/check\n"})
        self.put("version", VERSION="no version\n")
        self.put("not a name", VERSION="1.0\n")
        os.mkdir(f"{self.directory}/empty")
        self.watch()
        self.wait_released("good", "1.0")
        for line in (r"fifo: the watcher waits for a change: cannot publish .*/pipe: it is a named pipe",
                     r"options: .*/lull.conf: line 2: unknown option polcy; did you mean policy\?",
                     r"program: .*--health: the release has no executable file 'bin/check'",
                     r"version: .*VERSION of .* is no version",
                     r"'.*/not a name' is not watched",
                     r"empty: is empty"):
            self.watcher.wait_for(line)
        rows = wait_until(lambda: (r := self.rows()) and r["options"].get("last_error") and r, 30, "status")
        self.assertEqual(rows["good"]["last_release"]["version"], "1.0")
        self.assertNotIn("last_error", rows["good"])
        self.assertEqual(rows["options"]["waits_for"], "a change")
        self.assertEqual([row["software"] for row in self.fleet.releases()], ["good"])
        self.put("options", **{"lull.conf": "policy = now\n"})
        self.wait_released("options", "1.0")
        text = self.fleet.lull("watch", self.directory, "--state", self.state, "--status").out
        self.assertRegex(text, r"good +1\.0 .* a change: all is released")
        self.stop()
        self.assertEqual(self.status()["running"], False)

    def test_the_broker_may_be_away(self):
        self.fleet.broker.stop()
        self.put("app", VERSION="1.0\n")
        self.watch()
        self.watcher.wait_for("no broker listens at .*the next try is in")
        self.fleet.start_broker()
        self.wait_released("app", "1.0")
        self.stop()

    def test_sigterm_ends_it_while_it_uploads(self):
        self.put("app", VERSION="1.0\n")
        os.kill(self.fleet.broker.pid, signal.SIGSTOP)  # so that the upload lasts
        try:
            self.watch()
            wait_until(lambda: self.rows().get("app", {}).get("waits_for") == "the broker's confirmation", 60,
                       "an upload")
            begun = time.monotonic()
            self.stop()
            self.assertLess(time.monotonic() - begun, 5)
        finally:
            os.kill(self.fleet.broker.pid, signal.SIGCONT)


class Kernel(WatchTest):

    def test_without_inotify_the_scan_finds_changes(self):
        self.put("app", VERSION="1.0\n")
        self.watch("--no-inotify", "--scan", "2s")
        self.wait_released("app", "1.0")
        self.put("app", VERSION="1.1\n")
        self.wait_released("app", "1.1")
        self.stop()

    @AS_ROOT
    def test_without_watches_left_it_says_so_once_and_scans(self):
        for i in range(5):
            self.put(f"app-{i}", VERSION="1.0\n")
        # The limit of a user namespace of its own: that of the machine stays.
        guard = ["unshare", "--user", "--map-root-user", "--"]
        script = "echo 3 > /proc/sys/user/max_inotify_watches && exec \"$@\""
        if subprocess.run([*guard, "sh", "-c", script, "sh", "true"], check=False).returncode != 0:
            self.skipTest("SKIPPED: no user namespaces here")
        self.watcher = self.fleet.start("watcher", [*guard, "sh", "-c", script, "sh", *self.command("--scan", "2s")])
        self.watcher.wait_for(r"raise the sysctl fs.inotify.max_user_watches")
        for i in range(5):
            self.wait_released(f"app-{i}", "1.0")
            self.put(f"app-{i}", VERSION="1.1\n")
        for i in range(5):
            self.wait_released(f"app-{i}", "1.1")
        self.assertEqual(self.watcher.count("raise the sysctl"), 1)
        self.stop()


@AS_ROOT
@SQUASHFS
class Media(WatchTest):

    def setUp(self):
        super().setUp()
        self.image = f"{self.fleet.directory}/medium.squashfs"
        self.point = f"{self.directory}/cd"
        os.mkdir(self.point)

    def make_medium(self, version, **shape):
        tree = trees.make(f"{self.fleet.directory}/medium", version, **shape)
        trees.write(f"{tree}/VERSION", version.encode())
        if os.path.exists(self.image):
            os.remove(self.image)
        self.fleet.run("mksquashfs", tree, self.image, "-noI", "-noD", "-noF", "-noX", "-quiet", "-no-progress")

    def mount(self):
        done = subprocess.run(["mount", "-o", "loop,ro", self.image, self.point], check=False, capture_output=True)
        if done.returncode != 0:
            self.skipTest(f"SKIPPED: no loop mounts here: {done.stderr.decode()}")
        self.fleet.at_end.append(lambda: subprocess.run(["umount", "-l", self.point], check=False,
                                                        stderr=subprocess.DEVNULL))

    def unmount(self):
        subprocess.run(["umount", "-l", self.point], check=True)

    def test_a_medium_is_released_when_it_is_mounted(self):
        self.make_medium("1.0")
        self.watch("--scan", "1h")
        self.watcher.wait_for("cd: is empty")
        self.mount()
        self.wait_released("cd", "1.0")
        mark = self.watcher.mark()
        self.unmount()
        self.watcher.wait_for("cd: is empty", after=mark)
        self.make_medium("1.1")
        self.mount()
        self.wait_released("cd", "1.1")
        self.stop()
        self.assertEqual(self.released("cd"), ["1.0", "1.1"])

    def test_a_medium_that_vanishes_in_the_middle_is_released_when_it_is_back(self):
        self.make_medium("1.0", large=150_000_000)
        self.watch("--scan", "1h")
        self.mount()
        wait_until(lambda: self.rows().get("cd", {}).get("waits_for") == "the broker's confirmation", 60, "an upload")
        self.unmount()
        self.watcher.wait_for("cd: changed or vanished .*nothing was released|cd: changed .*nothing was released")
        self.watcher.wait_for("cd: is empty")
        self.assertEqual(self.released("cd"), [])
        self.mount()
        self.wait_released("cd", "1.0")
        self.stop()
        self.assertEqual(self.released("cd"), ["1.0"])


class Rights(WatchTest):

    def test_the_key_of_a_publisher_suffices(self):
        fleet = self.fleet
        keys = f"{fleet.directory}/publisher-keys"
        fleet.run(LULL, "keygen", "--name", "ci", "--keys", keys)
        fleet.broker.stop()
        fleet.run(BROKER, "init", "--data", fleet.broker_directory, "--operator", f"{fleet.keys}/public.key",
                  "--publisher", f"{keys}/public.key")
        fleet.start_broker()
        fleet.publish_new("1.0", software="theirs")
        self.put("ours", VERSION="1.0\n", data="contents")
        self.watch("--keys", keys)
        self.wait_released("ours", "1.0")
        self.stop()
        shutil.rmtree(self.state)
        self.watch("--keys", keys)
        self.watcher.wait_for("ours: has the contents of 1.0")
        self.stop()
        listed = json.loads(fleet.lull("list", "--json", "--keys", keys).out)["releases"]
        self.assertEqual([row["software"] for row in listed], ["ours"])
        for words in (["status"], ["nodes"], ["orders"], ["pause", "ours"], ["nodes", "new", "till-1"]):
            refused = fleet.lull(*words, "--keys", keys, status=4)
            self.expect(refused, "the key of a publisher does not suffice for this", "use an operator's key")
        self.expect(fleet.lull("list", "theirs", "--keys", keys, status=4), "that your key has signed")


class DryRun(WatchTest):

    def test_a_dry_run_shows_version_options_and_what_would_be_done(self):
        self.put("named", VERSION="1.0\n", **{"lull.conf": "policy = now\nexclude = *.log\n"})
        self.put("package", **{"package.json": '{"name": "x", "version": "4.5.6"}'})
        self.put("hidden", **{".lull-version": "7", "VERSION": "8", "x": "x"})
        self.put("stamped", data="1")
        self.put("git", data="1")
        self.put("bad", VERSION="\n")
        git = ["git", "-C", f"{self.directory}/git", "-c", "user.name=n", "-c", "user.email=e"]
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "m"], ["tag", "v9.1"]):
            subprocess.run([*git, *words], check=True, env=self.fleet.environment)
        # A program of the repository's configuration would run to compare the file.
        ran = f"{self.fleet.directory}/ran"
        trees.write(f"{self.directory}/git/.gitattributes", b"* filter=x\n")
        for words in (["add", "."], ["commit", "-q", "-m", "n"], ["tag", "v9.2"],
                      ["config", "filter.x.clean", f"touch {ran}; cat"], ["config", "filter.x.required", "true"]):
            subprocess.run([*git, *words], check=True, env=self.fleet.environment)
        os.utime(f"{self.directory}/git/data", (1, 1))
        out = self.fleet.lull("watch", self.directory, "--state", self.state, "--dry-run", "--json", status=1).out
        self.assertFalse(os.path.exists(ran))
        rows = {row["software"]: row for row in json.loads(out)["software"]}
        self.assertEqual({name: (row.get("version"), row.get("version_from"))
                          for name, row in rows.items() if name != "stamped"}, {
                              "named": ("1.0", "VERSION"), "package": ("4.5.6", "package.json"),
                              "hidden": ("7", ".lull-version"), "git": ("v9.2", "git describe"), "bad": (None, None)})
        self.assertEqual(rows["stamped"]["version_from"], "time stamp")
        self.assertEqual(rows["named"]["options"], {"policy": ["now"], "exclude": ["*.log"]})
        self.assertRegex(rows["named"]["would_do"], r"publish it for any \(1 files, 4 B\)")
        self.assertIn("VERSION", rows["bad"]["error"])
        self.assertEqual(self.fleet.releases(), [])
        self.assertFalse(os.path.exists(self.state))
        shown = self.fleet.lull("watch", self.directory, "--dry-run", status=1)
        self.expect(shown, "1 of 6 pieces of software cannot be released")
        text = shown.out
        self.assertIn("named\n  version: 1.0 (from VERSION)\n  option: exclude = *.log\n  option: policy = now\n", text)
        shutil.rmtree(f"{self.directory}/bad")
        self.fleet.lull("watch", self.directory, "--dry-run")


if __name__ == "__main__":
    main()
