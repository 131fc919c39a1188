#!/usr/bin/python3
"""Two KVM hosts with a NAT network, port forwards and a VM on the public network: what virbr0, iptables and br0 did."""
import time

from scapy.all import Ether, IP, TCP, UDP

import fabric
from fabric import FabricTest, eventually
from traffic import MARK, PrivateSourceWire, Traffic

CUSTOMER, PUBLIC, MAIL = "198.51.100.7", "203.0.113.2", "203.0.113.25"
VM1, VM2 = "192.168.122.11", "192.168.122.12"


class Kvm(Traffic, FabricTest):
    TOPOLOGY = fabric.ROOT / "configs/topologies/kvm.toml"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.leak = PrivateSourceWire(cls.lab.namespaces["internet"])
        cls.addClassCleanup(cls.nothing_leaked)
        for who in ("vm1", "vm2"):
            eventually(lambda: cls.lab.reaches(who, CUSTOMER), 10, f"{who} → the internet")

    @classmethod
    def nothing_leaked(cls):
        leaked = [Ether(frame).summary() for frame in cls.leak.received()[:5]]
        cls.leak.close()
        if leaked:
            raise AssertionError(f"private sources outside: {leaked}")

    def test_vms_of_the_nat_network_reach_each_other(self):
        self.assertEqual(self.both("vm1", "vm2", VM2, 8000), VM1)
        self.assertEqual(self.both("vm2", "vm1", VM1, 8000), VM2)
        for who in ("vm1", "vm2"):
            self.assert_pings(who, "192.168.122.1")

    def test_masquerade(self):
        for who in ("vm1", "vm2"):
            self.assertEqual(self.both(who, "internet", CUSTOMER, 8000), PUBLIC)
            self.assert_pings(who, CUSTOMER)

    def test_port_forwards(self):
        for port, who, to in ((2201, "vm1", 22), (2202, "vm2", 22), (80, "vm1", 80)):
            self.assertEqual(self.tcp("internet", who, PUBLIC, port, to, source=CUSTOMER), CUSTOMER)

    def test_a_forward_is_used_from_inside(self):
        """What iptables needed a second rule for."""
        for who in ("vm1", "vm2"):
            self.assertEqual(self.tcp(who, "vm1", PUBLIC, 80), PUBLIC)
            self.assertEqual(self.tcp(who, "vm2", PUBLIC, 2202, 22), PUBLIC)
        self.assertEqual(self.tcp("mail", "vm1", PUBLIC, 80), MAIL)

    def test_the_vm_on_the_public_network_has_no_nat(self):
        self.assertEqual(self.both("mail", "internet", CUSTOMER, 8000), MAIL)
        self.assertEqual(self.both("internet", "mail", MAIL, 25, source=CUSTOMER), CUSTOMER)
        for who in ("vm1", "vm2"):
            self.assertEqual(self.both(who, "mail", MAIL, 25), PUBLIC)

    def test_nothing_else_gets_in(self):
        self.assert_closed("internet", "vm1", PUBLIC, 22)
        self.assert_closed("internet", "vm1", PUBLIC, 2201, 22, protocols=("udp",))
        self.assert_closed("internet", "vm2", PUBLIC, 8080)
        wires = self.wires("vm1", "vm2")
        for sender, source in (("internet", CUSTOMER), ("mail", MAIL)):
            out, gateway = self.wire(sender), self.mac_of(sender, PUBLIC)
            for target in (VM1, VM2):
                head = Ether(src=out.mac, dst=gateway) / IP(src=source, dst=target)
                out.send(head / UDP(sport=5000, dport=22) / MARK, head / TCP(sport=5000, dport=22, flags="S") / MARK)
        time.sleep(0.3)
        self.assertEqual(self.heard(wires), set())

    def test_a_vm_that_migrates_keeps_its_forward(self):
        """virbr0 could not: its network was on one host."""
        def shown(host):
            return self.lab.ports()["vm1"]["host"] == host and self.lab.json("status")["converged"]

        for host in ("kvm2", "kvm1"):
            self.lab.lab("move", "vm1", host)
            eventually(lambda: shown(host), 5, f"vm1 on {host}")
            eventually(lambda: self.lab.reaches("vm1", CUSTOMER), 5, "the internet")
            self.assertEqual(self.tcp("internet", "vm1", PUBLIC, 2201, 22, source=CUSTOMER), CUSTOMER)
            self.assertEqual(self.both("vm1", "internet", CUSTOMER, 8001), PUBLIC)

    def test_the_commands_say_it_by_name(self):
        self.assertEqual([(row["name"], row["address"], row["active"]) for row in self.lab.json("gateways")],
                         [("igw", PUBLIC, "kvm1")])
        ports = self.lab.ports()
        self.assertEqual({name: (row["network"], row["host"], row["ips"][0]) for name, row in ports.items()},
                         {"vm1": ("private1", "kvm1", VM1), "vm2": ("private1", "kvm2", VM2),
                          "mail": ("public", "kvm2", MAIL)})
        for name in ("igw", "nat"):
            self.assertIn(name, self.lab.ctl("show", "gateway" if name == "igw" else "router", name).stdout)


if __name__ == "__main__":
    fabric.main()
