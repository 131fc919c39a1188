#!/usr/bin/python3
"""What a port may not say: nobody hears it, and it is counted under its reason and in its sender's name."""
import collections
import itertools
import json

from scapy.all import (ARP, BOOTP, DHCP, DHCP6_Advertise, Dot1Q, Ether, ICMP, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS,
                       ICMPv6ND_RA, ICMPv6ND_Redirect, ICMPv6NDOptDstLLAddr, ICMPv6NDOptPrefixInfo,
                       ICMPv6NDOptSrcLLAddr, IP, IPv6, UDP)
from scapy.layers.l2 import Dot1AD
from scapy.layers.vxlan import VXLAN

import fabric
from fabric import FabricTest, Wire, eventually

BROADCAST, ALL_NODES = "ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01"
STRANGER = "0a:00:00:00:00:99"
REASONS = {"spoofed_mac", "spoofed_ip", "spoofed_arp", "spoofed_nd", "rogue_dhcp", "rogue_ra", "double_tag",
           "unexpected_vlan", "unknown_vtep", "to_vtep"}

TOPOLOGY = """
[[host]]
name = "kvm1"
uplinks = { physnet1 = "eth1" }
[[host]]
name = "kvm2"
uplinks = { physnet1 = "eth1" }

[[network]]
name = "blue"
kind = "vxlan"
vni = 5001
subnet = "10.0.1.0/24"
subnet6 = "fd00:1::/64"
dhcp = false
[[network]]
name = "office"
kind = "vlan"
physnet = "physnet1"
vlan = 100
subnet = "192.168.100.0/24"

[[port]]
name = "evil"
network = "blue"
mac = "0a:00:00:00:00:01"
ip = "10.0.1.11"
ip6 = "fd00:1::11"
allowed_addresses = ["10.0.1.250", "10.9.0.0/16", "fd00:1::250"]
lab_host = "kvm1"
[[port]]
name = "near"
network = "blue"
mac = "0a:00:00:00:00:02"
ip = "10.0.1.12"
ip6 = "fd00:1::12"
lab_host = "kvm1"
[[port]]
name = "far"
network = "blue"
mac = "0a:00:00:00:00:03"
ip = "10.0.1.13"
ip6 = "fd00:1::13"
lab_host = "kvm2"
[[port]]
name = "free"
network = "blue"
mac = "0a:00:00:00:00:04"
ip = "10.0.1.14"
ip6 = "fd00:1::14"
port_security = false
lab_host = "kvm1"
[[port]]
name = "trunk"
network = "blue"
mac = "0a:00:00:00:00:05"
ip = "10.0.1.15"
ip6 = "fd00:1::15"
trunk = [ { network = "office", vlan = 100, ip = "192.168.100.15" } ]
lab_host = "kvm1"
[[port]]
name = "desk"
network = "office"
ip = "192.168.100.12"
lab_host = "kvm2"
[[lab.endpoint]]
name = "printer"
physnet = "physnet1"
vlan = 100
addresses = ["192.168.100.200/24"]
"""

BLUE = ("evil", "near", "far", "free", "trunk")
OFFICE = ("trunk/eth0.100", "desk", "printer")
EVIL, NEAR, FAR, TRUNK = (f"0a:00:00:00:00:0{digit}" for digit in (1, 2, 3, 5))
NEAR_LINK_LOCAL, OWN_LINK_LOCAL = "fe80::800:ff:fe00:2", "fe80::800:ff:fe00:1"


def eth(source=EVIL, destination=BROADCAST):
    return Ether(src=source, dst=destination)


def ip(source="10.0.1.11", destination="10.0.1.12"):
    return IP(src=source, dst=destination) / UDP(sport=5000, dport=5000)


def arp(sha=EVIL, spa="10.0.1.11", op=1, tpa="10.0.1.99"):
    return ARP(op=op, hwsrc=sha, psrc=spa, pdst=tpa)


def ip6(source="fd00:1::11", destination="ff02::1"):
    return IPv6(src=source, dst=destination, hlim=255)


def advertisement(target, mac=EVIL):
    option = ICMPv6NDOptDstLLAddr(lladdr=mac) if mac else b""
    return ICMPv6ND_NA(tgt=target, R=0, S=0, O=1) / option


