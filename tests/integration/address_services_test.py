#!/usr/bin/python3
"""Guests boot into their networks with no help: addresses by DHCP, DHCPv6 and router advertisements, names by DNS."""
import collections
import json
import pathlib
import random
import re
import subprocess
import time

from scapy.all import (BOOTP, DHCP, DHCP6_Reply, DHCP6_Solicit, DHCP6OptClientId, DHCP6OptIA_NA, DHCP6OptIAAddress, DHCP6OptOptReq,
                       DNS, DNSQR, DNSRR, DUID_LL, Ether, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_RS, ICMPv6NDOptPrefixInfo,
                       ICMPv6NDOptSrcLLAddr, IP, IPv6, Raw, UDP, fuzz)

import fabric
from fabric import FabricTest, Wire, eventually

BROADCAST = "ff:ff:ff:ff:ff:ff"

TOPOLOGY = """
[[host]]
name = "kvm1"
[[host]]
name = "kvm2"

[[network]]
name = "blue"
kind = "vxlan"
subnet = "10.0.1.0/24"
subnet6 = "fd00:1::/64"
dhcp = { range = "10.0.1.100-10.0.1.200", lease = "1h", dns = ["10.0.1.1", "100.64.0.11", "fd00:1::1"], domain = "blue.example", ntp = ["192.0.2.123"] }
[[network]]
name = "red"
kind = "vxlan"
mtu = 1400
subnet = "10.0.2.0/24"
subnet6 = "fd00:2::/64"
[[network]]
name = "twin"
kind = "vxlan"
subnet = "10.0.1.0/24"
dhcp = { domain = "blue.example" }
[[network]]
name = "island"
kind = "local"
subnet = "10.9.0.0/24"
subnet6 = "fd00:9::/112"
[[network]]
name = "silent"
kind = "vxlan"
subnet = "10.0.5.0/24"
dhcp = false

[[router]]
name = "main"
networks = ["blue", "red"]
routes = [ { prefix = "192.168.50.0/24", via = "10.0.1.254" } ]
[[router]]
name = "other"
networks = ["twin"]

[[port]]
name = "web1"
network = "blue"
ip = "10.0.1.10"
lab_host = "kvm1"
[[port]]
name = "web2"
network = "blue"
lab_host = "kvm2"
[[port]]
name = "Db.One"
network = "red"
ip6 = "fd00:2::d1"
lab_host = "kvm1"
[[port]]
name = "evil"
network = "blue"
lab_host = "kvm1"
[[port]]
name = "picky"
network = "blue"
lab_host = "kvm2"
[[port]]
name = "double"
network = "twin"
ip = "10.0.1.10"
lab_host = "kvm1"
[[port]]
name = "isle1"
network = "island"
lab_host = "kvm2"
[[port]]
name = "isle2"
network = "island"
lab_host = "kvm2"
[[port]]
name = "quiet"
network = "silent"
ip = "10.0.5.5"
lab_host = "kvm2"
"""

DHCLIENT4 = """
option rfc3442-classless-static-routes code 121 = array of unsigned integer 8;
request subnet-mask, broadcast-address, routers, domain-name, domain-name-servers, domain-search, host-name, interface-mtu,
  rfc3442-classless-static-routes, ntp-servers;
send host-name = "guest-of-%s";
"""
DHCLIENT6 = "request dhcp6.name-servers, dhcp6.domain-search;\n"


