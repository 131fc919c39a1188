#!/usr/bin/python3
"""The internet gateway: out by SNAT, in and out by floating IPs and forwards, and what must not pass."""
import collections
import contextlib
import itertools
import resource
import socket
import struct
import threading
import time

from scapy.all import (ICMP, Ether, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6PacketTooBig, IP, IPerror, IPerror6, IPv6, TCP, UDP,
                       UDPerror)

import fabric
from fabric import FabricTest, UdpStream, eventually
from traffic import MARK, Crowd, Heard, PrivateSourceWire, Question, Survey, Traffic, make

INTERNET, STRANGER, INTERNET6 = "198.51.100.7", "198.51.100.8", "2001:db8:7::7"
SNAT, SNAT_OTHER = "203.0.113.2", "203.0.113.3"
# web2's; web3's, which is on the active host; cell1's, of the other gateway.
FLOATING, FLOATING_HERE, FLOATING_OTHER = "203.0.113.20", "203.0.113.21", "203.0.113.30"
# The private addresses of each router's VMs. As whom each is seen outside. igw1 is active on kvm1, igw2 on kvm2.
MAIN = {"web1": "10.0.1.10", "web2": "10.0.1.11", "web3": "10.0.1.12", "route1": "10.0.1.254", "db1": "10.0.2.10",
        "db2": "10.0.2.11"}
OTHER = {"cell1": "10.0.1.10", "cell4": "10.0.4.10"}
VMS = (*MAIN, *OTHER)
OUTSIDE = {"web1": SNAT, "db1": SNAT, "db2": SNAT, "route1": SNAT, "web2": FLOATING, "web3": FLOATING_HERE,
           "cell1": FLOATING_OTHER, "cell4": SNAT_OTHER}
EDGES = {"edge1": "203.0.113.50", "edge3": "203.0.113.51"}
# What a question to a public address comes to: who hears it, on which port.
PORT, PORTS = 7777, (7777, 22, 53, 80, 8080, 9004)
PUBLIC = {**{(kind, address, port): (who, port) for kind, port in (("tcp", PORT), ("udp", PORT), ("icmp", 0))
             for address, who in ((INTERNET, "internet"), (FLOATING, "web2"), (FLOATING_HERE, "web3"),
                                  (FLOATING_OTHER, "cell1"), *((ip, edge) for edge, ip in EDGES.items()))},
          ("tcp", SNAT, 2222): ("web1", 22), ("tcp", SNAT, 8004): ("web2", 9004), ("udp", SNAT, 5353): ("db1", 53),
          ("tcp", FLOATING, 8080): ("db2", 80), ("udp", FLOATING, 8080): ("web2", 8080),
          # Nobody's.
          ("udp", SNAT, 2222): None, ("tcp", SNAT, 5353): None, ("tcp", SNAT, PORT): None, ("udp", SNAT, PORT): None,
          ("tcp", SNAT_OTHER, 2222): None, ("udp", SNAT_OTHER, 5353): None}
MTU, IP_MTU, IPV6_MTU, IP_MTU_DISCOVER, PMTUDISC_DO = 1450, 14, 24, 10, 2


class Talk:
    """A TCP connection on which numbers go there and back until stop()."""
    TOTAL_RETRANS = 100  # where struct tcp_info has it

    def __init__(self, near, far):
        self.ends, self.sent, self.answered, self.open = (near, far), 0, 0, True
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.ask, self.echo, self.hear)]
        for thread in self.threads:
            thread.start()

    def ask(self):
        while self.open:
            self.ends[0].sendall(struct.pack("!I", self.sent))
            self.sent += 1
            time.sleep(0.01)

    def echo(self):
        with contextlib.suppress(OSError):
            while words := self.ends[1].recv(1000):
                self.ends[1].sendall(words)

    def hear(self):
        with contextlib.suppress(OSError):
            while words := self.ends[0].recv(4, socket.MSG_WAITALL):
                if words != struct.pack("!I", self.answered):
                    return
                self.answered += 1

    def stop(self):
        """(sent, answered, segments sent again)"""
        if self.open:
            self.open = False
            self.threads[0].join()
            time.sleep(0.2)
            self.again = sum(struct.unpack_from("=I", end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192),
                                                self.TOTAL_RETRANS)[0] for end in self.ends)
            for end in self.ends:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            for thread in self.threads:
                thread.join()
        return self.sent, self.answered, self.again


