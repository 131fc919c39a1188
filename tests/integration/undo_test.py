#!/usr/bin/python3
"""apply --confirm-within, confirm, rollback, history: what was in force comes back, by itself and by hand, whatever is
killed meanwhile, and then the hosts hold the flows, groups and meters of before, byte by byte."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import fabric
from fabric import FabricTest, eventually

HOSTS = ("kvm1", "kvm2", "kvm3")
WINDOW = int(6 * fabric.SCALE)  # seconds: enough to look at everything before it ends

# Addresses that weft gives: whatever is taken away could be given to somebody else.
AUTOMATIC = """
[[network]]
name = "auto"
kind = "vxlan"
subnet = "10.7.0.0/29"
dhcp = false
""" + "".join(f"""
[[port]]
name = "auto{n}"
network = "auto"
lab_host = "kvm{n}"
""" for n in (1, 2, 3))

# They take the numbers of what the edit takes away.
TAKERS = "".join(f"""
[[network]]
name = "{name}"
kind = "vxlan"
subnet = "10.8.0.0/24"
[[router]]
name = "{name}"
networks = ["{name}"]
[[port]]
name = "{name}"
network = "{name}"
""" for name in ("aaa", "aab")) + "".join(f"""
[[port]]
name = "late{n}"
network = "auto"
""" for n in (1, 2, 3))


def without(text, *heads):
    """The topology without the tables that begin so."""
    for head in heads:
        start = text.index(head)
        end = text.find("\n[[", start + 1)
        text = text[:start] + (text[end + 1:] if end >= 0 else "")
    return text


def edit(text):
    # Not the gateway: with the last one go ports of weft's own, for BFD, which Open vSwitch then numbers anew.
    text = without(text, '[[network]]\nname = "red"', '[[port]]\nname = "db1"', '[[port]]\nname = "db2"',
                   '[[port]]\nname = "app3"', '[[port]]\nname = "auto1"', "[[floating_ip]]", "[[port_forward]]")
    return text.replace('ip = "10.0.1.12"', 'ip = "10.0.1.112"') + TAKERS


class Undo(FabricTest):
    TOPOLOGY = fabric.DEMO.read_text() + AUTOMATIC
    EXPECTED_ERRORS = ("the rollback is in force all the same", "cannot write .*/state", "no host can be active")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.edited = cls.lab.write("edited.toml", edit(cls.lab.text))

    def setUp(self):
        self.lab.start_weftd_if_gone()
        self.lab.ctl("apply", self.lab.file)
        self.lab.wait()
        eventually(lambda: self.lab.json("gateways")[0]["nexthop"]["state"] == "resolved", 10, "the next hop")
        self.before, self.since = self.held(), self.lab.next_event()
        self.revision = self.lab.json("status")["revision"]

    def held(self):
        held = {}
        for host in HOSTS:
            def ofctl(*words):
                return self.lab.exec(host, "ovs-ofctl", "-O", "OpenFlow15", *words, "br-int").stdout
            # Which bit the flows against stale caches look at changes with every change: controller/stale_cache.hpp.
            flows = [re.sub(r"pkt_mark=\S+", "pkt_mark", line) for line in ofctl("dump-flows", "--no-stats").splitlines()]
            groups = ofctl("dump-groups").splitlines()[1:]
            meters = ofctl("dump-meters").partition("\n")[2].split("\n\n")
            held[host] = tuple(sorted(line.strip() for line in lines) for lines in (flows, groups, meters))
        return held

    def assert_as_before(self, what="as before"):
        self.lab.wait()

        def same():
            for host, kinds in self.held().items():
                for kind, now, then in zip(("flows", "groups", "meters"), kinds, self.before[host]):
                    self.assertEqual(now, then, f"{kind} of {host}")
            return True

        eventually(same, 10, what)
        self.assertTrue(self.lab.reaches("db1", "10.0.1.22"))

    def states(self):
        return {entry["revision"]: entry["state"] for entry in self.lab.json("history")}

    def trial(self, window):
        self.lab.ctl("apply", self.edited, "--confirm-within", window)
        self.assertEqual(self.states()[self.revision + 1], "awaiting_confirm")
        self.assertNotEqual(self.held(), self.before)

    def assert_taken_back(self):
        """The edit is, once, and nothing is on trial any more."""
        self.assertEqual(list(self.states().values())[-3:], ["superseded", "rolled_back", "in_force"])
        last = self.lab.json("history")[-1]
        self.assertEqual((last["revision"], last["restores"]), (self.revision + 2, self.revision))
        self.assertIsNone(self.lab.json("status")["confirm_by"])
        self.assertEqual(len(self.lab.events("topology_rolled_back", since=self.since)), 1)
        self.assertEqual(self.lab.ctl("plan", self.lab.file, check=False).returncode, 0)

    def test_nobody_confirms(self):
        began = time.time()
        self.trial(f"{WINDOW}s")
        said = self.lab.ctl("status").stdout.splitlines()[1]
        self.assertRegex(said, rf"revision {self.revision + 1} awaits confirmation: `weftctl confirm` keeps it, else "
                               rf"revision {self.revision} comes back at \d{{4}}-\S+Z")
        eventually(lambda: self.lab.events("topology_rolled_back", since=self.since), 20, "the end of the trial")
        self.assertGreater(time.time() - began, WINDOW)
        self.assert_as_before()
        self.assert_taken_back()
        done = self.lab.ctl("confirm", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no revision awaits confirmation", done.stderr)

    def test_confirmed(self):
        self.trial(f"{WINDOW}s")
        changed = self.held()
        self.assertIn("is confirmed", self.lab.ctl("confirm").stdout)
        self.assertEqual(self.states()[self.revision + 1], "in_force")
        time.sleep(WINDOW + 1)
        self.assertEqual(self.lab.json("status")["revision"], self.revision + 1)
        self.assertEqual(self.held(), changed)
        self.lab.restart_weftd()
        self.assertEqual(self.lab.json("status")["revision"], self.revision + 1)

    def test_killed_in_the_window(self):
        self.trial("1h")
        self.lab.fault("weftd", "kill")
        self.lab.start_weftd()
        self.assert_as_before()
        self.assert_taken_back()
        text = self.lab.events("topology_rolled_back", since=self.since)[0]["text"]
        self.assertIn("weftd was started again before it was confirmed", text)
        self.assertIn(text, self.lab.log())
        self.lab.restart_weftd()
        self.assert_taken_back()

    def test_by_hand(self):
        self.trial("1h")
        done = self.lab.ctl("rollback")
        self.assertIn("+ network red", done.stdout)
        self.assertIn(f"revision {self.revision + 1} was taken back: revision {self.revision} is in force again, as "
                      f"revision {self.revision + 2}", done.stdout)
        self.assert_as_before()
        self.assert_taken_back()

    def test_by_hand_to_an_older_one(self):
        """And it comes and goes as often as one likes."""
        self.lab.ctl("apply", self.edited)
        edited = self.held()
        self.lab.ctl("apply", self.lab.write("empty.toml", without(edit(self.lab.text), '[[network]]\nname = "aab"',
                                                                   '[[router]]\nname = "aab"', '[[port]]\nname = "aab"')))
        self.lab.ctl("rollback", self.revision)
        self.assert_as_before()
        self.lab.ctl("rollback", self.revision + 1)
        eventually(lambda: self.held() == edited, 10, "the edit, as it was")
        for wrong, says in ((self.revision + 1, "is in force already, as revision"), (9999, "there is no revision 9999")):
            done = self.lab.ctl("rollback", wrong, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(says, done.stderr)
        self.lab.ctl("rollback")  # the edit was the second revision: the one before is the first
        self.assert_as_before()

    def test_another_apply_in_the_window(self):
        self.trial(f"{WINDOW}s")
        done = self.lab.ctl("apply", self.edited)
        self.assertIn(f"revision {self.revision + 1} is confirmed", done.stdout)
        time.sleep(WINDOW + 1)
        self.assertEqual(self.states()[self.revision + 1], "in_force")

    def test_hup_in_the_window(self):
        """It may come from anybody, so it neither confirms nor takes back."""
        self.trial("1h")
        os.kill(self.lab.weftd(), signal.SIGHUP)
        eventually(lambda: f"is not read while revision {self.revision + 1} awaits confirmation" in self.lab.log(), 5, "the warning")
        self.assertEqual(self.states()[self.revision + 1], "awaiting_confirm")
        self.lab.ctl("rollback")
        self.assert_as_before()

    def test_what_changes_nothing(self):
        """Comments and the order of tables are nothing: nothing is sent, and nothing on trial."""
        parts = re.split(r"(?=\n\[\[port\]\])", self.lab.text)
        same = self.lab.write("same.toml", "# Another comment.\n" + parts[0] + "".join(reversed(parts[1:])))
        before = self.lab.sent()
        code, plan = (done := self.lab.ctl("plan", same, "-o", "json", check=False)).returncode, json.loads(done.stdout)
        self.assertEqual((code, plan["objects"]), (0, []))
        self.assertEqual({host["name"]: host["flows"] for host in plan["hosts"] if any(host["flows"].values())}, {})
        done = self.lab.ctl("apply", same, "--confirm-within", "2s")
        self.assertIn("nothing to confirm", done.stdout)
        self.assertIsNone(self.lab.json("status")["confirm_by"])
        self.assertEqual(self.lab.ctl("confirm", check=False).returncode, 1)
        time.sleep(2.5)
        self.assertEqual(self.lab.json("status")["revision"], self.revision)
        self.assertEqual(self.lab.sent(), before)
        self.assertEqual(self.held(), self.before)

    def killed_at(self, failpoint, *command):
        """Starts weftd with the failpoint armed; the command kills it. Then it is started again."""
        self.lab.fault("weftd", "kill")
        self.lab.start_weftd(WEFT_FAILPOINT=failpoint)
        if not self.lab.weftd_is_gone():
            self.lab.wait()
            self.lab.ctl(*command, "--timeout", "1s", check=False)
        eventually(self.lab.weftd_is_gone, 10, f"the death at {failpoint}")
        self.lab.start_weftd()
        self.lab.wait()

    FAILPOINTS = ("supervisor.considered", "store.half_written:1", "store.renamed:1", "store.renamed:2",
                  "store.kept_previous:3", "store.renamed:3", "supervisor.saved", "intent.committed:2")

    def test_killed_as_a_trial_begins(self):
        for failpoint in self.FAILPOINTS:
            with self.subTest(failpoint):
                self.killed_at(failpoint, "apply", self.edited, "--confirm-within", "1h")
                self.assert_as_before(failpoint)
                self.assertIsNone(self.lab.json("status")["confirm_by"])

    def test_killed_as_one_goes_back(self):
        """The revision of before or the edit is in force, whole; and the way back is open."""
        for failpoint in self.FAILPOINTS:
            with self.subTest(failpoint):
                self.lab.ctl("apply", self.edited)
                self.killed_at(failpoint, "rollback")
                if self.lab.ctl("plan", self.lab.file, check=False).returncode == 2:
                    self.assertEqual(self.lab.ctl("plan", self.edited, check=False).returncode, 0)
                    self.lab.ctl("rollback")
                self.assert_as_before(failpoint)

    def test_killed_as_it_goes_back_at_its_start(self):
        for failpoint in ("supervisor.considered", "store.renamed:1", "store.renamed:3", "supervisor.saved",
                          "intent.committed:2"):
            with self.subTest(failpoint):
                self.revision = self.lab.json("status")["revision"]
                self.trial("1h")
                self.lab.fault("weftd", "kill")
                self.lab.start_weftd(WEFT_FAILPOINT=failpoint)
                eventually(self.lab.weftd_is_gone, 10, f"the death at {failpoint}")
                self.lab.start_weftd()
                self.assert_as_before(failpoint)
                self.assertIsNone(self.lab.json("status")["confirm_by"])
                self.assertEqual(self.states()[self.revision + 1], "rolled_back")

    @contextlib.contextmanager
    def small_disk(self):
        """The state directory on a file system of its own."""
        state, scratch = self.lab.run_directory / "state", pathlib.Path(self.lab.scratch.name)
        image, aside = scratch / "disk.img", scratch / "aside"
        self.lab.stop_weftd()
        with open(image, "wb") as file:
            file.truncate(8 << 20)
        fabric.run(["mkfs.ext4", "-q", "-m", "0", image])
        shutil.copytree(state, aside)
        fabric.run(["mount", "-o", "loop,errors=remount-ro", image, state])
        try:
            shutil.copytree(aside, state, dirs_exist_ok=True)
            self.lab.start_weftd()
            self.lab.wait()
            yield state
        finally:
            self.lab.fault("weftd", "kill", check=False)
            eventually(lambda: subprocess.run(["umount", state], capture_output=True).returncode == 0, 10, "umount")
            image.unlink()
            shutil.rmtree(aside)
            self.lab.start_weftd()
            self.lab.wait()

    def fill(self, state):
        filler = state / "filler"
        with open(filler, "ab", buffering=0) as file:
            for size in (1 << 16, 512):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))
        return filler

    def assert_refused(self, why, remedy, *command, unchanged="nothing was changed"):
        sent, held, states = self.lab.sent(), self.held(), self.states()
        done = self.lab.ctl(*command, check=False)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        for words in (str(self.lab.run_directory / "state/"), why, remedy, unchanged):
            self.assertIn(words, done.stderr)
        self.assertEqual((self.lab.sent(), self.held(), self.states()), (sent, held, states))

    def test_a_full_disk(self):
        with self.small_disk() as state:
            before = ("No space left on device", "free some space")
            filler = self.fill(state)
            self.assert_refused(*before, "apply", self.edited)
            self.assert_refused(*before, "apply", self.edited, "--confirm-within", "1h")
            filler.unlink()
            self.lab.ctl("apply", self.edited)
            filler = self.fill(state)
            self.assert_refused(*before, "rollback")
            filler.unlink()
            self.lab.ctl("rollback")
            self.assert_as_before()
            self.revision = self.lab.json("status")["revision"]
            self.trial(f"{2 * WINDOW}s")
            filler = self.fill(state)
            self.assert_refused(*before, "confirm", unchanged="still awaits confirmation, until")
            # It ends all the same, and is saved when it can be.
            eventually(lambda: self.lab.events("topology_rolled_back", since=self.since)[-1:] and
                       self.lab.json("status")["revision"] == self.revision + 2, 30 + 2 * WINDOW, "the end of the trial")
            self.assert_as_before()
            said = [event["text"] for event in self.lab.events("state", since=self.since)]
            self.assertTrue(any("the rollback is in force all the same" in text for text in said), said)
            self.lab.fault("weftd", "kill")
            self.lab.start_weftd()  # from a state that has the trial still
            self.assert_as_before()
            filler.unlink()
            time.sleep(6 * fabric.SCALE)
            self.lab.restart_weftd()
            self.assertEqual(self.states()[self.revision + 2], "in_force")
            self.assert_as_before()

    def test_a_disk_that_became_read_only(self):
        with self.small_disk() as state:
            self.trial("1h")
            fabric.run(["mount", "-o", "remount,abort", state])
            before = ("Read-only file system", "mount it writable again")
            self.assert_refused(*before, "apply", self.lab.file)
            self.assert_refused(*before, "confirm", unchanged="still awaits confirmation, until")
            self.assert_refused(*before, "rollback")
        # What was there before the disk.
        self.assert_as_before()


if __name__ == "__main__":
    fabric.main()
