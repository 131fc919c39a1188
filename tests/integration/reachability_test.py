#!/usr/bin/python3
"""The demo fabric: who reaches whom, how, and how often."""
import contextlib
import json
import socket
import time

from scapy.all import ARP, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, Ether, IPv6, Raw
from scapy.utils6 import in6_getnsma, in6_getnsmac

import fabric
from fabric import FabricTest, Wire, eventually

BROADCAST = "ff:ff:ff:ff:ff:ff"
MARK = b"weft integration"


class Reachability(FabricTest):
    def wire(self, who, interface="eth0", outgoing=False):
        wire = Wire(self.lab.namespaces[who], interface, outgoing)
        self.addCleanup(wire.close)
        return wire

    def member_wires(self, *members):
        return {member: self.wire(*member.split("/")) for member in members}

    def test_matrix(self):
        for options in ([], ["--proto", "tcp", "--port", "80"], ["--proto", "udp", "--port", "53"]):
            with self.subTest(options):
                self.lab.lab("matrix", *options, "--expect", fabric.ROOT / "configs/topologies/demo.expect")

    def iperf(self, client, server, address):
        with self.lab.running(server, "iperf3", "-s", "-1", "--forceflush") as listening:
            eventually(lambda: "listening" in listening.stdout.readline(), what="iperf3 -s")
            ended = json.loads(self.lab.exec(client, "iperf3", "-c", address, "-t", "2", "-J").stdout)["end"]
            return ended["sum_received"]["bits_per_second"] / 1e6

    def test_tcp_over_vxlan(self):
        for address in ("10.0.1.12", self.lab.ports()["app2"]["ips"][1]):
            rate = self.iperf("app1", "app2", address)
            print(f"\n    vxlan to {address}: {rate:.0f} Mbit/s ", end="", flush=True)
            self.assertGreater(rate, 1)

    def test_tcp_over_vlan(self):
        rate = self.iperf("desk2", "printer", "192.168.100.200")
        print(f"\n    vlan: {rate:.0f} Mbit/s ", end="", flush=True)
        self.assertGreater(rate, 1)

    def test_a_packet_of_the_mtu_passes_whole(self):
        headers = 28
        for mtu, who, address in ((1450, "app1", "10.0.1.12"), (1500, "desk2", "192.168.100.200")):
            self.assertTrue(self.lab.reaches(who, address, "-M", "do", "-s", str(mtu - headers)), mtu)
            self.assertFalse(self.lab.reaches(who, address, "-M", "do", "-s", str(mtu - headers + 1)), mtu + 1)

    def test_fragments_pass(self):
        for who, address in (("app1", "10.0.1.12"), ("app1", self.lab.ports()["app2"]["ips"][1]),
                             ("desk2", "192.168.100.200"), ("app3", "10.0.1.33")):
            self.assertTrue(self.lab.reaches(who, address, "-s", "4000"), address)

    def test_one_address_in_two_networks(self):
        """db1 takes app2's address; blue and red each keep their own."""
        text = self.lab.text.replace('ip = "10.0.1.21"', 'ip = "10.0.1.12"')
        self.lab.ctl("apply", self.lab.write("same.toml", text))
        self.addCleanup(self.lab.ctl, "apply", self.lab.file)
        self.lab.exec("db1", "ip", "address", "add", "10.0.1.12/24", "dev", "eth0")
        self.addCleanup(self.lab.exec, "db1", "ip", "address", "del", "10.0.1.12/24", "dev", "eth0")
        wires = self.member_wires("app2", "db1")

        def asked():
            return {name for name, wire in wires.items() for frame in wire.received() if MARK in frame}

        pattern = ["-p", MARK.hex(), "-s", "64"]
        self.assertTrue(self.lab.reaches("app1", "10.0.1.12", *pattern))
        self.assertEqual(asked(), {"app2"})
        self.assertTrue(self.lab.reaches("db2", "10.0.1.12", *pattern))
        self.assertEqual(asked(), {"db1"})

    def test_questions_for_bound_ports_stay_on_the_host(self):
        outside = self.member_wires("app2", "app3", "trunk3", "db1", "db2", "printer")
        for interface in ("underlay0", "eth1"):
            outside[interface] = self.wire("kvm1", interface, outgoing=True)
        for address in ("10.0.1.12", self.lab.ports()["app2"]["ips"][1]):
            self.lab.exec("app1", "ip", "neigh", "flush", "dev", "eth0")
            self.lab.exec("app2", "ip", "neigh", "flush", "dev", "eth0")
            self.assertTrue(self.lab.reaches("app1", address, "-p", MARK.hex(), "-s", "64"))
        seen = {name: wire.received() for name, wire in outside.items()}
        self.assertTrue(any(MARK in frame for frame in seen["underlay0"]), "the answered ping itself is seen there")
        asking = {name: [frame.hex() for frame in frames if is_question(frame)] for name, frames in seen.items()}
        self.assertEqual(asking, {name: [] for name in outside})

    def test_the_owner_is_not_told_of_a_duplicate(self):
        port = self.lab.ports()["app1"]
        self.lab.exec("app1", "arping", "-D", "-I", "eth0", "-c", "2", "-w", "2", "10.0.1.11")
        wire, others = self.wire("app1"), self.member_wires("app2", "app3", "trunk3")
        address = port["ips"][1]
        questions = [
            Ether(src=wire.mac, dst=BROADCAST) / ARP(op=1, hwsrc=wire.mac, psrc="0.0.0.0", pdst="10.0.1.11"),
            Ether(src=wire.mac, dst=BROADCAST) / ARP(op=1, hwsrc=wire.mac, psrc="10.0.1.11", pdst="10.0.1.11"),
            Ether(src=wire.mac, dst=solicited(address)[0]) / IPv6(src="::", dst=solicited(address)[1]) /
            ICMPv6ND_NS(tgt=address),
            Ether(src=wire.mac, dst=solicited(address)[0]) / IPv6(src="fe80::1", dst=solicited(address)[1]) /
            ICMPv6ND_NS(tgt=address) / ICMPv6NDOptSrcLLAddr(lladdr=wire.mac)]
        for question in questions:
            wire.received()
            wire.send(question)
            for name, other in others.items():  # a real duplicate could answer
                eventually(lambda: bytes(question) in [f[:len(bytes(question))] for f in other.received()],
                           what=f"the question at {name}")
            answers = [frame.hex() for frame in wire.received() if is_answer(frame)]
            self.assertEqual(answers, [])

    def test_broadcast_reaches_each_member_once(self):
        blue = ["app1", "app2", "app3", "trunk3"]
        office = ["desk2", "trunk3/eth0.100", "printer"]
        lab = ["bench2", "trunk3/eth0.200"]
        red = ["db1", "db2"]
        wires = self.member_wires(*blue, *office, *lab, *red, "cell1", "cell3")
        for members in (blue, office, lab, red, ["cell1"], ["cell3"]):
            for sender in members:
                for destination in (BROADCAST, "01:00:5e:00:00:fb", "33:33:00:00:00:01"):
                    for wire in wires.values():
                        wire.received()
                    frame = Ether(src=wires[sender].mac, dst=destination, type=0x88b5) / Raw(MARK + sender.encode())
                    wires[sender].send(frame)
                    expected = {name: int(name in members and name != sender) for name in wires}
                    seen = dict.fromkeys(wires, 0)

                    def counts():
                        for name, wire in wires.items():
                            seen[name] += sum(MARK in frame for frame in wire.received())
                        return seen == expected

                    with self.subTest(sender=sender, destination=destination):
                        with contextlib.suppress(AssertionError):
                            eventually(counts, 2)
                        time.sleep(0.02)
                        counts()
                        self.assertEqual(seen, expected)


def is_question(frame):
    """Asks for the MAC of a port, bare or in a tunnel."""
    packet = Ether(frame)
    if ARP in packet:
        return packet[ARP].op == 1 and packet[ARP].pdst.startswith("10.")
    return ICMPv6ND_NS in packet and packet[ICMPv6ND_NS].tgt.startswith("fd")


def is_answer(frame):
    packet = Ether(frame)
    return ARP in packet and packet[ARP].op == 2 or ICMPv6ND_NA in packet


def solicited(address):
    """The multicast MAC and address that a neighbour solicitation for `address` goes to."""
    group = in6_getnsma(socket.inet_pton(socket.AF_INET6, address))
    return in6_getnsmac(group), socket.inet_ntop(socket.AF_INET6, group)


if __name__ == "__main__":
    fabric.main()
