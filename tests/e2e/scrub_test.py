"""The broker reads what it stores again: what has rotted is found before anybody asks for it, and mended by publishing
again."""

import glob
import os
import random
import threading

import trees
from fleet import FleetTest, main
from kills import KillTest

WORDS = [f"word{i}" for i in range(3000)]


class Scrub(FleetTest):
    def make(self):
        """Texts, which compress, in a segment each."""
        tree = f"{self.fleet.directory}/source"
        for number in range(3):
            chosen = random.Random(number)
            text = " ".join(chosen.choice(WORDS) for _ in range(200_000))
            trees.write(f"{tree}/text-{number}", text.encode())
        trees.write(f"{tree}/bin/app", b"#!/bin/sh\necho 1\n", 0o755)
        return tree

    def published_and_stopped(self):
        fleet = self.fleet
        tree = self.make()
        fleet.publish(tree, "1.0", "--start", "bin/app")
        fleet.broker.stop()
        return tree, glob.glob(f"{fleet.broker_directory}/packs/pack-*")[0]

    def test_what_has_rotted_is_set_aside_and_comes_back_with_the_same_tree(self):
        fleet = self.fleet
        tree, pack = self.published_and_stopped()
        with open(pack, "r+b") as file:
            file.seek(os.path.getsize(pack) // 2)
            file.write(bytes(100))
        broker = fleet.start_broker()
        broker.wait_for(r"object [0-9a-f]+ in pack 1 is damaged on the disk, and set aside")
        broker.wait_for(r"1 objects of releases in the log are lost, .*publish these releases again")
        again = fleet.lull("publish", tree, "--name", "app", "--version", "1.0", "--start", "bin/app").out
        self.assertIn("was published before", again)
        broker.wait_for("all objects that were lost are here again")
        fleet.add_node("late").start()
        fleet.checker.check_converged()

    def test_what_was_packed_quickly_takes_less_when_there_was_time(self):
        fleet = self.fleet
        self.published_and_stopped()
        fleet.start_broker().wait_for(
            r"read [\d.]+ [KM]iB of stored objects again; [\d.]+ [KM]iB saved by packing them anew", 120)
        late = fleet.add_node("late").start()
        fleet.checker.check_converged()
        self.assertRegex(late.daemon.find("fetched"), r"fetched [\d.]+ [KM]iB")
        fleet.broker.stop()
        fleet.start_broker()
        fleet.add_node("later").start()
        fleet.checker.check_converged()


class Repack(KillTest):
    def test_an_object_that_is_packed_anew_in_the_middle_of_a_transfer_arrives_right(self):
        """The node is away in between: what it has by then is the beginning of another form of the object."""
        fleet = self.fleet
        tree = f"{fleet.directory}/source"
        chosen = random.Random(7)
        trees.write(f"{tree}/text", " ".join(chosen.choice(WORDS) for _ in range(1_500_000)).encode())  # one segment
        trees.write(f"{tree}/bin/app", b"#!/bin/sh\necho 1\n", 0o755)
        self.plain.stop()
        killed = threading.Event()

        def kill():
            self.node.daemon.process.kill()
            killed.set()

        self.tap.at(self.tap.fetched() + 1_500_000, kill)
        fleet.publish(tree, "1.0", "--start", "bin/app")
        self.assertTrue(killed.wait(120), "the transfer did not come so far")
        self.node.daemon.wait()
        mark = fleet.broker.mark()
        fleet.broker.wait_for("saved by packing them anew", timeout=300, after=mark)
        before = self.durable()
        self.assertGreater(before, 0, "nothing of the object is durable: the test shows nothing")
        fleet.checker.check_running()
        self.node.start()
        self.node.wait_active("1.0")
        self.plain.start()
        fleet.checker.check_converged()


if __name__ == "__main__":
    main()
