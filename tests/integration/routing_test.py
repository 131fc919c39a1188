#!/usr/bin/python3
"""Distributed routing without a gateway: who reaches whom between networks, how often, and what is told when not."""
import collections
import itertools
import json
import re
import socket
import time

from scapy.all import ICMP, Ether, ICMPerror, ICMPv6TimeExceeded, IP, IPerror, IPerror6, IPv6, UDP, UDPerror

import fabric
from fabric import FabricTest, UdpStream, eventually
from traffic import MARK, Traffic, make

TOPOLOGY = """
[[host]]
name = "kvm1"
[[host]]
name = "kvm2"
[[host]]
name = "kvm3"

[[network]]
name = "private1"
kind = "vxlan"
subnet = "10.0.1.0/24"
subnet6 = "fd00:1::/64"
[[network]]
name = "private2"
kind = "vxlan"
subnet = "10.0.2.0/24"
subnet6 = "fd00:2::/64"
[[network]]
name = "large"
kind = "vxlan"
mtu = 1500
subnet = "10.0.15.0/24"
subnet6 = "fd00:15::/64"
[[network]]
name = "small"
kind = "vxlan"
mtu = 1400
subnet = "10.0.14.0/24"
subnet6 = "fd00:14::/64"
[[router]]
name = "main"
networks = ["private1", "private2", "large", "small"]
routes = [ { prefix = "192.168.50.0/24", via = "10.0.1.254" }, { prefix = "fd00:50::/64", via = "fd00:1::254" } ]

# The subnets of private1 again, in a router of their own.
[[network]]
name = "private3"
kind = "vxlan"
subnet = "10.0.1.0/24"
subnet6 = "fd00:1::/64"
[[network]]
name = "private4"
kind = "vxlan"
subnet = "10.0.4.0/24"
subnet6 = "fd00:4::/64"
[[router]]
name = "other"
networks = ["private3", "private4"]
"""

# name: (network, host number, IPv4, IPv6)
PORTS = {
    "web1": ("private1", 1, "10.0.1.10", "fd00:1::10"), "web3": ("private1", 3, "10.0.1.13", "fd00:1::13"),
    "route2": ("private1", 2, "10.0.1.254", "fd00:1::254"),
    "db1": ("private2", 1, "10.0.2.11", "fd00:2::11"), "db2": ("private2", 2, "10.0.2.12", "fd00:2::12"),
    "big1": ("large", 1, "10.0.15.11", "fd00:15::11"),
    "tiny1": ("small", 1, "10.0.14.11", "fd00:14::11"), "tiny2": ("small", 2, "10.0.14.12", "fd00:14::12"),
    "cell1": ("private3", 1, "10.0.1.10", "fd00:1::10"), "cell2": ("private3", 2, "10.0.1.12", "fd00:1::12"),
    "heap2": ("private4", 2, "10.0.4.12", "fd00:4::12"),
}
for number, (name, (network, host, ip, ip6)) in enumerate(PORTS.items(), 1):
    allowed = 'allowed_addresses = ["192.168.50.0/24", "fd00:50::/64"]\n' if name == "route2" else ""
    TOPOLOGY += f"""
[[port]]
name = "{name}"
network = "{network}"
mac = "52:54:00:00:00:{number:02x}"
ip = "{ip}"
ip6 = "{ip6}"
lab_host = "kvm{host}"
{allowed}"""

V4, V6 = 2, 3
FAMILIES = (V4, V6)
HOSTS = ("kvm1", "kvm2", "kvm3")
ROUTER = {"private1": (None, None, "10.0.1.1", "fd00:1::1"), "private2": (None, None, "10.0.2.1", "fd00:2::1")}
ROUTED = (("web1", "db1"), ("web1", "db2"), ("web3", "db1"), ("db2", "web1"))  # the first pair on one host
SITE = (None, None, "192.168.50.7", "fd00:50::7")  # behind route2


