#!/usr/bin/python3
"""weftd killed at any instant and started again: no packet is lost, nothing is sent that the switches hold already."""
import json
import re
import socket
import threading
import time

import fabric
from fabric import NOTHING_SENT, FabricTest, UdpStream, eventually, inside

HOSTS = ("kvm1", "kvm2", "kvm3")
CONTROLLER = fabric.ROOT / "controller"
NAMES = sorted({name for path in CONTROLLER.glob("*.cpp")
                for name in re.findall(r'failpoint\("([^"]+)"\)', path.read_text())})


WORK_AT_START = ("switch.compared", "switch.applied")


class TcpStream:
    """One connection that carries numbered bytes until stop()."""

    def __init__(self, sender, receiver, address, port=7001):
        with inside(receiver):
            listener = socket.create_server(("0.0.0.0", port))
        with inside(sender):
            self._out = socket.create_connection((address, port), timeout=5)
        self._in, _ = listener.accept()
        listener.close()
        self._stop, self.sent, self.received, self.gap = threading.Event(), 0, 0, 0.0
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()

    def _send(self):
        while not self._stop.is_set():
            self._out.sendall(bytes(1000))
            self.sent += 1000
            time.sleep(0.002)
        self._out.shutdown(socket.SHUT_WR)

    def _receive(self):
        last = time.monotonic()
        while data := self._in.recv(65536):
            self.received += len(data)
            last, before = time.monotonic(), last
            self.gap = max(self.gap, last - before)

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(10)
        self._in.close()
        self._out.close()
        return self.sent, self.received, self.gap


class Restart(FabricTest):
    def streams(self):
        where = self.lab.namespaces
        streams = (UdpStream(where["app1"], where["app2"], "10.0.1.12"),
                   UdpStream(where["desk2"], where["printer"], "192.168.100.200"),
                   TcpStream(where["app3"], where["app1"], "10.0.1.11"))
        for stream in streams:
            self.addCleanup(stream.stop)
        return streams

    def assert_nothing_lost(self, streams):
        for what, stream in zip(("vxlan", "vlan"), streams):
            sent, lost, doubled, gap = stream.stop()
            print(f"\n    UDP over {what}: {sent} sent, {lost} lost, longest gap {gap * 1000:.0f} ms ", end="", flush=True)
            self.assertEqual((lost, doubled), (0, 0), what)
        sent, received, gap = streams[2].stop()
        print(f"\n    TCP over vxlan: {sent} bytes, longest gap {gap * 1000:.0f} ms ", end="", flush=True)
        self.assertEqual(received, sent)

    def durations(self):
        """Seconds since each flow was made, by host and flow."""
        ages = {}
        for host in HOSTS:
            for line in self.lab.exec(host, "ovs-ofctl", "-O", "OpenFlow15", "dump-flows", "br-int").stdout.splitlines():
                if found := re.search(r"duration=([\d.]+)s", line):
                    ages[host, re.sub(r"(duration|n_packets|n_bytes|idle_age|hard_age)=[^ ,]+,? ?", "", line)] = \
                        float(found[1])
        return ages

    def test_killed_and_started(self):
        streams = self.streams()
        time.sleep(0.5)
        before, since = self.durations(), self.lab.next_event()
        self.lab.fault("weftd", "kill")
        time.sleep(3)
        began = time.monotonic()
        self.lab.start_weftd()
        self.lab.ctl("wait", "--timeout", "30s")
        print(f"\n    synced {time.monotonic() - began:.2f} s after the start ", end="", flush=True)
        time.sleep(1)
        self.assertEqual(self.lab.sent(), dict.fromkeys(HOSTS, NOTHING_SENT))
        after = self.durations()
        self.assertEqual(set(after), set(before))
        self.assertEqual([flow for flow, age in after.items() if age < before[flow]], [], "made anew")
        news = [event["text"] for event in self.lab.json("events") if event["seq"] >= since and event["object"]]
        self.assertEqual(news, [], "no port went anywhere")
        self.assert_nothing_lost(streams)

    def test_stopped_and_started(self):
        streams = self.streams()
        self.lab.stop_weftd()
        self.lab.start_weftd()
        self.lab.wait()
        self.assertEqual(self.lab.sent(), dict.fromkeys(HOSTS, NOTHING_SENT))
        self.assert_nothing_lost(streams)

    def converged(self):
        shown = self.lab.ctl("status", "-o", "json", check=False)
        return shown.returncode == 0 and json.loads(shown.stdout)["converged"]

    def dies_at_start(self, failpoint):
        """Starts weftd with the failpoint armed until it is dead of it, or converged. With work at the start, kvm3 lacks
        flows then."""
        if not self.lab.weftd_is_gone():
            self.lab.fault("weftd", "kill")
        if failpoint in WORK_AT_START:
            self.lab.exec("kvm3", "ovs-ofctl", "-O", "OpenFlow15", "del-flows", "br-int", "table=1")
        self.lab.start_weftd(WEFT_FAILPOINT=failpoint)
        eventually(lambda: self.lab.weftd_is_gone() or self.converged(), 20, "death or convergence")
        time.sleep(0.3)
        return self.lab.weftd_is_gone()

    def in_force(self, files):
        """The one of two topologies that is in force, whole."""
        self.lab.ctl("wait", "--timeout", "30s")
        changed = {file: self.lab.ctl("plan", file, check=False).returncode for file in files}
        self.assertEqual(sorted(changed.values()), [0, 2], changed)
        return min(files, key=changed.get)

    def test_killed_at_every_failpoint(self):
        """The edit changes an address, a VLAN and an uplink: flows, groups and rows. Each start is also the check of what
        the kill before it left."""
        self.assertGreater(len(NAMES), 15)
        edited = self.lab.text.replace('ip = "10.0.1.13"', 'ip = "10.0.1.113"').replace("vlan = 200", "vlan = 201")
        edited = edited.replace('name = "kvm3"\nuplinks = { physnet1 = "eth1" }', 'name = "kvm3"', 1)
        old, new = self.lab.file, self.lab.write("edited.toml", edited)
        self.addCleanup(self.lab.ctl, "apply", self.lab.file)
        for failpoint in [*NAMES, "supervisor.publishing:5", "intent.committed:2", "store.kept_previous:2",
                          "store.renamed:2"]:
            with self.subTest(failpoint):
                at_start = self.dies_at_start(failpoint)
                if not at_start:
                    self.assertNotIn(failpoint, WORK_AT_START)
                    now = self.in_force((old, new))
                    self.lab.ctl("apply", new if now == old else old, "--timeout", "1s", check=False)
                    eventually(self.lab.weftd_is_gone, 10, f"the death at {failpoint}")
                print(f"\n    {failpoint}: died at {'start' if at_start else 'apply'} ", end="", flush=True)
        if self.lab.weftd_is_gone():
            self.lab.start_weftd()
        self.in_force((old, new))
        self.lab.restart_weftd()
        self.assertEqual(self.lab.sent(), dict.fromkeys(HOSTS, NOTHING_SENT))


if __name__ == "__main__":
    fabric.main()