class Guests(FabricTest):
    """What real clients and hand-made packets share."""

    def wire(self, port):
        wire = Wire(self.lab.namespaces[port])
        self.addCleanup(wire.close)
        return wire

    def address(self, port, family=4):
        return next(ip for ip in self.lab.ports()[port]["ips"] if (":" in ip) == (family == 6))

    def environment(self, port, *command, reason):
        """Runs a DHCP client with a script that tells its environment at `reason`."""
        told = self.lab.write(f"{port}.env", "")
        script = self.lab.write(f"{port}.sh", f"#!/bin/sh\n"
                                              f"[ \"${{reason:-$1}}\" = {reason} ] && env > {told}\nexit 0\n")
        script.chmod(0o755)
        with self.lab.running(port, *[str(word).replace("SCRIPT", str(script)) for word in command]):
            text = eventually(told.read_text, 20, f"{reason} of {port}")
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def dhclient(self, port, version, reason, *options):
        configuration = self.lab.write("dhclient.conf", DHCLIENT4 % port if version == "-4" else DHCLIENT6)
        scratch = pathlib.Path(self.lab.scratch.name)
        return self.environment(port, "dhclient", version, "-1", "-d", *options, "-cf", configuration,
                                "-sf", "SCRIPT", "-lf", scratch / f"{port}.leases", "-pf", scratch / f"{port}.pid", "eth0",
                                reason=reason)

    def ask4(self, wire, kind, source="0.0.0.0", destination="255.255.255.255", mac=BROADCAST, options=(), wait=2, **bootp):
        """One message to a DHCP server; the answer's (BOOTP, options), or None."""
        xid = random.getrandbits(32)
        own = bytes.fromhex(wire.mac.replace(":", ""))
        wire.received()
        wire.send(Ether(src=wire.mac, dst=mac) / IP(src=source, dst=destination) / UDP(sport=68, dport=67) /
                  BOOTP(chaddr=own, xid=xid, **bootp) /
                  DHCP(options=[("message-type", kind), *options, "end"]))
        deadline = time.monotonic() + wait * fabric.SCALE
        while time.monotonic() < deadline:
            for frame in map(Ether, wire.received()):
                if BOOTP in frame and frame[BOOTP].op == 2 and frame[BOOTP].xid == xid:
                    return frame[BOOTP], dict(o for o in frame[DHCP].options if isinstance(o, tuple) and len(o) == 2)
            time.sleep(0.005)
        return None

    def link_local(self, port):
        shown = json.loads(self.lab.exec(port, "ip", "-j", "-6", "address", "show", "dev", "eth0").stdout)
        return next(entry["local"] for of_device in shown for entry in of_device.get("addr_info", ())
                    if entry.get("scope") == "link")

    def server_mac(self, port, address):
        self.lab.reaches(port, address)
        shown = self.lab.exec(port, "ip", "neigh", "show", address).stdout
        return re.search(r"lladdr (\S+)", shown).group(1)


