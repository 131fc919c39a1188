#!/usr/bin/python3
"""Gateways out of the ordinary: distributed floating IPs, translated on their port's own host; no SNAT at all; a SNAT pool
of several ranges; one that is used up."""
import collections
import itertools
import selectors
import socket
import time

from scapy.layers.inet import IP
from scapy.layers.l2 import Ether

import fabric
from fabric import FabricTest, eventually
from traffic import MARK, Crowd, PrivateSourceWire, Traffic, make

HOSTS = "".join(f"""
[[host]]
name = "kvm{n}"
uplinks = {{ physnet1 = "eth1" }}
""" for n in (1, 2, 3))
PUBLIC = """
[[network]]
name = "public"
kind = "flat"
physnet = "physnet1"
subnet = "203.0.113.0/24"
[[gateway]]
name = "igw"
network = "public"
address = "203.0.113.2"
nexthop = "203.0.113.1"
hosts = ["kvm1"]
[[lab.endpoint]]
name = "internet"
physnet = "physnet1"
addresses = ["203.0.113.1/24", "198.51.100.7/32"]
"""
INTERNET = "198.51.100.7"


def port(name, network, ip, host):
    return f'[[port]]\nname = "{name}"\nnetwork = "{network}"\nip = "{ip}"\nlab_host = "{host}"\n'


class Distributed(Traffic, FabricTest):
    """kvm1 is the gateway; web3 on kvm3 has a distributed floating IP, web2 on kvm2 one at the gateway."""
    TOPOLOGY = HOSTS + PUBLIC + """
[[network]]
name = "private"
kind = "vxlan"
subnet = "10.0.1.0/24"
[[router]]
name = "main"
networks = ["private"]
gateway = "igw"
[[floating_ip]]
address = "203.0.113.21"
port = "web3"
gateway = "igw"
distributed = true
[[floating_ip]]
address = "203.0.113.22"
port = "web2"
gateway = "igw"
""" + "".join(port(f"web{n}", "private", f"10.0.1.1{n}", f"kvm{n}") for n in (1, 2, 3))

    def setUp(self):
        for who in ("web1", "web2", "web3"):
            eventually(lambda: self.lab.reaches(who, INTERNET), 10, who)
        eventually(lambda: self.lab.reaches("internet", "203.0.113.21"), 10, "203.0.113.21")

    def rows(self):
        return {row["public"]: row for row in self.lab.json("nat")}

    def test_translated_on_the_ports_own_host(self):
        self.assertEqual(self.both("web3", "internet", INTERNET, 8000), "203.0.113.21")
        self.assertEqual(self.both("internet", "web3", "203.0.113.21", 80, source=INTERNET), INTERNET)
        self.assertEqual((self.rows()["203.0.113.21"]["host"], self.rows()["203.0.113.22"]["host"]), ("kvm3", "kvm1"))

    def test_nothing_of_it_crosses_the_underlay_and_it_has_its_own_mac(self):
        underlay, uplink = self.wire("kvm3", "underlay0", outgoing=True), self.wire("kvm3", "eth1", outgoing=True)
        self.assert_pings("web3", INTERNET, "-p", MARK.hex(), "-s", "64")
        self.assert_pings("internet", "203.0.113.21", "-p", MARK.hex(), "-s", "64")
        time.sleep(0.1)
        self.assertFalse([frame for frame in underlay.received() if MARK in frame])
        macs = {Ether(frame).src for frame in uplink.received() if MARK in frame}
        self.assertIn(self.mac_of("internet", "203.0.113.21"), macs)
        self.assertNotEqual(self.mac_of("internet", "203.0.113.21"), self.mac_of("internet", "203.0.113.2"))

    def test_between_floating_ips(self):
        for sender, address, server, seen in (
                ("web1", "203.0.113.21", "web3", "203.0.113.2"), ("web2", "203.0.113.21", "web3", "203.0.113.22"),
                ("web3", "203.0.113.22", "web2", "203.0.113.21"), ("web3", "203.0.113.21", "web3", "203.0.113.21")):
            with self.subTest(sender=sender, address=address):
                eventually(lambda: self.lab.reaches(sender, address), 5, address)
                self.assertEqual(self.both(sender, server, address, 8000), seen)

    def test_too_big_from_outside(self):
        for address in ("203.0.113.21", "203.0.113.22"):
            self.flush("internet")
            self.assertIn(f"From {address} icmp_seq=1 Frag needed and DF set (mtu = 1450)",
                          self.ping("internet", address, "-M", "do", "-s", "1472"))
        self.flush("internet")

    def test_small_packets_are_not_counted_as_too_big(self):
        """OVS counts a packet on both ways out of check_pkt_larger."""
        def dropped():
            return sum(flow["packets"] for flow in self.lab.json("flows", "--drops") if flow["reason"] == "too_big")
        before = dropped()
        for _ in range(5):
            self.assert_pings("internet", "203.0.113.21")
        self.assertEqual(dropped(), before)

    def test_it_moves_with_its_port(self):
        self.lab.lab("move", "web3", "kvm2")
        self.addCleanup(self.lab.lab, "move", "web3", "kvm3")
        eventually(lambda: self.lab.reaches("internet", "203.0.113.21"), 5, "203.0.113.21 at kvm2")
        self.assertEqual(self.both("web3", "internet", INTERNET, 8000), "203.0.113.21")
        self.assertEqual(self.rows()["203.0.113.21"]["host"], "kvm2")