def solicitation(target, mac):
    return ICMPv6ND_NS(tgt=target) / ICMPv6NDOptSrcLLAddr(lladdr=mac)


def dhcp(source, sport, dport, kind):
    return (IP(src=source, dst="255.255.255.255") / UDP(sport=sport, dport=dport) /
            BOOTP(op=1 if kind == "discover" else 2, chaddr=b"\x0a\0\0\0\0\1") / DHCP(options=[("message-type", kind), "end"]))


class Guard(FabricTest):
    TOPOLOGY = TOPOLOGY

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.wires = {}
        for name in (*BLUE, *OFFICE):
            cls.wires[name] = Wire(cls.lab.namespaces[name.split("/")[0]], *name.split("/")[1:])
            cls.addClassCleanup(cls.wires[name].close)
        cls.numbers = itertools.count()

    def drops(self):
        counted = collections.Counter()
        for flow in self.lab.json("flows", "--drops"):
            if flow["reason"] in REASONS and not (flow["reason"] == "unexpected_vlan" and flow["owner"].startswith("host/")):
                counted[flow["reason"], flow["owner"]] += flow["packets"]
        return counted

    def marked(self, frame):
        """`frame` with a mark behind it, or what it makes of a mark."""
        mark = b"<weft guard %04d>" % next(self.numbers)
        return (bytes(frame(mark)) if callable(frame) else bytes(frame) + mark), mark

    def heard(self, mark):
        return {name for name, wire in self.wires.items() if any(mark in frame for frame in wire.received())}

    def assert_dropped(self, what, reason, frame, sender="evil", owner=None, wire=None):
        with self.subTest(what):
            before = self.drops()
            data, mark = self.marked(frame)
            (wire or self.wires[sender]).send(data)

            def counted():
                self.assertEqual(self.drops() - before, collections.Counter({(reason, owner or f"port/{sender}"): 1}))
                return True

            try:
                eventually(counted, 3, what)
            finally:
                self.assertEqual(self.heard(mark), set(), what)
            if not wire and "/" not in sender:
                self.assert_traced(data, reason, sender, owner or f"port/{sender}")

    def assert_traced(self, data, reason, sender, owner, *options):
        """What trace says of the frame is what became of it."""
        done = self.lab.ctl("trace", "--from", sender, "--frame", data.hex(), *options, "-o", "json", check=False)
        traced = json.loads(done.stdout)
        self.assertEqual((done.returncode, traced["verdict"], traced["reason"], traced["by"], traced["at"]),
                         (2, "dropped", reason, owner, "kvm1"))

    def assert_heard(self, what, frame, sender="evil", by=BLUE, change=lambda data: data):
        """`change` is what the frame looks like where it arrives."""
        with self.subTest(what):
            before = self.drops()
            data, mark = self.marked(frame)
            for wire in self.wires.values():
                wire.received()
            self.wires[sender].send(data)
            arrived = collections.defaultdict(list)
            expected = {name: [change(data)] for name in by if name != sender}

            def everywhere():
                for name, wire in self.wires.items():
                    arrived[name] += [frame for frame in wire.received() if mark in frame]
                self.assertEqual({name: frames for name, frames in arrived.items() if frames}, expected)
                return True

            eventually(everywhere, 3, what)
            self.assertEqual(self.drops() - before, collections.Counter(), what)

    def test_mac(self):
        self.assert_dropped("a stranger's MAC", "spoofed_mac", eth(STRANGER) / ip())
        self.assert_dropped("a neighbour's MAC", "spoofed_mac", eth(NEAR) / ip("10.0.1.12"))
        self.assert_dropped("a stranger's MAC, no IP", "spoofed_mac", eth(STRANGER) / bytes(50))
        self.assert_dropped("a stranger's MAC under an own ARP", "spoofed_mac", eth(STRANGER) / arp())
        self.assert_dropped("a stranger's MAC in a VLAN of the trunk", "spoofed_mac",
                            eth(STRANGER) / Dot1Q(vlan=100) / ip("192.168.100.15"), sender="trunk")

    def test_ip(self):
        self.assert_dropped("a neighbour's address", "spoofed_ip", eth() / ip("10.0.1.12"))
        self.assert_dropped("an address of elsewhere", "spoofed_ip", eth(destination=FAR) / ip("198.51.100.1", "10.0.1.13"))
        self.assert_dropped("no address, no DHCP", "spoofed_ip", eth() / ip("0.0.0.0"))
        self.assert_dropped("its address of another VLAN", "spoofed_ip",
                            eth(TRUNK) / Dot1Q(vlan=100) / ip("10.0.1.15"), sender="trunk")
        for what, source in (("a neighbour's", "fd00:1::12"), ("one of elsewhere", "2001:db8::1"), ("none", "::"),
                             ("a neighbour's link-local", NEAR_LINK_LOCAL)):
            self.assert_dropped(f"IPv6: {what}", "spoofed_ip", eth() / ip6(source) / ICMPv6EchoRequest())
        self.assert_dropped("IPv6: solicitation from a neighbour's", "spoofed_ip",
                            eth() / ip6("fd00:1::12") / solicitation("fd00:1::99", EVIL))

    def test_arp(self):
        for op in (1, 2):
            self.assert_dropped(f"sha, op {op}", "spoofed_arp", eth() / arp(sha=NEAR, op=op))
            self.assert_dropped(f"spa, op {op}", "spoofed_arp", eth() / arp(spa="10.0.1.12", op=op))
            self.assert_dropped(f"spa of the gateway, op {op}", "spoofed_arp", eth() / arp(spa="10.0.1.1", op=op))
        self.assert_dropped("answer without an address", "spoofed_arp", eth() / arp(spa="0.0.0.0", op=2))

    def test_neighbour_discovery(self):
        for what, message in (("a neighbour's address", advertisement("fd00:1::12")),
                              ("a neighbour's address, no option", advertisement("fd00:1::12", None)),
                              ("own address, a neighbour's MAC", advertisement("fd00:1::11", NEAR)),
                              ("a neighbour's link-local", advertisement(NEAR_LINK_LOCAL)),
                              ("question with a neighbour's MAC", solicitation("fd00:1::99", NEAR))):
            self.assert_dropped(what, "spoofed_nd", eth() / ip6() / message)

    def test_servers_and_routers(self):
        self.assert_dropped("DHCP offer", "rogue_dhcp", eth() / dhcp("10.0.1.11", 67, 68, "offer"))
        self.assert_dropped("DHCPv6 advertise", "rogue_dhcp",
                            eth() / ip6(OWN_LINK_LOCAL) / UDP(sport=547, dport=546) / DHCP6_Advertise())
        self.assert_dropped("RA", "rogue_ra",
                            eth() / ip6(OWN_LINK_LOCAL) / ICMPv6ND_RA() / ICMPv6NDOptPrefixInfo(prefix="fd00:bad::"))
        self.assert_dropped("redirect", "rogue_ra", eth() / ip6(OWN_LINK_LOCAL) /
                            ICMPv6ND_Redirect(tgt=OWN_LINK_LOCAL, dst="2001:db8::1"))

    def test_tags(self):
        for outer in (Dot1Q, Dot1AD):
            self.assert_dropped(f"two tags, {outer.__name__}", "double_tag", eth() / outer(vlan=5) / Dot1Q(vlan=100) / ip())
        self.assert_dropped("priority tag over a tag", "double_tag", eth() / Dot1Q(vlan=0) / Dot1Q(vlan=100) / ip())
        self.assert_dropped("two tags in the trunk", "double_tag",
                            eth(TRUNK) / Dot1Q(vlan=100) / Dot1Q(vlan=5) / ip("192.168.100.15"), sender="trunk")
        self.assert_dropped("a tag on an access port", "unexpected_vlan", eth() / Dot1Q(vlan=100) / ip())
        self.assert_dropped("another VLAN on the trunk", "unexpected_vlan",
                            eth(TRUNK) / Dot1Q(vlan=300) / ip("10.0.1.15"), sender="trunk")

    def test_to_a_vtep(self):
        for vtep, host in itertools.product(("192.0.2.11", "192.0.2.12"), (BROADCAST, NEAR)):
            packet = IP(src="10.0.1.11", dst=vtep) / UDP(sport=5000, dport=4789) / VXLAN(vni=5001) / eth(STRANGER) / ip()
            self.assert_dropped(f"VXLAN to {vtep} by {host}", "to_vtep", eth(destination=host) / packet, owner="host/kvm1")
        self.assert_dropped("a ping to a VTEP", "to_vtep", eth() / IP(src="10.0.1.11", dst="192.0.2.12") / ICMP(),
                            owner="host/kvm1")
        self.assert_dropped("without port security too", "to_vtep", eth() / IP(src="10.0.1.11", dst="192.0.2.12") / ICMP(),
                            sender="free", owner="host/kvm1")

    def test_from_an_unknown_vtep(self):
        underlay = Wire(self.lab.namespaces["underlay"], "underlay")
        self.addCleanup(underlay.close)
        vtep = Wire(self.lab.namespaces["kvm1"], "br-phy")
        self.addCleanup(vtep.close)

        def tunnelled(source):
            return lambda mark: (Ether(src=STRANGER, dst=vtep.mac) / IP(src=source, dst="192.0.2.11") /
                                 UDP(sport=5000, dport=4789) / VXLAN(flags=8, vni=5001) / eth(FAR) / ip("10.0.1.13") / mark)

        self.assert_dropped("off the list", "unknown_vtep", tunnelled("192.0.2.99"), owner="host/kvm1", wire=underlay)
        self.assert_traced(bytes(eth(FAR) / ip("10.0.1.13")), "unknown_vtep", "kvm1/weft-vxlan", "host/kvm1", "--tunnel", "192.0.2.99/5001")
        # The same from a known address is heard: so it is the address that was refused.
        data, mark = self.marked(tunnelled("192.0.2.12"))
        underlay.send(data)
        eventually(lambda: self.heard(mark), what="the same from a known VTEP")

    def test_what_is_allowed(self):
        self.assert_heard("own address", eth() / ip())
        self.assert_heard("DHCP discover", eth() / dhcp("0.0.0.0", 68, 67, "discover"))
        self.assert_heard("ARP probe", eth() / arp(spa="0.0.0.0"))
        self.assert_heard("gratuitous ARP", eth() / arp(op=2, tpa="10.0.1.11"))
        self.assert_heard("stable-privacy link-local", eth(destination=ALL_NODES) / ip6("fe80::1234:5678:9abc:def0") /
                          ICMPv6EchoRequest())
        self.assert_heard("question from a stable-privacy link-local", eth(destination=ALL_NODES) /
                          ip6("fe80::1234:5678:9abc:def0") / solicitation("fd00:1::99", EVIL))
        self.assert_heard("DAD", eth(destination=ALL_NODES) / ip6("::") / ICMPv6ND_NS(tgt="fd00:1::11"))
        self.assert_heard("own advertisement", eth(destination=ALL_NODES) / ip6() / advertisement("fd00:1::11"))
        for address in ("10.0.1.250", "10.9.7.7"):
            self.assert_heard(f"allowed {address}", eth() / ip(address))
            self.assert_heard(f"allowed {address}, ARP", eth() / arp(spa=address, op=2))
        self.assert_heard("allowed IPv6", eth() / ip6("fd00:1::250") / ICMPv6EchoRequest())
        self.assert_heard("allowed IPv6, ND", eth() / ip6("fd00:1::250") / advertisement("fd00:1::250"))
        self.assert_heard("neither IP nor ARP", eth() / bytes(50))
        self.assert_heard("priority tag", eth() / Dot1Q(vlan=0) / ip(), change=lambda data: data[:12] + data[16:])
        self.assert_heard("VLAN of the trunk", Ether(src=TRUNK, dst=BROADCAST) / ip("192.168.100.15"),
                          sender="trunk/eth0.100", by=OFFICE)

    def test_without_port_security(self):
        for what, frame in (("MAC", eth(STRANGER) / ip("10.0.1.12")), ("ARP", eth(STRANGER) / arp(STRANGER, "10.0.1.12", 2)),
                            ("RA", eth(STRANGER) / ip6("fe80::1") / ICMPv6ND_RA()),
                            ("DHCP", eth(STRANGER) / dhcp("10.0.1.14", 67, 68, "offer")),
                            ("ND", eth(STRANGER) / ip6() / advertisement("fd00:1::12", STRANGER))):
            self.assert_heard(what, frame, sender="free")


if __name__ == "__main__":
    fabric.main()