class Clients(Guests):
    TOPOLOGY = TOPOLOGY

    def test_endpoints_have_what_ports_show(self):
        for name, port in self.lab.ports().items():
            shown = json.loads(self.lab.exec(name, "ip", "-j", "address", "show", "dev", "eth0").stdout)[0]["addr_info"]
            have = {entry["local"] for entry in shown if entry["scope"] == "global"}
            self.assertEqual(have, set(port["ips"]), name)

    def test_dhclient_is_told_all_that_its_network_has(self):
        told = self.dhclient("web2", "-4", "BOUND")
        mtu = next(n["mtu"] for n in self.lab.json("networks") if n["name"] == "blue")
        expected = {"new_ip_address": self.address("web2"), "new_subnet_mask": "255.255.255.0", "new_routers": "10.0.1.1",
                    "new_broadcast_address": "10.0.1.255", "new_domain_name": "blue.example",
                    "new_domain_search": "blue.example.", "new_domain_name_servers": "10.0.1.1 100.64.0.11",
                    "new_interface_mtu": str(mtu), "new_dhcp_lease_time": "3600", "new_dhcp_server_identifier": "10.0.1.1",
                    "new_host_name": "web2", "new_ntp_servers": "192.0.2.123"}
        self.assertEqual({key: told.get(key) for key in expected}, expected)
        routes = told["new_rfc3442_classless_static_routes"].split()
        self.assertEqual(sorted([routes[:8], routes[8:]], key=len),
                         sorted([["24", "192", "168", "50", "10", "0", "1", "254"], ["0", "10", "0", "1", "1"]], key=len))
        self.assertIn("calls itself guest-of-web2", " ".join(lease["host_name"] and f"calls itself {lease['host_name']}"
                      for lease in self.lab.ports()["web2"]["leases"]))

    def test_an_explicit_address_comes_by_dhcp_too(self):
        told = self.environment("web1", "udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "10", "-T", "1", "-s", "SCRIPT",
                                "-O", "mtu", "-O", "staticroutes", reason="bound")
        self.assertEqual((told["ip"], told["mask"], told["router"]), ("10.0.1.10", "24", "10.0.1.1"))
        self.assertEqual(told["serverid"], "10.0.1.1")
        self.assertEqual(told["staticroutes"], "192.168.50.0/24 10.0.1.254 0.0.0.0/0 10.0.1.1")

    def test_router_advertisements_speak_of_the_port(self):
        shown = self.lab.exec("web1", "rdisc6", "-1", "eth0").stdout
        for line in (r"Stateful address conf\.\s+:\s+No", r"Stateful other conf\.\s+:\s+Yes", r"Prefix\s+:\s+fd00:1::/64",
                     r"Autonomous address conf\.\s*:\s+Yes", r"MTU\s+:\s+1450", r"Recursive DNS server\s+:\s+fd00:1::1"):
            self.assertRegex(shown, line)
        fixed = self.lab.exec("Db.One", "rdisc6", "-1", "eth0").stdout
        for line in (r"Stateful address conf\.\s+:\s+Yes", r"Autonomous address conf\.\s*:\s+No", r"MTU\s+:\s+1400"):
            self.assertRegex(fixed, line)

    def test_the_kernel_makes_its_address_and_finds_its_router(self):
        shown = self.lab.exec("web1", "ip", "-6", "address", "show", "dev", "eth0", "scope", "global").stdout
        self.assertIn(self.address("web1", 6) + "/64", shown)
        self.assertRegex(self.lab.exec("web1", "ip", "-6", "route").stdout, r"default via fe80::\S+ dev eth0 proto ra")
        self.assertTrue(self.lab.reaches("web1", "fd00:2::d1"))

    def test_dhcpv6_gives_an_address_or_only_the_rest(self):
        told = self.dhclient("Db.One", "-6", "BOUND6")
        self.assertEqual(told["new_ip6_address"], "fd00:2::d1")
        isle = self.dhclient("isle1", "-6", "BOUND6")
        self.assertEqual(isle["new_ip6_address"], self.address("isle1", 6))
        rest = self.dhclient("web1", "-6", "RENEW6", "-S")
        self.assertEqual(rest["new_dhcp6_name_servers"], "fd00:1::1")
        self.assertIn("blue.example", rest["new_dhcp6_domain_search"])

    def test_a_lease_is_renewed_rebound_informed_of_and_released(self):
        wire, address = self.wire("evil"), self.address("evil")
        router = self.server_mac("evil", "10.0.1.1")
        offer, told = self.ask4(wire, "discover")
        self.assertEqual((offer.yiaddr, told["message-type"]), (address, 2))
        ack, _ = self.ask4(wire, "request", options=[("server_id", "10.0.1.1"), ("requested_addr", address)])
        self.assertEqual(ack.yiaddr, address)
        renewed, told = self.ask4(wire, "request", source=address, destination="10.0.1.1", mac=router, ciaddr=address)
        self.assertEqual((renewed.yiaddr, told["message-type"], told["lease_time"]), (address, 5, 3600))
        rebound, _ = self.ask4(wire, "request", source=address, ciaddr=address)
        self.assertEqual(rebound.yiaddr, address)
        informed, told = self.ask4(wire, "inform", source=address, destination="10.0.1.1", mac=router, ciaddr=address)
        self.assertEqual(informed.yiaddr, "0.0.0.0")
        self.assertNotIn("lease_time", told)
        self.assertTrue(self.lab.ports()["evil"]["leases"])
        self.ask4(wire, "release", source=address, destination="10.0.1.1", mac=router, ciaddr=address, wait=0,
                  options=[("server_id", "10.0.1.1")])
        eventually(lambda: not any(lease["protocol"] == "dhcp" for lease in self.lab.ports()["evil"]["leases"]))
        self.assertTrue(self.lab.events("lease_released"))

    def test_a_wrong_address_is_refused_whoever_it_seems_to_come_from(self):
        wire = self.wire("evil")
        for source in ("0.0.0.0", "10.0.1.77"):
            refusal, told = self.ask4(wire, "request", source=source, ciaddr=source,
                                      options=[] if source != "0.0.0.0" else [("requested_addr", "10.0.1.77")])
            self.assertEqual(told["message-type"], 6)
            self.assertEqual(refusal.yiaddr, "0.0.0.0")
        self.assertIn("10.0.1.77", self.lab.events("lease_refused")[-1]["text"])

    def test_answers_reach_nobody_but_who_asked(self):
        wires = {name: self.wire(name) for name in ("web1", "web2", "evil")}
        self.assertTrue(self.ask4(wires["evil"], "discover", flags=0x8000))
        time.sleep(0.3)
        for name in ("web1", "web2"):
            heard = [frame for frame in map(Ether, wires[name].received()) if BOOTP in frame]
            self.assertEqual(heard, [], name)

    def test_rogue_servers_reach_nobody(self):
        wires = {name: self.wire(name) for name in ("web1", "web2", "evil")}
        evil = wires["evil"]
        victim = self.lab.ports()["web1"]["mac"]
        address = self.address("evil")
        offer = (IP(src=address, dst="255.255.255.255") / UDP(sport=67, dport=68) / BOOTP(op=2, yiaddr="10.0.1.66") /
                 DHCP(options=[("message-type", "offer"), ("router", address), "end"]))
        advertisement = (IPv6(src=self.link_local("evil"), dst="ff02::1", hlim=255) / ICMPv6ND_RA(routerlifetime=1800) /
                         ICMPv6NDOptPrefixInfo(prefix="fd66::", prefixlen=64) / ICMPv6NDOptSrcLLAddr(lladdr=evil.mac))
        reply = (IPv6(src=self.link_local("evil"), dst="ff02::1") / UDP(sport=547, dport=546) / DHCP6_Reply())
        for name in ("web1", "web2"):
            wires[name].received()
        for mac in (BROADCAST, victim):
            evil.send(Ether(src=evil.mac, dst=mac) / offer, Ether(src=evil.mac, dst=mac) / advertisement,
                      Ether(src=evil.mac, dst=mac) / reply)
        drops = eventually(lambda: {flow["reason"] for flow in self.lab.json("flows", "--drops", "--owner", "port/evil")
                                    if flow["packets"] >= 2} >= {"rogue_dhcp", "rogue_ra"}, what="the drops")
        self.assertTrue(drops)
        for name in ("web1", "web2"):
            heard = [frame for frame in map(Ether, wires[name].received()) if frame.src == evil.mac]
            self.assertEqual(heard, [], name)

    def test_two_networks_of_one_subnet_each_serve_their_own(self):
        self.assertEqual(self.address("double"), "10.0.1.10")
        told = self.dhclient("double", "-4", "BOUND")
        self.assertEqual((told["new_ip_address"], told["new_routers"]), ("10.0.1.10", "10.0.1.1"))
        self.assertNotEqual(self.server_mac("double", "10.0.1.1"), self.server_mac("web1", "10.0.1.1"))
        # The same name, the same address, another port; what is behind the other router is unknown here.
        self.assertEqual(self.dig("double", "double.blue.example")[1], ["10.0.1.10"])
        self.assertEqual(self.dig("double", "-x", "10.0.1.10")[1], ["double.blue.example."])
        self.assertEqual(self.dig("web1", "-x", "10.0.1.10")[1], ["web1.blue.example."])
        self.assertEqual(self.dig("double", "web2.blue.example")[1], [])

    def dig(self, port, *words, server="10.0.1.1"):
        """(status, the answers' data)"""
        shown = self.lab.exec(port, "dig", f"@{server}", "+tries=2", "+time=2", *words).stdout
        status = re.search(r"status: (\w+)", shown)
        answers = re.search(r";; ANSWER SECTION:\n(.*?)\n\n", shown, re.S)
        rows = answers.group(1).splitlines() if answers else []
        return status.group(1) if status else shown, sorted(row.split()[4] for row in rows)

    def test_names_are_found_in_both_directions(self):
        for edns in ("+edns", "+noedns"):
            self.assertEqual(self.dig("web1", "web2.blue.example", edns), ("NOERROR", [self.address("web2")]))
            self.assertEqual(self.dig("web1", "WEB2.Blue.example", "AAAA", edns), ("NOERROR", [self.address("web2", 6)]))
            self.assertEqual(self.dig("web1", "-x", self.address("web2"), edns), ("NOERROR", ["web2.blue.example."]))
            self.assertEqual(self.dig("web1", "-x", self.address("web2", 6), edns), ("NOERROR", ["web2.blue.example."]))
            self.assertEqual(self.dig("web1", "web2.blue.example", "MX", edns), ("NOERROR", []))
        self.assertEqual(self.dig("web1", "db.one.red.internal"), ("NOERROR", [self.address("Db.One")]))
        self.assertEqual(self.dig("web1", "nobody.red.internal"), ("NXDOMAIN", []))
        self.assertEqual(self.dig("web1", "web2.blue.example", server="fd00:1::1")[1], [self.address("web2")])
        isle = next(lease for lease in self.lab.json("show", "network", "island")["services"]["addresses"] if "." in lease)
        self.assertEqual(self.dig("isle1", "isle2.island.internal", server=isle), ("NOERROR", [self.address("isle2")]))
        self.assertEqual(self.dig("isle1", "www.example.org", server=isle), ("REFUSED", []))

    def test_edns_is_answered_as_asked(self):
        shown = self.lab.exec("web1", "dig", "@10.0.1.1", "+edns=1", "+noednsneg", "web2.blue.example").stdout
        self.assertIn("BADVERS", shown)
        shown = self.lab.exec("web1", "dig", "@10.0.1.1", "+dnssec", "+bufsize=4096", "web2.blue.example").stdout
        self.assertRegex(shown, r"EDNS: version: 0, flags: do; udp: 1232")
        shown = self.lab.exec("web1", "dig", "@10.0.1.1", "+noedns", "web2.blue.example").stdout
        self.assertNotIn("OPT PSEUDOSECTION", shown)

    def test_tcp_is_refused_at_once(self):
        began = time.monotonic()
        for server in ("10.0.1.1", "fd00:1::1"):
            done = self.lab.exec("web1", "dig", f"@{server}", "+tcp", "+tries=1", "+time=5", "web2.blue.example", check=False)
            self.assertIn("connection refused", done.stdout + done.stderr)
        self.assertLess(time.monotonic() - began, 4 * fabric.SCALE)

    def test_other_names_are_asked_of_the_resolvers(self):
        words = ("dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--port=53", "--bind-interfaces",
                 "--listen-address=100.64.0.11", "--address=/www.example.org/198.51.100.7", "--txt-record=big.example.org," +
                 ",".join(f"{'x' * 200}{i}" for i in range(4)))
        with self.lab.running("kvm1", *words):
            eventually(lambda: self.dig("web1", "www.example.org") == ("NOERROR", ["198.51.100.7"]), 10, "a forwarded answer")
            self.assertEqual(self.dig("web1", "nothing.invalid")[0], "SERVFAIL")  # the only resolver refuses
            shown = self.lab.exec("web1", "dig", "@10.0.1.1", "+noedns", "+ignore", "big.example.org", "TXT").stdout
            self.assertRegex(shown, r"flags: qr[^;]* tc")
            shown = self.lab.exec("web1", "dig", "@10.0.1.1", "+ignore", "big.example.org", "TXT").stdout
            self.assertNotRegex(shown, r"flags: qr[^;]* tc")
        self.assertEqual(self.dig("web1", "www.example.org")[0], "SERVFAIL")

    def test_the_first_ping_by_name_works(self):
        self.lab.exec("web1", "ip", "neigh", "flush", "all")
        self.assertTrue(self.lab.reaches("web1", "web2.blue.example"))
        self.assertTrue(self.lab.reaches("web1", "web2"))  # by the search list
        self.assertTrue(self.lab.reaches("isle1", "isle2"))

    def test_a_network_that_serves_nobody_says_nothing(self):
        wire = self.wire("quiet")
        self.assertIsNone(self.ask4(wire, "discover", wait=1))
        self.assertFalse(self.lab.ports()["quiet"]["leases"])

    def test_who_got_what_is_told(self):
        texts = {event["object"]: event["text"] for event in self.lab.events("lease")}
        self.assertRegex(texts["port web2"], rf"has {re.escape(self.address('web2'))} by DHCP in network blue for 1h")
        counters = self.lab.json("show", "network", "blue")["services"]
        self.assertGreaterEqual(counters["dhcp"]["discover"], 3)
        self.assertGreaterEqual(counters["dhcp"]["ack"], 3)
        self.assertGreaterEqual(counters["ra"]["router_advertisement"], 3)
        self.assertIn("LEASED UNTIL", self.lab.ctl("ports").stdout)


