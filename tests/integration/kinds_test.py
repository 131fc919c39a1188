#!/usr/bin/python3
"""What the demo fabric has none of: a flat network, one without a subnet, a trunk without a native network, and VTEPs of
IPv6."""
import collections
import time

from scapy.layers.l2 import Dot1Q, Ether

import fabric
from fabric import FabricTest, eventually
from traffic import Traffic

TOPOLOGY = """
[[host]]
name = "kvm1"
vtep = "fd00:99::11"
uplinks = { wire = "eth1" }
[[host]]
name = "kvm2"
vtep = "fd00:99::12"
uplinks = { wire = "eth1" }

[[network]]
name = "flat"
kind = "flat"
physnet = "wire"
subnet = "192.168.7.0/24"
[[network]]
name = "bare"
kind = "vxlan"
[[network]]
name = "tens"
kind = "vlan"
vlan = 10
physnet = "wire"
subnet = "192.168.10.0/24"
[[network]]
name = "twenties"
kind = "vlan"
vlan = 20
physnet = "wire"
subnet = "192.168.20.0/24"

[[port]]
name = "one"
network = "flat"
ip = "192.168.7.1"
lab_host = "kvm1"
[[port]]
name = "two"
network = "flat"
ip = "192.168.7.2"
lab_host = "kvm2"
[[port]]
name = "left"
network = "bare"
lab_host = "kvm1"
[[port]]
name = "right"
network = "bare"
lab_host = "kvm2"
[[port]]
name = "trunk"
network = "bare"
mac = "0a:00:00:00:00:10"
native = false
trunk = [ { network = "tens", vlan = 110, ip = "192.168.10.1" }, { network = "twenties", vlan = 120, ip = "192.168.20.1" } ]
lab_host = "kvm1"
[[port]]
name = "ten1"
network = "tens"
mac = "0a:00:00:00:00:11"
ip = "192.168.10.11"
lab_host = "kvm1"
[[port]]
name = "ten2"
network = "tens"
mac = "0a:00:00:00:00:12"
ip = "192.168.10.12"
lab_host = "kvm2"
[[port]]
name = "twenty1"
network = "twenties"
mac = "0a:00:00:00:00:21"
ip = "192.168.20.11"
lab_host = "kvm1"
[[port]]
name = "twenty2"
network = "twenties"
mac = "0a:00:00:00:00:22"
ip = "192.168.20.12"
lab_host = "kvm2"

[[lab.endpoint]]
name = "router"
physnet = "wire"
addresses = ["192.168.7.200/24"]
[[lab.endpoint]]
name = "printer"
physnet = "wire"
vlan = 10
addresses = ["192.168.10.200/24"]
"""
TENS, TWENTIES = "trunk/eth0.110", "trunk/eth0.120"
EVERYBODY = ("one", "two", "left", "right", "trunk", TENS, TWENTIES, "ten1", "ten2", "twenty1", "twenty2", "router", "printer")
BROADCAST = "ff:ff:ff:ff:ff:ff"
TRUNK, TEN1, TEN2, TWENTY1, TWENTY2, NOBODY = (f"0a:00:00:00:00:{n}" for n in (10, 11, 12, 21, 22, 99))