class Gateway(Traffic, FabricTest):
    TOPOLOGY = fabric.ROOT / "configs/topologies/gateway.toml"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        places = [("internet", "eth0"), ("kvm1", "eth1"), ("kvm2", "eth1"), ("kvm3", "eth1")]
        cls.leaks = {place: PrivateSourceWire(cls.lab.namespaces[place[0]], place[1]) for place in places}
        cls.addClassCleanup(cls.nothing_leaked)
        for who in VMS:
            eventually(lambda: cls.lab.reaches(who, INTERNET), 10, f"{who} → the internet")

    @classmethod
    def nothing_leaked(cls):
        """In all that was done, no frame with a private source was on the public network."""
        leaked = {place: [Ether(frame).summary() for frame in wire.received()[:5]] for place, wire in cls.leaks.items()}
        for wire in cls.leaks.values():
            wire.close()
        if any(leaked.values()):
            raise AssertionError(f"private sources outside: {leaked}")

    def gateway(self, name="igw1"):
        return next(row for row in self.lab.json("gateways") if row["name"] == name)

    def assert_unheard(self, *frames, by=VMS, sender="internet"):
        """None of the VMs hears them. A translated packet shows that the way is open."""
        wires = self.wires(*by)
        out = self.wire(sender)
        out.send(*(frame / MARK for frame in frames))
        self.assert_pings("internet", FLOATING)
        time.sleep(0.2)
        self.assertEqual(self.heard(wires), set())

    # Everybody and everything.

    def test_who_reaches_whom_and_as_whom(self):
        """VMs, the internet and machines of the public network ask every address there is, by TCP, UDP and ICMP. One that
        hears a question has been sent it by the rules, and has seen the right source."""
        expected = {}
        for sender in (*VMS, *EDGES, "internet"):
            own = MAIN if sender in MAIN else OTHER if sender in OTHER else {}
            by_address = {address: who for who, address in own.items()}
            public = INTERNET if sender == "internet" else OUTSIDE.get(sender) or EDGES[sender]
            for kind, port in (("tcp", PORT), ("udp", PORT), ("icmp", 0)):
                for address in {*MAIN.values(), *OTHER.values()} - {own.get(sender)}:
                    who = by_address.get(address)
                    question = Question(kind, sender, address, port)
                    expected[question] = {Heard(who, port, own[sender])} if who else set()
            for (kind, address, port), there in PUBLIC.items():
                if address != (EDGES.get(sender) or (INTERNET if sender == "internet" else "")):
                    question = Question(kind, sender, address, port)
                    expected[question] = {Heard(*there, public)} if there else set()
        survey = Survey(self.lab.namespaces, (*VMS, *EDGES, "internet"), PORTS, {"internet": INTERNET})
        self.addCleanup(survey.close)
        survey.ask(expected, {question for question, heard in expected.items() if heard})
        wrong = [f"{tuple(question)}: {survey.heard[question]}, not {heard}" for question, heard in expected.items()
                 if survey.heard[question] != heard]
        self.assertEqual(wrong, [], "\n".join(wrong))
        self.assertEqual(survey.answered, {question for question, heard in expected.items() if heard})
        print(f"\n    {len(survey.answered)} of {len(expected)} questions answered ", end="", flush=True)

    # Out.

    def test_everybody_is_seen_with_a_public_address(self):
        for who, address in OUTSIDE.items():
            with self.subTest(who):
                self.assertEqual(self.both(who, "internet", INTERNET, 8000), address)
                wire = self.wire("internet")
                self.assert_pings(who, INTERNET, "-p", MARK.hex(), "-s", "64")
                requests = [Ether(frame)[IP] for frame in wire.received() if MARK in frame]
                self.assertEqual([(packet.src, packet.ttl) for packet in requests], [(address, 63)])

    def test_a_large_datagram_in_fragments(self):
        for who in ("web1", "db2", "web2"):
            self.assert_pings(who, INTERNET, "-s", "4000")

    def test_the_static_routes_site_goes_out_too(self):
        self.lab.exec("route1", "ip", "address", "add", "192.168.50.7/32", "dev", "lo")
        self.addCleanup(self.lab.exec, "route1", "ip", "address", "del", "192.168.50.7/32", "dev", "lo")
        self.assertEqual(self.both("route1", "internet", INTERNET, 8000, source="192.168.50.7"), SNAT)
        self.assertEqual(self.both("db2", "route1", "192.168.50.7", 8000), "10.0.2.11")

    def test_between_private_networks_nothing_is_translated(self):
        self.assertEqual(self.both("db2", "web1", "10.0.1.10", 8000), "10.0.2.11")
        self.assertEqual(self.both("web2", "db1", "10.0.2.10", 8000), "10.0.1.11")
        self.assertEqual(self.both("cell4", "cell1", "10.0.1.10", 8000), "10.0.4.10")

    def test_ipv6_is_routed_untranslated(self):
        for who, address in (("web1", "fd00:1::10"), ("db2", "fd00:2::11"), ("cell4", "fd00:4::10")):
            with self.subTest(who):
                eventually(lambda: self.lab.reaches(who, INTERNET6), 5, f"{who} → {INTERNET6}")
                self.assertEqual(self.both(who, "internet", INTERNET6, 8000), address)
                self.assertEqual(self.both("internet", who, address, 8000, source=INTERNET6), INTERNET6)

    # In.

    def test_a_floating_ip_from_outside(self):
        for address, who in ((FLOATING, "web2"), (FLOATING_OTHER, "cell1")):
            self.assertEqual(self.both("internet", who, address, 80, source=INTERNET), INTERNET)
            wire = self.wire(who)
            self.assert_pings("internet", address, "-p", MARK.hex(), "-s", "64")
            self.assertEqual(len([frame for frame in wire.received() if MARK in frame]), 1)

    def test_forwards(self):
        self.assertEqual(self.tcp("internet", "web1", SNAT, 2222, 22, source=INTERNET), INTERNET)
        for port in (8000, 8003, 8010):
            self.assertEqual(self.tcp("internet", "web2", SNAT, port, port + 1000, source=INTERNET), INTERNET)
        self.assertEqual(self.udp("internet", "db1", SNAT, 5353, 53, source=INTERNET), INTERNET)

    def test_a_forward_is_its_port_and_protocol_only(self):
        self.assert_closed("internet", "web1", SNAT, 22)
        self.assert_closed("internet", "web1", SNAT, 2222, 22, protocols=("udp",))
        self.assert_closed("internet", "web2", SNAT, 7999, 8999)
        self.assert_closed("internet", "web2", SNAT, 8011, 9011)
        self.assert_closed("internet", "db1", SNAT, 5353, 53, protocols=("tcp",))
        self.assert_closed("internet", "web1", SNAT_OTHER, 2222, 22)

    def test_a_forward_beats_a_floating_ip(self):
        self.assertEqual(self.tcp("internet", "db2", FLOATING, 8080, 80, source=INTERNET), INTERNET)
        self.assert_closed("internet", "web2", FLOATING, 8080, protocols=("tcp",))
        self.assertEqual(self.udp("internet", "web2", FLOATING, 8080, source=INTERNET), INTERNET)
        self.assertEqual(self.both("db2", "internet", INTERNET, 8001), SNAT)

    # Inside by a public address.

    def test_hairpin(self):
        for who, address, port, whom, listen in (
                ("web1", FLOATING, 80, "web2", 80), ("db2", FLOATING, 80, "web2", 80), ("db1", FLOATING, 80, "web2", 80),
                ("db1", SNAT, 2222, "web1", 22), ("web2", SNAT, 2222, "web1", 22), ("web1", SNAT, 8004, "web2", 9004),
                ("web2", FLOATING, 8080, "db2", 80)):
            with self.subTest(f"{who} → {whom} by {address}:{port}"):
                self.assertEqual(self.tcp(who, whom, address, port, listen), OUTSIDE[who])
        self.assertEqual(self.udp("db2", "db1", SNAT, 5353, 53), SNAT)
        for who in ("web1", "db1", "db2"):
            self.assert_pings(who, FLOATING)

    def test_hairpin_to_itself(self):
        for who, address, port, listen in (("web2", FLOATING, 80, 80), ("web1", SNAT, 2222, 22), ("web2", SNAT, 8005, 9005),
                                           ("db2", FLOATING, 8080, 80)):
            with self.subTest(f"{who} by {address}:{port}"):
                self.assertEqual(self.tcp(who, who, address, port, listen), OUTSIDE[who])
        self.assertEqual(self.udp("db1", "db1", SNAT, 5353, 53), SNAT)
        self.assert_pings("web2", FLOATING)

    def test_from_one_gateway_to_the_other(self):
        for who, address, whom in (("web1", FLOATING_OTHER, "cell1"), ("db2", FLOATING_OTHER, "cell1"),
                                   ("cell4", FLOATING, "web2"), ("cell1", FLOATING, "web2")):
            with self.subTest(f"{who} → {whom}"):
                self.assertEqual(self.both(who, whom, address, 80), OUTSIDE[who])
        self.assertEqual(self.tcp("cell4", "web1", SNAT, 2222, 22), SNAT_OTHER)

    def test_a_vm_on_the_public_network(self):
        for edge, own in (("edge1", "203.0.113.50"), ("edge3", "203.0.113.51")):
            with self.subTest(edge):
                self.assertEqual(self.both(edge, "internet", INTERNET, 8000), own)
                self.assertEqual(self.both("internet", edge, own, 8000, source=INTERNET), INTERNET)
                self.assertEqual(self.both(edge, "web2", FLOATING, 80), own)
                self.assertEqual(self.both(edge, "cell1", FLOATING_OTHER, 80), own)
                self.assertEqual(self.tcp(edge, "web1", SNAT, 2222, 22), own)
                for who in VMS:
                    self.assertEqual(self.both(who, edge, own, 8000), OUTSIDE[who], who)
        self.assertEqual(self.both("edge1", "edge3", "203.0.113.51", 8000), "203.0.113.50")

    def test_a_known_public_address_is_not_asked_of_the_next_hop(self):
        wire = self.wire("internet")
        self.assert_pings("web1", "203.0.113.51", "-p", MARK.hex(), "-s", "64")
        self.assert_pings("db2", FLOATING_OTHER, "-p", MARK.hex(), "-s", "64")
        to_it = [frame for frame in wire.received() if MARK in frame and Ether(frame).dst == wire.mac]
        self.assertEqual(to_it, [])

    def test_the_gateways_own_addresses_answer(self):
        for who, address in itertools.product(("internet", "edge1", "edge3"),
                                              (SNAT, SNAT_OTHER, "2001:db8:113::2", "2001:db8:113::3")):
            self.assert_pings(who, address)
        for who, address in (("web1", SNAT), ("db2", SNAT), ("cell4", SNAT_OTHER)):
            self.assert_pings(who, address)

    # What must not pass.

    def test_a_question_to_a_known_neighbour_may_leave_out_who_asks(self):
        """RFC 4861, 4.3: a unicast solicitation needs no source link-layer option. Routers and gateways answer."""
        gateway = self.gateway()
        for who, own, target, mac in (("internet", "2001:db8:113::1", gateway["address6"], gateway["mac"]),
                                      ("edge1", "2001:db8:113::50", gateway["address6"], gateway["mac"]),
                                      ("web1", "fd00:1::10", "fd00:1::1", self.mac_of("web1", "10.0.1.1"))):
            wire = self.wire(who)
            wire.send(Ether(src=wire.mac, dst=mac) / IPv6(src=own, dst=target, hlim=255) / ICMPv6ND_NS(tgt=target))

            def answered():
                return any(ICMPv6ND_NA in frame and frame[ICMPv6ND_NA].tgt == target and frame[Ether].dst == wire.mac
                           for frame in map(Ether, wire.received()))

            eventually(answered, 3, f"{who} about {target}")

    def test_nothing_unsolicited_to_private_addresses(self):
        """Frames to the gateway's MAC for a private address behind it."""
        own = self.wire("internet").mac
        for name, target in (("igw1", "10.0.1.10"), ("igw1", "10.0.2.11"), ("igw2", "10.0.4.10"), ("igw2", "10.0.1.10")):
            head = Ether(src=own, dst=self.gateway(name)["mac"]) / IP(src=INTERNET, dst=target)
            self.assert_unheard(head / UDP(sport=5000, dport=22), head / TCP(sport=5000, dport=22, flags="S"),
                                head / TCP(sport=5000, dport=22, flags="A"), head / ICMP())
        edge = self.wire("edge1").mac
        self.assert_unheard(Ether(src=edge, dst=self.gateway()["mac"]) / IP(src="203.0.113.50", dst="10.0.1.10") /
                            UDP(sport=5000, dport=22), sender="edge1")

    def test_nothing_unsolicited_to_the_snat_address(self):
        head = Ether(src=self.wire("internet").mac, dst=self.gateway()["mac"]) / IP(src=INTERNET, dst=SNAT)
        self.assert_unheard(head / TCP(sport=5000, dport=33333, flags="S"), head / TCP(sport=5000, dport=33333, flags="SA"),
                            head / TCP(sport=5000, dport=33333, flags="A"), head / UDP(sport=5000, dport=33333),
                            head / ICMP(type=0, id=77))

    def test_an_open_translation_is_no_strangers(self):
        wires = self.wires(*VMS)
        with make(self.ns("internet"), socket.SOCK_DGRAM, INTERNET) as far, \
                make(self.ns("internet"), socket.SOCK_DGRAM, INTERNET) as stranger, \
                make(self.ns("db2"), socket.SOCK_DGRAM, INTERNET) as near:
            far.bind((INTERNET, 8000))
            far.settimeout(3 * fabric.SCALE)
            stranger.bind((STRANGER, 8000))
            near.connect((INTERNET, 8000))
            near.send(b"question")
            seen = far.recvfrom(100)[1]
            stranger.sendto(MARK + b" stranger", seen)
            far.sendto(MARK + b" answer", seen)
            near.settimeout(3 * fabric.SCALE)
            self.assertEqual(near.recv(100), MARK + b" answer")
        time.sleep(0.2)
        self.assertEqual(self.heard(wires, b" stranger"), set())

    # ICMP errors through the translation.

    def test_a_refusal_from_outside_comes_back(self):
        for who in OUTSIDE:
            with self.subTest(who), make(self.ns(who), socket.SOCK_DGRAM, INTERNET) as near:
                self.refused(near, (INTERNET, 4))

    def test_a_refusal_from_inside_goes_out(self):
        for address, port in ((FLOATING, 4), (FLOATING_OTHER, 4), (SNAT, 5353)):
            with self.subTest(address), make(self.ns("internet"), socket.SOCK_DGRAM, INTERNET) as near:
                near.bind((INTERNET, 0))
                self.refused(near, (address, port))

    def refused(self, near, where):
        """The kernel makes few ICMP errors a second: asked again."""
        near.settimeout(0.3)
        near.connect(where)

        def is_refused():
            with contextlib.suppress(TimeoutError):
                try:
                    near.send(MARK)
                    near.recv(100)
                except ConnectionRefusedError:
                    return True

        eventually(is_refused, 5, f"a refusal by {where}")

    def test_too_big_for_the_private_network(self):
        """1,500 bytes with DF to a floating IP: the error tells the MTU and quotes the packet as the sender sent it."""
        self.addCleanup(self.flush, "internet")
        wire, inside = self.wire("internet"), self.wire("web2")
        packet = IP(src=INTERNET, dst=FLOATING, flags="DF", id=77) / UDP(sport=7000, dport=7001) / (MARK + bytes(1460))
        wire.send(Ether(src=wire.mac, dst=self.gateway()["mac"]) / IP(bytes(packet)[:1500]))
        errors = []

        def told():
            errors.extend(p for p in map(Ether, wire.received()) if ICMP in p and p[ICMP].type == 3)
            return errors

        eventually(told, 3, "frag needed")
        error = errors[0]
        self.assertEqual((error[ICMP].code, error[ICMP].nexthopmtu, error[IP].dst), (4, MTU, INTERNET))
        self.assertIn(error[IP].src, (SNAT, FLOATING))
        quoted = error[IPerror]
        self.assertEqual((quoted.src, quoted.dst, quoted.id, quoted[UDPerror].sport, quoted[UDPerror].dport),
                         (INTERNET, FLOATING, 77, 7000, 7001))
        self.assertFalse([frame for frame in inside.received() if MARK in frame])
        self.assertIn(f"mtu = {MTU}", self.ping("internet", FLOATING, "-M", "do", "-s", "1472"))
        self.assert_pings("internet", FLOATING, "-M", "do", "-s", str(MTU - 28))

    def test_tcp_that_is_told_a_too_large_mss_finds_the_mtu(self):
        """web2 says it takes what its network does not carry. The gateway tells whoever believes it, through the floating IP,
        and for IPv6 as a router."""
        for family, router, mss, address, told in (
                ("-4", "10.0.1.1", 1460, FLOATING, lambda p: ICMP in p and (p[ICMP].type, p[ICMP].code) == (3, 4) and
                 p[ICMP].nexthopmtu == MTU and p[IPerror].dst == FLOATING),
                ("-6", "fd00:1::1", 1440, "fd00:1::11", lambda p: ICMPv6PacketTooBig in p and p[ICMPv6PacketTooBig].mtu == MTU
                 and p[IPerror6].dst == "fd00:1::11")):
            with self.subTest(address):
                self.flush("internet")
                self.addCleanup(self.flush, "internet")
                default = "ip", family, "route", "replace", "default", "via", router, "dev", "eth0"
                self.addCleanup(self.lab.exec, "web2", *default)
                self.lab.exec("web2", *default, "advmss", str(mss))
                wires = {way: self.wire("internet", outgoing=way == "out", incoming=way == "in") for way in ("in", "out")}
                near, far = self.connect("internet", "web2", address, 8001, source=INTERNET6 if family == "-6" else INTERNET)
                self.assertGreater(near.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG), MTU - 40, "it was believed")
                near.settimeout(20 * fabric.SCALE)
                far.settimeout(20 * fabric.SCALE)
                self.transfer(near, far, 2_000_000)
                self.transfer(far, near, 1_000_000)
                self.assertTrue([frame for frame in wires["out"].received() if len(frame) > MTU + 14], "large packets")
                self.assertTrue([frame for frame in map(Ether, wires["in"].received()) if told(frame)], "the error")
                level, option = (socket.IPPROTO_IPV6, IPV6_MTU) if family == "-6" else (socket.IPPROTO_IP, IP_MTU)
                self.assertEqual(near.getsockopt(level, option), MTU)

    def test_too_big_somewhere_outside(self):
        """A router of the internet says so to the public source; the VM learns it."""
        for who in ("web1", "db2", "web2"):
            with self.subTest(who), make(self.ns("internet"), socket.SOCK_DGRAM, INTERNET) as far, \
                    make(self.ns(who), socket.SOCK_DGRAM, INTERNET) as near:
                self.addCleanup(self.flush, who)
                near.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_DO)
                far.bind((INTERNET, 8000))
                far.settimeout(3 * fabric.SCALE)
                near.connect((INTERNET, 8000))
                near.send(MARK + bytes(1300))
                data, seen = far.recvfrom(2000)
                wire = self.wire("internet")
                quoted = IP(src=seen[0], dst=INTERNET, flags="DF", len=28 + len(data)) / UDP(
                    sport=seen[1], dport=8000, len=8 + len(data), chksum=1)
                wire.send(Ether(src=wire.mac, dst=self.gateway()["mac"]) / IP(src=STRANGER, dst=seen[0]) /
                          ICMP(type=3, code=4, nexthopmtu=1200) / bytes(quoted))
                eventually(lambda: near.getsockopt(socket.IPPROTO_IP, IP_MTU) == 1200, 3, "the path's MTU")

    # Much, and many.

    def test_a_hundred_megabytes_each_way(self):
        for what, words, source in (("SNAT", ("db2", "internet", INTERNET, 8001), ""),
                                    ("floating IP", ("internet", "web2", FLOATING, 8001), INTERNET)):
            near, far = self.connect(*words, source=source)
            near.settimeout(30 * fabric.SCALE)
            far.settimeout(30 * fabric.SCALE)
            rates = self.transfer(near, far, 100_000_000), self.transfer(far, near, 100_000_000)
            print(f"\n    {what}: {rates[0]:.0f} and {rates[1]:.0f} Mbit/s ", end="", flush=True)

    def test_the_next_hop_shows_in_a_traceroute(self):
        """The VM's router, then the next hop; through a VM that routes, the router, then that VM."""
        for who, beyond, ways in (("internet", "192.0.2.99", ("203.0.113.1",)),
                                  ("route1", "192.168.50.99", ("10.0.1.254",))):
            self.lab.exec(who, "ip", "route", "replace", f"{beyond}/32", "dev", "eth0")
            self.addCleanup(self.lab.exec, who, "ip", "route", "del", f"{beyond}/32", "dev", "eth0")
            self.lab.exec(who, "sysctl", "-qw", "net.ipv4.ip_forward=1")
            for ttl, hop in enumerate(("10.0.2.1", *ways), 1):
                self.assertIn(f"From {hop} icmp_seq=1 Time to live exceeded",
                              self.ping("db2", beyond, "-t", str(ttl)), f"hop {ttl} to {beyond}")

    def test_a_silent_next_hop_is_told(self):
        def is_told(state, kind):
            rows = {row["name"]: row["nexthop"]["state"] for row in self.lab.json("gateways")}
            return set(rows.values()) == {state} and self.lab.events(kind, since=since)
        since = self.lab.next_event()
        self.lab.exec("internet", "ip", "link", "set", "eth0", "arp", "off")
        try:
            eventually(lambda: is_told("failed", "nexthop_failed"), 20, "the silence")
        finally:
            self.lab.exec("internet", "ip", "link", "set", "eth0", "arp", "on")
        eventually(lambda: is_told("resolved", "nexthop_resolved"), 10, "the answer")
        eventually(lambda: self.lab.reaches("db2", INTERNET), 5, "traffic")

    # Changes and listings.

    def test_a_changed_floating_ip_concerns_its_gateways_hosts(self):
        """Neither the other connections of the gateway nor the hosts that translate nothing notice."""
        self.addCleanup(self.lab.ctl, "apply", self.lab.file)
        edited = self.lab.write("edited.toml", self.lab.text.replace(FLOATING, "203.0.113.22"))
        streams = [UdpStream(self.ns("db2"), self.ns("internet"), INTERNET, port=7000),
                   UdpStream(self.ns("web1"), self.ns("internet"), INTERNET, port=7001)]
        for stream in streams:
            self.addCleanup(stream.stop)
        talks = {words: Talk(*self.connect(*words, source=source)) for words, source in (
            (("internet", "web3", FLOATING_HERE, 8100), INTERNET), (("internet", "cell1", FLOATING_OTHER, 8101), INTERNET),
            (("internet", "web1", SNAT, 2222, 22), INTERNET), (("internet", "web2", SNAT, 8004, 9004), INTERNET),
            (("db2", "internet", INTERNET, 8102), ""), (("cell4", "internet", INTERNET, 8103), ""),
            (("web3", "internet", INTERNET, 8104), ""))}
        for talk in talks.values():
            self.addCleanup(talk.stop)
        time.sleep(0.5)
        before = self.lab.sent()
        self.lab.ctl("apply", edited)
        after = self.lab.sent()
        mods = {host: after[host]["flow_mods"] - before[host]["flow_mods"] for host in after}
        print(f"\n    flow-mods: {mods} ", end="", flush=True)
        self.assertEqual({host for host, count in mods.items() if count}, {"kvm1", "kvm2"})
        self.assertLessEqual(max(mods.values()) - fabric.FORGETTING, 32, "what is the floating IP's")
        self.assertEqual(self.both("internet", "web2", "203.0.113.22", 80, source=INTERNET), INTERNET)
        self.assertEqual(self.both("web2", "internet", INTERNET, 8004), "203.0.113.22")
        self.assert_closed("internet", "web2", FLOATING, 80)
        self.lab.ctl("apply", self.lab.file)
        self.assertEqual(self.both("internet", "web2", FLOATING, 80, source=INTERNET), INTERNET)
        self.assertEqual(self.lab.sent()["kvm3"], before["kvm3"])
        for stream in streams:
            sent, lost, doubled, gap = stream.stop()
            print(f"\n    {sent} sent, {lost} lost, longest gap {gap * 1000:.0f} ms ", end="", flush=True)
            self.assertEqual((lost, doubled), (0, 0))
        for words, talk in talks.items():
            sent, answered, again = talk.stop()
            self.assertGreater(sent, 100, words)
            self.assertEqual((answered, again), (sent, 0), f"{words}: heard, sent again")

    def test_a_revoked_floating_ip_answers_no_more(self):
        cut = self.lab.text.index("[[floating_ip]]\naddress = \"203.0.113.30\"")
        text = self.lab.text[:cut] + self.lab.text[self.lab.text.index("\n#", cut):]
        self.addCleanup(self.lab.ctl, "apply", self.lab.file)
        self.lab.ctl("apply", self.lab.write("revoked.toml", text))
        self.assertFalse(self.lab.reaches("internet", FLOATING_OTHER))
        self.assertEqual(self.both("cell1", "internet", INTERNET, 8005), SNAT_OTHER)
        self.lab.ctl("apply", self.lab.file)
        eventually(lambda: self.lab.reaches("internet", FLOATING_OTHER), 5, "it is back")
        self.assertEqual(self.both("cell1", "internet", INTERNET, 8006), FLOATING_OTHER)

    def test_gateways_are_listed(self):
        rows = {row["name"]: row for row in self.lab.json("gateways")}
        self.assertEqual(set(rows), {"igw1", "igw2"})
        for name, address, hosts in (("igw1", SNAT, ["kvm1", "kvm2"]), ("igw2", SNAT_OTHER, ["kvm2", "kvm1"])):
            row = rows[name]
            self.assertLessEqual({"name", "address", "mac", "active", "candidates", "nexthop"}, set(row))
            self.assertEqual((row["address"], row["active"]), (address, hosts[0]))
            self.assertEqual([candidate["host"] for candidate in row["candidates"]], hosts)
            self.assertTrue(all(candidate["state"] for candidate in row["candidates"]), row)
            self.assertEqual((row["nexthop"]["address"], row["nexthop"]["mac"]), ("203.0.113.1", self.wire("internet").mac))
            self.assertTrue(row["nexthop"]["state"], row)
            self.assertEqual(row["mac"], self.mac_of("internet", address))
        self.assertNotEqual(rows["igw1"]["mac"], rows["igw2"]["mac"])
        self.assertEqual(self.mac_of("internet", FLOATING), rows["igw1"]["mac"], "one MAC for all of a gateway's addresses")

    def test_translations_are_listed_and_counted(self):
        def packets():
            counted = collections.Counter()
            for row in self.lab.json("nat"):
                self.assertLessEqual({"gateway", "kind", "public", "private", "host", "packets", "bytes"}, set(row))
                counted[row["gateway"], row["kind"]] += row["packets"]
            return counted

        for what, work in ((("igw1", "snat"), lambda: self.udp("db2", "internet", INTERNET, 8007)),
                           (("igw1", "floating_ip"), lambda: self.udp("internet", "web2", FLOATING, 81, source=INTERNET)),
                           (("igw2", "floating_ip"), lambda: self.udp("cell1", "internet", INTERNET, 8008)),
                           (("igw1", "port_forward"),
                            lambda: self.tcp("internet", "web1", SNAT, 2222, 22, source=INTERNET))):
            with self.subTest(what):
                before = packets()
                work()
                eventually(lambda: packets()[what] > before[what], 5, f"{what} counts")
        publics = " ".join(str(row["public"]) for row in self.lab.json("nat"))
        for public in (SNAT, SNAT_OTHER, FLOATING, FLOATING_OTHER, "8000-8010"):
            self.assertIn(public, publics)


