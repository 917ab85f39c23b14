"""What people may give to `lull`: each time a message that says what to do, the right exit status, and nothing
changed."""

import os
import random
import shutil
import socket
import unittest

import trees
from fleet import LULL, NOBODY, FleetTest, free_ports, main

AS_ROOT = unittest.skipUnless(os.getuid() == 0, "needs root, to be somebody else")


class LullRefuses(FleetTest):
    nodes = 1
    shared = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fleet.publish_new("1.0")
        cls.fleet.checker.check_converged()

    def setUp(self):
        self.tree = trees.make(f"{self.fleet.directory}/tree", "2.0")

    def tearDown(self):
        """Whatever was refused has left no trace: one release, and the node runs it."""
        self.assertEqual([row["version"] for row in self.fleet.releases()], ["1.0"])
        self.fleet.checker.check_running()

    def refused(self, status, *fragments, path=None, name="app", version="2.0", more=(), **how):
        outcome = self.fleet.lull("publish",
                                  path or self.tree,
                                  f"--name={name}",
                                  f"--version={version}",
                                  *more,
                                  status=status,
                                  **how)
        self.assertEqual(outcome.out, "", str(outcome))
        return self.expect(outcome, *fragments)

    def with_environment(self, **variables):
        environment = {**self.fleet.environment, **variables}
        return {"environment": {name: text for name, text in environment.items() if text is not None}}

    # ---- what is published ----

    def test_a_path_that_does_not_exist(self):
        self.refused(1,
                     "cannot publish",
                     "nowhere",
                     "No such file or directory; check the path",
                     path=f"{self.tree}/nowhere")

    def test_an_empty_directory(self):
        os.mkdir(f"{self.tree}/nothing")
        self.refused(2, "nothing to publish", "is it mounted?", path=f"{self.tree}/nothing")

    @AS_ROOT
    def test_a_file_that_cannot_be_read(self):
        self.publish_as_nobody("version", 0o600)

    @AS_ROOT
    def test_a_directory_that_cannot_be_read(self):
        self.publish_as_nobody("lib", 0o700)

    def publish_as_nobody(self, path, mode):
        fleet = self.fleet
        keys, cache = f"{fleet.directory}/keys-of-nobody", f"{fleet.directory}/cache-of-nobody"
        shutil.copytree(fleet.keys, keys)
        os.mkdir(cache)
        self.addCleanup(shutil.rmtree, keys)
        self.addCleanup(shutil.rmtree, cache)
        for place in (cache, keys, *(f"{keys}/{name}" for name in os.listdir(keys))):
            os.chown(place, NOBODY, NOBODY)
        os.chmod(f"{self.tree}/{path}", mode)
        outcome = fleet.run(*fleet.as_nobody(LULL, "publish", self.tree, "--name", "app", "--version", "2.0", "--keys",
                                             keys, "--cache", cache),
                            status=4)
        self.expect(outcome, f"cannot open {self.tree}/{path}: Permission denied",
                    "needs read permission for all of it")

    def test_a_socket(self):
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(f"{self.tree}/talk")
            self.refused(4, "/talk: it is a socket", "files, directories and symbolic links only", "remove it")

    def test_a_named_pipe(self):
        os.mkfifo(f"{self.tree}/pipe")
        self.refused(4, "/pipe: it is a named pipe", "remove it")

    @AS_ROOT
    def test_a_device(self):
        os.mknod(f"{self.tree}/null", 0o20600, os.makedev(1, 3))
        self.refused(4, "/null: it is a character device", "remove it")

    def test_an_absolute_link(self):
        os.symlink("/etc/passwd", f"{self.tree}/link")
        self.refused(4, "'link'", "points to '/etc/passwd'", "has to be relative", "--allow-link '/etc/passwd'",
                     "cp --remove-destination")

    def test_a_link_that_leads_out(self):
        os.symlink("../../other", f"{self.tree}/link")
        self.refused(4, "points to '../../other'", "outside of the release")

    def test_a_setuid_program(self):
        os.chmod(f"{self.tree}/app.bin", 0o4755)
        self.refused(4, "setuid", "chmod u-s,g-s")

    def test_file_names_that_would_harm_a_terminal(self):
        for name in (b"line\nbreak", b"\x1b[31mred", b"\xff\xfe"):
            with self.subTest(name=name):
                path = os.path.join(os.fsencode(self.tree), name)
                with open(path, "wb"):
                    pass
                outcome = self.refused(4, "\\x", "rename it")
                self.assertTrue(outcome.err.strip().isprintable(), outcome.err)
                os.remove(path)

    def test_an_archive_that_is_none(self):
        path = f"{self.fleet.directory}/app.tar.gz"
        trees.write(path, random.Random(1).randbytes(5000))
        self.refused(1, "cannot read", "is it a whole tar or zip archive?", path=path)

    def test_an_archive_that_is_cut_off(self):
        path = f"{self.fleet.directory}/cut.tar.gz"
        self.fleet.run("tar", "-czf", path, "-C", self.tree, ".")
        os.truncate(path, os.path.getsize(path) // 2)
        self.refused(1, "cannot read", "is it a whole tar or zip archive?", path=path)

    # ---- what it is called ----

    def test_the_same_version_with_other_contents(self):
        self.refused(4, "app 1.0 was published before with other contents", "choose a new version", version="1.0")

    def test_odd_names_and_versions(self):
        for text in ("a/b", "..", "ä", "a b", "-x", "x" * 200, "a\nb", "\x1b[31mred"):
            with self.subTest(text=text):
                outcome = self.refused(2, "is no name of software", "letter or digit", "for example", name=text)
                self.assertNotIn("\x1b", outcome.err)
                outcome = self.refused(2, "is no version", "letter or digit", "for example 1.4.2", version=text)
                self.assertNotIn("\x1b", outcome.err)

    def test_words_that_do_not_exist(self):
        fleet = self.fleet
        self.expect(fleet.lull("publsh", status=2), "unknown command publsh; did you mean publish?")
        self.refused(2, "unknown option --startt", "did you mean --start?", more=["--startt", "x"])
        self.refused(2, "--urgency: 'soon' has to be one of", "background, normal, urgent", more=["--urgency", "soon"])
        self.expect(fleet.lull("publish", self.tree, "--name", "app", status=2), "--version is missing")
        self.expect(fleet.lull("publish", status=2), "PATH is missing")
        self.expect(fleet.lull("status", "browser", status=4), "there is no software named 'browser'")

    # ---- the broker ----

    def test_a_broker_that_is_down(self):
        base = free_ports()
        for port in range(base, base + 3):  # nobody else may listen there meanwhile
            taken = socket.socket()
            taken.bind(("127.0.0.1", port))
            self.addCleanup(taken.close)
        address = f"tcp://127.0.0.1:{base}/{'ab' * 32}"
        expected = ("no broker listens at 127.0.0.1:", "check that lull-broker runs there")
        self.refused(3, *expected, **self.with_environment(LULL_BROKER=address), more=["--timeout", "5"])
        for command in (["status"], ["list"], ["nodes"],
                        ["nodes", "new", "n", "--out", f"{self.fleet.directory}/n.join"]):
            self.expect(self.fleet.lull(*command, status=3, **self.with_environment(LULL_BROKER=address)), *expected)
        self.assertFalse(os.path.exists(f"{self.fleet.directory}/n.join"), "a bundle of no use is left")

    def test_a_wrong_key_of_the_broker(self):
        address = self.fleet.address.rsplit("/", 1)[0] + "/" + "ab" * 32
        expected = ("did not accept your key", "wrong broker key in the address", "lull-broker init")
        self.refused(3, *expected, **self.with_environment(LULL_BROKER=address), more=["--timeout", "5"])
        self.expect(self.fleet.lull("status", status=3, **self.with_environment(LULL_BROKER=address)), *expected)

    def test_a_key_of_ones_own_that_nobody_knows(self):
        keys = f"{self.fleet.directory}/stranger"
        self.fleet.lull("keygen", "--keys", keys, "--name", "stranger")
        self.addCleanup(shutil.rmtree, keys)
        expected = ("key is not enrolled there", "lull-broker init --operator public.key")
        self.refused(3, *expected, **self.with_environment(LULL_KEYS=keys), more=["--timeout", "5"])
        self.expect(self.fleet.lull("status", status=3, **self.with_environment(LULL_KEYS=keys)), *expected)

    def test_no_broker_and_no_address(self):
        self.refused(2, "no broker is named", "LULL_BROKER", "lull.conf", **self.with_environment(LULL_BROKER=None))
        self.refused(2, "'here' is no broker address", "tcp://", **self.with_environment(LULL_BROKER="here"))

    # ---- keys and config ----

    def test_no_keys(self):
        self.refused(1, "there is no directory", "run: lull keygen --keys",
                     **self.with_environment(LULL_KEYS="/nowhere"))

    def test_keys_that_others_can_read(self):
        keys = f"{self.fleet.directory}/open"
        self.fleet.lull("keygen", "--keys", keys, "--name", "open")
        self.addCleanup(shutil.rmtree, keys)
        for path, mode in ((f"{keys}/curve.secret", 0o644), (f"{keys}/signing.pem", 0o640), (keys, 0o755)):
            before = os.stat(path).st_mode
            os.chmod(path, mode)
            outcome = self.refused(4, f"{path} holds secrets and is open to others",
                                   f"run: chmod {before & 0o777:o} {path}", **self.with_environment(LULL_KEYS=keys))
            self.assertNotIn("PASSPHRASE", outcome.err)
            os.chmod(path, before)

    def test_keys_with_a_passphrase(self):
        keys = f"{self.fleet.directory}/locked"
        self.fleet.lull("keygen", "--keys", keys, "--name", "locked", **self.with_environment(LULL_PASSPHRASE="sesame"))
        self.addCleanup(shutil.rmtree, keys)
        self.refused(4, "no passphrase was given", "LULL_PASSPHRASE", **self.with_environment(LULL_KEYS=keys))
        self.refused(4, "the passphrase is wrong", **self.with_environment(LULL_KEYS=keys, LULL_PASSPHRASE="guess"))

    def test_damaged_keys(self):
        keys = f"{self.fleet.directory}/damaged"
        for name in ("curve.secret", "signing.pem", "public.key"):
            self.fleet.lull("keygen", "--keys", keys, "--name", "damaged")
            trees.write(f"{keys}/{name}", b"nonsense", 0o600)
            self.refused(1, f"cannot use {keys}/{name}", **self.with_environment(LULL_KEYS=keys))
            shutil.rmtree(keys)

    def test_keys_that_are_there_are_not_overwritten(self):
        self.expect(self.fleet.lull("keygen", status=4), "is there already", "choose another directory")

    def test_a_damaged_config_file(self):
        path = f"{self.fleet.directory}/lull.conf"
        for contents, fragment in ((b"brokr = x\n", "unknown option brokr; did you mean broker?"),
                                   (b"nonsense\n", "'nonsense' is no line of the kind 'name = value'"),
                                   (b"\x00\xff\x1b[31m\n", "'\\x00\\xff\\x1b[31m' is no line")):
            trees.write(path, contents)
            self.refused(2, f"config file {path}: ", fragment, more=["--config", path])
        self.refused(1, "config file: cannot open /nowhere.conf", more=["--config", "/nowhere.conf"])

    # ---- nodes ----

    def test_nodes_that_cannot_be_made(self):
        fleet, path = self.fleet, f"{self.fleet.directory}/again.join"
        self.expect(fleet.lull("nodes", "new", "node-1", "--out", path, status=4), "'node-1' is enrolled already",
                    "another name")
        self.expect(fleet.lull("nodes", "new", "a b", "--out", path, status=2), "'a b' is no name of a node",
                    "for example")
        self.expect(fleet.lull("nodes", "new", "x", "--out", fleet.nodes[0].bundle, status=4), "the file exists",
                    "--out")
        self.assertFalse(os.path.exists(path), "a bundle of no use is left")


if __name__ == "__main__":
    main()