class Kinds(Traffic, FabricTest):
    @classmethod
    def setUpClass(cls):
        import pathlib
        import tempfile
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.TOPOLOGY = pathlib.Path(scratch.name) / "kinds.toml"
        cls.TOPOLOGY.write_text(TOPOLOGY)
        super().setUpClass()

    def test_flat_is_the_physical_network_untagged(self):
        for who, address in (("one", "192.168.7.2"), ("two", "192.168.7.1"), ("one", "192.168.7.200"),
                             ("router", "192.168.7.1"), ("router", "192.168.7.2")):
            eventually(lambda w=who, a=address: self.lab.reaches(w, a), 5, f"{who} → {address}")

    # Single frames: who hears them, and how often.

    def heard_of(self, sender, to):
        """{who: times}. The router's port of the physical switch brings it all VLANs; what it hears of one is router/VLAN."""
        mark = b"<weft kinds %d>" % time.monotonic_ns()
        wires = self.wires(*EVERYBODY)
        own = TRUNK if sender == "trunk" else wires[sender].mac
        wires[sender].send(Ether(src=own, dst=to, type=0x88b5) / mark)  # for experiments: no kernel answers it
        heard, quiet = collections.Counter(), time.monotonic() + 0.3 * fabric.SCALE
        while time.monotonic() < quiet:
            for who, wire in wires.items():
                for packet in (Ether(frame) for frame in wire.received() if mark in frame):
                    heard[f"{who}/{packet[Dot1Q].vlan}" if Dot1Q in packet else who] += 1
            time.sleep(0.01)
        return dict(heard)

    def assert_hear(self, sender, to, *who):
        with self.subTest(f"{sender} to {to}"):
            self.assertEqual(self.heard_of(sender, to), {each: 1 for each in who})

    def dropped(self, reason, owner):
        return sum(flow["packets"] for flow in self.lab.json("flows", "--drops")
                   if (flow["reason"], flow["owner"]) == (reason, owner))

    def test_a_broadcast_is_heard_once_by_everybody_else(self):
        for group, beyond in ((("one", "two", "router"), ()), (("left", "right"), ()),
                              (("ten1", "ten2", "printer", TENS), ("router/10",)),
                              (("twenty1", "twenty2", TWENTIES), ("router/20",))):
            for sender in group:
                self.assert_hear(sender, BROADCAST, *(who for who in group if who != sender), *beyond)

    def test_without_a_native_network_untagged_frames_are_dropped(self):
        before = self.dropped("unexpected_vlan", "port/trunk")
        for to in (BROADCAST, TEN1, self.wire("left").mac):
            self.assert_hear("trunk", to)
        # The guest's kernel may have something to say of its own.
        eventually(lambda: self.dropped("unexpected_vlan", "port/trunk") >= before + 3, 3, "three drops")
        self.assert_hear("left", TRUNK)
        self.assert_hear("one", TRUNK, "router")

    def test_unicast_stays_in_its_vlan(self):
        for sender, to, who in ((TENS, TEN1, "ten1"), (TENS, TEN2, "ten2"), (TWENTIES, TWENTY1, "twenty1"),
                                (TWENTIES, TWENTY2, "twenty2"), ("ten1", TRUNK, TENS), ("ten2", TRUNK, TENS),
                                ("twenty1", TRUNK, TWENTIES), ("twenty2", TRUNK, TWENTIES)):
            heard = self.heard_of(sender, to)
            by_ports = {each: times for each, times in heard.items() if each.partition("/")[0] not in ("router", "printer")}
            self.assertEqual(by_ports, {who: 1}, f"{sender} to {to}, {heard}")
        # To one in the other VLAN: as to anybody unknown.
        for sender, to, who in ((TENS, TWENTY1, ("printer", "router/10")), (TENS, TWENTY2, ("printer", "router/10")),
                                (TWENTIES, TEN1, ("router/20",)), (TWENTIES, TEN2, ("router/20",)),
                                ("ten1", TWENTY1, ("printer", "router/10")), ("twenty2", TEN1, ("router/20",))):
            self.assert_hear(sender, to, *who)

    def test_an_unknown_mac(self):
        """On a physical network it may be a machine out there; on an overlay only ports are."""
        self.assert_hear("one", NOBODY, "router")
        self.assert_hear("ten1", NOBODY, "printer", "router/10")
        self.assert_hear(TENS, NOBODY, "printer", "router/10")
        self.assert_hear("router", NOBODY)
        before = self.dropped("unknown_destination", "network/bare")
        beyond = self.wires("kvm1/underlay0", "kvm2/underlay0", "kvm1/eth1", outgoing=True)
        self.assert_hear("left", NOBODY)
        eventually(lambda: self.dropped("unknown_destination", "network/bare") == before + 1, 3, "a drop")
        self.assertEqual(self.heard(beyond, b"<weft kinds"), set())

    def test_a_network_without_a_subnet_carries_any_address_of_its_ports_own_macs(self):
        for who, number in (("left", 1), ("right", 2)):
            self.lab.exec(who, "ip", "address", "add", f"10.77.0.{number}/24", "dev", "eth0")
            self.lab.exec(who, "ip", "address", "add", f"fd00:77::{number}/64", "dev", "eth0", "nodad")
        for who, other in (("left", 2), ("right", 1)):
            for address in (f"10.77.0.{other}", f"fd00:77::{other}"):
                eventually(lambda w=who, a=address: self.lab.reaches(w, a), 5, f"{who} → {address}")

    def test_the_overlay_of_ipv6_leaves_room_for_its_headers(self):
        mtu = {network["name"]: network["mtu"] for network in self.lab.json("networks")}
        self.assertEqual(mtu, {"bare": 1430, "flat": 1500, "tens": 1500, "twenties": 1500})


if __name__ == "__main__":
    fabric.main()
