"""lull-bench on loopback: all kinds of traffic arrive and are reported, and what makes no sense is refused."""

import csv
import os
import socket
import subprocess
import tempfile
import unittest

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BENCH = os.path.join(os.environ.get("LULL_BUILD", os.path.join(REPOSITORY, "build", "release")), "bench", "lull-bench")


def run(*words):
    return subprocess.run([BENCH, *words],
                          stdin=subprocess.DEVNULL,
                          capture_output=True,
                          text=True,
                          timeout=60,
                          check=False)


class LullBench(unittest.TestCase):
    def setUp(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.place = f"127.0.0.1:{probe.getsockname()[1]}"
        self.server = subprocess.Popen([BENCH, "serve", "--listen", self.place], stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end)
        self.assertIn(self.place, self.server.stdout.readline())

    def end(self):
        self.server.terminate()
        self.assertEqual(self.server.wait(10), 0)
        self.server.stdout.close()

    def observe(self, *load):
        with tempfile.TemporaryDirectory() as directory:
            done = run("traffic", "--to", self.place, "--csv", f"{directory}/seen.csv", *load)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(f"{directory}/seen.csv", encoding="utf-8", newline="") as file:
                self.assertTrue(file.readline().startswith("# start "))
                return done.stdout, list(csv.DictReader(file))

    def test_all_kinds_of_traffic_arrive_and_are_reported(self):
        report, rows = self.observe("--web", "50/s:30kB", "--bulk", "1s-2s", "--steady", "1Mbit/s:1000B@0s-1s",
                                    "--ping", "10ms", "--seconds", "3")
        of = {kind: [row for row in rows if row["kind"] == kind] for kind in ("web", "bulk", "steady", "ping")}
        self.assertTrue(all(row["outcome"] == "done" for row in rows))
        self.assertTrue(100 < len(of["web"]) < 200, len(of["web"]))
        self.assertEqual({row["bytes"] for row in of["web"]}, {"30000"})
        self.assertGreater(sum(int(row["bytes"]) for row in of["bulk"]), 1_000_000)
        self.assertTrue(all(900_000_000 < int(row["at_ns"]) < 2_300_000_000 for row in of["bulk"]))
        self.assertTrue(80 < len(of["steady"]) < 150, len(of["steady"]))
        self.assertGreater(len(of["ping"]), 150)
        for words in ("SECOND", "web: ", "bulk, 1.0 s: ", "steady: ", "ping: ", "p99"):
            self.assertIn(words, report)

    def test_the_same_seed_gives_the_same_moments(self):
        load = ("--web", "100/s:1kB", "--seconds", "1", "--seed", "7")
        moments = [sorted(row["at_ns"] for row in self.observe(*load)[1]) for _ in range(2)]
        self.assertEqual(*moments)
        kept = sorted(row["at_ns"] for row in self.observe(*load, "--keep")[1])
        self.assertEqual(kept, moments[0])

    def test_what_makes_no_sense_is_refused_with_a_reason(self):
        for words, reason in ((["--web", "20"], "20/s:30kB"), (["--web", "20/s:lots"], "is no size"),
                              (["--bulk", "8s-3s"], "ends before it begins"), (["--steady",
                                                                                "1Mbit/s:9000B"], "a datagram has"),
                              ([], "no traffic is asked for"), (["--wbe", "1/s:1B"], "--web")):
            done = run("traffic", "--to", self.place, *words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(reason, done.stderr)

    def test_a_server_that_is_not_there_or_is_another_program_is_named(self):
        done = run("traffic", "--to", "127.0.0.1:1", "--web", "1/s:1B")
        self.assertEqual(done.returncode, 3)
        self.assertIn("is 'lull-bench serve' running there?", done.stderr)

        with socket.create_server(("127.0.0.1", 0)) as other:
            with subprocess.Popen([BENCH, "traffic", "--to", f"127.0.0.1:{other.getsockname()[1]}", "--web", "1/s:1B"],
                                  stderr=subprocess.PIPE,
                                  text=True) as client:
                connection, _ = other.accept()
                connection.close()
                self.assertIn("is not 'lull-bench serve'", client.communicate(timeout=20)[1])
                self.assertEqual(client.returncode, 4)

    def test_strangers_do_not_disturb_the_server(self):
        host, port = self.place.split(":")
        for rubbish in (b"GET /bulk HTTP/1.1\r\n\r\n", b"LBQ1x" + bytes(15), b"LBQ1w" + bytes(3) + b"\xff" * 12):
            with socket.create_connection((host, int(port)), timeout=5) as stranger:
                stranger.sendall(rubbish)
                try:
                    self.assertEqual(stranger.recv(1), b"")
                except ConnectionResetError:
                    pass
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.connect((host, int(port)))
            stranger.settimeout(0.5)
            for datagram in (b"", b"p" * 25, bytes(8) + b"p" + bytes(16)):
                stranger.send(datagram)
            with self.assertRaises(TimeoutError):
                stranger.recv(100)
        _, rows = self.observe("--web", "20/s:1kB", "--seconds", "1")
        self.assertTrue(rows and all(row["outcome"] == "done" for row in rows))


if __name__ == "__main__":
    unittest.main()
