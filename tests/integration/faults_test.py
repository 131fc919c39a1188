#!/usr/bin/python3
"""Hosts that die, links that break, hands that meddle: seen, contained to the host, repaired without being told."""
import contextlib
import json
import re
import socket
import threading
import time

import fabric
from fabric import FabricTest, UdpStream, eventually, inside

# A peer silent for 5 s is asked, and given up 10 s later; the rest is for a busy machine.
ECHO_DEADLINE = 15 + 3
RETURN = 5
HANDSHAKE = 5 + 2  # who has dialed in has so long to say who it is
OVSDB = ("100.64.0.12", 6640)  # kvm2's

MAD_SWITCH = {
    "no OpenFlow": b"\xff" * 0x10000,
    "a length of 0": bytes.fromhex("0613000000000001") * 8,
    "a length of 4": bytes.fromhex("0613000400000001") * 8,
    "another version": bytes.fromhex("0313000800000001") * 8,
    "a reply cut short": bytes.fromhex("0613001000000001 0001000100000000") + bytes.fromhex("0613000900000001ff"),
    "a port status without a port": bytes.fromhex("060c000800000000"),
    "a packet-in without a packet": bytes.fromhex("060a000a00000000ffff"),
    "zeros": bytes(4096),
}
MAD_DATABASE = {
    "no JSON": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "no text": b"\xff\xfe\x00\x01" * 1000,
    "very deep": b"[" * 200_000,
    "no message": b"[1, 2, 3]",
    "an update of nothing": b'{"id": null, "method": "update2", "params": null}',
    "rows of a wrong type": b'{"id": null, "method": "update2", "params": ["weft", {"Interface": {"x": {"insert": 7}}}]}',
}


