#!/usr/bin/python3
"""What trace says becomes of a packet is what becomes of it: by host, stage, object and reason. (Of what a port may not say: guard_test.)"""
import collections
import http.client
import json
import socket
import urllib.parse

from scapy.all import ICMP, IP, TCP, UDP, Ether

import fabric
from fabric import FabricTest, Wire, eventually

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
acl = [ { action = "deny", direction = "egress", protocol = "tcp", ports = ["25"] } ]
[[network]]
name = "green"
kind = "vxlan"
subnet = "10.0.2.0/24"
mtu = 1300
acl = [ { action = "deny", direction = "ingress", protocol = "udp", ports = ["9"] } ]
[[network]]
name = "office"
kind = "vlan"
physnet = "physnet1"
vlan = 100
subnet = "192.168.100.0/24"
[[router]]
name = "main"
networks = ["blue", "green", "office"]
[[security_group]]
name = "web"
rules = [ { direction = "ingress", protocol = "tcp", ports = ["80"] }, { direction = "ingress", protocol = "icmp" } ]
[[security_group]]
name = "quiet"
rules = [ { direction = "egress", protocol = "tcp", ports = ["443"] } ]
[[port]]
name = "a"
network = "blue"
mac = "0a:00:00:00:00:01"
ip = "10.0.1.11"
lab_host = "kvm1"
[[port]]
name = "mute"
network = "blue"
mac = "0a:00:00:00:00:02"
ip = "10.0.1.12"
security_groups = ["quiet"]
lab_host = "kvm1"
[[port]]
name = "web"
network = "green"
mac = "0a:00:00:00:00:03"
ip = "10.0.2.13"
security_groups = ["web"]
lab_host = "kvm2"
[[port]]
name = "b"
network = "blue"
mac = "0a:00:00:00:00:04"
ip = "10.0.1.14"
lab_host = "kvm2"
"""
A, MUTE, B, NOBODY = (f"0a:00:00:00:00:0{digit}" for digit in (1, 2, 4, 9))


def tcp(port, flags="S"):
    return TCP(sport=40000, dport=port, flags=flags)


class ApiConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("weft")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.path))


class Drops(FabricTest):
    TOPOLOGY = TOPOLOGY

    def setUp(self):
        self.router = self.lab.json("show", "router", "main")["mac"]

    def drops(self):
        counted = collections.Counter()
        for flow in self.lab.json("flows", "--drops"):
            counted[flow["host"], flow["stage"], flow["owner"], flow["reason"]] += flow["packets"]
        return counted

    def assert_dropped(self, reason, frame, sender="a", namespace=None, interface="eth0", source=None):
        """Once, where trace says, in the name that it says."""
        with self.subTest(reason):
            done = self.lab.ctl("trace", "--from", source or sender, "--frame", bytes(frame).hex(), "-o", "json", check=False)
            self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
            traced = json.loads(done.stdout)
            last = traced["path"][-1]
            self.assertEqual((traced["verdict"], traced["reason"], traced["at"]), ("dropped", reason, last["host"]))
            wire = Wire(self.lab.namespaces[namespace or sender], interface)
            self.addCleanup(wire.close)
            before = self.drops()
            wire.send(bytes(frame))

            def counted():
                dropped = self.drops() - before
                # weftd asks for a neighbour meanwhile, which others may drop; and for what it knows now and then, which is
                # of no network at an uplink elsewhere.
                others = {key: count for key, count in dropped.items() if key[3] == reason or
                          reason != "no_neighbour" and key[3] != "unexpected_vlan"}
                self.assertEqual(others, {(last["host"], last["stage"], last["object"], reason): 1})
                return True

            eventually(counted, 3, reason)
            return traced

    def routed(self, target, *more, source="10.0.1.11", ttl=64, mac=A, **options):
        packet = Ether(src=mac, dst=self.router) / IP(src=source, dst=target, ttl=ttl, **options)
        for layer in more:
            packet /= layer
        return packet

    def test_acl(self):
        traced = self.assert_dropped("acl", Ether(src=A, dst=B) / IP(src="10.0.1.11", dst="10.0.1.14") / tcp(25))
        self.assertEqual((traced["by"], traced["at"]), ("network/blue acl 1", "kvm1"))
        self.assertRegex(traced["source"], r"\.toml:\d+$")
        traced = self.assert_dropped("acl", self.routed("10.0.2.13", UDP(sport=9, dport=9)))
        self.assertEqual((traced["by"], traced["at"]), ("network/green acl 1", "kvm2"))

    def test_groups(self):
        traced = self.assert_dropped("group_egress", Ether(src=MUTE, dst=B) / IP(src="10.0.1.12", dst="10.0.1.14") / tcp(80), "mute")
        self.assertEqual((traced["by"], traced["at"]), ("security_group/quiet", "kvm1"))
        traced = self.assert_dropped("group_ingress", self.routed("10.0.2.13", tcp(81)))
        self.assertEqual((traced["by"], traced["at"]), ("security_group/web", "kvm2"))
        line = 1 + next(n for n, text in enumerate(self.lab.text.splitlines()) if text == 'name = "web"') - 1
        self.assertIn(f"no ingress rule allows tcp/81 from 10.0.1.11", traced["text"])
        self.assertTrue(traced["source"].endswith(f":{line}"), traced["source"])

    def test_routing(self):
        self.assert_dropped("no_route", self.routed("172.31.0.1", ICMP()))
        self.assert_dropped("no_neighbour", self.routed("192.168.100.77", ICMP()))
        self.assert_dropped("ttl_expired", self.routed("10.0.2.13", ICMP(), ttl=1))
        self.assert_dropped("too_big", self.routed("10.0.2.13", ICMP(), b"x" * 1350, flags="DF"))

    def test_nobody(self):
        self.assert_dropped("unknown_destination", Ether(src=A, dst=NOBODY) / IP(src="10.0.1.11", dst="10.0.1.99") / ICMP())

    def test_a_connection_that_never_began(self):
        self.assert_dropped("ct_invalid", Ether(src=A, dst=B) / IP(src="10.0.1.11", dst="10.0.1.14") / tcp(80, "SA"))

    def test_an_interface_that_is_no_port(self):
        self.lab.exec("kvm1", "ovs-vsctl", "add-port", "br-int", "stray", "--", "set", "interface", "stray", "type=internal")
        self.addCleanup(self.lab.exec, "kvm1", "ovs-vsctl", "del-port", "br-int", "stray")
        self.lab.exec("kvm1", "ip", "link", "set", "stray", "up")
        frame = Ether(src=A, dst=B) / IP(src="10.0.1.11", dst="10.0.1.14") / ICMP()
        self.assert_dropped("unbound", frame, namespace="kvm1", interface="stray", source="kvm1/stray")

    def test_errors_name_the_remedy(self):
        for words, status, text in ((("--from", "nobody", "--to", "a"), 1, "there is no port nobody"),
                                    (("--from", "a", "--to", "b", "--proto", "tcp"), 1, "give --dport"),
                                    (("--from", "a", "--to", "b", "--proto", "what"), 1, "no protocol"),
                                    (("--from", "nowhere/eth9", "--frame", "00"), 1, "14 bytes"),
                                    (("--from", "kvm1/eth9", "--frame", "00" * 14), 1, "no port that is plugged in")):
            with self.subTest(words):
                done = self.lab.ctl("trace", *words, check=False)
                self.assertEqual(done.returncode, status)
                self.assertIn(text, done.stderr)
        self.lab.fault("kvm2", "kill-vswitchd")
        try:
            eventually(lambda: self.lab.hosts()["kvm2"]["state"] == "down", 20, "kvm2 down")
            done = self.lab.ctl("trace", "--from", "a", "--to", "b", check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("kvm2 is not connected", done.stderr)
        finally:
            self.lab.fault("kvm2", "heal")
            self.lab.wait()


class Matrix(FabricTest):
    """The demo: of every cell of its matrix trace says what ping says, and of its answer too."""

    def trace(self, **question):
        connection = ApiConnection(self.lab.run_directory / "api.sock")
        connection.request("GET", "/v1/trace?" + urllib.parse.urlencode(question))
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status == 422:  # no packet can be that: no address of the other one's family
            self.assertIn(b"no addresses of one family", text)
            return {"verdict": "none", "text": text}
        self.assertEqual(answer.status, 200, text)
        return json.loads(text)

    def test_matrix(self):
        ports, cells = self.lab.ports(), json.loads(self.lab.lab("matrix", "-o", "json").stdout)
        asked = 0
        for cell in cells:
            if cell["from"] not in ports or cell["to"] not in ports:
                continue
            with self.subTest(cell):
                traced = self.trace(**{"from": cell["from"], "to": cell["address"]})
                if traced["verdict"] == "delivered":
                    traced = self.trace(**{"from": cell["from"], "to": cell["address"], "reply": 1})
                self.assertEqual(traced["verdict"] == "delivered", cell["reachable"], traced["text"])
                asked += 1
        self.assertGreater(asked, 50)

    def test_translations(self):
        out = self.trace(**{"from": "web3", "to": "198.51.100.7"})
        self.assertEqual((out["verdict"], out["at"]), ("delivered", "kvm1"))
        self.assertIn("from 203.0.113.2 to 198.51.100.7", out["text"])
        back = self.trace(**{"from": "web3", "to": "198.51.100.7", "reply": 1})
        self.assertEqual((back["verdict"], back["at"], back["connection"]), ("delivered", "kvm3", "a reply"))
        for port, verdict in ((8080, "delivered"), (8081, "dropped")):
            self.assertEqual(self.trace(**{"from": "198.51.100.7", "to": "203.0.113.2", "proto": "tcp", "dport": port})["verdict"], verdict)
        floating = self.trace(**{"from": "198.51.100.7", "to": "203.0.113.20", "proto": "tcp", "dport": 81})
        self.assertEqual((floating["verdict"], floating["reason"], floating["by"], floating["at"]),
                         ("dropped", "group_ingress", "security_group/web", "kvm2"))


if __name__ == "__main__":
    fabric.main()
