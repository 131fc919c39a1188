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


class KernelFeatures(FabricTest):
    EXPECTED_ERRORS = ("the switch refused",)  # between the feature's end and the row that tells of it

    def test_a_solicitation_goes_to_its_target_alone_which_answers(self):
        lab = self.lab
        lab.exec("kvm1", "ovs-appctl", "dpif/set-dp-features", "br-int", "nd_ext", "false")
        # ovs-vswitchd writes the row once, when it makes the datapath; here it is told what it would have written.
        row = lab.exec("kvm1", "ovs-vsctl", "--bare", "--columns=_uuid", "list", "Datapath").stdout.strip()
        lab.exec("kvm1", "ovs-vsctl", "set", "Datapath", row, "capabilities:nd_ext=false")
        eventually(lambda: not any("nd_options_type" in flow["actions"]
                                   for flow in lab.json("flows", "--host", "kvm1", "--stage", "respond")), 5, "the variant")
        # Everything again, so that the datapath's word on each flow is heard.
        lab.exec("kvm1", "ovs-ofctl", "-O", "OpenFlow15", "del-flows", "br-int")
        eventually(lambda: lab.events("drift_repaired", "kvm1") and lab.json("status")["converged"], 5, "every flow taken")

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


if __name__ == "__main__":
    fabric.main()
