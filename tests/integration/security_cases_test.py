#!/usr/bin/env python3
"""Security groups and ACLs where it gets special: ICMP errors, fragments, odd protocols, floods, gateways, counters."""
import errno
import re
import socket
import struct
import threading
import time

from scapy.all import (IP, TCP, UDP, Ether, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, PadN,
                       Raw, fragment)

import fabric
from fabric import Wire, eventually, inside
from traffic import MARK, Traffic, make

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
subnet = "10.0.1.0/24"
subnet6 = "fd00:1::/64"
dhcp = false
[[network]]
name = "green"
kind = "vxlan"
subnet = "10.0.2.0/24"
acl = [
  { action = "allow", direction = "ingress", protocol = "tcp", ports = ["80"], remote = "10.0.1.11/32" },
  { action = "deny", direction = "ingress", protocol = "tcp", ports = ["80"] },
  { action = "deny", direction = "egress", protocol = "udp", ports = ["9000-9010"] },
]
[[network]]
name = "public"
kind = "flat"
physnet = "physnet1"
subnet = "203.0.113.0/24"

[[router]]
name = "main"
networks = ["blue", "green"]
gateway = "igw"
[[gateway]]
name = "igw"
network = "public"
address = "203.0.113.2"
nexthop = "203.0.113.1"
hosts = ["kvm1", "kvm2"]
[[floating_ip]]
address = "203.0.113.20"
port = "web"
gateway = "igw"

[[security_group]]
name = "web"
rules = [
  { direction = "ingress", protocol = "udp", ports = ["5000-5003"] },
  { direction = "ingress", protocol = "tcp", ports = ["80"] },
  { direction = "ingress", protocol = "tcp", ports = ["81"], remote = "203.0.113.2/32" },
  { direction = "ingress", protocol = "tcp", ports = ["82"], remote = "10.0.0.0/8" },
]
[[security_group]]
name = "quiet"
rules = [ { direction = "egress", protocol = "udp" }, { direction = "ingress", protocol = "any" } ]
[[security_group]]
name = "mates"
rules = [ { direction = "ingress", protocol = "any", remote_group = "mates" } ]
[[security_group]]
name = "nothing"
rules = [ { direction = "egress", protocol = "tcp", ports = ["1"] } ]
[[security_group]]
name = "outside"
rules = [
  { direction = "ingress", protocol = "tcp", ports = ["80"], remote = "203.0.113.2/32" },
  { direction = "egress", protocol = "tcp", ports = ["80"], remote = "203.0.113.20/32" },
]
""" + "".join(f"""
[[port]]
name = "{name}"
network = "{network}"
ip = "{ip}"
lab_host = "{host}"
security_groups = {groups}
port_security = {"false" if name == "loose" else "true"}
""" for name, network, ip, host, groups in (
    ("web", "blue", "10.0.1.10", "kvm1", '["web"]'), ("open", "blue", "10.0.1.11", "kvm1", "[]"),
    ("near", "blue", "10.0.1.12", "kvm1", '["quiet"]'), ("far", "blue", "10.0.1.13", "kvm2", "[]"),
    ("listed", "green", "10.0.2.10", "kvm2", "[]"), ("other", "green", "10.0.2.11", "kvm1", "[]"),
    ("mate1", "blue", "10.0.1.21", "kvm1", '["mates"]'), ("mate2", "green", "10.0.2.21", "kvm2", '["mates"]'),
    ("jail", "blue", "10.0.1.30", "kvm1", '["nothing"]'), ("loose", "blue", "10.0.1.40", "kvm2", "[]"),
    ("bare", "public", "203.0.113.50", "kvm1", '["outside"]'),
    ("bare2", "public", "203.0.113.52", "kvm2", '["outside"]'))) + """