class Hostile(Guests):
    TOPOLOGY = TOPOLOGY

    def test_a_guest_that_floods_starves_nobody(self):
        evil, web = self.wire("evil"), self.wire("web1")
        frame = bytes(Ether(src=evil.mac, dst=BROADCAST) / IP(src="0.0.0.0", dst="255.255.255.255") /
                      UDP(sport=68, dport=67) / BOOTP(chaddr=bytes.fromhex(evil.mac.replace(":", ""))) /
                      DHCP(options=[("message-type", "discover"), "end"]))
        waits = []
        sent = 0
        deadline = time.monotonic() + 4 * fabric.SCALE
        while time.monotonic() < deadline:
            for _ in range(500):
                evil.send(frame)
            sent += 500
            began = time.monotonic()
            self.assertIsNotNone(self.ask4(web, "discover"), f"after {sent} of evil's")
            waits.append(time.monotonic() - began)
        self.assertGreater(sent, 2000)
        drops = [flow for flow in self.lab.json("flows", "--drops", "--owner", "port/evil") if flow["reason"] == "punt_limit"]
        self.assertGreater(drops[0]["packets"], sent / 4)
        eventually(lambda: self.lab.events("punt_limit"), 10, "the event")

    def test_malformed_packets_do_no_harm(self):
        wire, address = self.wire("evil"), self.address("evil")
        weftd, router = self.lab.weftd(), self.server_mac("evil", "10.0.1.1")
        link_local = self.link_local("evil")
        own = bytes.fromhex(wire.mac.replace(":", ""))
        chosen = random.Random(5)
        seeds = [
            IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67) / BOOTP(chaddr=own) /
            DHCP(options=[("message-type", "discover"), ("param_req_list", [1, 3, 6, 121]), ("hostname", b"x"), "end"]),
            IPv6(src=link_local, dst="ff02::1:2") / UDP(sport=546, dport=547) / DHCP6_Solicit(trid=7) /
            DHCP6OptClientId(duid=DUID_LL(lladdr=wire.mac)) / DHCP6OptIA_NA(ianaopts=[DHCP6OptIAAddress(addr="fd00:1::7")]) /
            DHCP6OptOptReq(),
            IP(src=address, dst="10.0.1.1") / UDP(sport=5353, dport=53) /
            DNS(rd=1, qd=DNSQR(qname="web2.blue.example"), ar=DNSRR(rrname=".", type=41, rdata=b"")),
            IPv6(src=link_local, dst="ff02::2", hlim=255) / ICMPv6ND_RS() / ICMPv6NDOptSrcLLAddr(lladdr=wire.mac),
            IPv6(src=link_local, dst="ff02::1:ff00:1", hlim=255) / ICMPv6ND_NS(tgt="fd00:1::1") /
            ICMPv6NDOptSrcLLAddr(lladdr=wire.mac),
        ]
        macs = [BROADCAST, "33:33:00:01:00:02", router, "33:33:00:00:00:02", "33:33:ff:00:00:01"]
        for turn in range(600):
            which = chosen.randrange(len(seeds))
            frame = bytearray(bytes(Ether(src=wire.mac, dst=macs[which]) / seeds[which]))
            kind = chosen.randrange(3)
            if kind == 0:  # bytes changed behind the headers that the switch looks at
                for _ in range(chosen.randrange(1, 9)):
                    frame[chosen.randrange(42 if which in (0, 2) else 58, len(frame))] = chosen.randrange(256)
            elif kind == 1:  # cut off, lengths as they were
                del frame[chosen.randrange(34, len(frame)):]
            else:  # more than it says
                frame += chosen.randbytes(chosen.randrange(1, 400))
            wire.send(bytes(frame))
            if turn % 100 == 99:
                time.sleep(1)  # under the meter: these shall be looked at
        for frame in (fuzz(DHCP()), fuzz(DNS()), fuzz(BOOTP())):
            for _ in range(20):
                port = 53 if DNS in frame else 67
                wire.send(Ether(src=wire.mac, dst=router) / IP(src=address, dst="10.0.1.1") /
                          UDP(sport=68 if port == 67 else 999, dport=port) / bytes(frame)[:1400])
        time.sleep(1)
        self.assertIsNotNone(self.ask4(wire, "discover"))
        self.assertEqual(self.lab.weftd(), weftd)
        self.assertFalse(self.lab.weftd_is_gone())
        self.assertTrue(self.lab.reaches("web1", "web2"))

    def test_a_declined_address_is_replaced_but_not_a_written_one(self):
        wire, before = self.wire("picky"), self.address("picky")
        self.ask4(wire, "decline", wait=0, options=[("server_id", "10.0.1.1"), ("requested_addr", before)])
        eventually(lambda: self.address("picky") != before, what="another address")
        offer, _ = eventually(lambda: self.ask4(wire, "discover"), 10, "an offer")
        self.assertEqual(offer.yiaddr, self.address("picky"))
        self.assertTrue(self.lab.events("lease_declined"))
        self.ask4(self.wire("web1"), "decline", wait=0, options=[("server_id", "10.0.1.1"), ("requested_addr", "10.0.1.10")])
        time.sleep(0.5)
        self.assertEqual(self.address("web1"), "10.0.1.10")


