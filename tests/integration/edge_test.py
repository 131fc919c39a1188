#!/usr/bin/python3
"""Routers on vlan networks: the edge host is the router toward the wire, every host routes onto it with a MAC of its own,
and machines that weft knows nothing of are found by ARP and ND."""
import itertools
import time

from scapy.layers.l2 import ARP, Ether

import fabric
from fabric import FabricTest, eventually
from traffic import MARK, Traffic

TOPOLOGY = "".join(f"""
[[host]]
name = "kvm{n}"
uplinks = {{ physnet1 = "eth1" }}
""" for n in (1, 2, 3)) + """
[[network]]
name = "blue"
kind = "vxlan"
subnet = "10.0.1.0/24"
subnet6 = "fd00:1::/64"
[[network]]
name = "office"
kind = "vlan"
vlan = 100
physnet = "physnet1"
subnet = "192.168.100.0/24"
subnet6 = "fd00:100::/64"
[[network]]
name = "yard"
kind = "flat"
physnet = "physnet1"
subnet = "192.168.7.0/24"
[[router]]
name = "main"
networks = ["blue", "office", "yard"]
[[port]]
name = "app1"
network = "blue"
ip = "10.0.1.11"
ip6 = "fd00:1::11"
lab_host = "kvm1"
[[port]]
name = "app3"
network = "blue"
ip = "10.0.1.13"
ip6 = "fd00:1::13"
lab_host = "kvm3"
[[port]]
name = "desk2"
network = "office"
ip = "192.168.100.12"
ip6 = "fd00:100::12"
lab_host = "kvm2"
[[lab.endpoint]]
name = "printer"
physnet = "physnet1"
vlan = 100
addresses = ["192.168.100.200/24", "fd00:100::200/64"]
gateway = "192.168.100.1"
routes = [ { prefix = "fd00:1::/64", via = "fd00:100::1" } ]
[[lab.endpoint]]
name = "gate"
physnet = "physnet1"
addresses = ["192.168.7.200/24"]
gateway = "192.168.7.1"
"""
PRINTER, PRINTER6, GATE = "192.168.100.200", "fd00:100::200", "192.168.7.200"
HOSTS = ("kvm1", "kvm2", "kvm3")