[[lab.endpoint]]
name = "internet"
physnet = "physnet1"
addresses = ["203.0.113.1/24", "198.51.100.7/32"]
"""


class Cases(Traffic, fabric.FabricTest):
    TOPOLOGY = TOPOLOGY

    def drops(self, port, reason):
        return sum(flow["packets"] for flow in self.lab.json("flows", "--owner", f"port/{port}", "--drops")
                   if flow["reason"] == reason)

    def assert_counted(self, port, reason, before):
        eventually(lambda: self.drops(port, reason) > before, 3, f"{reason} of {port}")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.macs = {name: port["mac"] for name, port in cls.lab.ports().items()}

    def frame(self, source, target, payload):
        """From `source` to `target`, on one network."""
        return Ether(src=self.macs[source], dst=self.macs[target]) / payload

    def test_an_icmp_error_of_an_allowed_connection_passes(self):
        for client in ("open", "far", "near"):
            with make(self.ns(client), socket.SOCK_DGRAM, "10.0.1.10") as near:
                near.connect(("10.0.1.10", 5001))  # allowed, and nobody listens
                near.settimeout(3 * fabric.SCALE)
                near.send(MARK)
                with self.assertRaises(OSError, msg=client) as failed:
                    near.recv(100)
                self.assertEqual(failed.exception.errno, errno.ECONNREFUSED, client)

    def test_a_sender_that_its_groups_restrict_reaches_only_what_they_allow(self):
        before = self.drops("near", "group_egress")
        self.assertEqual(self.udp("near", "open", "10.0.1.11", 5005), "10.0.1.12")
        self.assert_closed("near", "open", "10.0.1.11", 80, protocols=("tcp",))
        self.assert_counted("near", "group_egress", before)

    def test_the_drop_names_the_receiver(self):
        before = self.drops("web", "group_ingress")
        self.assert_closed("open", "web", "10.0.1.10", 5009)
        self.assert_closed("far", "web", "10.0.1.10", 5009)
        self.assert_counted("web", "group_ingress", before + 3)

    def test_neighbours_and_the_router_are_never_cut_off(self):
        for who in ("web", "near"):
            self.assert_pings(who, "10.0.1.1")
            self.assert_pings(who, "fd00:1::1")
        self.assertTrue(self.mac_of("near", "10.0.1.10"))

    def test_dhcp_is_never_cut_off(self):
        """jail may send to nobody and web be sent to by nobody on these ports, but for DHCP."""
        ask = Ether(src=self.macs["jail"], dst="ff:ff:ff:ff:ff:ff") / IP(src="0.0.0.0", dst="255.255.255.255")
        jail, ears = Wire(self.ns("jail")), self.wires("open", "far", "web")
        self.addCleanup(jail.close)
        jail.send(bytes(ask / UDP(sport=68, dport=67) / MARK))
        eventually(lambda: self.heard({name: ears[name] for name in ("open", "far")}) or None, 2, "the question")
        self.assertEqual(self.heard({"web": ears["web"]}), set(), "it is no answer")
        server = Wire(self.ns("loose"))
        self.addCleanup(server.close)
        answer = Ether(src=self.macs["loose"], dst=self.macs["web"]) / IP(src="10.0.1.40", dst="10.0.1.10")
        server.send(bytes(answer / UDP(sport=68, dport=67) / MARK))
        time.sleep(0.1)
        self.assertEqual(self.heard({"web": ears["web"]}), set(), "nor is this")
        server.send(bytes(answer / UDP(sport=67, dport=68) / MARK))
        eventually(lambda: self.heard({"web": ears["web"]}), 2, "the answer")

    def test_fragments_are_judged_as_the_whole_datagram(self):
        for client in ("open", "far"):
            for size in (100, 3000, 9000):
                with make(self.ns("web"), socket.SOCK_DGRAM, "10.0.1.10") as far, \
                        make(self.ns(client), socket.SOCK_DGRAM, "10.0.1.10") as near:
                    far.bind(("10.0.1.10", 5002))
                    far.settimeout(3 * fabric.SCALE)
                    near.sendto(b"x" * size, ("10.0.1.10", 5002))
                    self.assertEqual(len(far.recv(10000)), size, client)
                with make(self.ns("web"), socket.SOCK_DGRAM, "10.0.1.10") as far, \
                        make(self.ns(client), socket.SOCK_DGRAM, "10.0.1.10") as near:
                    far.bind(("10.0.1.10", 5009))
                    far.settimeout(0.3)
                    near.sendto(b"x" * size, ("10.0.1.10", 5009))
                    with self.assertRaises(TimeoutError, msg=f"{client} {size}"):
                        far.recv(10000)

    def test_crafted_fragments_reach_nobody(self):
        wire, victim = Wire(self.ns("open")), self.wire("web")
        self.addCleanup(wire.close)
        before = self.drops("open", "ct_invalid") + self.drops("web", "group_ingress")
        datagram = IP(src="10.0.1.11", dst="10.0.1.10", id=77) / UDP(sport=4000, dport=5001) / (MARK * 40)
        tiny = fragment(datagram, fragsize=8)
        wire.send(*(bytes(self.frame("open", "web", piece)) for piece in tiny))
        # The second overlaps the first's header with a denied port.
        denied = IP(src="10.0.1.11", dst="10.0.1.10", id=78)
        first = denied / UDP(sport=4000, dport=5001, len=1408, chksum=1) / (MARK * 116)
        first.flags = "MF"
        again = denied / Raw(bytes(UDP(sport=4000, dport=5009, len=1408, chksum=1)) + MARK * 116)
        again.frag = 0
        wire.send(bytes(self.frame("open", "web", first)), bytes(self.frame("open", "web", again)))
        self.assertEqual(self.heard({"web": victim}), set())
        eventually(lambda: self.drops("open", "ct_invalid") + self.drops("web", "group_ingress") > before, 3, "drops")

    def test_odd_protocols_pass_only_where_any_does(self):
        for victim, passes in (("web", False), ("near", True)):
            wire, ear = Wire(self.ns("open")), self.wire(victim)
            self.addCleanup(wire.close)
            address = {"web": "10.0.1.10", "near": "10.0.1.12"}[victim]
            for protocol in (0, 2, 47, 89, 253):
                wire.send(bytes(self.frame("open", victim, IP(src="10.0.1.11", dst=address, proto=protocol) / Raw(MARK))))
                got = eventually(lambda: self.heard({victim: ear}), 2, f"{protocol}") if passes else \
                    (time.sleep(0.1), self.heard({victim: ear}))[1]
                self.assertEqual(got, {victim} if passes else set(), protocol)

    def test_ipv6_extension_headers_hide_nothing(self):
        ports = self.lab.ports()
        six = {name: next(ip for ip in port["ips"] if ":" in ip) for name, port in ports.items() if port["network"] == "blue"}
        wire, ear = Wire(self.ns("open")), self.wire("web")
        self.addCleanup(wire.close)

        def chain(headers, port):
            packet = IPv6(src=six["open"], dst=six["web"])
            for header in headers:
                packet /= header
            return bytes(self.frame("open", "web", packet / UDP(sport=4001, dport=port) / MARK))

        options = [IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)]) for _ in range(8)]
        for headers in ([IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)])], options):
            wire.send(chain(headers, 5009))
            time.sleep(0.1)
            self.assertEqual(self.heard({"web": ear}), set())
        wire.send(chain(options, 5001))
        eventually(lambda: self.heard({"web": ear}), 2, "an allowed port behind the same headers")

    def test_other_ethertypes_do_not_pass_groups(self):
        wire, ears = Wire(self.ns("open")), self.wires("web", "far")
        self.addCleanup(wire.close)
        for target in ears:
            wire.send(bytes(Ether(src=self.macs["open"], dst=self.macs[target], type=0x88b5) / Raw(MARK)))
        eventually(lambda: self.heard({"far": ears["far"]}), 2, "a port without groups")
        self.assertEqual(self.heard({"web": ears["web"]}), set())

    def test_a_syn_flood_from_one_port_leaves_others_alone_and_is_told(self):
        since = self.lab.next_event()
        wire = Wire(self.ns("open"))
        self.addCleanup(wire.close)
        first = bytes(self.frame("open", "web", IP(src="10.0.1.11", dst="10.0.1.10") / TCP(sport=0, dport=80, flags="S")))

        def syn(port):  # RFC 1624: the checksum follows the source port
            (checksum,) = struct.unpack_from("!H", first, 50)
            total = (~checksum & 0xffff) + port
            return (first[:34] + struct.pack("!H", port) + first[36:50]
                    + struct.pack("!H", ~((total & 0xffff) + (total >> 16)) & 0xffff) + first[52:])

        frames = [syn(1024 + i) for i in range(30000)]

        def flood():  # no faster than the switch takes it in, several times as fast as a port may
            begun, sent = time.monotonic(), 0
            while not self.drops("open", "new_connection_rate") and time.monotonic() < begun + 20 * fabric.SCALE:
                for at in range(0, len(frames), 100):
                    wire.send(*frames[at:at + 100])
                    sent += 100
                    time.sleep(max(0, begun + sent / 20000 - time.monotonic()))

        flooding = threading.Thread(target=flood, daemon=True)
        flooding.start()
        done = 0
        while flooding.is_alive():
            self.assertEqual(self.tcp("far", "web", "10.0.1.10", 80), "10.0.1.13")
            done += 1
        self.assertGreater(done, 0)
        self.assertGreater(self.drops("open", "new_connection_rate"), 0)
        eventually(lambda: self.lab.events("new_connection_rate", "kvm1", since), 6, "the event")
        self.assertEqual(self.lab.events("new_connection_rate", "kvm1", since)[0]["object"], "port open")

    def test_one_recirculation_between_two_ports_of_a_host(self):
        self.assertEqual(self.udp("near", "web", "10.0.1.10", 5003), "10.0.1.12")  # groups on both
        self.lab.exec("kvm1", "ovs-appctl", "revalidator/purge")
        with make(self.ns("web"), socket.SOCK_DGRAM, "10.0.1.10") as far, \
                make(self.ns("near"), socket.SOCK_DGRAM, "10.0.1.10") as near:
            far.bind(("10.0.1.10", 5003))
            for _ in range(5):
                near.sendto(MARK, ("10.0.1.10", 5003))
                far.settimeout(3)
                _, peer = far.recvfrom(100)
                far.sendto(MARK, peer)
                near.settimeout(3)
                near.recv(100)
        flows = [line for line in self.lab.exec("kvm1", "ovs-appctl", "dpctl/dump-flows").stdout.splitlines()
                 if "eth_type(0x0800)" in line and re.search(r"packets:[1-9]", line)]
        ours = [line for line in flows if "ct(" in line or "ct_state(" in line]
        entries = [line for line in ours if "recirc_id(0)" in line]
        after = [line for line in ours if "recirc_id(0)" not in line]
        self.assertTrue(entries and after, "\n".join(flows))
        for line in entries:
            self.assertEqual(line.count("recirc("), 1, line)
        for line in after:
            self.assertNotIn("recirc(", line.partition("actions:")[2], line)

    def test_the_acl_is_judged_in_order_routed_and_tunnelled_and_counts(self):
        def hits():
            return [entry["packets"] for entry in self.lab.json("show", "network", "green")["acl"]]
        before = hits()
        self.assertEqual(self.tcp("open", "listed", "10.0.2.10", 80), "10.0.1.11")       # routed, by tunnel
        self.assert_closed("far", "listed", "10.0.2.10", 80, protocols=("tcp",))         # routed, same host
        self.assert_closed("other", "listed", "10.0.2.10", 80, protocols=("tcp",))       # same network, by tunnel
        self.assertEqual(self.tcp("far", "listed", "10.0.2.10", 8080), "10.0.1.13")
        self.assert_closed("other", "far", "10.0.1.13", 9005, protocols=("udp",))
        self.assertEqual(self.udp("other", "far", "10.0.1.13", 9011), "10.0.2.11")
        after = hits()
        for number in range(3):
            self.assertGreater(after[number], before[number], number)
        drops = [flow for flow in self.lab.json("flows", "--owner", "network/green", "--drops") if flow["reason"] == "acl"]
        self.assertEqual({flow["owner"] for flow in drops}, {"network/green acl 2", "network/green acl 3"})

    def test_rules_count_what_they_let_pass(self):
        def packets():
            web = next(group for group in self.lab.json("groups") if group["name"] == "web")
            return [rule["packets"] for rule in web["rules"]]
        before = packets()
        self.tcp("far", "web", "10.0.1.10", 80)
        after = packets()
        self.assertGreater(after[1], before[1])
        self.assertEqual(after[0], before[0])
        self.assertIn("security_group/web rule 2", {flow["owner"] for flow in
                                                    self.lab.json("flows", "--owner", "security_group/web")})

    def test_members_are_followed_where_they_go(self):
        def named(host):
            return " ".join(flow["match"] for flow in self.lab.json("flows", "--host", host, "--owner",
                                                                    "security_group/mates rule 1"))

        self.assertEqual(self.both("mate1", "mate2", "10.0.2.21", 7000), "10.0.1.21")
        self.assert_closed("open", "mate2", "10.0.2.21", 7001)
        near, far = self.connect("mate1", "mate2", "10.0.2.21", 7002)
        before = self.lab.sent()
        self.lab.lab("move", "mate1", "kvm2")
        self.addCleanup(self.lab.lab, "move", "mate1", "kvm1", check=False)
        for one, other in ((near, far), (far, near)):
            one.sendall(MARK)
            self.assertEqual(other.recv(100), MARK)
        self.assertEqual(self.both("mate1", "mate2", "10.0.2.21", 7003), "10.0.1.21")
        eventually(lambda: not named("kvm1"), 3, "kvm1 without the group of no port of its")
        self.assertIn("10.0.1.21", named("kvm2"))
        interface = self.lab.ports()["mate1"]["interface"]
        self.lab.exec("kvm2", "ovs-vsctl", "remove", "Interface", interface, "external_ids", "iface-id")
        eventually(lambda: "10.0.1.21" not in named("kvm2"), 3, "the rule without who is unplugged")
        self.lab.exec("kvm2", "ovs-vsctl", "set", "Interface", interface, "external_ids:iface-id=mate1")
        eventually(lambda: "10.0.1.21" in named("kvm2"), 3, "the rule with who is back")
        self.assertEqual(self.both("mate1", "mate2", "10.0.2.21", 7004), "10.0.1.21")
        self.assertNotEqual(self.lab.sent(), before)

    def test_a_datagram_that_the_router_fragments_is_judged_too(self):
        """From the internet, 1,500 bytes without DF: weftd cuts it up for blue, and sends the pieces on their way."""
        for port, passes in ((5003, True), (5009, False)):
            with make(self.ns("web"), socket.SOCK_DGRAM, "10.0.1.10") as far, \
                    make(self.ns("internet"), socket.SOCK_DGRAM, "203.0.113.20") as near:
                far.bind(("10.0.1.10", port))
                near.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: IP_PMTUDISC_DONT
                near.sendto(MARK, ("203.0.113.20", port))
                near.sendto(b"x" * 1470, ("203.0.113.20", port))
                far.settimeout(3 * fabric.SCALE if passes else 0.5)
                if passes:
                    self.assertEqual({len(far.recv(2000)), len(far.recv(2000))}, {len(MARK), 1470})
                else:
                    with self.assertRaises(TimeoutError):
                        far.recv(2000)

    def test_what_is_a_links_own_is_not_routed(self):
        """DHCP answers and discovery pass groups. So none comes from another link, and no question leaves by a router."""
        web, mac = self.wire("web"), self.lab.json("show", "router", "main")["mac"]
        outside = Wire(self.ns("internet"))
        self.addCleanup(outside.close)
        answer = UDP(sport=67, dport=68) / MARK
        outside.send(bytes(Ether(src=outside.mac, dst=self.mac_of("internet", "203.0.113.20"))
                           / IP(src="203.0.113.1", dst="203.0.113.20") / answer))
        jail, ear = Wire(self.ns("jail")), self.wire("internet")
        self.addCleanup(jail.close)
        before = self.drops("jail", "group_egress")
        jail.send(bytes(Ether(src=self.macs["jail"], dst=mac)
                        / IP(src="10.0.1.30", dst="198.51.100.7") / UDP(sport=68, dport=67) / MARK))
        self.assert_counted("jail", "group_egress", before)
        self.assertEqual(self.heard({"web": web, "internet": ear}), set())
        # To its router's address, and to somebody else's MAC.
        far = self.wire("far")
        jail.send(bytes(Ether(src=self.macs["jail"], dst=self.macs["far"])
                        / IP(src="10.0.1.30", dst="10.0.1.1") / UDP(sport=5, dport=6) / MARK))
        self.assert_counted("jail", "group_egress", before + 1)
        self.assertEqual(self.heard({"far": far}), set())

    def test_nobody_opens_a_port_by_the_mac_of_another(self):
        """A packet to jail's address that goes to all, to near's MAC, whose groups allow it, or to far's, which has none,
        begins no connection that jail may answer."""
        other, jail, ears = Wire(self.ns("open")), Wire(self.ns("jail")), self.wires("jail", "open")
        for wire in (other, jail):
            self.addCleanup(wire.close)
        for number, to in enumerate(("ff:ff:ff:ff:ff:ff", self.macs["near"], self.macs["far"])):
            for _ in range(2):
                other.send(bytes(Ether(src=self.macs["open"], dst=to) / IP(src="10.0.1.11", dst="10.0.1.30")
                                 / UDP(sport=6000 + number, dport=6100) / MARK))
                time.sleep(0.1)
            before = self.drops("jail", "group_egress")
            jail.send(bytes(self.frame("jail", "open", IP(src="10.0.1.30", dst="10.0.1.11")
                                       / UDP(sport=6100, dport=6000 + number) / MARK)))
            self.assert_counted("jail", "group_egress", before)
            other.send(bytes(self.frame("open", "jail", IP(src="10.0.1.11", dst="10.0.1.30")
                                        / UDP(sport=6000 + number, dport=6100) / MARK)))
        self.assertEqual(self.heard(ears), set())

    def test_beside_a_standby_a_public_port_reaches_the_gateway_too(self):
        self.assertEqual(self.tcp("bare2", "web", "203.0.113.20", 80), "203.0.113.52")
        self.assertEqual(self.tcp("far", "bare2", "203.0.113.52", 80), "203.0.113.2")

    def test_through_a_gateway_the_public_address_is_the_remote(self):
        self.assertEqual(self.tcp("internet", "web", "203.0.113.20", 80), "203.0.113.1")
        self.assert_closed("internet", "web", "203.0.113.20", 5009)
        # Of blue, by the floating IP: seen as the gateway, so rule 3 allows it and rule 4 does not.
        self.assertEqual(self.tcp("far", "web", "203.0.113.20", 81), "203.0.113.2")
        self.assert_closed("far", "web", "203.0.113.20", 82, protocols=("tcp",))
        self.assertEqual(self.tcp("far", "web", "10.0.1.10", 82), "10.0.1.13")
        self.assert_closed("far", "web", "10.0.1.10", 81, protocols=("tcp",))

    def test_a_port_on_the_public_network_has_its_groups_toward_a_gateway(self):
        self.assertEqual(self.tcp("bare", "web", "203.0.113.20", 80), "203.0.113.50")
        self.assert_closed("bare", "internet", "203.0.113.1", 80, protocols=("tcp",))
        self.assertEqual(self.tcp("far", "bare", "203.0.113.50", 80), "203.0.113.2")
        self.assert_closed("internet", "bare", "203.0.113.50", 80, protocols=("tcp",))
        before = self.drops("bare", "group_egress")
        self.assert_closed("bare", "web", "203.0.113.20", 81, protocols=("tcp",))
        self.assert_counted("bare", "group_egress", before)

    def test_the_internet_answers_what_a_vm_with_groups_asks(self):
        self.assertEqual(self.tcp("web", "internet", "198.51.100.7", 80), "203.0.113.20")
        self.assertEqual(self.udp("near", "internet", "198.51.100.7", 53), "203.0.113.2")


if __name__ == "__main__":
    fabric.main()
