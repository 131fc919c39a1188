#!/usr/bin/env python3
"""Edits of rules and memberships under running connections: what the new policy allows loses no packet, what it does
not is dead at its next packet, and the flows in the end are those of a fresh start. WEFT_SEED repeats a failure.
"""
import collections
import os
import random
import socket
import struct
import subprocess
import time

import fabric
import policy
from fabric import inside
from probes import Probe, Servers

SEED = int(os.environ.get("WEFT_SEED", "1"))
EDITS = int(os.environ.get("WEFT_EDITS", "30"))
CONNECTIONS = 40
TCP_PORT, UDP_PORT = 81, 8006  # none that Servers listen on
TICK = 0.02


class Talk:
    """A connection on which the client, the server, or both speak all the time, in numbered messages."""
    MODES = ("both", "client", "server")

    def __init__(self, test, probe, mode):
        self.probe, self.mode, self.sent = probe, mode, collections.Counter()
        self.heard = {"client": set(), "server": set()}
        self.rest = {"client": b"", "server": b""}
        kind = socket.SOCK_STREAM if probe.protocol == "tcp" else socket.SOCK_DGRAM
        family = socket.AF_INET if probe.family == 4 else socket.AF_INET6
        address = (probe.target.address(probe.family), probe.port)
        with inside(test.lab.namespaces[probe.target.name]):
            listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        with inside(test.lab.namespaces[probe.source.name]):
            client = socket.socket(family, kind)
        client.settimeout(3 * fabric.SCALE)
        if kind == socket.SOCK_STREAM:
            listener.listen()
            listener.settimeout(3 * fabric.SCALE)
            client.connect(address)
            server, _ = listener.accept()
            listener.close()
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            client.connect(address)
            client.send(b"begin")
            listener.settimeout(3 * fabric.SCALE)
            _, peer = listener.recvfrom(100)
            server = listener
            server.connect(peer)  # so that several connections share the port
        self.ends = {"client": client, "server": server}
        for end in self.ends.values():
            end.setblocking(False)

    def __str__(self):
        p = self.probe
        return f"{p.source.name} → {p.target.name} IPv{p.family} {p.protocol} {p.port}, speaking: {self.mode}"

    def other(self, end):
        return "server" if end == "client" else "client"

    def say(self):
        for end in ("client", "server"):
            if self.mode in ("both", end):
                try:
                    self.ends[end].send(struct.pack("!Q", self.sent[end]))
                    self.sent[end] += 1
                except OSError:  # a full buffer, an ICMP error
                    pass

    def listen(self):
        for end, connection in self.ends.items():
            try:
                while data := connection.recv(65536):
                    data = self.rest[end] + data
                    whole = len(data) // 8 * 8
                    self.rest[end] = data[whole:]
                    self.heard[self.other(end)].update(number for number, in struct.iter_unpack("!Q", data[:whole]))
            except OSError:
                pass

    def unheard(self):
        return sum(self.sent.values()) - sum(len(numbers) for numbers in self.heard.values())

    def close(self):
        for end in self.ends.values():
            end.close()


class Edits(fabric.FabricTest):
    TOPOLOGY = policy.everybody().toml()

    def apply(self, wanted):
        """Applies while all talk."""
        with subprocess.Popen([str(fabric.BIN / "weftctl"), f"--lab={self.lab.name}", "apply",
                               str(self.lab.write("policy.toml", wanted.toml()))],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            while process.poll() is None:
                self.talk(TICK)
            self.assertEqual(process.returncode, 0, process.stdout.read())

    def talk(self, seconds):
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            for talk in self.talks:
                talk.say()
            time.sleep(TICK)
            for talk in self.talks:
                talk.listen()

    def settle(self):
        """Until all has been heard that will be."""
        quiet = 0
        left = sum(talk.unheard() for talk in self.talks)
        while left and quiet < 0.3 * fabric.SCALE:
            time.sleep(TICK)
            for talk in self.talks:
                talk.listen()
            now = sum(talk.unheard() for talk in self.talks)
            quiet = 0 if now < left else quiet + TICK
            left = now

    def open(self, wanted, dice):
        """Fills up with connections that the policy allows."""
        cells = [(source, target, family, protocol, port)
                 for source in wanted.members for target in wanted.members
                 if source is not target and source.zone == target.zone
                 for family in (4, 6) for protocol, port in (("tcp", TCP_PORT), ("udp", UDP_PORT))]
        running = {talk.probe for talk in self.talks}
        dice.shuffle(cells)
        for cell in cells:
            if len(self.talks) >= CONNECTIONS:
                return
            probe = Probe(*cell)
            if probe not in running and wanted.allows(*cell):
                self.talks.append(Talk(self, probe, Talk.MODES[len(self.talks) % 3]))

    def test_allowed_connections_lose_nothing_and_revoked_ones_are_cut(self):
        dice = random.Random(SEED)
        servers = Servers(self.lab, policy.ENDPOINTS, policy.TCP_PORTS, policy.UDP_PORTS)
        self.addCleanup(servers.close)
        self.talks = []
        self.addCleanup(lambda: [talk.close() for talk in self.talks])
        wanted = policy.random_policy(SEED)
        wanted.members = {endpoint: wanted.members.get(endpoint, []) for endpoint in policy.ENDPOINTS}
        self.apply(wanted)
        kept, cut = 0, 0
        for number in range(EDITS):
            what = f"WEFT_SEED={SEED}, edit {number + 1}"
            self.open(wanted, dice)
            self.talk(0.2)
            self.settle()
            for talk in self.talks:
                self.assertEqual(talk.unheard(), 0, f"{what}: before it: {talk}")
            before, wanted = wanted, policy.edited(wanted, dice)
            self.apply(wanted)
            self.talk(0.2)
            self.settle()
            allowed = [talk for talk in self.talks if wanted.allows(*talk.probe)]
            revoked = [talk for talk in self.talks if talk not in allowed]
            for talk in allowed:
                self.assertEqual(talk.unheard(), 0, f"{what}: lost by {talk}\n{before.toml()}\nbecame\n{wanted.toml()}")
            heard = {talk: sum(map(len, talk.heard.values())) for talk in revoked}
            self.talk(0.1)
            self.settle()
            for talk in revoked:
                self.assertEqual(sum(map(len, talk.heard.values())), heard[talk], f"{what}: not cut: {talk}\n"
                                 f"{before.toml()}\nbecame\n{wanted.toml()}")
                talk.close()
            kept, cut = kept + len(allowed), cut + len(revoked)
            self.talks = allowed
            probes = random.Random(number).sample([Probe(*cell) for cell in wanted.cells()], 200)
            expected = {probe for probe in probes if wanted.allows(*probe)}
            seen = servers.reached(probes, 0.4)
            seen |= servers.reached(expected - seen, 3)
            self.assertEqual(seen, expected, f"{what}: new connections\n{wanted.toml()}")
        print(f"\n    {EDITS} edits: connections kept {kept} times, {cut} cut")
        self.assertGreater(cut, 0)
        self.assertGreater(kept, cut)
        self.lab.restart_weftd()
        self.assertEqual(set(map(str, self.lab.sent().values())), {str(fabric.NOTHING_SENT)})


if __name__ == "__main__":
    fabric.main()
