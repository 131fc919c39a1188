#!/usr/bin/python3
"""The next hop: who asks for it and follows it; one that falls silent, to one host, and the gateway moves; to all, and it
stays."""
import time

from scapy.all import ARP, Ether, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6

import fabric
from fabric import FabricTest, eventually
from traffic import MARK, Traffic

INTERNET, NEXT_HOP, NEXT_HOP6 = "198.51.100.7", "203.0.113.1", "2001:db8:113::1"
SWITCH = "s1-physnet1"
FOUND = 3 + 4 + 3  # seconds: until it is asked again, four questions, an answer to another and one more question


class NextHop(Traffic, FabricTest):
    """igw1: kvm1 before kvm2. igw2: kvm2 before kvm1."""
    TOPOLOGY = fabric.ROOT / "configs/topologies/gateway.toml"

    def setUp(self):
        eventually(self.settled, 20, "every next hop answers the first candidate")
        eventually(lambda: self.lab.reaches("db2", INTERNET), 10, "db2 → internet")
        self.since = self.lab.next_event()

    def gateway(self, name="igw1"):
        return next(row for row in self.lab.json("gateways") if row["name"] == name)

    def settled(self):
        return all(row["active"] == row["candidates"][0]["host"] and row[hop]["state"] == "resolved"
                   for row in self.lab.json("gateways") for hop in ("nexthop", "nexthop6"))

    def active(self, name="igw1"):
        return self.gateway(name)["active"]

    def states(self):
        return {row["host"]: row["state"] for row in self.gateway()["candidates"]}

    def cut(self, *matches):
        """The physical switch drops what matches, until heal()."""
        for match in matches:
            self.lab.exec("switch", "ovs-ofctl", "add-flow", SWITCH, f"priority=10,cookie=0x1,{match},actions=drop")
        self.addCleanup(self.heal)

    def heal(self):
        self.lab.exec("switch", "ovs-ofctl", "del-flows", SWITCH, "cookie=0x1/-1")

    def test_silent_to_the_active_host_alone(self):
        """Its link is up and it lives, but what it sends is lost: the gateway goes to the one that is answered."""
        self.cut("in_port=u1.1-kvm1")
        eventually(lambda: self.active() == "kvm2", FOUND, "kvm2 takes over")
        self.assertEqual(self.states(), {"kvm1": "no next hop", "kvm2": "active"})
        self.assertTrue(self.lab.events("nexthop_failed", "kvm1", self.since), self.lab.json("events")[-12:])
        told = self.lab.events("gateway_active", "kvm2", self.since)
        self.assertTrue(any("does not answer kvm1" in event["text"] for event in told), told)
        self.assertEqual(self.tcp("db2", "internet", INTERNET, 8000), "203.0.113.2")
        self.assertEqual(self.active("igw2"), "kvm2")

        time.sleep(0.5 * fabric.SCALE)  # what was learnt is saved a moment later
        self.lab.restart_weftd()
        self.assertEqual(self.active(), "kvm2", "a restart forgets nothing")
        self.assertEqual(self.lab.sent(), {host: fabric.NOTHING_SENT for host in ("kvm1", "kvm2", "kvm3")})

        self.heal()
        eventually(lambda: self.active() == "kvm1", FOUND, "kvm1 is answered again")
        self.assertEqual(self.states(), {"kvm1": "active", "kvm2": "standby"})
        eventually(lambda: self.lab.reaches("db2", INTERNET), 5, "by kvm1")

    def test_who_asks(self):
        """The gateway itself, with its own address and MAC, in what carries the question too."""
        rows = {row["name"]: row for row in self.lab.json("gateways")}
        own = {row[key]: row["mac"] for row in rows.values() for key in ("address", "address6")}
        wire, asked = self.wire("internet"), {}

        def all_of_them():
            for packet in map(Ether, wire.received()):
                if ARP in packet and packet[ARP].op == 1 and packet[ARP].pdst == NEXT_HOP:
                    asked.setdefault(packet[ARP].psrc, set()).update((packet.src, packet[ARP].hwsrc))
                elif ICMPv6ND_NS in packet and packet[ICMPv6ND_NS].tgt == NEXT_HOP6:
                    asked.setdefault(packet[IPv6].src, set()).update((packet.src, packet[ICMPv6NDOptSrcLLAddr].lladdr))
            return set(asked) >= set(own)

        eventually(all_of_them, 10, "questions of both gateways")
        # Ports of the public network ask for it as well, with what is theirs.
        self.assertEqual({address: asked[address] for address in own}, {address: {mac} for address, mac in own.items()})
        ports = {ip: {port["mac"]} for port in self.lab.ports().values() for ip in port["ips"]}
        for address in set(asked) - set(own):
            self.assertEqual(asked[address], ports[address], address)

    def test_another_mac(self):
        """The next hop is another machine now: traffic goes there, and back when that is replaced."""
        before = self.gateway()["nexthop"]["mac"]
        self.addCleanup(self.lab.exec, "internet", "ip", "link", "set", "eth0", "address", before)
        for mac in ("0a:00:00:00:77:01", before):
            self.lab.exec("internet", "ip", "link", "set", "eth0", "address", mac)
            eventually(lambda: {row[hop]["mac"] for row in self.lab.json("gateways") for hop in ("nexthop", "nexthop6")} ==
                       {mac}, 10, f"its MAC is {mac}")
            eventually(lambda: self.lab.reaches("db2", INTERNET), 5, f"db2 → internet by {mac}")
            wire = self.wire("internet")
            self.assertEqual(self.both("db2", "internet", INTERNET, 8000), "203.0.113.2")
            self.assertEqual(self.both("internet", "web2", "203.0.113.20", 80, source=INTERNET), INTERNET)
            self.assert_pings("web1", "2001:db8:7::7", "-p", MARK.hex(), "-s", "64")
            self.assert_pings("cell4", INTERNET, "-p", MARK.hex(), "-s", "64")
            sent_to = {Ether(frame).dst for frame in wire.received() if MARK in frame}
            self.assertEqual(sent_to, {mac})
        self.assertFalse(self.lab.events("gateway_active", since=self.since), "nothing moved")

    def test_silent_to_all(self):
        """There is nowhere better: the connections of the active host are not thrown away."""
        self.cut("in_port=e1-internet,arp", "in_port=e1-internet,icmp6,icmp_type=136")
        eventually(lambda: self.gateway()["nexthop"]["state"] == "failed", FOUND, "its silence is seen")
        eventually(lambda: self.lab.events("nexthop_failed", "kvm1", self.since), 5, "its silence is told")
        self.heal()
        eventually(lambda: self.gateway()["nexthop"]["state"] == "resolved", FOUND, "it answers again")
        self.assertTrue(self.lab.events("nexthop_resolved", "kvm1", self.since))
        self.assertFalse(self.lab.events("gateway_active", since=self.since), "nothing moved")
        self.assertEqual((self.active(), self.active("igw2")), ("kvm1", "kvm2"))


if __name__ == "__main__":
    fabric.main()