class Edge(Traffic, FabricTest):
    TOPOLOGY = TOPOLOGY

    def test_from_an_overlay_to_the_wire(self):
        for who in ("app1", "app3"):
            for address in (PRINTER, PRINTER6, "192.168.7.200"):
                eventually(lambda: self.lab.reaches(who, address), 5, f"{who} → {address}")
            self.assertEqual(self.both(who, "printer", PRINTER, 8000), f"10.0.1.1{who[-1]}")

    def test_the_first_packet_waits_for_its_neighbour(self):
        """Nobody knows the machine yet: asked for, it gets the packet that needed it."""
        self.assert_pings("app1", "10.0.1.13")  # the tunnel's own ARP
        self.lab.exec("printer", "ip", "address", "add", "192.168.100.201/24", "dev", "eth0")
        self.addCleanup(self.lab.exec, "printer", "ip", "address", "del", "192.168.100.201/24", "dev", "eth0")
        self.assert_pings("app1", "192.168.100.201")

    def test_from_the_wire_to_an_overlay(self):
        for who in ("app1", "app3"):
            eventually(lambda: self.lab.reaches("printer", f"10.0.1.1{who[-1]}"), 5, who)
            eventually(lambda: self.lab.reaches("printer", f"fd00:1::1{who[-1]}"), 5, who)
            self.assertEqual(self.both("printer", who, f"10.0.1.1{who[-1]}", 8000), PRINTER)

    def test_from_wire_to_wire(self):
        eventually(lambda: self.lab.reaches("printer", "192.168.7.200"), 5, "printer → gate")

    def test_ports_of_the_vlan_are_routed_on_their_own_host(self):
        for address in ("10.0.1.11", "10.0.1.13", "fd00:1::13", "192.168.7.200"):
            eventually(lambda: self.lab.reaches("desk2", address), 5, address)
        eventually(lambda: self.lab.reaches("app3", "192.168.100.12"), 5, "app3 → desk2")

    def test_the_router_answers_the_wire(self):
        for address in ("192.168.100.1", "fd00:100::1", "10.0.1.1", "192.168.7.1"):
            self.assert_pings("printer", address)
        said = self.ping("printer", "10.0.1.11", "-t", "1")
        self.assertIn("From 192.168.100.1 icmp_seq=1 Time to live exceeded", said)
        said = self.ping("printer", "172.16.0.1")
        self.assertIn("From 192.168.100.1 icmp_seq=1 Destination Net Unreachable", said)

    def test_nobody_there(self):
        """Asked three times, then the sender is told."""
        def told():
            return "Host Unreachable" in self.ping("app1", "192.168.100.222")
        eventually(told, 10, "host unreachable")

    def test_no_mac_on_two_switch_ports(self):
        """What hosts route onto the wire has a MAC of the host; the router's own is the edge's alone."""
        router = self.mac_of("printer", "192.168.100.1")
        sources = {}
        for host, sender in (("kvm1", "app1"), ("kvm3", "app3")):
            eventually(lambda: self.lab.reaches(sender, PRINTER), 5, sender)
            wire = self.wire("printer")
            self.assert_pings(sender, PRINTER, "-p", MARK.hex(), "-s", "64")
            sources[host] = {Ether(frame).src for frame in wire.received() if MARK in frame} - {wire.mac}
            self.assertEqual(len(sources[host]), 1, sources)
        self.assertNotEqual(sources["kvm1"], sources["kvm3"])
        self.assertNotIn(router, sources["kvm1"] | sources["kvm3"])

        uplinks = self.wires(*(f"{host}/eth1" for host in HOSTS), outgoing=True, incoming=False)
        for who in ("printer", "gate"):  # all ask for their neighbours again
            self.lab.exec(who, "ip", "neigh", "flush", "dev", "eth0")
            self.lab.exec(who, "ip", "-6", "neigh", "flush", "dev", "eth0")
        self.lab.exec("desk2", "ip", "neigh", "flush", "dev", "eth0")
        pairs = itertools.chain(itertools.product(("app1", "app3", "desk2"), (PRINTER, PRINTER6, GATE, "192.168.100.223")),
                                itertools.product(("printer",), ("10.0.1.11", "10.0.1.13", "fd00:1::11", "fd00:1::13",
                                                                 "192.168.100.12", "fd00:100::12", "192.168.100.1", GATE)))
        for who, address in pairs:
            self.assertEqual(self.lab.reaches(who, address), address != "192.168.100.223", f"{who} → {address}")
        for who in ("app1", "app3", "desk2"):
            wire = self.wire(who)
            wire.send(Ether(src=wire.mac, dst="ff:ff:ff:ff:ff:ff", type=0x88b5) / MARK)
        time.sleep(0.3)
        sent = {place.split("/")[0]: [Ether(frame) for frame in wire.received()] for place, wire in uplinks.items()}
        by_host = {host: {frame.src for frame in frames} for host, frames in sent.items()}
        for host, mac in (("kvm1", router), ("kvm1", min(sources["kvm1"])), ("kvm2", self.wire("desk2").mac),
                          ("kvm3", min(sources["kvm3"]))):
            self.assertIn(mac, by_host[host], f"{host} has sent what it is to send")
        self.assertTrue([frame for frame in sent["kvm1"] if ARP in frame and frame.src == router], "ARP of the router")
        self.assertTrue([frame for frame in sent["kvm2"] if MARK in bytes(frame)], "a broadcast of desk2's")
        for host in ("kvm2", "kvm3"):
            self.assertFalse([frame.summary() for frame in sent[host] if frame.src == router], f"{host} as the router")
        for one, other in itertools.combinations(HOSTS, 2):
            self.assertEqual(by_host[one] & by_host[other], set(), f"sent by both {one} and {other}")
        behind = {}
        for line in self.lab.exec("switch", "ovs-appctl", "fdb/show", "s1-physnet1").stdout.splitlines()[1:]:
            port, _, mac, _ = line.split()
            behind.setdefault(mac, set()).add(port)
        self.assertLessEqual({router, *sources["kvm1"], *sources["kvm3"]}, set(behind))
        self.assertEqual({mac: ports for mac, ports in behind.items() if len(ports) > 1}, {})

    def test_another_edge_when_the_first_is_gone(self):
        eventually(lambda: self.lab.reaches("printer", "10.0.1.13"), 5, "before")
        router = self.mac_of("printer", "192.168.100.1")
        self.lab.fault("kvm1", "kill-vswitchd")
        try:
            began = time.monotonic()
            eventually(lambda: self.lab.reaches("printer", "10.0.1.13"), 15, "by another edge")
            print(f"\n    another edge after {time.monotonic() - began:.1f} s ", end="", flush=True)
            self.assertEqual(self.mac_of("printer", "192.168.100.1"), router)
        finally:
            self.lab.fault("kvm1", "heal")
        self.lab.wait()
        self.lab.meet_vteps()
        eventually(lambda: self.lab.reaches("printer", "10.0.1.11"), 15, "and back")


if __name__ == "__main__":
    fabric.main()
