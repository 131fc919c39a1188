#!/usr/bin/python3
"""The pipeline for a datapath that cannot rewrite ND options, as Linux's: the userspace datapath is told not to."""
from scapy.layers.inet6 import ICMPv6ND_NS
from scapy.layers.l2 import Ether

import fabric
from fabric import FabricTest, Wire, eventually

APP2_IP6 = "fd00:1::836:2aff:fec7:9fdd"


def solicits(frame):
    packet = Ether(frame)
    return ICMPv6ND_NS in packet and packet[ICMPv6ND_NS].tgt == APP2_IP6


class WithoutNdExt:
    EXPECTED_ERRORS = ("the switch refused",)  # between the feature's end and the row that tells of it

    def without_nd_ext(self, *hosts):
        for host in hosts:
            self.lab.exec(host, "ovs-appctl", "dpif/set-dp-features", "br-int", "nd_ext", "false")
            # ovs-vswitchd writes the row once, when it makes the datapath; here it is told what it would have written.
            row = self.lab.exec(host, "ovs-vsctl", "--bare", "--columns=_uuid", "list", "Datapath").stdout.strip()
            self.lab.exec(host, "ovs-vsctl", "set", "Datapath", row, "capabilities:nd_ext=false")
            eventually(lambda: not any("nd_options_type" in flow["actions"] for flow in
                                       self.lab.json("flows", "--host", host, "--stage", "respond")), 5, "the variant")
            # Everything again, so that the datapath's word on each flow is heard.
            self.lab.exec(host, "ovs-ofctl", "-O", "OpenFlow15", "del-flows", "br-int")
            eventually(lambda: self.lab.events("drift_repaired", host) and self.lab.json("status")["converged"], 5,
                       "every flow taken")


class KernelFeatures(WithoutNdExt, FabricTest):
    def test_a_solicitation_goes_to_its_target_alone_which_answers(self):
        lab = self.lab
        self.without_nd_ext("kvm1")

        lab.exec("app1", "ip", "-6", "neigh", "flush", "dev", "eth0")
        wires = {port: Wire(lab.namespaces[port]) for port in ("app2", "app3", "trunk3")}
        self.assertTrue(lab.reaches("app1", APP2_IP6))
        asked = {port: sum(solicits(frame) for frame in wire.received()) for port, wire in wires.items()}
        for wire in wires.values():
            wire.close()
        self.assertGreaterEqual(asked["app2"], 1)
        self.assertEqual((asked["app3"], asked["trunk3"]), (0, 0))

        # The router's own address: weftd answers for it.
        lab.exec("app1", "ip", "-6", "neigh", "flush", "dev", "eth0")
        web2 = next(ip for ip in lab.ports()["web2"]["ips"] if ":" in ip)
        eventually(lambda: lab.reaches("app1", web2), 5, "web2 through the router")
        lab.exec("app1", "ip", "-6", "neigh", "flush", "dev", "eth0")
        self.assertTrue(lab.reaches("app1", "fd00:1::1"), "the router")


class KernelGateway(WithoutNdExt, FabricTest):
    TOPOLOGY = fabric.ROOT / "configs/topologies/gateway.toml"

    def test_a_gateways_address_is_answered_by_weftd(self):
        lab, address = self.lab, "2001:db8:113::2"
        eventually(lambda: lab.reaches("internet", address), 20, "the gateway is up")
        self.without_nd_ext("kvm1", "kvm2")
        for who in ("internet", "edge1", "edge3"):  # on the wire; on the active host; on one that is no candidate
            lab.exec(who, "ip", "-6", "neigh", "flush", "dev", "eth0")
            eventually(lambda: lab.reaches(who, address), 5, who)


if __name__ == "__main__":
    fabric.main()