class Lives(Guests):
    """weftd away and back; the topology changes."""
    TOPOLOGY = TOPOLOGY

    def test_guests_go_on_without_weftd_and_renew_afterwards(self):
        before = {name: port["ips"] for name, port in self.lab.ports().items()}
        leases = self.lab.ports()["web2"]["leases"]
        self.assertTrue(leases)
        self.lab.fault("weftd", "kill")
        self.addCleanup(self.lab.start_weftd_if_gone)
        self.assertTrue(self.lab.reaches("web1", before["web2"][0]))
        wire = self.wire("web2")
        self.assertIsNone(self.ask4(wire, "request", source=before["web2"][0], ciaddr=before["web2"][0], wait=0.5))
        self.lab.start_weftd()
        self.lab.wait()
        self.assertEqual({name: port["ips"] for name, port in self.lab.ports().items()}, before)
        self.assertEqual(self.lab.ports()["web2"]["leases"], leases)
        renewed, told = eventually(lambda: self.ask4(wire, "request", source=before["web2"][0], ciaddr=before["web2"][0]),
                                   10, "a renewal")
        self.assertEqual((renewed.yiaddr, told["message-type"]), (before["web2"][0], 5))

    def test_an_address_is_released_with_its_port_and_never_given_twice(self):
        before = {name: port["ips"] for name, port in self.lab.ports().items()}
        text = self.lab.text + '[[port]]\nname = "more"\nnetwork = "blue"\n'
        self.lab.ctl("apply", self.lab.write("more.toml", text))
        after = {name: port["ips"] for name, port in self.lab.ports().items()}
        self.assertEqual({name: after[name] for name in before}, before)
        in_blue = [ip for name, port in self.lab.ports().items() if port["network"] == "blue" for ip in port["ips"]]
        self.assertEqual([ip for ip, count in collections.Counter(in_blue).items() if count > 1], [])
        mine = next(ip for ip in after["more"] if "." in ip)
        written = self.lab.text + f'[[port]]\nname = "other"\nnetwork = "blue"\nip = "{mine}"\n'
        self.lab.ctl("apply", self.lab.write("other.toml", written))
        self.assertIn(mine, self.lab.ports()["other"]["ips"])
        self.lab.ctl("apply", self.lab.write("same.toml", self.lab.text))

    def test_what_changes_is_advertised_at_once(self):
        self.lab.ctl("apply", self.lab.write("mtu.toml", self.lab.text.replace("mtu = 1400", "mtu = 1300")))
        eventually(lambda: self.lab.exec("Db.One", "cat", "/proc/sys/net/ipv6/conf/eth0/mtu").stdout.strip() == "1300", 10,
                   "the new MTU")
        silent = re.sub(r'(name = "red".*?)subnet6', r'\1dhcp = false\nsubnet6', self.lab.text, count=1, flags=re.S)
        self.lab.ctl("apply", self.lab.write("silent.toml", silent))
        eventually(lambda: "default" not in self.lab.exec("Db.One", "ip", "-6", "route").stdout, 10, "the end of its router")
        self.lab.ctl("apply", self.lab.write("same.toml", self.lab.text))


if __name__ == "__main__":
    fabric.main()
