#!/usr/bin/env python3
"""weft-lab against the real kernel and the real OVS: two hosts without a controller, a plain switch on each.

Needs root. WEFT_BIN is the directory of weft-lab (default build/dev/bin); WEFT_SKIP_INTEGRATION=1 leaves the test out.
"""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = pathlib.Path(os.environ.get("WEFT_BIN", ROOT / "build/dev/bin")) / "weft-lab"
NAME = f"labtest{os.getpid()}"
RUN = pathlib.Path("/run/weft-lab") / NAME

TOPOLOGY = """
[[host]]
name = "kvm1"
uplinks = { physnet1 = "eth1" }
[[host]]
name = "kvm2"
uplinks = { physnet1 = "eth1" }

[[network]]
name = "private1"
kind = "vxlan"
subnet = "10.0.1.0/24"
subnet6 = "fd00:1::/64"
[[network]]
name = "office"
kind = "vlan"
vlan = 100
physnet = "physnet1"
subnet = "10.0.2.0/24"

[[port]]
name = "web1"
network = "private1"
mac = "52:54:00:00:01:10"
ip = "10.0.1.10"
lab_host = "kvm1"
[[port]]
name = "web2"
network = "private1"
ip = "10.0.1.11"
lab_host = "kvm1"
[[port]]
name = "far"
network = "private1"
ip = "10.0.1.12"
lab_host = "kvm2"
[[port]]
name = "trunk1"
network = "private1"
ip = "10.0.1.20"
lab_host = "kvm1"
trunk = [ { network = "office", vlan = 100, ip = "10.0.2.20" } ]

[[lab.endpoint]]
name = "internet"
physnet = "physnet1"
vlan = 100
addresses = ["10.0.2.250/24"]
"""


