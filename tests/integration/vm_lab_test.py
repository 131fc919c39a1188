#!/usr/bin/python3
"""weft-lab's real VMs without a controller: two hosts with a libvirtd each, a guest on each, a tunnel made by hand.

scripts/guest makes what they boot, if it is not there. The guests are emulated: a boot takes 5 s of a CPU.
"""
import json
import os
import pathlib
import signal
import subprocess
import unittest

import fabric
from fabric import Lab, eventually, namespaces, processes, run

TOPOLOGY = """
[[host]]
name = "kvm1"
[[host]]
name = "kvm2"
[[network]]
name = "blue"
kind = "vxlan"
subnet = "10.0.1.0/24"
[[port]]
name = "web1"
network = "blue"
vm = "web1"
ip = "10.0.1.11"
[[port]]
name = "probe"
network = "blue"
ip = "10.0.1.10"
lab_host = "kvm1"
[[lab.vm]]
name = "web1"
host = "kvm1"
network = "blue"
portgroup = "web"
[[lab.vm]]
name = "web2"
host = "kvm2"
network = "blue"
"""
VTEPS = {"kvm1": "192.0.2.11", "kvm2": "192.0.2.12"}
ADDRESSES = {"web1": "10.0.1.11", "web2": "10.0.1.12"}
NIC = """<interface type='network'><mac address='52:54:00:00:00:99'/><source network='blue'/><model type='virtio'/></interface>"""


