#!/usr/bin/python3
"""Ports that are plugged in, moved and unplugged under traffic."""
import re
import time

import fabric
from fabric import FabricTest, UdpStream, eventually


class Move(FabricTest):
    def vsctl(self, host, *words):
        return self.lab.exec(host, "ovs-vsctl", *words).stdout.strip()

    def interface_of(self, port):
        found = self.lab.ports()[port]
        return found["host"], found["interface"]

    def shown(self, port, *expected):
        """Waits until `ports` shows (state, host) of the port and every host is synced."""
        def as_expected():
            row = self.lab.ports()[port]
            self.assertEqual((row["state"], row["host"]), expected)
            return self.lab.json("status")["converged"]
        eventually(as_expected, 5, f"{port} {expected}")

    def keep_neighbours(self, port, peers):
        """A guest that migrates keeps its neighbours; an interface that loses its carrier for a moment forgets them."""
        for peer, address in peers:
            interface = "eth0.100" if (peer, address) == ("trunk3", "192.168.100.33") else "eth0"
            mac = self.lab.exec(peer, "cat", f"/sys/class/net/{interface}/address").stdout.strip()
            self.lab.exec(port, "ip", "neigh", "replace", address, "lladdr", mac, "dev", "eth0", "nud", "permanent")

    def test_move_under_traffic(self):
        """There and back; what reaches the port, what it sends, and its trunk's VLAN."""
        where = self.lab.namespaces
        for port, address, peers, there, back in (
                ("app2", "10.0.1.12", (("app1", "10.0.1.11"), ("app3", "10.0.1.13")), "kvm3", "kvm2"),
                ("desk2", "192.168.100.12", (("printer", "192.168.100.200"), ("trunk3", "192.168.100.33")), "kvm1", "kvm2")):
            for target, source in ((there, back), (back, there)):
                with self.subTest(port=port, to=target):
                    since = self.lab.next_event()
                    self.keep_neighbours(port, peers)
                    streams = [UdpStream(where[peer], where[port], address, 20, 7100 + n)
                               for n, (peer, _) in enumerate(peers)]
                    streams += [UdpStream(where[port], where[peer], peer_address, 20, 7200)
                                for peer, peer_address in peers]
                    for stream in streams:
                        self.addCleanup(stream.stop)
                    with self.lab.running(peers[0][0], "ping", "-i", "0.05", "-w", "3", address) as ping:
                        time.sleep(1)
                        self.lab.lab("move", port, target)
                        self.shown(port, "up", target)
                        replies = ping.stdout.read()
                    results = [stream.stop() for stream in streams]
                    print(f"\n    {port} {source} → {target}: lost {[lost for _, lost, _, _ in results]}, longest gaps "
                          f"{[round(gap * 1000) for *_, gap in results]} ms", end="", flush=True)
                    transmitted, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", replies).groups())
                    self.assertLess((transmitted - received) * 0.05, 1 * fabric.SCALE, replies)
                    for _, _, doubled, gap in results:
                        self.assertEqual(doubled, 0)
                        self.assertLess(gap, 1 * fabric.SCALE)
                    events = [(event["kind"], event["host"], event["object"]) for event in self.lab.json("events")
                              if event["seq"] >= since and event["object"] == f"port {port}"]
                    self.assertEqual(events, [("port_moved", target, f"port {port}")])
        self.assertEqual(self.lab.matrix_differences(), "")

    def test_unplug_and_plug(self):
        host, interface = self.interface_of("app3")
        since = self.lab.next_event()
        self.vsctl(host, "del-port", "br-int", interface)
        eventually(lambda: self.lab.ports()["app3"]["state"] == "unbound", what="unbound")
        self.assertFalse(self.lab.reaches("app1", "10.0.1.13"))
        self.assertFalse([f for f in self.lab.json("flows", "--host", host, "--owner", "port/app3")], "no flow is left")
        self.vsctl(host, "add-port", "br-int", interface, "--", "set", "interface", interface, "external_ids:iface-id=app3")
        self.shown("app3", "up", host)
        eventually(lambda: self.lab.reaches("app1", "10.0.1.13"), what="app3 again")
        kinds = [event["kind"] for event in self.lab.json("events")
                 if event["seq"] >= since and event["object"] == "port app3"]
        self.assertEqual(kinds, ["port_unplugged", "port_plugged"])

    def test_another_port_with_the_same_number(self):
        """app1's number goes to db1's cable in one transaction, and db1's to app1's: each keeps its own network."""
        ports = self.lab.ports()
        one, other = ports["app1"], ports["db1"]
        self.assertEqual(one["host"], other["host"])

        def plug(port, number):
            return ["--", "add-port", "br-int", port["interface"], "--", "set", "interface", port["interface"],
                    f"ofport_request={number}", f"external_ids:iface-id={port['name']}"]

        def swapped():
            self.vsctl(one["host"], "del-port", "br-int", one["interface"], "--", "del-port", "br-int", other["interface"])
            self.vsctl(one["host"], *plug(one, other["ofport"])[1:], *plug(other, one["ofport"]))
            shown = self.lab.ports()
            return (shown["app1"]["ofport"], shown["db1"]["ofport"]) == (other["ofport"], one["ofport"])

        eventually(swapped, 10, "the swap of numbers")
        self.shown("app1", "up", one["host"])
        self.shown("db1", "up", one["host"])
        eventually(lambda: self.lab.reaches("app1", "10.0.1.12") and self.lab.reaches("db1", "10.0.1.22"), what="peers")
        self.assertFalse(self.lab.reaches("app1", "10.0.1.22"))
        self.assertFalse(self.lab.reaches("db1", "10.0.1.12"))

    def test_claimed_twice(self):
        """The newest claim wins, the other is shown as duplicate, and gets the port back when the newest ends."""
        def claims():
            return {(row["state"], row["host"]) for row in self.lab.json("ports") if row["name"] == "db2"}

        self.vsctl("kvm3", "add-port", "br-int", "twin0", "--", "set", "interface", "twin0", "type=internal",
                   "external_ids:iface-id=db2")
        eventually(lambda: claims() == {("up", "kvm3"), ("duplicate", "kvm2")}, what="two claims")
        self.vsctl("kvm3", "del-port", "br-int", "twin0")
        eventually(lambda: claims() == {("up", "kvm2")}, what="one claim")
        eventually(lambda: self.lab.reaches("db1", "10.0.1.22"), what="db2 again")


if __name__ == "__main__":
    fabric.main()