def lab(*arguments, check=True, **options):
    """Runs weft-lab COMMAND --name NAME …; returns the ended process."""
    command, *rest = arguments
    done = subprocess.run([LAB, command, "--name", NAME, *rest], capture_output=True, text=True, timeout=120, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"weft-lab {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def inside(who, *command, check=True, **options):
    return lab("exec", who, "--", *command, check=check, **options)


def eventually(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("not within the time given")
        time.sleep(0.05)


def reaches(who, address):
    return inside(who, "ping", "-c1", "-W1", address, check=False).returncode == 0


def namespaces(name=NAME):
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    return [line.split()[0] for line in listed.splitlines() if line.startswith(f"weft-{name}-")]


def processes(name=NAME):
    """Command lines that speak of the lab's directory."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"/run/weft-lab/{name}/" in words:
            found.append(words)
    return found


class Lab(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.file = pathlib.Path(cls.directory.name) / "lab.toml"
        cls.file.write_text(TOPOLOGY)
        lab("up", "--no-controller", str(cls.file))
        for host in ("kvm1", "kvm2"):
            inside(host, "ovs-vsctl", "add-port", "br-int", "eth1")

    @classmethod
    def tearDownClass(cls):
        lab("down")
        cls.directory.cleanup()

    def test_status_names_everything(self):
        status = {row["name"]: row for row in json.loads(lab("status", "-o", "json").stdout)}
        self.assertEqual(set(status), {"kvm1", "kvm2", "web1", "web2", "far", "trunk1", "internet"})
        web1 = status["web1"]
        self.assertEqual((web1["kind"], web1["namespace"], web1["host"]), ("port", f"weft-{NAME}-web1", "kvm1"))
        self.assertEqual(web1["addresses"], ["10.0.1.10", "fd00:1::5054:ff:fe00:110"])
        self.assertEqual(status["internet"]["kind"], "endpoint")
        self.assertEqual(status["kvm1"]["kind"], "host")

    def test_an_endpoint_is_as_its_port(self):
        link = json.loads(inside("web1", "ip", "-j", "link", "show", "eth0").stdout)[0]
        self.assertEqual((link["address"], link["mtu"]), ("52:54:00:00:01:10", 1450))
        row = inside("kvm1", "ovs-vsctl", "--bare", "--columns=external_ids", "find", "interface",
                     "external_ids:iface-id=web1").stdout
        self.assertIn("iface-id=web1", row)

    def test_exec_passes_streams_and_status(self):
        self.assertEqual(inside("web1", "sh", "-c", "exit 7", check=False).returncode, 7)
        self.assertEqual(inside("web1", "cat", input="over").stdout, "over")
        self.assertEqual(inside("web1", "no-such-program", check=False).returncode, 127)
        self.assertIn("eth0", inside("web1", "ls", "/sys/class/net").stdout)
        self.assertEqual(inside("web1", "echo", "--", "--name").stdout, "-- --name\n")
        self.assertNotEqual(inside("nobody", "true", check=False).returncode, 0)

    def test_an_endpoint_does_not_see_the_machines_resolver(self):
        machine = pathlib.Path("/etc/resolv.conf")
        before = machine.read_bytes() if machine.exists() else None
        for who in ("web1", "internet"):
            self.assertEqual(inside(who, "cat", "/etc/resolv.conf").stdout, "", who)
        self.assertEqual(machine.read_bytes() if machine.exists() else None, before)
        if before is not None:
            self.assertEqual(inside("kvm1", "cat", "/etc/resolv.conf").stdout, before.decode())

    def test_traffic_passes(self):
        eventually(lambda: reaches("web1", "10.0.1.11") and reaches("web1", "10.0.1.12"))
        eventually(lambda: reaches("trunk1", "10.0.2.250"))
        self.assertTrue(reaches("web1", "fd00:1::5054:ff:fe00:110"))
        self.assertTrue(reaches("kvm1", "192.0.2.12"), "the underlay")

    def test_matrix(self):
        expected = pathlib.Path(self.directory.name) / "expected"
        expected.write_text("web1 web2 yes 10.0.1.10\nweb1 far yes\ninternet 10.0.2.20 yes\ninternet web1 no\n")
        for protocol in ("icmp", "tcp", "udp"):
            with self.subTest(protocol):
                done = lab("matrix", "--proto", protocol, "--port", "80", "--expect", str(expected), "-o", "json")
                rows = {(row["from"], row["address"]): row for row in json.loads(done.stdout)}
                self.assertEqual(rows["web1", "10.0.1.11"]["source_seen"], "10.0.1.10")
                self.assertTrue(rows["internet", "10.0.2.20"]["reachable"])
        expected.write_text("web1 web2 no\n")
        done = lab("matrix", "--expect", str(expected), check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("web1 → web2 10.0.1.11: reachable, expected not reachable", done.stderr)

    def test_move(self):
        lab("move", "web2", "kvm2")
        self.addCleanup(lab, "move", "web2", "kvm1")
        status = {row["name"]: row for row in json.loads(lab("status", "-o", "json").stdout)}
        self.assertEqual(status["web2"]["host"], "kvm2")
        count = ["ovs-vsctl", "--bare", "--columns=name", "find", "interface", "external_ids:iface-id=web2"]
        self.assertEqual(inside("kvm1", *count).stdout.strip(), "")
        self.assertNotEqual(inside("kvm2", *count).stdout.strip(), "")
        eventually(lambda: reaches("web1", "10.0.1.11"))
        self.assertNotEqual(lab("move", "web2", "kvm2", check=False).returncode, 0)

    def test_cut_links_lose_their_carrier_and_heal(self):
        def carrier(device):
            return inside("kvm2", "cat", f"/sys/class/net/{device}/carrier").stdout.strip() == "1"

        self.addCleanup(lab, "fault", "kvm2", "heal")
        eventually(lambda: reaches("web1", "10.0.1.12"))
        lab("fault", "kvm2", "cut-link", "uplink")
        self.assertEqual([carrier(d) for d in ("eth1", "underlay0", "control0")], [False, True, True])
        self.assertFalse(reaches("web1", "10.0.1.12"))
        lab("fault", "kvm2", "cut-link")
        self.assertEqual([carrier(d) for d in ("eth1", "underlay0", "control0")], [False, False, False])
        lab("fault", "kvm2", "heal")
        self.assertEqual([carrier(d) for d in ("eth1", "underlay0", "control0")], [True, True, True])
        eventually(lambda: reaches("web1", "10.0.1.12"))

    def test_the_physical_switch_forgets_what_was_behind_a_cut_link(self):
        def learned():
            return inside("switch", "ovs-appctl", "fdb/show", "s1-physnet1").stdout

        self.addCleanup(lab, "fault", "kvm1", "heal")
        mac = json.loads(inside("trunk1", "ip", "-j", "link", "show", "eth0.100").stdout)[0]["address"]
        eventually(lambda: reaches("trunk1", "10.0.2.250") and mac in learned())
        lab("fault", "kvm1", "cut-link", "uplink")
        eventually(lambda: mac not in learned())

    def test_killed_daemons_come_back(self):
        self.addCleanup(lab, "fault", "kvm2", "heal")
        lab("fault", "kvm2", "kill-vswitchd")
        self.assertFalse(reaches("kvm1", "192.0.2.12"))
        self.assertNotEqual(lab("fault", "kvm2", "kill-vswitchd", check=False).returncode, 0)
        lab("fault", "kvm2", "kill-ovsdb")
        lab("fault", "kvm2", "heal")
        eventually(lambda: reaches("kvm1", "192.0.2.12"))
        inside("kvm2", "ovs-vsctl", "--timeout=5", "show")

    def test_a_second_up_of_a_running_name_is_an_error(self):
        done = lab("up", "--no-controller", str(self.file), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is running", done.stderr)
        self.assertTrue(reaches("web1", "10.0.1.11"))


class Leavings(unittest.TestCase):
    NAME = NAME + "b"

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.file = pathlib.Path(self.directory.name) / "lab.toml"
        self.file.write_text(TOPOLOGY)
        self.addCleanup(self.directory.cleanup)
        self.addCleanup(lambda: self.run_lab("down"))

    def run_lab(self, command, *rest):
        return subprocess.run([LAB, command, "--name", self.NAME, *rest], capture_output=True, text=True, timeout=120)

    def assert_nothing_left(self):
        self.assertEqual(namespaces(self.NAME), [])
        self.assertEqual(processes(self.NAME), [])
        self.assertFalse((RUN.parent / self.NAME).exists())

    def pids(self):
        record = json.loads((RUN.parent / self.NAME / "lab.json").read_text())
        return [process["pid"] for process in record["processes"].values()]

    def test_down_leaves_nothing(self):
        self.assertEqual(self.run_lab("up", "--no-controller", str(self.file)).returncode, 0)
        with subprocess.Popen([LAB, "exec", "--name", self.NAME, "web1", "--", "sleep", "1000"]) as sleeper:
            eventually(lambda: b"sleep" in pathlib.Path(f"/proc/{sleeper.pid}/cmdline").read_bytes())
            self.assertEqual(self.run_lab("down").returncode, 0)
            self.assertEqual(sleeper.wait(timeout=5), -signal.SIGKILL)
        self.assert_nothing_left()
        self.assertEqual(self.run_lab("down").returncode, 0, "once more is no error")

    def test_up_replaces_a_dead_lab(self):
        self.assertEqual(self.run_lab("up", "--no-controller", str(self.file)).returncode, 0)
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
        up = self.run_lab("up", "--no-controller", str(self.file))
        self.assertEqual(up.returncode, 0, up.stderr)
        self.run_lab("down")
        self.assert_nothing_left()

    def test_down_clears_what_a_killed_up_left(self):
        with subprocess.Popen([LAB, "up", "--name", self.NAME, "--no-controller", str(self.file)],
                              stderr=subprocess.DEVNULL) as up:
            eventually(lambda: len(namespaces(self.NAME)) > 3)
            up.kill()
        self.assertEqual(self.run_lab("down").returncode, 0)
        self.assert_nothing_left()

    def test_an_interrupted_up_takes_down_what_it_made(self):
        with subprocess.Popen([LAB, "up", "--name", self.NAME, "--no-controller", str(self.file)],
                              stderr=subprocess.DEVNULL) as up:
            eventually(lambda: len(namespaces(self.NAME)) > 3)
            up.terminate()
            self.assertEqual(up.wait(timeout=20), 1)
        self.assert_nothing_left()

    def test_a_bad_topology_is_shown_with_its_place(self):
        self.file.write_text(TOPOLOGY.replace('lab_host = "kvm2"', 'lab_host = "kvm9"'))
        up = self.run_lab("up", "--no-controller", str(self.file))
        self.assertEqual(up.returncode, 1)
        self.assertIn("lab.toml:", up.stderr)
        self.assertIn("kvm9", up.stderr)
        self.assert_nothing_left()


class SideBySide(unittest.TestCase):
    """Two labs of one file, each with its weftd: the same names, addresses and MACs, and they never meet."""
    NAMES = (NAME + "c", NAME + "d")

    @staticmethod
    def run_lab(name, command, *rest):
        return subprocess.run([LAB, command, "--name", name, *rest], capture_output=True, text=True, timeout=120)

    def reaches(self, name, who, address):
        return self.run_lab(name, "exec", who, "--", "ping", "-c1", "-W1", address).returncode == 0

    def page(self, name):
        """The process that lends the lab's page to this machine, and the address it says."""
        lends = subprocess.Popen([LAB, "page", "--name", name, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (lends.kill(), lends.communicate()))
        return lends, re.search(r"http://\S+/", lends.stdout.readline()).group()

    def test_two_labs(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        file = pathlib.Path(directory.name) / "lab.toml"
        file.write_text(TOPOLOGY)
        for name in self.NAMES:
            self.addCleanup(self.run_lab, name, "down")
        ups = [subprocess.Popen([LAB, "up", "--name", name, str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                text=True) for name in self.NAMES]
        for name, up in zip(self.NAMES, ups):
            said = up.communicate(timeout=120)[1]
            self.assertEqual(up.returncode, 0, f"{name}: {said}")
        one, other = self.NAMES
        rows = {name: json.loads(self.run_lab(name, "status", "-o", "json").stdout) for name in self.NAMES}
        self.assertEqual(*({row["name"] for row in rows[name]} for name in self.NAMES))
        self.assertFalse({row["namespace"] for row in rows[one]} & {row["namespace"] for row in rows[other]})
        for name in self.NAMES:
            for address in ("10.0.1.11", "10.0.1.12"):
                eventually(lambda: self.reaches(name, "web1", address))
            eventually(lambda: self.reaches(name, "trunk1", "10.0.2.250"))

        # What only one has is reached in that one.
        self.assertEqual(self.run_lab(other, "exec", "internet", "--", "ip", "address", "add", "10.0.2.99/24", "dev",
                                      "eth0").returncode, 0)
        eventually(lambda: self.reaches(other, "trunk1", "10.0.2.99"))
        self.assertFalse(self.reaches(one, "trunk1", "10.0.2.99"))

        # A browser of this machine reads each one's page, and only reads.
        pages = [self.page(name) for name in self.NAMES]
        for _, address in pages:
            with urllib.request.urlopen(address, timeout=10) as answer:
                self.assertIn("text/html", answer.headers["Content-Type"])
            with self.assertRaisesRegex(urllib.error.HTTPError, "405"):
                urllib.request.urlopen(address + "v1/rollback", data=b"{}", timeout=10)

        # A fault, and the end, of one is the other's nothing.
        self.assertEqual(self.run_lab(one, "fault", "kvm2", "cut-link").returncode, 0)
        self.assertFalse(self.reaches(one, "web1", "10.0.1.12"))
        self.assertTrue(self.reaches(other, "web1", "10.0.1.12"))
        self.assertEqual(self.run_lab(one, "down").returncode, 0)
        self.assertEqual((namespaces(one), processes(one)), ([], []))
        self.assertEqual(pages[0][0].wait(10), -signal.SIGKILL)
        with urllib.request.urlopen(pages[1][1] + "healthz", timeout=10) as answer:
            self.assertEqual(answer.read(), b"ok\n")
        self.assertEqual(len(json.loads(self.run_lab(other, "status", "-o", "json").stdout)), len(rows[other]))
        for who, address in (("web1", "10.0.1.11"), ("web1", "10.0.1.12"), ("trunk1", "10.0.2.250"), ("kvm1", "192.0.2.12")):
            self.assertTrue(self.reaches(other, who, address), f"{who} → {address}")
        said = subprocess.run([LAB.with_name("weftctl"), f"--lab={other}", "status", "-o", "json"], capture_output=True,
                              text=True, check=True, timeout=20).stdout
        self.assertEqual([host["state"] for host in json.loads(said)["hosts"]], ["synced", "synced"])


if __name__ == "__main__":
    if os.environ.get("WEFT_SKIP_INTEGRATION") == "1":
        print("skipped: WEFT_SKIP_INTEGRATION=1")
        sys.exit(0)
    if os.geteuid() != 0:
        sys.exit("lab_test makes network namespaces: run it as root, or leave it out with WEFT_SKIP_INTEGRATION=1")
    if not LAB.exists():
        sys.exit(f"{LAB} is not there: build weft-lab, or say where it is with WEFT_BIN")
    unittest.main(verbosity=2)