class Untranslated(Traffic, FabricTest):
    """A gateway without SNAT, onto a public network of a small MTU; two forwards lead to one port."""
    TOPOLOGY = HOSTS + (PUBLIC.replace('kind = "flat"', 'kind = "flat"\nmtu = 1300')
                        .replace('hosts = ["kvm1"]', 'hosts = ["kvm1"]\nsnat = []')
                        + 'routes = [ { prefix = "10.0.1.0/24", via = "203.0.113.2" } ]\n') + """
[[network]]
name = "private"
kind = "vxlan"
subnet = "10.0.1.0/24"
[[router]]
name = "main"
networks = ["private"]
gateway = "igw"
""" + "".join(f"""
[[port_forward]]
gateway = "igw"
address = "203.0.113.2"
protocol = "{protocol}"
ports = "{public}"
to = "web2:80"
""" for protocol in ("tcp", "udp") for public in (8080, 8081)) + "".join(
        port(f"web{n}", "private", f"10.0.1.1{n}", f"kvm{n}") for n in (1, 2, 3))

    def setUp(self):
        for who in ("web1", "web2", "web3"):
            eventually(lambda: self.lab.reaches(who, INTERNET), 10, who)

    def test_sources_stay_as_they_are(self):
        for n in (1, 2, 3):
            self.assertEqual(self.both(f"web{n}", "internet", INTERNET, 8000), f"10.0.1.1{n}")
            self.assertEqual(self.both("internet", f"web{n}", f"10.0.1.1{n}", 80, source=INTERNET), INTERNET)

    def test_forwards_beside_it(self):
        for public in (8080, 8081):
            self.assertEqual(self.both("internet", "web2", "203.0.113.2", public, 80, source=INTERNET), INTERNET)
        self.assertEqual(self.both("web2", "internet", INTERNET, 8000), "10.0.1.12", "its own connections")

    def test_hairpin(self):
        for sender in ("web1", "web2", "web3"):
            self.assertEqual(self.both(sender, "web2", "203.0.113.2", 8080, 80), "203.0.113.2")

    def test_too_big_for_the_public_network(self):
        self.assertIn("From 10.0.1.1 icmp_seq=1 Frag needed and DF set (mtu = 1300)",
                      self.ping("web3", INTERNET, "-M", "do", "-s", "1400"))
        self.flush("web3")
        self.assert_pings("web3", INTERNET, "-M", "dont", "-s", "1400")


POOL = ("203.0.113.40", "203.0.113.41", "203.0.113.50")