class VmLab(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        run([fabric.ROOT / "scripts/guest"], timeout=600)
        cls.lab = Lab(TOPOLOGY)
        cls.addClassCleanup(cls.nothing_is_left)
        cls.lab.lab("up", "--no-controller", "--timeout", str(int(120 * fabric.SCALE)), cls.lab.file, timeout=300 * fabric.SCALE)
        for host, peer in (("kvm1", "kvm2"), ("kvm2", "kvm1")):
            cls.lab.exec(host, "ovs-vsctl", "add-port", "br-int", "vx0", "--", "set", "interface", "vx0", "type=vxlan",
                         f"options:remote_ip={VTEPS[peer]}")
        for vm, address in ADDRESSES.items():
            cls.lab.exec(vm, "ip", "address", "add", f"{address}/24", "dev", "eth0")

    @classmethod
    def nothing_is_left(cls):
        """Also when what would tidy up was killed."""
        record = json.loads((cls.lab.run_directory / "lab.json").read_text())
        for name, process in record["processes"].items():
            if name.endswith("/libvirtd"):
                os.kill(process["pid"], signal.SIGKILL)
        cls.lab.lab("down")
        cls.lab.scratch.cleanup()
        left = namespaces(cls.lab.name) + processes(cls.lab.name)
        left += [line for line in pathlib.Path("/proc/mounts").read_text().splitlines() if cls.lab.name in line]
        if left or cls.lab.run_directory.exists():
            raise AssertionError(f"left: {left} {cls.lab.run_directory}")

    def guest(self, vm, *command, **options):
        return self.lab.exec(vm, *command, **options).stdout.strip()

    def virsh(self, host, *words, **options):
        return self.lab.exec(host, "virsh", *words, **options).stdout

    def status(self):
        return {row["name"]: row for row in json.loads(self.lab.lab("status", "-o", "json").stdout)}

    def answers(self, vm):
        return self.lab.exec(vm, "true", check=False).returncode == 0

    def test_exec_passes_input_output_and_exit_status(self):
        done = self.lab.exec("web1", "sh", "-c", "cat; echo bad >&2; exit 7", input="good", check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (7, "good", "bad\n"))
        self.assertEqual(self.guest("web2", "hostname"), "web2")
        self.assertEqual(self.lab.exec("web1", "nonesuch", check=False).returncode, 127)
        text = "0123456789abcdef" * 8192
        self.assertEqual(self.guest("web1", "cat", input=text), text)

    def test_execs_take_turns(self):
        words = [fabric.BIN / "weft-lab", "exec", "--name", self.lab.name, "web1", "--", "sh", "-c"]
        at_work = [subprocess.Popen(words + [f"sleep 0.5; echo {i}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
                   for i in range(4)]
        self.assertEqual([one.communicate(timeout=60 * fabric.SCALE)[0] for one in at_work], [b"0\n", b"1\n", b"2\n", b"3\n"])

    def test_status_lists_vms_and_matrix_does_not(self):
        web1 = self.status()["web1"]
        self.assertEqual((web1["kind"], web1["namespace"], web1["addresses"]), ("vm", None, ["10.0.1.11"]))
        self.assertEqual(json.loads(self.lab.lab("matrix", "-o", "json").stdout), [])

    def test_vms_reach_each_other(self):
        eventually(lambda: self.lab.reaches("web1", ADDRESSES["web2"]), 20, "web2 from web1")
        eventually(lambda: self.lab.reaches("probe", ADDRESSES["web1"]), 20, "web1 from probe")
        self.assertEqual(self.guest("web1", "wget", "-qO-", f"http://{ADDRESSES['web2']}/"), "web2")
        self.assertEqual(self.guest("web2", "wget", "-qO-", f"http://{ADDRESSES['web1']}/cgi-bin/peer"), ADDRESSES["web2"])

    def test_move_is_a_live_migration(self):
        self.guest("web1", "touch", "/tmp/before")
        for source, target in (("kvm1", "kvm2"), ("kvm2", "kvm1")):
            self.lab.lab("move", "web1", target)
            self.assertEqual(self.status()["web1"]["host"], target)
            self.guest("web1", "ls", "/tmp/before")
            self.assertIn("web1", self.virsh(target, "list", "--name", "--persistent"))
            self.assertNotIn("web1", self.virsh(source, "list", "--name", "--all"))
        self.assertIn("already", self.lab.lab("move", "web1", "kvm1", check=False).stderr)

    def test_a_guest_outlives_its_libvirtd(self):
        self.addCleanup(self.lab.fault, "kvm2", "heal")
        self.lab.fault("kvm2", "kill-libvirtd")
        self.assertNotEqual(self.lab.exec("kvm2", "virsh", "list", check=False).returncode, 0)
        self.assertEqual(self.guest("web2", "hostname"), "web2")
        self.lab.fault("kvm2", "heal")
        self.assertEqual(self.virsh("kvm2", "domstate", "web2").strip(), "running")

    def test_a_nic_comes_and_goes(self):
        xml = self.lab.write("nic.xml", NIC)
        self.virsh("kvm2", "attach-device", "web2", xml, "--live")
        flags = "/sys/class/net/eth1/carrier"
        eventually(lambda: self.lab.exec("web2", "cat", flags, check=False).stdout == "1\n", 20, "eth1")
        eventually(lambda: "-i eth1" in self.guest("web2", "ps"), 20, "a DHCP client on eth1")
        self.virsh("kvm2", "detach-device", "web2", xml, "--live")
        eventually(lambda: self.lab.exec("web2", "ls", flags, check=False).returncode != 0, 20, "the end of eth1")
        eventually(lambda: "-i eth1" not in self.guest("web2", "ps"), 20, "the end of its DHCP client")

    def test_the_power_button(self):
        self.virsh("kvm2", "shutdown", "web2")
        eventually(lambda: self.virsh("kvm2", "domstate", "web2").strip() == "shut off", 40, "the end of web2")
        self.assertIn("not running", self.lab.exec("web2", "true", check=False).stderr)
        self.virsh("kvm2", "start", "web2")
        eventually(lambda: self.answers("web2"), 60, "web2")
        self.guest("web2", "ip", "address", "add", f"{ADDRESSES['web2']}/24", "dev", "eth0")


if __name__ == "__main__":
    fabric.main()