class Relay:
    """Carries bytes between two sockets until either closes, or until it speaks itself."""

    def __init__(self, host, daemon):
        self.ends, self.passed, self.ended, self.mad = (host, daemon), 0, False, False
        for end in self.ends:
            end.settimeout(None)
        for source, sink in (self.ends, self.ends[::-1]):
            threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source, sink):
        """`passed`: how much the host has said."""
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self.mad:
                    sink.sendall(data)
                if source is self.ends[0]:
                    self.passed += len(data)
        if source is self.ends[1]:
            self.ended = True

    def inject(self, data):
        self.mad = True
        with contextlib.suppress(ConnectionError):
            self.ends[1].sendall(data)

    def close(self):
        for end in self.ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Faults(FabricTest):
    EXPECTED_ERRORS = (r"^error kvm1 bridge br-int exists and is not weft's",
                       r"^error kvm1 Open vSwitch could not make port weft-vxlan",  # while its options are gone
                       r"^error kvm1 interface vx2 of bridge br-tun takes VXLAN")

    def state(self, host):
        return self.lab.hosts()[host]["state"]

    def fault_and_heal(self, fault, seen_within, while_down=lambda: None):
        """kvm2 fails and heals; kvm1 and kvm3 go on as if nothing were."""
        where = self.lab.namespaces
        others = {host: sent for host, sent in self.lab.sent().items() if host != "kvm2"}
        stream = UdpStream(where["app1"], where["app3"], "10.0.1.13", rate=200)
        self.addCleanup(stream.stop)
        began = time.monotonic()
        for words in fault:
            self.lab.fault("kvm2", *words)
        try:
            eventually(lambda: self.state("kvm2") == "down", seen_within, "kvm2 is shown as down")
            seen = time.monotonic() - began
            self.assertEqual([self.state("kvm1"), self.state("kvm3")], ["synced", "synced"])
            while_down()
        finally:
            healed = time.monotonic()
            self.lab.fault("kvm2", "heal")
        eventually(lambda: self.state("kvm2") == "synced", RETURN, "kvm2 is synced again")
        back = time.monotonic() - healed
        print(f"\n    {fault[0]}: down after {seen:.1f} s, back {back:.1f} s after the heal ", end="", flush=True)
        eventually(lambda: self.lab.json("status")["converged"], RETURN, "all is converged")
        sent, lost, _, gap = stream.stop()
        self.assertEqual({host: sent for host, sent in self.lab.sent().items() if host != "kvm2"}, others)
        self.assertEqual(lost, 0, f"of {sent} between the other hosts, longest gap {gap:.2f} s")
        self.lab.meet_vteps()
        self.assertEqual(self.lab.matrix_differences(), "")
        self.assertTrue(self.lab.events("host_down", "kvm2"))

    def test_vswitchd_killed(self):
        self.fault_and_heal([["kill-vswitchd"]], 2)

    def test_ovsdb_killed(self):
        self.fault_and_heal([["kill-ovsdb"]], 2)

    def test_both_killed(self):
        self.fault_and_heal([["kill-vswitchd"], ["kill-ovsdb"]], 2)

    def test_control_link_cut(self):
        self.fault_and_heal([["cut-link", "control"]], ECHO_DEADLINE,
                            lambda: self.assertTrue(self.lab.reaches("app1", "10.0.1.12"), "packets go on"))

    def test_all_links_cut(self):
        self.fault_and_heal([["cut-link"]], ECHO_DEADLINE,
                            lambda: self.assertFalse(self.lab.reaches("app1", "10.0.1.12")))

    def test_underlay_cut(self):
        """What carries packets is not what carries weft: the host stays synced, and nothing is sent for it."""
        before = self.lab.sent()
        self.lab.fault("kvm2", "cut-link", "underlay")
        try:
            self.assertFalse(self.lab.reaches("app1", "10.0.1.12"))
            self.assertTrue(self.lab.reaches("desk2", "192.168.100.200"), "the uplink is another cable")
        finally:
            self.lab.fault("kvm2", "heal")
        self.lab.meet_vteps()
        eventually(lambda: self.lab.reaches("app1", "10.0.1.12"), what="app2 again")
        self.assertEqual(self.state("kvm2"), "synced")
        self.assertEqual(self.lab.sent(), before)

    def test_uplink_cut(self):
        self.lab.fault("kvm2", "cut-link", "uplink")
        try:
            self.assertFalse(self.lab.reaches("desk2", "192.168.100.200"))
            self.assertTrue(self.lab.reaches("app1", "10.0.1.12"), "the underlay is another cable")
            uplink = self.lab.json("show", "host", "kvm2")["uplinks"][0]
            self.assertEqual(uplink["state"], "no carrier")
            self.assertEqual([trouble["object"] for trouble in self.lab.json("status")["troubles"]], ["host kvm2"])
        finally:
            self.lab.fault("kvm2", "heal")
        eventually(lambda: self.lab.reaches("desk2", "192.168.100.200"), what="the printer again")
        self.assertEqual(self.state("kvm2"), "synced")

    # Hands that meddle, always on kvm1.

    def by_hand(self, *words):
        return self.lab.exec("kvm1", *words).stdout

    def ofctl(self, command, *words):
        return self.by_hand("ovs-ofctl", "-O", "OpenFlow15", command, "br-int", *words)

    def held(self):
        # Which bit the flows against stale caches look at changes with every repair: controller/stale_cache.hpp.
        flows = [re.sub(r"pkt_mark=\S+", "pkt_mark", line) for line in self.ofctl("dump-flows", "--no-stats").splitlines()]
        groups = self.ofctl("dump-groups").splitlines()[1:]
        meters = self.ofctl("dump-meters").partition("\n")[2].split("\n\n")
        return tuple(sorted(line.strip() for line in lines) for lines in (flows, groups, meters))

    def rows(self):
        """What weft keeps of br-int, without what Open vSwitch numbers anew."""
        bridge = self.by_hand("ovs-vsctl", "--columns=datapath_type,fail_mode,protocols,other_config,external_ids",
                              "list", "bridge", "br-int")
        controllers = self.by_hand("ovs-vsctl", "--columns=target,connection_mode,max_backoff,inactivity_probe,external_ids",
                                   "list", "controller")
        ports = self.by_hand("ovs-vsctl", "list-ports", "br-int")
        return bridge, controllers, sorted(ports.split()), self.interfaces()

    def interfaces(self):
        """weft's own ones: {name: (type, options, external_ids, bfd)}"""
        table = json.loads(self.by_hand("ovs-vsctl", "-f", "json", "--columns=name,type,options,external_ids,bfd", "find",
                                        "interface", "external_ids:weft=kvm1"))
        return {name: rest for name, *rest in table["data"]}

    def assert_repaired(self, what, meddle, compare):
        with self.subTest(what):
            before, since = compare(), self.lab.next_event()
            others = {host: sent for host, sent in self.lab.sent().items() if host != "kvm1"}
            began = time.monotonic()
            meddle()

            def repaired():
                self.assertEqual(compare(), before)
                self.assertEqual(self.state("kvm1"), "synced")
                self.assertTrue(self.lab.events("drift_repaired", "kvm1", since), "drift_repaired is said")
                return True

            eventually(repaired, RETURN, what)
            print(f"\n    {what}: {time.monotonic() - began:.2f} s ", end="", flush=True)
            self.lab.meet_vteps()  # a tunnel's port that was made anew has forgotten them
            eventually(lambda: self.lab.reaches("app1", "10.0.1.12"), 2, "app2 from app1")
            self.assertEqual({host: sent for host, sent in self.lab.sent().items() if host != "kvm1"}, others)

    def test_flows_by_hand(self):
        self.assertGreaterEqual(len(self.held()[2]), 2, "the meters of the punts")
        guard = next(flow for flow in self.held()[0] if "table=1" in flow and "priority=150" in flow)
        match = re.search(r"priority=150,(\S+)", guard)[1].removesuffix(",")
        for what, words in (("every flow deleted", ["del-flows"]),
                            ("a table deleted", ["del-flows", "table=10"]),
                            ("a flow added", ["add-flow", "table=0,priority=60000,ip,actions=drop"]),
                            ("a flow added with cookie 0 in a table not weft's", ["add-flow", "table=200,actions=normal"]),
                            ("a flow's actions edited", ["--strict", "mod-flows", f"table=1,priority=150,{match},actions=drop"]),
                            ("every meter deleted", ["del-meters"]),
                            ("a meter deleted", ["del-meter", "meter=1"]),
                            ("a meter changed", ["mod-meter", "meter=1,pktps,burst,bands=type=drop,rate=7,burst_size=7"]),
                            ("a meter added", ["add-meter", "meter=77,kbps,bands=type=drop,rate=1000"]),
                            ("a group deleted", ["del-groups"]),
                            ("a group added", ["add-group", "group_id=77,type=all"])):
            command = words[1:2] if words[0].startswith("--") else words[:1]
            options = [word for word in words if word.startswith("--")]
            rest = [word for word in words if word not in command and word not in options]
            self.assert_repaired(what, lambda: self.ofctl(*command, *options, *rest), self.held)

    def test_rows_by_hand(self):
        peer = next(name for name, (_, _, _, bfd) in self.interfaces().items() if ["enable", "true"] in bfd[1])
        for what, words in (("fail_mode", "set bridge br-int fail_mode=standalone"),
                            ("datapath id", "set bridge br-int other_config:datapath-id=00000000000000aa"),
                            ("protocols", "set bridge br-int protocols=OpenFlow13"),
                            ("whose mark", "set bridge br-int external_ids:weft=elsewhere"),
                            ("a stale key", "set bridge br-int external_ids:weft-stale=1"),
                            ("in-band", "remove bridge br-int other_config disable-in-band"),
                            ("controller removed", "del-controller br-int"),
                            ("another controller", "set-controller br-int tcp:100.64.0.99:6653"),
                            ("VXLAN port", "del-port br-int weft-vxlan"),
                            ("uplink", "del-port br-int eth1"),
                            ("another VTEP", "set interface weft-vxlan options:local_ip=192.0.2.99"),
                            ("VNIs of the flows no more", "set interface weft-vxlan options:key=77"),
                            ("one more option", "set interface weft-vxlan options:csum=true"),
                            # More than once: whether ovs-vswitchd sees the repair at its first look is a race.
                            *[("no options", "clear interface weft-vxlan options")] * 4,
                            ("no tunnel", "set interface weft-vxlan type=internal"),
                            ("another tunnel", "set interface weft-vxlan type=geneve"),
                            ("a peer elsewhere", f"set interface {peer} options:remote_ip=192.0.2.99"),
                            ("BFD off", f"set interface {peer} bfd:enable=false")):
            self.assert_repaired(what, lambda: self.by_hand("ovs-vsctl", "--no-wait", *words.split()), self.rows)
        self.lab.wait()
        self.assertEqual(self.lab.matrix_differences(), "")

    def test_the_bridge_deleted(self):
        """It comes back at once; its ports when they are plugged in again."""
        plugged = {name: row["interface"] for name, row in self.lab.ports().items() if row["host"] == "kvm1"}
        since = self.lab.next_event()
        self.by_hand("ovs-vsctl", "--no-wait", "del-br", "br-int")
        eventually(lambda: self.lab.events("drift_repaired", "kvm1", since), RETURN, "drift_repaired")
        eventually(lambda: self.state("kvm1") == "synced", RETURN, "synced")
        for name, interface in plugged.items():
            self.by_hand("ovs-vsctl", "add-port", "br-int", interface, "--", "set", "interface", interface,
                         f"external_ids:iface-id={name}")
        eventually(lambda: {self.lab.ports()[name]["state"] for name in plugged} == {"up"}, RETURN, "the ports")
        self.lab.ctl("wait")
        self.assertEqual(self.lab.matrix_differences(), "")

    # Malformed bytes.

    def dial(self):
        """A connection to weftd's OpenFlow port from kvm2."""
        with inside(self.lab.namespaces["kvm2"]):
            return socket.create_connection(("100.64.0.1", 6653), timeout=5)

    def test_garbage_from_strangers(self):
        """It ends its own connection and nobody else's."""
        before = self.lab.sent()
        strangers = []
        for garbage in (bytes(4096), b"\xff" * 0x10000, bytes.fromhex("060000080000000106ff000800000002"),
                        # Three whose length announces more than comes.
                        b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 4096, bytes.fromhex("0600ffff00000001")):
            strangers.append((garbage[:16], self.dial()))
            self.addCleanup(strangers[-1][1].close)
            with contextlib.suppress(ConnectionError):
                strangers[-1][1].sendall(garbage)
        for number, (garbage, stranger) in enumerate(strangers):
            with self.subTest(garbage):
                self.assert_ended(stranger, 1 if number < 3 else HANDSHAKE)
        self.assertTrue(self.lab.json("status")["converged"])
        self.assertEqual(self.lab.sent(), before)

    def assert_ended(self, end, seconds):
        """The other side closes the connection."""
        end.settimeout(seconds * fabric.SCALE)
        try:
            while end.recv(4096):
                pass
        except ConnectionError:
            pass
        except TimeoutError:
            self.fail(f"it is still open after {seconds * fabric.SCALE} s")

    @contextlib.contextmanager
    def goes_mad(self, what, relay, garbage):
        """kvm2 says what is none of the protocol in a session that stood: that ends, and no other host is sent anything."""
        others = {host: sent for host, sent in self.lab.sent().items() if host != "kvm2"}
        self.assertFalse(relay.ended)
        relay.inject(garbage)
        eventually(lambda: relay.ended, 0.5, f"the end of the session after {what}")
        yield
        self.assertEqual({host: sent for host, sent in self.lab.sent().items() if host != "kvm2"}, others)
        self.assertEqual([self.state("kvm1"), self.state("kvm3")], ["synced", "synced"])

    @contextlib.contextmanager
    def untouched(self):
        """Packets between the other hosts, and to kvm2, go on; weftd does."""
        where, daemon = self.lab.namespaces, self.lab.weftd()
        streams = [UdpStream(where["app1"], where["app3"], "10.0.1.13", rate=200),
                   UdpStream(where["app1"], where["app2"], "10.0.1.12", rate=200)]
        for stream in streams:
            self.addCleanup(stream.stop)
        yield
        for stream in streams:
            sent, lost, _, gap = stream.stop()
            self.assertEqual(lost, 0, f"of {sent}, longest gap {gap:.2f} s")
        self.assertFalse(self.lab.weftd_is_gone())
        self.assertEqual(self.lab.weftd(), daemon)
        self.assertEqual(self.lab.matrix_differences(), "")

    def test_a_switch_that_goes_mad(self):
        """A second connection of kvm2's bridge takes the first one's place; once its flows have been read it sends garbage."""
        mgmt = self.lab.run_directory / "hosts/kvm2/br-int.mgmt"
        with self.untouched():
            for what, garbage in MAD_SWITCH.items():
                switch = socket.socket(socket.AF_UNIX)
                switch.connect(str(mgmt))
                relay = Relay(switch, self.dial())
                self.addCleanup(relay.close)
                eventually(lambda: relay.passed > 20_000, 3, "its flows are read")
                with self.subTest(what), self.goes_mad(what, relay, garbage):
                    eventually(lambda: self.state("kvm2") == "synced", RETURN, "kvm2 is synced again")

    def test_a_database_that_goes_mad(self):
        """weftd's connections to kvm2's OVSDB go through a relay."""
        socket_path, appctl = self.lab.run_directory / "hosts/kvm2/db.sock", ("ovs-appctl", "-t", "ovsdb-server")
        with inside(self.lab.namespaces["kvm2"]):
            listener = socket.socket()
        self.addCleanup(listener.close)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        remote = f"ptcp:{OVSDB[1]}:{OVSDB[0]}"
        with self.untouched():
            self.lab.exec("kvm2", *appctl, "ovsdb-server/remove-remote", remote)
            try:
                listener.bind(OVSDB)
                listener.listen()
                listener.settimeout(5 * fabric.SCALE)
                for what, garbage in MAD_DATABASE.items():
                    front, _ = listener.accept()
                    database = socket.socket(socket.AF_UNIX)
                    database.connect(str(socket_path))
                    relay = Relay(database, front)
                    self.addCleanup(relay.close)
                    eventually(lambda: relay.passed > 5_000, 3, "its rows are read")
                    eventually(lambda: self.state("kvm2") == "synced", RETURN, "kvm2 is synced")
                    with self.subTest(what), self.goes_mad(what, relay, garbage):
                        eventually(lambda: self.state("kvm2") != "synced", 2, "it is seen")
                    relay.close()
            finally:
                listener.close()
                self.lab.exec("kvm2", *appctl, "ovsdb-server/add-remote", remote)
            eventually(lambda: self.state("kvm2") == "synced", RETURN, "kvm2 is synced again")

    def test_a_bridge_that_is_not_wefts(self):
        """A bridge of the name without the mark is left alone; the reason names the command that hands it over."""
        self.by_hand("ovs-vsctl", "remove", "bridge", "br-int", "external_ids", "weft")
        reason = eventually(lambda: self.lab.hosts()["kvm1"]["reason"] if self.state("kvm1") == "degraded" else "",
                            what="degraded")
        self.assertIn("bridge br-int exists and is not weft's", reason)
        self.by_hand("ovs-vsctl", "--no-wait", "set", "bridge", "br-int", "fail_mode=standalone")
        time.sleep(1)
        self.assertIn("standalone", self.by_hand("ovs-vsctl", "get", "bridge", "br-int", "fail_mode"))
        self.assertTrue(self.lab.reaches("app1", "10.0.1.12"), "the flows stay")
        self.by_hand(*re.search(r"ovs-vsctl set bridge br-int external_ids:weft=kvm1", reason)[0].split())
        eventually(lambda: self.state("kvm1") == "synced", RETURN, "synced after the hand-over")
        self.assertIn("secure", self.by_hand("ovs-vsctl", "get", "bridge", "br-int", "fail_mode"))

    def test_a_tunnel_that_takes_vxlan_away(self):
        """Open vSwitch gives packets to the port whose options say most of them: another controller's, on any bridge."""
        since, peer = self.lab.next_event(), self.lab.json("show", "host", "kvm2")["vtep"]
        vni = self.lab.json("show", "network", self.lab.ports()["app1"]["network"])["vni"]
        self.by_hand("ovs-vsctl", "--", "add-br", "br-tun", "--", "set", "bridge", "br-tun", "datapath_type=netdev", "--",
                     "add-port", "br-tun", "vx2", "--", "set", "interface", "vx2", "type=vxlan", f"options:remote_ip={peer}",
                     f"options:key={vni}")
        self.addCleanup(self.by_hand, "ovs-vsctl", "del-br", "br-tun")
        reason = eventually(lambda: self.lab.hosts()["kvm1"]["reason"] if self.state("kvm1") == "degraded" else "",
                            what="degraded")
        self.assertIn(f"interface vx2 of bridge br-tun takes VXLAN of VNI {vni} from {peer} on UDP port 4789 away from weft", reason)
        self.assertTrue(self.lab.events("rows_refused", "kvm1", since))
        self.assertFalse(self.lab.reaches("app1", "10.0.1.12"), "so it does")
        self.assertEqual([self.state("kvm2"), self.state("kvm3")], ["synced", "synced"])
        self.by_hand(*re.search(r"`(ovs-vsctl del-port vx2)`", reason)[1].split())
        eventually(lambda: self.state("kvm1") == "synced", RETURN, "synced when it is gone")
        self.lab.meet_vteps()
        eventually(lambda: self.lab.reaches("app1", "10.0.1.12"), what="app2 again")

    def test_what_is_foreign_stays(self):
        self.by_hand("ovs-vsctl", "--", "add-br", "br-alien", "--", "set", "bridge", "br-alien", "datapath_type=netdev",
                     "fail_mode=standalone", "external_ids:owner=somebody", "--", "add-port", "br-alien", "alien0", "--",
                     "set", "interface", "alien0", "type=internal", "--", "add-port", "br-int", "alien1", "--", "set",
                     "interface", "alien1", "type=internal", "external_ids:owner=somebody")
        self.addCleanup(self.by_hand, "ovs-vsctl", "--", "del-port", "br-int", "alien1", "--", "del-br", "br-alien")
        self.by_hand("ovs-ofctl", "add-flow", "br-alien", "priority=7,actions=drop")

        def alien():
            listed = [self.by_hand("ovs-vsctl", f"--columns={columns}", "list", table, name)
                      for table, name, columns in (("bridge", "br-alien", "name,fail_mode,external_ids,other_config,ports"),
                                                   ("interface", "alien0", "name,type,ofport,external_ids"),
                                                   ("interface", "alien1", "name,type,ofport,external_ids"))]
            return listed, self.by_hand("ovs-ofctl", "--no-stats", "dump-flows", "br-alien")

        before = alien()
        self.ofctl("del-flows")
        self.by_hand("ovs-vsctl", "--no-wait", "set", "bridge", "br-int", "fail_mode=standalone")
        self.lab.restart_weftd()
        self.assertEqual(alien(), before)


if __name__ == "__main__":
    fabric.main()
