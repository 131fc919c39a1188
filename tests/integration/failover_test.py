#!/usr/bin/python3
"""The active gateway's host dies and comes back: how long the internet is away, with weftd and without it."""
import time

from scapy.all import ARP, Ether, ICMPv6ND_NA, ICMPv6NDOptDstLLAddr

import fabric
from fabric import FabricTest, eventually
from traffic import EchoStream, Traffic

INTERNET, SNAT, FLOATING = "198.51.100.7", "203.0.113.2", "203.0.113.20"
PUBLIC = {SNAT, FLOATING, "203.0.113.21", "2001:db8:113::2"}  # igw1's
AWAY = 3  # seconds at most until a standby has taken over
FAILBACK = 0.5  # seconds lost at most when the first candidate takes over again
RATE = 1000


class Failover(Traffic, FabricTest):
    """db2 and web2 are on kvm3, which translates nothing. igw1: kvm1 before kvm2."""
    TOPOLOGY = fabric.ROOT / "configs/topologies/gateway.toml"
    EXPECTED_ERRORS = (r"^error kvm1 interface vx2 of bridge br-tun takes VXLAN",)

    def setUp(self):
        self.settled("kvm1")
        self.since = self.lab.next_event()

    def active(self, gateway="igw1"):
        return next(row["active"] for row in self.lab.json("gateways") if row["name"] == gateway)

    def settled(self, host):
        eventually(lambda: self.active() == host, 20, f"igw1 on {host}")
        eventually(lambda: self.lab.json("status")["converged"], 20, "all is converged")
        for who, whom in (("db2", INTERNET), ("internet", FLOATING)):
            eventually(lambda: self.lab.reaches(who, whom), 10, f"{who} → {whom}")

    def scene(self):
        """What a packet on its way in met: for the report of a failure."""
        questions = [("switch", "ovs-appctl", "fdb/show", "s1-physnet1"), ("internet", "ip", "neigh")]
        for host in ("kvm2", "kvm3"):
            questions += [(host, "sh", "-c", "ovs-appctl bfd/show | grep -E '^-|Forwarding|Session State'"),
                          (host, "ovs-appctl", "tnl/neigh/show"),
                          (host, "sh", "-c", "ovs-appctl dpctl/dump-conntrack | grep 198.51.100.7 | tail -5")]
        return "\n".join(f"{' '.join(words)}:\n{self.lab.exec(*words, check=False).stdout}" for words in questions)

    def told(self, host):
        """An event of igw1 that names the host."""
        return [event for event in self.lab.json("events")
                if event["seq"] >= self.since and "igw1" in event["object"]
                and host in (event["host"], *event["text"].split())]

    def streams(self):
        """Out by SNAT, and in by a floating IP; each is answered."""
        streams = {"out": EchoStream(self.ns("db2"), self.ns("internet"), INTERNET, RATE, 7100),
                   "in": EchoStream(self.ns("internet"), self.ns("web2"), FLOATING, RATE, 7200, source=INTERNET)}
        for stream in streams.values():
            self.addCleanup(stream.stop)
        time.sleep(0.5)
        return streams

    def measured(self, what, streams):
        """The results, which are printed."""
        results = {name: stream.stop() for name, stream in streams.items()}
        for name, result in results.items():
            print(f"\n    {what}, {name}: gap {result.gap_there:.2f} s there, {result.gap_back:.2f} s and back, "
                  f"{result.sent - result.answered} of {result.sent} unanswered ", end="", flush=True)
        return results

    def resumed(self, streams):
        """Each stream is answered again, half a second's worth."""
        marks = {name: stream.sent for name, stream in streams.items()}

        def again():
            last = {name: list(stream.back)[-RATE // 2:] for name, stream in streams.items()}
            return all(len(numbers) == RATE // 2 and min(numbers) >= marks[name] for name, numbers in last.items())

        eventually(again, AWAY + 2, "both streams again")
        time.sleep(0.5)

    def assert_gaps(self, results, most):
        for name, result in results.items():
            self.assertLess(max(result.gap_there, result.gap_back), most * fabric.SCALE, name)

    def new_connections(self):
        for seen, ask, words, source in ((SNAT, self.both, ("db2", "internet", INTERNET, 8000), ""),
                                         (INTERNET, self.both, ("internet", "web2", FLOATING, 80), INTERNET),
                                         (FLOATING, self.both, ("web2", "internet", INTERNET, 8000), ""),
                                         (INTERNET, self.tcp, ("internet", "web2", SNAT, 8003, 9003), INTERNET)):
            def asked():
                try:
                    return ask(*words, source=source, timeout=1)
                except OSError as error:  # a datagram is lost now and then while switches learn
                    raise AssertionError(repr(error)) from error
            try:
                self.assertEqual(eventually(asked, 8, words), seen, words)
            except AssertionError as error:
                raise AssertionError(f"{error}\n{self.scene()}") from error

    def announcements(self, wire):
        """The public addresses told to all on the wire since the last call, with the MAC that they are said to have."""
        told = set()
        for frame in wire.received():
            if frame[12:14] == b"\x08\x06":
                packet = Ether(frame)
                if packet.dst == "ff:ff:ff:ff:ff:ff" and packet[ARP].psrc == packet[ARP].pdst:
                    self.assertEqual(packet.src, packet[ARP].hwsrc)
                    told.add((packet[ARP].psrc, packet.src))
            elif frame[12:14] == b"\x86\xdd" and ICMPv6ND_NA in (packet := Ether(frame)):
                if packet.dst == "33:33:00:00:00:01":
                    self.assertEqual((packet.src, packet[ICMPv6ND_NA].O), (packet[ICMPv6NDOptDstLLAddr].lladdr, 1))
                    told.add((packet[ICMPv6ND_NA].tgt, packet.src))
        return told

    def assert_announced(self, wires):
        """Every public address of igw1, with its one MAC, by the host that has become active."""
        mac = next(row["mac"] for row in self.lab.json("gateways") if row["name"] == "igw1")
        told = {place: set() for place in wires}

        def all_of_them():
            for place, wire in wires.items():
                told[place] |= self.announcements(wire)
                self.assertLessEqual({(address, mac) for address in PUBLIC}, told[place], place)
            return True

        eventually(all_of_them, 5, "the announcements")
        for place, said in told.items():
            self.assertEqual({said_mac for address, said_mac in said if address in PUBLIC}, {mac}, place)

    def listening(self, host):
        """What the host sends to the wire, and what the internet hears."""
        return {host: self.wire(host, "eth1", outgoing=True, incoming=False), "internet": self.wire("internet")}

    def fails_over(self, fault, weftd=True):
        """kvm1 goes, kvm2 takes over, kvm1 comes back and takes over again."""
        self.addCleanup(self.settled, "kvm1")
        self.addCleanup(self.lab.meet_vteps)
        streams = self.streams()
        if not weftd:
            self.lab.fault("weftd", "kill")
            self.addCleanup(self.lab.start_weftd_if_gone)
            time.sleep(0.5)
        wires = self.listening("kvm2")
        self.lab.fault("kvm1", *fault)
        try:
            self.resumed(streams)
            if weftd:
                self.assert_announced(wires)
            self.assert_gaps(self.measured(f"{' '.join(fault)}{'' if weftd else ' without weftd'}", streams), AWAY)
            self.new_connections()
            if not weftd:
                self.lab.start_weftd()
            eventually(lambda: self.active() == "kvm2", 10, "kvm2 is shown as active")
            self.assertEqual(self.active("igw2"), "kvm2")
            if weftd:
                eventually(lambda: self.told("kvm2"), 5, "the failover is an event")
            streams = self.streams()
            wires = self.listening("kvm1")
        finally:
            self.lab.fault("kvm1", "heal")
        began = time.monotonic()
        eventually(lambda: self.active() == "kvm1", 20, "kvm1 is active again")
        print(f"\n    back on kvm1 {time.monotonic() - began:.1f} s after the heal ", end="", flush=True)
        self.assert_announced(wires)
        time.sleep(1.5)
        results = self.measured("failing back", streams)
        self.assert_gaps(results, FAILBACK)
        for name, result in results.items():
            self.assertLess((result.sent - result.answered) / RATE, FAILBACK * fabric.SCALE, name)
        self.lab.meet_vteps()
        self.new_connections()

    def test_all_links_cut(self):
        self.fails_over(["cut-link"])

    def test_vswitchd_killed(self):
        self.fails_over(["kill-vswitchd"])

    def test_all_links_cut_without_weftd(self):
        self.fails_over(["cut-link"], weftd=False)

    def test_vswitchd_killed_without_weftd(self):
        self.fails_over(["kill-vswitchd"], weftd=False)

    def test_uplink_cut(self):
        """The host lives, its way out does not: weftd takes it out of the candidates."""
        self.fails_over(["cut-link", "uplink"])

    def test_a_degraded_host_comes_back(self):
        """What weft could not do to kvm1's rows has nothing to do with its uplink: it takes over again."""
        vni, peer = self.lab.json("show", "network", "private3")["vni"], self.lab.json("show", "host", "kvm3")["vtep"]
        self.addCleanup(self.settled, "kvm1")
        self.lab.exec("kvm1", "ovs-vsctl", "add-br", "br-tun", "--", "set", "bridge", "br-tun", "datapath_type=netdev", "--",
                      "add-port", "br-tun", "vx2", "--", "set", "interface", "vx2", "type=vxlan",
                      f"options:remote_ip={peer}", f"options:key={vni}")
        self.addCleanup(self.lab.exec, "kvm1", "ovs-vsctl", "del-br", "br-tun")
        eventually(lambda: self.lab.hosts()["kvm1"]["state"] == "degraded", 10, "kvm1 is degraded")
        time.sleep(1)
        self.lab.fault("kvm1", "cut-link", "uplink")
        self.addCleanup(self.lab.fault, "kvm1", "heal")
        eventually(lambda: self.active() == "kvm2", 10, "kvm2 is active")
        streams = self.streams()
        self.lab.fault("kvm1", "heal")
        eventually(lambda: self.active() == "kvm1", 20, "kvm1 is active again")
        time.sleep(1)
        self.assert_gaps(self.measured("back, and degraded", streams), FAILBACK)

    def test_back_without_its_flows(self):
        """The host forwards BFD as soon as its ovs-vswitchd runs, but weft cannot give it flows: it attracts no traffic."""
        self.addCleanup(self.settled, "kvm1")
        self.addCleanup(self.lab.meet_vteps)

        def bfd():
            said = self.lab.exec("kvm2", "ovs-appctl", "bfd/show", check=False).stdout
            return [block.partition("Local Session State: ")[2].split()[0] for block in said.split("---- ")[1:]]

        def flows():
            return self.lab.exec("kvm1", "ovs-ofctl", "-O", "OpenFlow15", "dump-flows", "br-int").stdout.count("priority=")

        self.assertEqual(set(bfd()), {"up"})
        self.lab.fault("kvm1", "kill-vswitchd")
        self.addCleanup(self.lab.fault, "kvm1", "heal")
        self.addCleanup(self.lab.exec, "kvm1", "ip", "link", "set", "control0", "up")
        eventually(lambda: self.active() == "kvm2", 10, "kvm2 is active")
        self.lab.exec("kvm1", "ip", "link", "set", "control0", "down")
        time.sleep(1)
        streams = self.streams()
        self.lab.fault("kvm1", "heal")  # all but control0, which the host itself holds down
        eventually(lambda: set(bfd()) == {"up"}, 15, "BFD to kvm1")
        for _ in range(6):
            time.sleep(0.5)
            self.assertEqual((flows(), set(bfd()), self.active()), (0, {"up"}, "kvm2"))
            self.assertNotEqual(self.lab.hosts()["kvm1"]["state"], "synced")
        results = self.measured("back without its flows", streams)
        self.assert_gaps(results, FAILBACK)
        for name, result in results.items():
            self.assertLess((result.sent - result.answered) / RATE, FAILBACK * fabric.SCALE, name)
        self.new_connections()

        streams = self.streams()
        self.lab.exec("kvm1", "ip", "link", "set", "control0", "up")
        eventually(lambda: self.active() == "kvm1", 20, "kvm1 is active again")
        self.assertGreater(flows(), 0)
        time.sleep(1.5)
        self.assert_gaps(self.measured("and then with them", streams), FAILBACK)
        self.lab.meet_vteps()
        self.new_connections()

    def test_the_standby_dies(self):
        """Nobody who is translated on kvm1 notices."""
        self.addCleanup(self.settled, "kvm1")
        self.addCleanup(self.lab.meet_vteps)
        streams = self.streams()
        for words in (("kill-vswitchd",), ("heal",)):
            self.lab.fault("kvm2", *words)
            time.sleep(2)
        for name, result in self.measured("the standby killed and back", streams).items():
            self.assertEqual((result.arrived, result.answered), (result.sent, result.sent), name)
        self.assertEqual(self.active(), "kvm1")
        self.assertFalse(self.told("kvm2"))

    def test_one_host_alone_loses_the_active_one(self):
        """kvm3 does not see kvm1, which lives for all others: kvm2 passes on what kvm3 sends it, and pulls nothing to itself."""
        self.addCleanup(self.settled, "kvm1")
        lost = "udp,nw_dst=192.0.2.11,tp_dst=4789"  # what kvm3 sends to kvm1: BFD's three-way state falls with one direction
        self.addCleanup(self.lab.exec, "kvm3", "ovs-ofctl", "del-flows", "br-phy", lost)
        streams = self.streams()
        self.lab.exec("kvm3", "ovs-ofctl", "add-flow", "br-phy", f"priority=100,{lost},actions=drop")
        self.resumed(streams)
        self.assert_gaps(self.measured("kvm3 does not see kvm1", streams), AWAY)
        self.assertEqual(self.active(), "kvm1")
        self.assertFalse(self.told("kvm2"))
        self.new_connections()
        translated = [words for words in self.lab.exec("kvm1", "ovs-appctl", "dpctl/dump-conntrack").stdout.splitlines()
                      if "198.51.100.7" in words and "10.0.2.11" in words]
        self.assertTrue(translated, "kvm1 translates what kvm2 passes on")

    def test_weftd_restarted(self):
        """A daemon that comes and goes moves no gateway and loses no packet."""
        streams = self.streams()
        self.lab.restart_weftd()
        for name, result in self.measured("weftd killed and started", streams).items():
            self.assertEqual((result.arrived, result.answered), (result.sent, result.sent), name)
        self.assertEqual(self.active(), "kvm1")


if __name__ == "__main__":
    fabric.main()