class Pool(Traffic, FabricTest):
    """SNAT by two ranges of public addresses; the gateway's own is none of them."""
    RANGES = '"203.0.113.40-203.0.113.41", "203.0.113.50"'
    TOPOLOGY = HOSTS + PUBLIC.replace('hosts = ["kvm1"]', f'hosts = ["kvm1"]\nsnat = [{RANGES}]') + """
[[network]]
name = "private"
kind = "vxlan"
subnet = "10.0.1.0/24"
[[router]]
name = "main"
networks = ["private"]
gateway = "igw"
""" + "".join(port(f"web{n}", "private", f"10.0.1.1{n}", f"kvm{n}") for n in (1, 2, 3))
    VMS = ("web1", "web2", "web3")

    def setUp(self):
        for who in self.VMS:
            eventually(lambda: self.lab.reaches(who, INTERNET), 10, who)

    def test_many_connections_leave_by_every_address_of_the_pool(self):
        """Each is answered, with one source of the pool for as long as it lasts."""
        leaks = [PrivateSourceWire(self.ns("internet")), PrivateSourceWire(self.ns("kvm1"), "eth1")]
        for wire in leaks:
            self.addCleanup(wire.close)
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            members = itertools.product(self.VMS, range(20000, 20060))
            crowd = Crowd(self.lab.namespaces, kind, members, "internet", INTERNET, 8000)
            self.addCleanup(crowd.close)
            crowd.round()
            crowd.round()
            self.assertEqual([peers for peers in crowd.seen.values() if len(peers) > 1], [], "one source a connection")
            peers = [peer for seen in crowd.seen.values() for peer in seen]
            self.assertEqual(len(set(peers)), len(self.VMS) * 60, "no two alike")
            used = collections.Counter(address for address, _ in peers)
            print(f"\n    {dict(used)} ", end="", flush=True)
            self.assertEqual(set(used), set(POOL))
        for who in self.VMS:
            wire = self.wire("internet")
            self.assert_pings(who, INTERNET, "-p", MARK.hex(), "-s", "64")
            sources = {Ether(frame)[IP].src for frame in wire.received() if MARK in frame}
            self.assertEqual(len(sources), 1)
            self.assertLessEqual(sources, set(POOL))
        self.assertEqual([wire.received() for wire in leaks], [[], []], "an untranslated packet")

    def test_the_pool_is_answered_for_and_lets_nobody_in(self):
        mac = self.mac_of("internet", "203.0.113.2")
        wires = self.wires(*self.VMS)
        for address in POOL:
            self.assertEqual(self.mac_of("internet", address), mac)
            for protocol in ("tcp", "udp"):
                with self.assertRaises(OSError, msg=f"{protocol} to {address}"):
                    getattr(self, protocol)("internet", "web1", address, 8000, source=INTERNET, timeout=0.3)
        self.assertFalse(self.heard(wires, bytes(int(n) for n in INTERNET.split("."))), "from the internet")
        self.assertFalse(self.lab.reaches("internet", "203.0.113.42"), "beside the pool")
        self.assertNotIn("lladdr", self.lab.exec("internet", "ip", "neigh", "show", "203.0.113.42").stdout)


ROUTERS = 640  # 64,512 ports of one address, shared: 100 each


class Exhaustion(Traffic, FabricTest):
    """One SNAT address for so many routers that each has 100 ports."""
    TOPOLOGY = HOSTS + PUBLIC + "".join(f"""
[[network]]
name = "n{n}"
kind = "vxlan"
subnet = "10.{n // 256}.{n % 256}.0/24"
[[router]]
name = "r{n}"
networks = ["n{n}"]
gateway = "igw"
""" for n in range(ROUTERS)) + port("vm0", "n0", "10.0.0.10", "kvm2") + port("vm1", "n1", "10.0.1.10", "kvm3")

    def answered(self, who, count):
        """How many of `count` sockets of `who` are answered by one server socket."""
        with make(self.ns("internet"), socket.SOCK_DGRAM, INTERNET) as server, \
                selectors.DefaultSelector() as chosen:
            server.bind((INTERNET, 9000))
            server.setblocking(False)
            chosen.register(server, selectors.EVENT_READ)
            seen, got = set(), set()
            for n in range(count):
                near = make(self.ns(who), socket.SOCK_DGRAM, INTERNET)
                self.addCleanup(near.close)
                near.bind(("0.0.0.0", 20000 + n))  # chosen by the kernel, two might share one
                near.connect((INTERNET, 9000))
                near.setblocking(False)
                chosen.register(near, selectors.EVENT_READ, n)
                near.send(MARK)
                deadline = time.monotonic() + (0.02 if n + 1 < count else 1)
                while time.monotonic() < deadline:
                    for key, _ in chosen.select(0.01):
                        if key.fileobj is server:
                            data, peer = server.recvfrom(100)
                            seen.add(peer)
                            server.sendto(data, peer)
                        else:
                            got.add(key.data)
                            key.fileobj.recv(100)
        return len(got), seen

    def test_a_used_up_pool_drops_and_says_so(self):
        for who in ("vm0", "vm1"):
            eventually(lambda: self.lab.reaches(who, INTERNET), 20, who)
        leaks = [PrivateSourceWire(self.ns("internet")), PrivateSourceWire(self.ns("kvm1"), "eth1")]
        since = self.lab.next_event()
        answered, seen = self.answered("vm0", 130)
        self.assertEqual(answered, 100)
        self.assertEqual({address for address, _ in seen}, {"203.0.113.2"})
        ports = {port for _, port in seen}
        self.assertLess(max(ports) - min(ports), 100)
        dropped = [flow for flow in self.lab.json("flows", "--drops") if flow["reason"] == "snat_exhausted"]
        self.assertEqual(sum(flow["packets"] for flow in dropped), 30)
        eventually(lambda: self.lab.events("snat_exhausted", since=since), 5, "an event")
        answered, _ = self.answered("vm1", 50)
        self.assertEqual(answered, 50, "another router has ports of its own")
        for wire in leaks:
            self.assertEqual(wire.received(), [], "an untranslated packet")
            wire.close()


if __name__ == "__main__":
    fabric.main()