class Routing(Traffic, FabricTest):
    TOPOLOGY = TOPOLOGY

    def send_marked(self, sender, address, mark=MARK, port=5000):
        with make(self.ns(sender), socket.SOCK_DGRAM, address) as out:
            out.sendto(mark, (address, port))

    def marked(self, wire, mark=MARK):
        """The first frame with the mark, and the packet in it."""
        found = []
        eventually(lambda: found.extend(f for f in wire.received() if mark in f) or found, 3, "the marked packet")
        packet = Ether(found[0])
        return packet, packet[IPv6] if IPv6 in packet else packet[IP]

    def test_ping_between_networks(self):
        for (one, other), family in itertools.product(ROUTED, FAMILIES):
            for who, whom in ((one, other), (other, one)):
                self.assert_pings(who, PORTS[whom][family])

    def test_tcp_and_udp_between_networks(self):
        for (client, server), family in itertools.product(ROUTED, FAMILIES):
            self.assertEqual(self.both(client, server, PORTS[server][family], 8000), PORTS[client][family])

    def test_within_a_network_nothing_is_routed(self):
        for family, size in ((V4, "ttl=64"), (V6, "ttl=64")):
            self.assertIn(size, self.ping("web1", PORTS["web3"][family]))

    def test_fragments_between_networks(self):
        for (one, other), family in itertools.product(ROUTED, FAMILIES):
            self.assert_pings(one, PORTS[other][family], "-s", "4000")

    def test_one_hop_and_the_routers_mac(self):
        """The TTL loses exactly 1, on one host as over two; the frame comes from the receiver's router to the receiver."""
        for (sender, receiver), family in itertools.product(ROUTED, FAMILIES):
            with self.subTest(sender=sender, receiver=receiver, family=family):
                network = PORTS[receiver][0]
                router = self.mac_of(receiver, ROUTER[network][family])
                wire = self.wire(receiver)
                self.send_marked(sender, PORTS[receiver][family])
                frame, packet = self.marked(wire)
                self.assertEqual(packet.hlim if family == V6 else packet.ttl, 63)
                self.assertEqual((frame.src, frame.dst), (router, wire.mac))

    def test_once_over_the_underlay(self):
        """Routed on the sender's host: over two hosts one crossing, on one host none, and no third host is asked."""
        underlay = {host: self.wire(host, "underlay0", outgoing=True) for host in HOSTS}
        for (sender, receiver), family in itertools.product(ROUTED, FAMILIES):
            with self.subTest(sender=sender, receiver=receiver, family=family):
                self.assert_pings(sender, PORTS[receiver][family])
                wire = self.wire(receiver)
                for each in underlay.values():
                    each.received()
                address = PORTS[receiver][family]
                with make(self.ns(receiver), socket.SOCK_DGRAM, address) as sink: # else a refusal would quote the mark
                    sink.bind((address, 5000))
                    self.send_marked(sender, address)
                    self.marked(wire)
                    time.sleep(0.05)
                ends = {PORTS[sender][1], PORTS[receiver][1]}
                expected = {host: int(len(ends) == 2 and n in ends) for n, host in enumerate(HOSTS, 1)}
                crossed = {host: sum(MARK in frame for frame in each.received()) for host, each in underlay.items()}
                self.assertEqual(crossed, expected)

    def test_every_router_address_from_every_network(self):
        for who, (network, family) in itertools.product(("web1", "web3", "db1", "db2"),
                                                        itertools.product(ROUTER, FAMILIES)):
            address = ROUTER[network][family]
            self.assertIn("ttl=64", self.ping(who, address), f"{who} → {address}")
        self.assert_pings("web1", "10.0.1.1", "-t", "1")

    def test_the_hop_shows_in_a_traceroute(self):
        for sender, family in itertools.product(("web1", "db2"), FAMILIES):
            router = ROUTER[PORTS[sender][0]][family]
            target = PORTS["db1" if sender == "web1" else "web3"][family]
            said = self.ping(sender, target, "-t", "1")
            self.assertRegex(said, rf"From {router} icmp_seq=1 Time (to live )?exceeded")
            self.assert_pings(sender, target, "-t", "2")

    def test_time_exceeded_quotes_the_packet(self):
        for family in FAMILIES:
            wire, router = self.wire("web1"), ROUTER["private1"][family]
            mac, source, target = self.mac_of("web1", router), PORTS["web1"][family], PORTS["db2"][family]
            head = IP(src=source, dst=target, ttl=1) if family == V4 else IPv6(src=source, dst=target, hlim=1)
            wire.received()
            wire.send(Ether(src=wire.mac, dst=mac) / head / UDP(sport=33000, dport=33434) / MARK)
            frame, packet = self.marked(wire)
            self.assertEqual((frame.src, frame.dst, packet.src, packet.dst), (mac, wire.mac, router, source))
            if family == V4:
                self.assertEqual((packet[ICMP].type, packet[ICMP].code), (11, 0))
            else:
                self.assertEqual(packet[ICMPv6TimeExceeded].code, 0)
            quoted = packet[IPerror if family == V4 else IPerror6]
            self.assertEqual((quoted.src, quoted.dst, quoted[UDPerror].sport, quoted[UDPerror].dport),
                             (source, target, 33000, 33434))
            self.assert_checksums(packet)

    def assert_checksums(self, packet):
        """They are what scapy makes of the packet."""
        fresh = type(packet)(bytes(packet))
        for layer in fresh.layers()[:2]:
            for field in ("chksum", "cksum"):
                if field in fresh[layer].fields:
                    del fresh[layer].fields[field]
        self.assertEqual(bytes(fresh).hex(), bytes(packet).hex())

    def test_no_route(self):
        for sender in ("web1", "db2"):
            router = ROUTER[PORTS[sender][0]]
            self.assertRegex(self.ping(sender, "10.99.0.1"), rf"From {router[V4]} icmp_seq=1 Destination Net Unreachable")
            self.assertRegex(self.ping(sender, "fd00:99::1"), rf"From {router[V6]} .*Destination unreachable: No route")

    def test_nobody_there(self):
        for sender, where in (("web1", "2"), ("db2", "1")):
            router = ROUTER[PORTS[sender][0]]
            self.assertRegex(self.ping(sender, f"10.0.{where}.99"),
                             rf"From {router[V4]} icmp_seq=1 Destination Host Unreachable")
            self.assertRegex(self.ping(sender, f"fd00:{where}::99"),
                             rf"From {router[V6]} .*Destination unreachable: Address unreachable")

    def test_overlapping_subnets_stay_apart(self):
        """web1 and cell1 have one address; each is reached by its own router's networks only."""
        wires = self.wires("web1", "cell1")
        for sender, receiver in (("db1", "web1"), ("db2", "web1"), ("heap2", "cell1"), ("web3", "web1"), ("cell2", "cell1")):
            for family in FAMILIES:
                address = PORTS[receiver][family]
                self.assert_pings(sender, address, "-p", MARK.hex(), "-s", "64")
                self.assertEqual(self.heard(wires), {receiver}, f"{sender} → {address}")

    def test_no_way_between_routers(self):
        for sender, address in (("web1", "10.0.4.12"), ("db2", "10.0.4.12"), ("heap2", "10.0.2.12"), ("cell1", "10.0.2.1"),
                                ("web1", "10.0.4.1"), ("heap2", "192.168.50.7")):
            self.assertIn("Net Unreachable", self.ping(sender, address), f"{sender} → {address}")
        for sender, address in (("web1", "fd00:4::12"), ("heap2", "fd00:2::12")):
            self.assertIn("No route", self.ping(sender, address), f"{sender} → {address}")

    def test_another_routers_mac_leads_nowhere(self):
        own, foreign = self.mac_of("web1", "10.0.1.1"), self.mac_of("cell1", "10.0.1.1")
        sender = self.wire("web1")
        others = self.wires(*(name for name in PORTS if name != "web1"))
        self.heard(others)
        bad = b"<to another router>"
        for router in {own, foreign, self.mac_of("heap2", "10.0.4.1")}:
            for target in ("heap2", "cell2"):
                if (router, target) == (own, "cell2"):
                    continue  # 10.0.1.12 by its own router: nobody of private1 has it
                for head in (IP(src="10.0.1.10", dst=PORTS[target][V4]), IPv6(src="fd00:1::10", dst=PORTS[target][V6])):
                    sender.send(Ether(src=sender.mac, dst=router) / head / UDP(sport=5000, dport=5000) / bad)
        if own != foreign:
            sender.send(Ether(src=sender.mac, dst=foreign) / IP(src="10.0.1.10", dst="10.0.2.12") /
                        UDP(sport=5000, dport=5000) / bad)
        sender.send(Ether(src=sender.mac, dst=own) / IP(src="10.0.1.10", dst="10.0.2.12") /
                    UDP(sport=5000, dport=5000) / MARK)
        frames = {name: [] for name in others}

        def control_arrived():
            for name, wire in others.items():
                frames[name] += wire.received()
            return any(MARK in frame for frame in frames["db2"])

        eventually(control_arrived, 3, "the same by its own router")
        time.sleep(0.2)
        control_arrived()
        self.assertEqual({name for name, heard in frames.items() if any(bad in frame for frame in heard)}, set())

    def test_a_static_route_through_a_vm(self):
        for family, length in ((V4, 32), (V6, 128)):
            site = SITE[family]
            self.lab.exec("route2", "ip", "address", "add", f"{site}/{length}", "dev", "lo")
            self.addCleanup(self.lab.exec, "route2", "ip", "address", "del", f"{site}/{length}", "dev", "lo")
            for sender in ("web1", "web3", "db1", "db2"):
                with self.subTest(sender=sender, site=site):
                    self.assert_pings(sender, site)
                    self.assertEqual(self.both(sender, "route2", site, 8000), PORTS[sender][family])
            self.assert_pings("route2", PORTS["db1"][family], "-I", site)
            self.assertIn("Net Unreachable" if family == V4 else "No route", self.ping("heap2", site))

    # Counted.

    def drops(self):
        """Packets dropped by (reason, owner)."""
        counted = collections.Counter()
        for flow in self.lab.json("flows", "--drops"):
            counted[flow["reason"], flow["owner"]] += flow["packets"]
        return counted

    def assert_counted(self, *drops):
        """Of (reason, owner, sender, frame, how many): each packet counts once, there and nowhere else."""
        for name in PORTS:  # what kernels send by themselves would count as well
            self.lab.exec(name, "sysctl", "-qw", "net.ipv6.conf.eth0.router_solicitations=0")
        wires = {sender: self.wire(sender) for _, _, sender, _, _ in drops}
        expected, before = collections.Counter(), self.drops()
        for reason, owner, sender, frame, count in drops:
            expected[reason, owner] += count
            wires[sender].send(*[frame] * count)

        def counted():
            self.assertEqual(self.drops() - before, expected)
            return True

        eventually(counted, 3, "what was dropped")
        time.sleep(0.8)  # the switch tells its counters twice a second
        counted()

    def from_port(self, sender, family, to, size=20, mac=None, **fields):
        """A datagram to `to` by the sender's router."""
        network = PORTS[sender][0]
        router = {**ROUTER, "large": (None, None, "10.0.15.1", "fd00:15::1")}[network][family]
        packet = (IPv6 if family == V6 else IP)(src=PORTS[sender][family], dst=to, **fields)
        own = json.loads(self.lab.exec(sender, "ip", "-j", "link", "show", "eth0").stdout)[0]["address"]
        return Ether(src=own, dst=mac or self.mac_of(sender, router)) / packet / UDP(sport=5000, dport=5000) / bytes(size)

    def test_drops_are_counted_by_their_reason(self):
        for family in FAMILIES:
            with self.subTest(family=family):
                df = {} if family == V6 else {"flags": "DF"}
                self.assert_counted(
                    ("no_route", "router/main", "web1",
                     self.from_port("web1", family, (None, None, "10.99.0.1", "fd00:99::1")[family]), 5),
                    ("no_neighbour", "network/private2", "web1",
                     self.from_port("web1", family, (None, None, "10.0.2.99", "fd00:2::99")[family]), 4),
                    ("too_big", "router/main", "big1", self.from_port("big1", family, PORTS["tiny2"][family], 1420, **df), 3),
                    # Of the router nobody wants anything; there is nobody of this MAC.
                    ("unknown_destination", "router/main", "web1",
                     self.from_port("web1", family, ROUTER["private1"][family]), 6),
                    ("unknown_destination", "network/private1", "web1",
                     self.from_port("web1", family, PORTS["db2"][family], mac="0a:00:00:00:00:99"), 8))

    def test_expired_packets_are_counted_once(self):
        for family in FAMILIES:
            with self.subTest(family=family):
                left = "hlim" if family == V6 else "ttl"
                self.assert_counted(*(("ttl_expired", "router/main", "web1",
                                       self.from_port("web1", family, PORTS[to][family], **{left: n}), 4)
                                      for to in ("db1", "db2") for n in (0, 1)))

    def test_a_flood_of_packets_for_weftd_is_limited(self):
        """TTL 1 at several thousand a second: the meter passes 1,000 a second, and nobody else's packets are lost."""
        meters = ("ovs-ofctl", "-O", "OpenFlow15", "meter-stats", "br-int", "meter=1")

        def punted():
            """Packets that met the meter, those that it dropped."""
            said = self.lab.exec("kvm1", *meters).stdout
            return tuple(int(n) for n in re.search(r"packet_in_count:(\d+)[^$]*?bands:\s*0: packet_count:(\d+)", said).groups())

        mac = self.mac_of("web1", "10.0.1.1")
        wire = self.wire("web1")
        frame = bytes(Ether(src=wire.mac, dst=mac) / IP(src="10.0.1.10", dst="10.0.2.12", ttl=1) /
                      UDP(sport=33000, dport=33434) / MARK)
        streams = [UdpStream(self.ns(a), self.ns(b), PORTS[b][V4], rate=200, port=port)
                   for a, b, port in (("db1", "web3", 7001), ("db2", "web1", 7002), ("db1", "db2", 7003))]
        for stream in streams:
            self.addCleanup(stream.stop)
        met, dropped = punted()
        began, sent, seconds = time.monotonic(), 0, 3
        while (now := time.monotonic() - began) < seconds:
            for _ in range(min(100, int(now * 5000) - sent)):
                wire.send(frame)
                sent += 1
            time.sleep(0.005)
        self.assertGreater(sent, 3000 * seconds, "the flood is one")
        time.sleep(1)
        answers = sum(ICMP in packet and packet[ICMP].type == 11 for packet in map(Ether, wire.received()))
        met, dropped = (after - before for after, before in zip(punted(), (met, dropped)))
        print(f"\n    {sent} sent in {now:.1f} s, {met} met the meter, {dropped} dropped there, {answers} answered ", end="",
              flush=True)
        self.assertGreater(dropped, sent / 3)
        self.assertGreater(answers, 500)
        self.assertLessEqual(answers, 1000 * (now + 1) * 1.1)
        for stream in streams:
            stream_sent, lost, doubled, gap = stream.stop()
            self.assertEqual((lost, doubled), (0, 0), f"of {stream_sent}, longest gap {gap:.2f} s")
        self.assertTrue(self.lab.json("status")["converged"])
        self.assert_pings("web1", "10.0.2.12")

    # From an MTU of 1500 to one of 1400, on one host and over two.

    def test_too_big_with_dont_fragment(self):
        for target in ("tiny1", "tiny2"):
            self.flush("big1")
            said = self.ping("big1", PORTS[target][V4], "-M", "do", "-s", "1472")
            self.assertRegex(said, r"From 10\.0\.15\.1 icmp_seq=1 Frag needed and DF set \(mtu = 1400\)")
            self.assert_pings("big1", PORTS[target][V4], "-M", "do", "-s", str(1400 - 28))
            self.flush("big1")
            said = self.ping("big1", PORTS[target][V6], "-M", "do", "-s", "1452")
            self.assertRegex(said, r"From fd00:15::1 icmp_seq=1 Packet too big: mtu=1400")
            self.assert_pings("big1", PORTS[target][V6], "-M", "do", "-s", str(1400 - 48))
        self.flush("big1")

    def test_too_big_without_dont_fragment_arrives_whole(self):
        for target, size in itertools.product(("tiny1", "tiny2"), (1400 - 28, 1400 - 27, 1472, 4000)):
            with self.subTest(target=target, size=size):
                self.flush("big1")
                payload = bytes(n * 7 % 251 for n in range(size))
                address, wire = PORTS[target][V4], self.wire(target)
                with make(self.ns(target), socket.SOCK_DGRAM, address) as far, \
                        make(self.ns("big1"), socket.SOCK_DGRAM, address) as near:
                    near.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER, IP_PMTUDISC_DONT
                    far.bind((address, 5001))
                    far.settimeout(3 * fabric.SCALE)
                    near.sendto(payload, (address, 5001))
                    self.assertEqual(far.recv(65536), payload)
                packets = [Ether(frame)[IP] for frame in wire.received() if frame[12:14] == b"\x08\x00"]
                self.assertLessEqual(max(packet.len for packet in packets), 1400)
                self.assertEqual({packet.ttl for packet in packets if packet.src == PORTS["big1"][V4]}, {63})

    def test_tcp_finds_the_smaller_mtu(self):
        """The server's MSS is that of its own MTU; the way to it is narrower."""
        for family in FAMILIES:
            self.flush("big1", "tiny2")
            near, far = self.connect("big1", "tiny2", PORTS["tiny2"][family], 8001)
            self.transfer(near, far, 1_000_000)
            self.transfer(far, near, 1_000_000)

    def test_a_moved_vm_stays_routed(self):
        def shown(host):
            return self.lab.ports()["db2"]["host"] == host and self.lab.json("status")["converged"]

        for host in ("kvm3", "kvm2"):
            self.lab.lab("move", "db2", host)
            eventually(lambda: shown(host), 5, f"db2 on {host}")
            for family in FAMILIES:
                eventually(lambda: self.lab.reaches("web1", PORTS["db2"][family]), 5, "db2")
                self.assert_pings("db2", PORTS["web3"][family])

    def test_a_network_leaves_the_router_and_comes_back(self):
        text = self.lab.text.replace('["private1", "private2", "large", "small"]', '["private1", "large", "small"]')
        self.addCleanup(self.lab.ctl, "apply", self.lab.file)
        self.lab.ctl("apply", self.lab.write("apart.toml", text))
        self.assertIn("Net Unreachable", self.ping("web1", PORTS["db1"][V4]))
        self.assertFalse(self.lab.reaches("db1", PORTS["web1"][V4]))
        self.assert_pings("db1", PORTS["db2"][V4])
        self.lab.ctl("apply", self.lab.file)
        self.assert_pings("web1", PORTS["db1"][V4])


if __name__ == "__main__":
    fabric.main()