class Forty(Traffic, FabricTest):
    TOPOLOGY = "".join(f"""
[[host]]
name = "kvm{n}"
uplinks = {{ physnet1 = "eth1" }}
""" for n in (1, 2, 3)) + """
[[network]]
name = "private"
kind = "vxlan"
subnet = "10.0.1.0/24"
[[network]]
name = "public"
kind = "flat"
physnet = "physnet1"
subnet = "203.0.113.0/24"
[[router]]
name = "main"
networks = ["private"]
gateway = "igw1"
[[gateway]]
name = "igw1"
network = "public"
address = "203.0.113.2"
nexthop = "203.0.113.1"
hosts = ["kvm1", "kvm2"]
[[lab.endpoint]]
name = "internet"
physnet = "physnet1"
addresses = ["203.0.113.1/24", "198.51.100.7/32"]
""" + "".join(f'[[port]]\nname = "vm{n}"\nnetwork = "private"\n' for n in range(40))

    def test_two_thousand_connections_at_once(self):
        """Forty VMs with the same source ports; each hears its own answers and no other's."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        for n in range(40):
            eventually(lambda: self.lab.reaches(f"vm{n}", INTERNET), 10, f"vm{n}")
        members = list(itertools.product((f"vm{n}" for n in range(40)), range(20000, 20025)))
        crowds = []
        for kind, port in ((socket.SOCK_DGRAM, 8002), (socket.SOCK_STREAM, 8003)):
            crowds.append(Crowd(self.lab.namespaces, kind, members, "internet", INTERNET, port))
            self.addCleanup(crowds[-1].close)
        began = time.monotonic()
        for crowd in (*crowds, *crowds):
            crowd.round()
        print(f"\n    {2 * len(members)} connections, {time.monotonic() - began:.1f} s ", end="", flush=True)
        for crowd in crowds:
            peers = [peer for seen in crowd.seen.values() for peer in seen]
            self.assertEqual(len(crowd.seen), len(members))
            self.assertEqual(len(set(peers)), len(members), "one translation for each, the same in both rounds")
            self.assertEqual(len(peers), len(members))
            self.assertEqual({address for address, _ in peers}, {SNAT})


if __name__ == "__main__":
    fabric.main()
