"""Real VMs on two hosts: what a guest gets by being plugged into a network of weft's."""
import fabric
from fabric import SCALE, eventually
from vms import VmLab, pinging


class Guests(VmLab):
    def test_boot_by_dhcp_and_are_ports(self):
        web1, app = self.up("web1", "kvm1"), self.up("app-1", "kvm2")
        self.assertEqual(web1["ips"][0], "10.0.1.10")
        self.assertEqual(self.address("web1"), "10.0.1.10")
        self.assertEqual(self.address("app"), app["ips"][0])
        self.assertIn(app["mac"], self.guest("app", "cat /sys/class/net/eth0/address"))
        self.assertEqual(self.lab.hosts()["kvm1"]["libvirt"], {"state": "following", "reason": ""})
        self.assertEqual(self.lab.json("status")["troubles"], [])

    def test_find_each_other_by_name_across_hosts(self):
        self.guest("app", "ping -c1 -W3 web1")
        self.guest("app", "ping -c1 -W3 web1.private1.internal")

    def test_reach_the_internet_by_snat(self):
        server = ("import socket\nlistener = socket.create_server(('', 8000))\nwhile True:\n"
                  "  peer, address = listener.accept()\n  peer.sendall(address[0].encode())\n  peer.close()")
        with self.lab.running("internet", "python3", "-c", server):
            self.assertEqual(eventually(lambda: self.fetched("app", "203.0.113.1", 8000), what="its answer"),
                             "203.0.113.2")

    def test_are_reached_by_floating_ip_and_forward(self):
        self.assertEqual(self.fetched("internet", "203.0.113.10"), "web1")
        self.assertEqual(self.fetched("internet", "203.0.113.2", 8080), "web1")

    def test_are_refused_by_a_group(self):
        self.guest("web1", "httpd -p 8081 -h /")
        self.assertEqual(self.fetched("app", "10.0.1.10"), "web1")
        self.assertEqual(self.fetched("app", "10.0.1.10", 8081), "")
        drops = self.lab.json("flows", "--drops", "--owner", "port/web1")
        self.assertGreater(sum(flow["packets"] for flow in drops if flow["reason"] == "group_ingress"), 0)

    def test_get_and_lose_a_second_nic_while_they_run(self):
        answer = self.lab.json("attach", "app", "office", "--group", "web")
        self.addCleanup(self.lab.ctl, "detach", "app", "office", check=False)
        self.assertEqual((answer["port"], answer["host"], answer["state"]), ("app-2", "kvm2", "up"))
        self.assertEqual(self.lab.json("show", "port", "app-2")["security_groups"], ["web"])
        eventually(lambda: self.address("app", "eth1") == answer["ips"][0], 20, "the second NIC's lease")
        self.guest("app", "ping -c1 -W3 -I eth1 10.0.2.1")
        self.assertIn(answer["mac"], self.virsh("kvm2", "dumpxml", "--inactive", "app"))

        self.lab.ctl("detach", "app", "office")
        self.assertIsNone(self.port("app-2"))
        self.assertNotIn(answer["mac"], self.virsh("kvm2", "dumpxml", "--inactive", "app"))
        eventually(lambda: "eth1" not in self.guest("app", "ls /sys/class/net"), what="the guest without its second NIC")
        eventually(lambda: len(self.interfaces("kvm2")) == 1, what="one interface in OVS")

    def test_a_command_that_cannot_be_says_why_and_does_nothing(self):
        before = self.virsh("kvm2", "dumpxml", "--inactive", "app"), self.lab.ports().keys()
        for words, why in ((("attach", "nobody", "office"), "libvirt of no host has a VM nobody"),
                           (("attach", "app", "nowhere"), "no network nowhere"),
                           (("attach", "app", "office", "--group", "nil"), "no security group nil"),
                           (("attach", "app", "office", "--port", "web1"), "port web1"),
                           (("detach", "app", "office"), "has no NIC on network office"),
                           (("migrate", "app", "default", "office"), "no NIC on default"),
                           (("migrate", "app", "private1", "private1"), "already")):
            done = self.lab.ctl(*words, check=False)
            self.assertEqual(done.returncode, 1, words)
            self.assertIn(why, done.stderr)
        self.assertEqual((self.virsh("kvm2", "dumpxml", "--inactive", "app"), self.lab.ports().keys()), before)

    def test_migrate_live_with_their_connections(self):
        for host in ("kvm2", "kvm1"):
            with pinging(self.lab, "probe", "10.0.1.10") as pings:
                self.lab.lab("move", "web1", host)
                self.up("web1", host)
            print(f"\n  to {host}: {pings['lost']} of {pings['sent']} pings lost, longest gap {pings['gap']:.2f} s",
                  flush=True)
            self.assertLess(pings["gap"], 5 * SCALE)
            self.assertEqual(self.fetched("internet", "203.0.113.10"), "web1")
        self.assertEqual(self.guest("web1", "cut -d. -f1 /proc/uptime").isdigit(), True)


if __name__ == "__main__":
    fabric.main()
