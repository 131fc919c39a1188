"""Real VMs through what befalls them: reboots, killed processes, definitions by virsh, the way from virbr0."""
import os
import re
import signal

import fabric
from fabric import eventually
from vms import VmLab, pinging

DEFAULT = """
<network>
  <name>default</name>
  <bridge name='virbr0'/>
  <forward mode='{mode}'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp>
  </ip>
</network>
"""


class Guests(VmLab):
    def setUp(self):
        self.up("web1", "kvm1")
        self.up("app-1", "kvm2")

    def guest_process(self, vm):
        """The pid of its QEMU."""
        return int(next(self.lab.run_directory.glob(f"hosts/*/run/libvirt/qemu/{vm}.pid")).read_text())

    def up_again(self, vm, address):
        self.alive(vm)
        eventually(lambda: self.address(vm) == address, 60, f"{vm}'s lease")

    def test_a_reboot_keeps_port_and_address(self):
        before = self.port("app-1")
        boot = self.guest("app", "cat /proc/sys/kernel/random/boot_id")
        self.virsh("kvm2", "reboot", "app")
        eventually(lambda: self.guest("app", "cat /proc/sys/kernel/random/boot_id", check=False) not in ("", boot), 120,
                   "another boot of app")
        self.up_again("app", before["ips"][0])
        self.assertEqual(self.port("app-1")["ips"], before["ips"])

    def test_a_killed_qemu_leaves_a_port_that_is_there_again_at_the_next_start(self):
        before = self.port("app-1")
        os.kill(self.guest_process("app"), signal.SIGKILL)
        eventually(lambda: self.port("app-1")["state"] == "unbound", 20, "the port unbound")
        self.assertEqual(self.interfaces("kvm2"), [])
        self.virsh("kvm2", "start", "app")
        self.up_again("app", before["ips"][0])
        self.assertEqual(self.up("app-1", "kvm2")["mac"], before["mac"])

    def test_a_suspended_guest_keeps_its_port(self):
        self.virsh("kvm2", "suspend", "app")
        self.assertEqual(self.port("app-1")["state"], "up")
        self.virsh("kvm2", "resume", "app")
        self.alive("app")
        self.assertTrue(self.lab.reaches("probe", self.port("app-1")["ips"][0]))

    def test_libvirtd_restarted_loses_no_packet_and_no_port(self):
        ports = {name: (row["mac"], row["ips"], row["state"]) for name, row in self.lab.ports().items()}
        with pinging(self.lab, "probe", "10.0.1.10", "0.05") as pings:
            self.lab.fault("kvm1", "kill-libvirtd")
            eventually(lambda: self.lab.hosts()["kvm1"]["libvirt"]["state"] == "down", 20, "libvirt down in status")
            self.assertNotEqual(self.lab.hosts()["kvm1"]["libvirt"]["reason"], "")
            self.assertEqual(self.lab.hosts()["kvm1"]["state"], "synced")
            failed = self.lab.ctl("attach", "web1", "office", check=False)
            self.assertEqual(failed.returncode, 1)
            self.assertIn("not reached: kvm1", failed.stderr)
            self.lab.restart_weftd()  # and a daemon that knows libvirt of kvm1 by its state alone
            self.assertEqual({name: (row["mac"], row["ips"], row["state"]) for name, row in self.lab.ports().items()},
                             ports)
            self.lab.fault("kvm1", "heal")
            eventually(lambda: self.lab.hosts()["kvm1"]["libvirt"]["state"] == "following", 30, "libvirt followed again")
        self.assertLessEqual(pings["lost"], 0, pings)
        self.assertEqual({name: (row["mac"], row["ips"], row["state"]) for name, row in self.lab.ports().items()}, ports)

    def copy_of_app(self, name, network="office", portgroup="web", mac=""):
        """A definition as an admin writes it: like app's, with another name and NIC."""
        xml = self.virsh("kvm2", "dumpxml", "--inactive", "app").replace("<name>app<", f"<name>{name}<")
        xml = re.sub(r"<uuid>.*?</uuid>|<channel.*?</channel>|<serial.*?</serial>|<console.*?</console>", "", xml, flags=re.S)
        group = f" portgroup='{portgroup}'" if portgroup else ""
        address = f"<mac address='{mac}'/>" if mac else ""
        return re.sub(r"<interface.*?</interface>", f"<interface type='network'>{address}<source network='{network}'"
                      f"{group}/><model type='virtio'/></interface>", xml, flags=re.S)

    def define(self, name, **nic):
        self.lab.exec("kvm2", "virsh", "define", "/dev/stdin", input=self.copy_of_app(name, **nic))
        self.addCleanup(self.virsh, "kvm2", "undefine", name, check=False)

    def test_a_domain_defined_by_virsh_alone_has_a_port_with_address_and_group(self):
        self.define("plain")
        row = eventually(lambda: self.port("plain-1"), what="the port of a VM that is off")
        self.assertEqual((row["state"], row["network"]), ("unbound", "office"))
        self.addCleanup(self.virsh, "kvm2", "destroy", "plain", check=False)
        self.virsh("kvm2", "start", "plain")
        self.assertEqual(self.up("plain-1", "kvm2")["ips"], row["ips"])
        self.assertEqual(self.lab.json("show", "port", "plain-1")["security_groups"], ["web"])
        eventually(lambda: self.fetched("app", row["ips"][0]), 60, "its page")
        ids = self.lab.exec("kvm2", "ovs-vsctl", "--bare", "--columns=external_ids", "find", "Interface",
                            f'external_ids:attached-mac="{row["mac"]}"').stdout
        self.assertIn("port-profile=office/web", ids)
        self.virsh("kvm2", "destroy", "plain")
        self.virsh("kvm2", "undefine", "plain")
        eventually(lambda: self.port("plain-1") is None, what="no port without its NIC")

    def test_networks_follow_the_topology_and_foreign_ones_are_left_alone(self):
        foreign = "<network><name>lent</name><forward mode='bridge'/><bridge name='lo'/></network>"
        self.lab.exec("kvm1", "virsh", "net-define", "/dev/stdin", input=foreign)
        self.addCleanup(self.virsh, "kvm1", "net-undefine", "lent", check=False)
        more = self.lab.text + '[[network]]\nname = "lent"\nkind = "local"\n[[network]]\nname = "extra"\nkind = "vxlan"\n' \
            '[[security_group]]\nname = "ssh"\nrules = []\n'
        self.addCleanup(self.lab.ctl, "apply", self.lab.file)
        self.lab.ctl("apply", self.lab.write("more.toml", more))
        eventually(lambda: self.lab.hosts()["kvm1"]["libvirt"]["state"] == "refused", what="the network in the way told")
        self.assertIn("lent is not weft's", self.lab.hosts()["kvm1"]["libvirt"]["reason"])
        self.assertIn("'ssh'", self.virsh("kvm1", "net-dumpxml", "private1"))
        self.assertIn("extra", self.virsh("kvm2", "net-list"))
        self.assertTrue(self.lab.reaches("probe", "10.0.1.10"))
        self.lab.ctl("apply", self.lab.file)
        eventually(lambda: self.lab.hosts()["kvm1"]["libvirt"]["state"] == "following", what="all as wanted again")
        self.assertNotIn("extra", self.virsh("kvm2", "net-list", "--all"))
        self.assertNotIn("'ssh'", self.virsh("kvm1", "net-dumpxml", "private1"))
        self.assertIn("'lo'", self.virsh("kvm1", "net-dumpxml", "lent"))

    def default_network(self, host):
        """libvirt's own, with its dnsmasq. Its NAT wants iptables; where there is none it routes."""
        mode = "nat" if self.lab.exec(host, "sh", "-c", "command -v iptables", check=False).returncode == 0 else "open"
        self.lab.exec(host, "virsh", "net-define", "/dev/stdin", input=DEFAULT.format(mode=mode))
        self.addCleanup(self.virsh, host, "net-undefine", "default", check=False)
        self.virsh(host, "net-start", "default")
        self.addCleanup(self.virsh, host, "net-destroy", "default", check=False)

    def test_a_nic_comes_from_virbr0_with_its_guest_running(self):
        self.default_network("kvm2")
        self.define("old", network="default", portgroup="")
        self.addCleanup(self.virsh, "kvm2", "destroy", "old", check=False)
        self.virsh("kvm2", "start", "old")
        mac = re.search(r"<mac address='(.*?)'", self.virsh("kvm2", "dumpxml", "old"))[1]
        leased = lambda: mac in self.virsh("kvm2", "net-dhcp-leases", "default")
        eventually(leased, 90, "a lease of libvirt's dnsmasq")
        self.assertIsNone(self.port("old-1"))

        answer = self.lab.json("migrate", "old", "default", "private1", "--group", "web")
        self.assertEqual((answer["port"], answer["mac"], answer["state"]), ("old-1", mac, "up"))
        eventually(lambda: self.lab.reaches("probe", answer["ips"][0]), 30, "the guest at its new address")
        self.assertEqual(self.fetched("probe", answer["ips"][0]), "app")  # whose kernel command line it has
        self.assertNotIn("default", self.virsh("kvm2", "dumpxml", "--inactive", "old"))
        self.assertTrue(self.lab.json("show", "port", "old-1")["leases"])

    def test_a_nic_comes_from_virbr0_to_the_port_that_has_its_mac(self):
        mac = "52:54:00:00:77:01"
        self.addCleanup(self.lab.ctl, "apply", self.lab.file)
        self.lab.ctl("apply", self.lab.write("named.toml", self.lab.text + f"""
[[port]]
name = "moved"
network = "private1"
mac = "{mac}"
ip = "10.0.1.77"
security_groups = ["web"]
"""))
        self.default_network("kvm2")
        self.define("named", network="default", portgroup="", mac=mac)
        self.addCleanup(self.virsh, "kvm2", "destroy", "named", check=False)
        self.virsh("kvm2", "start", "named")
        eventually(lambda: mac in self.virsh("kvm2", "net-dhcp-leases", "default"), 90, "a lease of libvirt's dnsmasq")
        answer = self.lab.json("migrate", "named", "default", "private1")
        self.assertEqual((answer["port"], answer["ips"][0], answer["state"]), ("moved", "10.0.1.77", "up"))
        eventually(lambda: self.lab.reaches("probe", "10.0.1.77"), 30, "the guest at its port's address")
        self.assertIsNone(self.port("named-1"))

    def test_a_hundred_definitions_and_attachments_leave_nothing(self):
        def leavings():
            files = [path for path in self.lab.run_directory.rglob("*")
                     if path.is_file() and not re.search(r"\.log$|\.console$|/state/|/log/|/cache/|events", str(path))]
            flows = self.lab.exec("kvm2", "ovs-ofctl", "-O", "OpenFlow15", "--no-stats", "dump-flows", "br-int").stdout
            rows = self.lab.exec("kvm2", "ovs-vsctl", "--bare", "--columns=name", "list", "Interface").stdout
            return sorted(files), len(flows.splitlines()), sorted(rows.split()), sorted(self.lab.ports())

        before = leavings()
        for n in range(100):
            name = f"cycle{n}"
            self.lab.exec("kvm2", "virsh", "define", "/dev/stdin", input=self.copy_of_app(name))
            eventually(lambda: self.port(f"{name}-1"), what="its port")
            self.lab.ctl("attach", name, "private1")
            self.lab.ctl("detach", name, "private1")
            self.virsh("kvm2", "undefine", name)
        for _ in range(100):
            self.lab.ctl("attach", "app", "office", "--group", "web")
            self.lab.ctl("detach", "app", "office")
        eventually(lambda: leavings() == before, 20, "all as before")


if __name__ == "__main__":
    fabric.main()
