"""What may be wrong with a broker's options, directory, keys, ports, config and database."""

import os
import random
import shutil
import socket
import unittest

import trees
from fleet import BROKER, FleetTest, free_ports, main


class BrokerRefuses(FleetTest):
    shared = True

    def setUp(self):
        fleet = self.fleet
        self.data = f"{fleet.directory}/other"
        self.key = f"{fleet.keys}/public.key"
        self.addCleanup(shutil.rmtree, self.data, True)
        self.port = free_ports()
        self.init(0)

    def init(self, status, *fragments, data=None, key=None, more=()):
        outcome = self.fleet.run(BROKER, "init", "--data", data or self.data, "--operator", key or self.key, "--listen",
                                 f"127.0.0.1:{self.port}", *more, status=status)
        return self.expect(outcome, *fragments) if fragments else outcome

    def run_broker(self, status, *fragments, data=None, more=()):
        outcome = self.fleet.run(BROKER, "run", "--data", data or self.data, *more, status=status, timeout=20)
        return self.expect(outcome, *fragments)

    def check_that_it_runs(self):
        broker = self.fleet.start("other-broker", [BROKER, "run", "--data", self.data])
        broker.wait_for("listening on")
        self.assertEqual(broker.stop(), 0)

    # ---- init ----

    def test_init_again_changes_nothing(self):
        before = trees.snapshot(f"{self.data}/keys")
        outcome = self.fleet.run(BROKER, "init", "--data", self.data, "--operator", self.key)
        self.assertIn("was initialised before", outcome.out)
        self.assertEqual(trees.snapshot(f"{self.data}/keys"), before)
        self.check_that_it_runs()

    def test_init_in_a_directory_of_something_else(self):
        self.init(4, "holds something else already", "choose a new directory", data=self.fleet.keys)

    def test_init_without_a_good_key_of_an_operator(self):
        self.init(1, "cannot open /nowhere", "public.key", "lull keygen", data=f"{self.data}-2", key="/nowhere")
        self.init(1, "it is no JSON object", "public.key", data=f"{self.data}-2", key=f"{self.data}/broker.conf")
        self.assertFalse(os.path.exists(f"{self.data}-2"))

    def test_init_of_a_broker_that_runs(self):
        self.init(4, "is in use by process", "end that one first", data=self.fleet.broker_directory)

    # ---- options and config ----

    def test_options_that_make_no_sense(self):
        for more, fragment in ((["--listen", "here"], "has to be HOST:PORT"),
                               (["--listen",
                                 "127.0.0.1:0"], "0 (any port) does not work"), (["--listen",
                                                                                  "127.0.0.1:65535"], "1..65532"),
                               (["--listen", "0.0.0.0:7700", "--advertise",
                                 "0.0.0.0"], "--advertise is '0.0.0.0'"), (["--cap", "much"], "not a number of bytes"),
                               (["--cap", "1"], "has to be at least"), (["--beacon",
                                                                         "0"], "from 1 to"), (["--transfers",
                                                                                               "-1"], "from 1 to"),
                               (["--log-level",
                                 "loud"], "use debug, info, warn or error"), (["--cpa", "1"], "did you mean --cap?")):
            with self.subTest(more=more):
                self.run_broker(2, fragment, more=more)
        self.expect(self.fleet.run(BROKER, "rum", status=2), "unknown command rum; did you mean run?")
        self.check_that_it_runs()

    def test_a_damaged_config_file(self):
        good = f"{self.data}/broker.conf"
        contents = trees.read(good)
        for bad, fragment in ((b"listn = 3\n", "unknown option listn; did you mean listen?"),
                              (b"\x00\x01", "is no line of the kind"), (b"cap = many\n",
                                                                        "'many' is not a number of bytes")):
            trees.write(good, bad)
            self.run_broker(2, fragment)
        trees.write(good, contents)
        self.check_that_it_runs()

    # ---- directory, keys, ports ----

    def test_a_directory_without_a_broker(self):
        self.run_broker(1, "there is no broker in /nowhere", "run: lull-broker init", data="/nowhere")

    def test_a_broker_that_runs_already(self):
        self.run_broker(4, "is in use by process", "end that one first", data=self.fleet.broker_directory)

    def test_a_port_in_use(self):
        for i in range(3):
            with self.subTest(port=i), socket.create_server(("127.0.0.1", self.port + i)):
                self.run_broker(4, f"cannot listen on tcp://127.0.0.1:{self.port + i}", "the port is in use",
                                "choose another port")
        self.check_that_it_runs()

    def test_an_address_of_another_machine(self):
        self.run_broker(4, "cannot listen on tcp://192.0.2.1", "check the address", more=["--listen", "192.0.2.1:7700"])

    def test_keys_that_others_can_read(self):
        for path in ("keys/curve.secret", "keys", "."):
            path = os.path.normpath(f"{self.data}/{path}")
            before = os.stat(path).st_mode & 0o777
            os.chmod(path, before | 0o044)
            self.run_broker(4, f"{path} holds secrets and is open to others", f"run: chmod {before:o} {path}")
            os.chmod(path, before)
        self.check_that_it_runs()

    def test_a_damaged_key(self):
        path = f"{self.data}/keys/curve.secret"
        contents = trees.read(path)
        trees.write(path, b"nonsense", 0o600)
        self.run_broker(1, f"cannot use {path}", "restore it from a backup")
        trees.write(path, contents, 0o600)
        self.check_that_it_runs()

    @unittest.skipUnless(os.getuid() == 0, "needs root, to be somebody else")
    def test_a_directory_of_somebody_else(self):
        outcome = self.fleet.run(*self.fleet.as_nobody(BROKER, "run", "--data", self.data), status=4, timeout=20)
        self.expect(outcome, "Permission denied", "the user to whom it belongs")


class DamagedDatabase(FleetTest):
    nodes = 1

    def test_a_damaged_database_is_refused_and_comes_back_from_a_copy(self):
        fleet = self.fleet
        for version in ("1.0", "1.1", "1.2"):
            fleet.publish_new(version)
        fleet.checker.check_converged()
        self.assertEqual(fleet.broker.stop(), 0)
        path = f"{fleet.broker_directory}/state/data.mdb"
        good = trees.read(path)
        used = len(good.rstrip(b"\0"))
        noise = random.Random(1).randbytes(used)
        for what, bad in (("empty", b""), ("cut within its head", good[:100]), ("cut after its head", good[:8192]),
                          ("cut in the middle", good[:used // 2]), ("cut at its end", good[:used - 4096]),
                          ("noise", noise), ("noise after its head", good[:8192] + noise), ("zeros", bytes(len(good)))):
            with self.subTest(what=what):
                trees.write(path, bad, 0o600)
                outcome = fleet.run(BROKER, "run", "--data", fleet.broker_directory, status=1, timeout=20)
                self.expect(outcome, "database", "is damaged", "backup")
                self.assertEqual(trees.read(path)[:len(bad)], bad, "what could be saved was changed")
        os.remove(path)
        outcome = fleet.run(BROKER, "run", "--data", fleet.broker_directory, status=1, timeout=20)
        self.expect(outcome, "database", "is missing", "backup")
        self.assertFalse(os.path.exists(path), "an empty database was put in its place")
        trees.write(path, good, 0o600)
        fleet.start_broker()
        fleet.publish_new("1.3")
        fleet.checker.check_converged()



if __name__ == "__main__":
    main()
