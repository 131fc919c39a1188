#!/usr/bin/python3
"""What the demo fabric has none of: a flat network, one without a subnet, and VTEPs of IPv6."""
import fabric
from fabric import FabricTest, eventually

TOPOLOGY = """
[[host]]
name = "kvm1"
vtep = "fd00:99::11"
uplinks = { wire = "eth1" }
[[host]]
name = "kvm2"
vtep = "fd00:99::12"
uplinks = { wire = "eth1" }

[[network]]
name = "flat"
kind = "flat"
physnet = "wire"
subnet = "192.168.7.0/24"
[[network]]
name = "bare"
kind = "vxlan"

[[port]]
name = "one"
network = "flat"
ip = "192.168.7.1"
lab_host = "kvm1"
[[port]]
name = "two"
network = "flat"
ip = "192.168.7.2"
lab_host = "kvm2"
[[port]]
name = "left"
network = "bare"
lab_host = "kvm1"
[[port]]
name = "right"
network = "bare"
lab_host = "kvm2"

[[lab.endpoint]]
name = "router"
physnet = "wire"
addresses = ["192.168.7.200/24"]
"""


class Kinds(FabricTest):
    @classmethod
    def setUpClass(cls):
        import pathlib
        import tempfile
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.TOPOLOGY = pathlib.Path(scratch.name) / "kinds.toml"
        cls.TOPOLOGY.write_text(TOPOLOGY)
        super().setUpClass()

    def test_flat_is_the_physical_network_untagged(self):
        for who, address in (("one", "192.168.7.2"), ("two", "192.168.7.1"), ("one", "192.168.7.200"),
                             ("router", "192.168.7.1"), ("router", "192.168.7.2")):
            eventually(lambda w=who, a=address: self.lab.reaches(w, a), 5, f"{who} → {address}")

    def test_a_network_without_a_subnet_carries_any_address_of_its_ports_own_macs(self):
        for who, number in (("left", 1), ("right", 2)):
            self.lab.exec(who, "ip", "address", "add", f"10.77.0.{number}/24", "dev", "eth0")
            self.lab.exec(who, "ip", "address", "add", f"fd00:77::{number}/64", "dev", "eth0", "nodad")
        for who, other in (("left", 2), ("right", 1)):
            for address in (f"10.77.0.{other}", f"fd00:77::{other}"):
                eventually(lambda w=who, a=address: self.lab.reaches(w, a), 5, f"{who} → {address}")

    def test_the_overlay_of_ipv6_leaves_room_for_its_headers(self):
        mtu = {network["name"]: network["mtu"] for network in self.lab.json("networks")}
        self.assertEqual(mtu, {"bare": 1430, "flat": 1500})


if __name__ == "__main__":
    fabric.main()
