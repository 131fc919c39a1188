#!/usr/bin/python3
"""QoS: rates both ways, bursts, marks inside and outside VXLAN, neighbours left in peace, and nothing left behind."""
import json
import re
import time

from scapy.all import IP, Ether
from scapy.layers.vxlan import VXLAN

import fabric
from fabric import FabricTest, UdpStream, Wire, eventually
from traffic import make

RATE, DSCP, PAYLOAD = 40_000_000, 46, 1400
FRAME_BITS = (PAYLOAD + 42) * 8
SLOW, SLOW_BURST = 1_000_000, 1_600_000

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
dhcp = false

[[qos]]
name = "limited"
egress = { rate = "40mbit" }
ingress = { rate = "40mbit" }
dscp = 46
guarantee = "10mbit"
[[qos]]
name = "slow"
egress = { rate = "1mbit", burst = "1600kbit" }
ingress = { rate = "1mbit", burst = "1600kbit" }
""" + "".join(f"""
[[port]]
name = "{name}"
network = "blue"
mac = "0a:00:00:00:00:{number:02x}"
ip = "10.0.1.{number}"
lab_host = "{host}"
{f'qos = "{qos}"' if qos else ""}
""" for number, (name, host, qos) in enumerate([
    ("gold", "kvm1", "limited"), ("near", "kvm1", ""), ("slow", "kvm1", "slow"), ("other", "kvm1", ""),
    ("far", "kvm2", ""), ("far2", "kvm2", "")], 11))
ADDRESSES = {name: f"10.0.1.{number}"
             for number, name in enumerate(["gold", "near", "slow", "other", "far", "far2"], 11)}


class QosTest(FabricTest):
    TOPOLOGY = TOPOLOGY

    def iperf(self, client, server, *options, seconds=10):
        """What arrived, in bits a second of payload."""
        with self.lab.running(server, "iperf3", "-s", "-1", "--forceflush") as listening:
            eventually(lambda: "listening" in listening.stdout.readline(), what="iperf3 -s")
            ended = json.loads(self.lab.exec(client, "iperf3", "-c", ADDRESSES[server], "-t", seconds, "-J",
                                             *options).stdout)["end"]
        rate = (ended["sum"]["bits_per_second"] * (1 - ended["sum"]["lost_percent"] / 100) if "-u" in options
                else ended["sum_received"]["bits_per_second"])
        print(f"    {client} to {server} {' '.join(options)}: {rate / 1e6:.2f} Mbit/s")
        return rate

    def vsctl(self, *words, host="kvm1"):
        return self.lab.exec(host, "ovs-vsctl", *words).stdout.strip()

    def rates(self, host="kvm1"):
        """Meters in kbit/s on a host: number and rate."""
        text = self.lab.exec(host, "ovs-ofctl", "-O", "OpenFlow15", "dump-meters", "br-int").stdout
        return {int(number): int(rate)
                for number, rate in re.findall(r"meter=(\d+) kbps.*?rate=(\d+)", text, re.DOTALL)}

    def rows(self, table, host="kvm1"):
        return json.loads(self.vsctl("--format=json", "--columns=external_ids", "list", table, host=host))["data"]

    def parts(self, name):
        return {(part["port"], part["what"]): part for part in self.lab.json("show", "qos", name)["ports"]}

    def apply(self, text):
        self.lab.ctl("apply", self.lab.write("changed.toml", text))
        self.lab.wait()

    def test_rates_hold_both_ways(self):
        for client, server in (("gold", "far"), ("far", "gold")):
            with self.subTest(f"{client} to {server}"):
                udp = self.iperf(client, server, "-u", "-b", "60M")
                self.assertAlmostEqual(udp, RATE, delta=0.05 * RATE)
                tcp = self.iperf(client, server)
                self.assertAlmostEqual(tcp, RATE, delta=0.1 * RATE)
        parts = self.parts("limited")
        self.assertGreater(parts["gold", "egress"]["dropped"], 0)
        self.assertGreater(parts["gold", "ingress"]["packets"], 0)
        self.assertGreater(parts["gold", "ingress"]["dropped"], 0)
        dropped = [flow for flow in self.lab.json("flows", "--drops") if flow["reason"] == "rate"]
        self.assertEqual({flow["owner"] for flow in dropped}, {"port/gold"})

    def arrivals(self, client, server, count=260, port=7300):
        """How many of the datagrams sent in about a quarter of a second came at once, and how many at all."""
        receiver = make(self.lab.namespaces[server], 2, "10.0.1.1")
        receiver.bind((ADDRESSES[server], port))
        receiver.setsockopt(1, 33, 16 << 20)  # SO_RCVBUFFORCE
        receiver.settimeout(0.5)
        sender = make(self.lab.namespaces[client], 2, "10.0.1.1")
        sender.connect((ADDRESSES[server], port))
        began = time.monotonic()
        for number in range(count):
            sender.send(b"x" * PAYLOAD)
            time.sleep(max(0, began + (number + 1) / 1000 - time.monotonic()))
        took = time.monotonic() - began
        times = []
        try:
            while True:
                receiver.recv(2000)
                times.append(None)
                if time.monotonic() > began + took + 0.02:
                    break
        except TimeoutError:
            pass
        finally:
            sender.close()
            receiver.close()
        return len(times), took

    def test_bursts_are_as_configured(self):
        for client, server in (("slow", "far"), ("far", "slow")):
            with self.subTest(f"{client} to {server}"):
                time.sleep((SLOW_BURST / SLOW + 1) * fabric.SCALE)  # the bucket is full
                passed, took = self.arrivals(client, server)
                expected = (SLOW_BURST + SLOW * took) / FRAME_BITS
                print(f"    {client} to {server}: {passed} passed at once, expected {expected:.0f}")
                self.assertAlmostEqual(passed, expected, delta=0.1 * expected)
                time.sleep(2)  # what waits comes through

    def test_a_limited_port_does_not_slow_its_neighbour(self):
        for client, server in (("gold", "far"), ("far", "gold")):
            with self.subTest(f"{client} to {server}"):
                stream = UdpStream(self.lab.namespaces["far2"], self.lab.namespaces["near"], ADDRESSES["near"], 500)
                self.iperf(client, server, "-u", "-b", "80M", seconds=4)
                sent, lost, _, gap = stream.stop()
                print(f"    of {sent} to the neighbour {lost} lost, longest gap {gap:.3f} s")
                self.assertLessEqual(lost, sent * 0.005)

    def test_marks_are_seen_inside_and_outside_the_tunnel(self):
        underlay = Wire(self.lab.namespaces["kvm2"], "underlay0")
        inner = Wire(self.lab.namespaces["far"])
        self.addCleanup(underlay.close)
        self.addCleanup(inner.close)
        for client, marked in (("gold", DSCP), ("near", 0)):
            with self.subTest(client):
                self.lab.reaches(client, ADDRESSES["far"])
                outer, seen = set(), set()
                for frame in underlay.received():
                    packet = Ether(frame)
                    if VXLAN in packet and IP in packet[VXLAN] and packet[VXLAN][IP].src == ADDRESSES[client]:
                        outer.add((packet[IP].tos >> 2, packet[VXLAN][IP].tos >> 2))
                for frame in inner.received():
                    packet = Ether(frame)
                    if IP in packet and packet[IP].src == ADDRESSES[client]:
                        seen.add(packet[IP].tos >> 2)
                self.assertEqual(outer, {(marked, marked)})
                self.assertEqual(seen, {marked})

    def test_meters_and_rows_grow_with_ports_and_go_with_them(self):
        ofports = {name: port["ofport"] for name, port in self.lab.ports().items()}
        gold = {0x30000 + ofports["gold"]: 40_000, 0x40000 + ofports["gold"]: 40_000}
        meters = gold | {0x30000 + ofports["slow"]: 1_000, 0x40000 + ofports["slow"]: 1_000}
        self.assertEqual(self.rates(), meters)
        self.assertEqual(self.rates("kvm2"), {})
        for table in ("QoS", "Queue"):
            self.assertEqual(len(self.rows(table)), 2)
            self.assertEqual(len(self.rows(table, "kvm2")), 0)
        interface = self.lab.ports()["slow"]["interface"]
        since = self.lab.next_event()
        self.vsctl("del-port", interface)
        eventually(lambda: self.rates() == gold, what="the meter's end")
        for table in ("QoS", "Queue"):
            eventually(lambda: len(self.rows(table)) == 1, what=f"the end of its {table} row")
        self.assertEqual(self.lab.events("drift_repaired", since=since), [])
        self.vsctl("add-port", "br-int", interface, "--", "set", "interface", interface, "external_ids:iface-id=slow")
        eventually(lambda: len(self.rates()) == 4 and len(self.rows("QoS")) == 2, what="both again")
        self.assertEqual(self.vsctl("get", "port", self.lab.ports()["near"]["interface"], "qos"), "[]")

    def test_a_class_changes_live(self):
        stream = UdpStream(self.lab.namespaces["far2"], self.lab.namespaces["near"], ADDRESSES["near"], 500)
        qos, before = self.vsctl("get", "port", self.lab.ports()["gold"]["interface"], "qos"), self.lab.sent()["kvm1"]
        self.apply(TOPOLOGY.replace('"40mbit"', '"20mbit"'))
        self.addCleanup(self.apply, TOPOLOGY)
        after = self.lab.sent()["kvm1"]
        self.assertIn(20_000, self.rates().values())
        self.assertEqual(self.vsctl("get", "port", self.lab.ports()["gold"]["interface"], "qos"), qos)
        self.assertIn('max-rate="20400000"', self.vsctl("get", "qos", qos, "other_config"))
        self.assertEqual(after["meter_mods"] - before["meter_mods"], 2)
        self.assertLessEqual(after["flow_mods"] - before["flow_mods"], fabric.FORGETTING)
        sent, lost, _, _ = stream.stop()
        self.assertEqual(lost, 0, f"of {sent}")

    def test_marks_come_and_go_under_traffic(self):
        self.addCleanup(self.apply, TOPOLOGY)
        stream = UdpStream(self.lab.namespaces["far2"], self.lab.namespaces["near"], ADDRESSES["near"], 500)
        self.apply(TOPOLOGY.replace("dscp = 46\n", ""))
        self.assertNotIn("tos", self.vsctl("get", "interface", "weft-vxlan", "options"))
        self.apply(TOPOLOGY)
        self.assertIn("tos=inherit", self.vsctl("get", "interface", "weft-vxlan", "options"))
        sent, lost, _, gap = stream.stop()
        print(f"    of {sent} datagrams {lost} lost, longest gap {gap:.3f} s")
        self.assertLessEqual(lost, sent * 0.005)

    def test_what_acts_where_and_why_not(self):
        parts = self.parts("limited")
        self.assertEqual({what: part["acts"] for (_, what), part in parts.items()},
                         {"egress": True, "ingress": True, "dscp": True, "guarantee": False})
        self.assertRegex(parts["gold", "egress"]["how"], r"^meter 0x300\w\w in guard$")
        self.assertRegex(parts["gold", "ingress"]["how"], r"^HTB on ")
        self.assertIn('"netdev"', parts["gold", "guarantee"]["how"])
        self.assertIn("no guarantee of qos limited", self.lab.ctl("apply", self.lab.write("again.toml", TOPOLOGY)).stderr
                      + self.lab.ctl("apply", self.lab.write("again.toml", TOPOLOGY)).stdout)
        self.assertIn("limited", self.lab.ctl("qos").stdout)

    def test_a_qos_of_somebody_else_stays(self):
        near, since = self.lab.ports()["near"]["interface"], self.lab.next_event()
        self.vsctl("set", "port", near, "qos=@q", "--", "--id=@q", "create", "qos", "type=linux-htb",
                   "other_config:max-rate=900000000")
        foreign = self.vsctl("get", "port", near, "qos")
        self.apply(TOPOLOGY.replace('ip = "10.0.1.12"', 'ip = "10.0.1.12"\nqos = "slow"'))
        self.addCleanup(self.apply, TOPOLOGY)
        eventually(lambda: self.lab.events("foreign_qos", since=since), what="the event")
        self.assertEqual(self.vsctl("get", "port", near, "qos"), foreign)
        self.assertIn("not weft's", self.parts("slow")["near", "ingress"]["how"])
        self.vsctl("clear", "port", near, "qos", "--", "destroy", "qos", foreign)
        eventually(lambda: self.parts("slow")["near", "ingress"]["acts"], what="weft's own")


if __name__ == "__main__":
    fabric.main()
