#!/usr/bin/python3
"""What weftd does on signals: SIGHUP reads the topology again, SIGTERM ends it and leaves every flow in place."""
import os
import pathlib
import signal

import fabric
from fabric import FabricTest, eventually


class Signals(FabricTest):
    EXPECTED_ERRORS = ("was not applied",)  # the broken topology below

    def weftd(self):
        """The pid and the words of this lab's weftd."""
        for directory in pathlib.Path("/proc").iterdir():
            if not directory.name.isdigit():
                continue
            try:
                words = (directory / "cmdline").read_text().split("\0")
            except OSError:
                continue
            if words[0].endswith("weftd") and f"/weft-lab/{self.lab.name}/" in " ".join(words):
                return int(directory.name), words
        raise AssertionError("no weftd")

    def test_1_hup_reads_the_topology_again(self):
        pid, words = self.weftd()
        file = pathlib.Path(words[words.index("--topology") + 1])
        before = file.read_text()
        revision = self.lab.json("status")["revision"]
        self.addCleanup(file.write_text, before)

        file.write_text(before + '\n[[network]]\nname = "fresh"\nkind = "vxlan"\n')
        os.kill(pid, signal.SIGHUP)
        eventually(lambda: "fresh" in [network["name"] for network in self.lab.json("networks")], 5, "the new network")
        self.assertEqual(self.lab.json("status")["revision"], revision + 1)

        file.write_text(before + '\n[[network]]\nname = "fresh"\nkind = "vxlam"\n')
        os.kill(pid, signal.SIGHUP)
        eventually(lambda: "was not applied" in self.lab.log(), 5, "the refusal")
        eventually(lambda: self.lab.events("topology_refused"), 5, "the same as an event")
        self.assertEqual(self.lab.json("status")["revision"], revision + 1)

        file.write_text(before)
        os.kill(pid, signal.SIGHUP)
        eventually(lambda: "fresh" not in [network["name"] for network in self.lab.json("networks")], 5, "the old topology")
        os.kill(pid, signal.SIGHUP)
        eventually(lambda: "changes nothing" in self.lab.log(), 5, "an unchanged file is no revision")
        self.assertEqual(self.lab.json("status")["revision"], revision + 2)
        self.lab.wait()

    def test_2_term_leaves_all_flows(self):
        def flows(host):
            return sorted(line.split(" actions=")[1] for line in self.lab.exec(
                host, "ovs-ofctl", "-O", "OpenFlow15", "dump-flows", "br-int").stdout.splitlines() if "actions=" in line)

        hosts = self.lab.hosts()
        before = {host: flows(host) for host in hosts}
        pid, words = self.weftd()
        file = pathlib.Path(words[words.index("--topology") + 1])
        self.addCleanup(file.write_text, file.read_text())
        since, revision = self.lab.next_event(), self.lab.json("status")["revision"]
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: not pathlib.Path(f"/proc/{pid}/fd/0").exists(), 5, "weftd's end")
        self.assertEqual({host: flows(host) for host in hosts}, before)
        self.assertTrue(self.lab.reaches("app1", "10.0.1.12"))
        file.write_text(file.read_text() + '\n[[network]]\nname = "fresh"\nkind = "vxlan"\n')
        self.lab.start_weftd()
        self.lab.wait()
        self.assertIn(f"{file} differs from revision {revision} in force", self.lab.log())
        self.assertEqual(self.lab.json("status")["revision"], revision)
        self.assertEqual(self.lab.events("host_down", since=since), [], "a restart is no fault of the hosts")


if __name__ == "__main__":
    fabric.main()
