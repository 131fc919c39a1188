"""Many connections at once between endpoints of a lab: servers for all cells of a truth table, and who answers."""
import collections
import itertools
import os
import resource
import select
import socket
import struct
import time

import fabric
from fabric import inside

ECHO = {4: (8, 0, socket.IPPROTO_ICMP), 6: (128, 129, socket.IPPROTO_ICMPV6)}
Probe = collections.namedtuple("Probe", "source target family protocol port")


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


class Servers:
    """Answers on every port of every endpoint, TCP and UDP, IPv4 and IPv6. `endpoints` have a name and addresses."""

    def __init__(self, lab, endpoints, tcp_ports, udp_ports):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.lab, self.poll, self.udp, self.raw = lab, select.epoll(), {}, {}
        self.sockets, self.numbers = [], itertools.count(1)
        for endpoint in endpoints:
            with inside(lab.namespaces[endpoint.name]):
                for family, kind in ((4, socket.AF_INET), (6, socket.AF_INET6)):
                    for port in tcp_ports:
                        self._listen(kind, socket.SOCK_STREAM, port)
                    for port in udp_ports:
                        server = self._listen(kind, socket.SOCK_DGRAM, port)
                        self.udp[server.fileno()] = server
                        self.poll.register(server, select.EPOLLIN)
                    raw = socket.socket(kind, socket.SOCK_RAW, ECHO[family][2])
                    raw.setblocking(False)
                    self.sockets.append(raw)
                    self.raw[endpoint.name, family] = raw
                    self.poll.register(raw, select.EPOLLIN)

    def _listen(self, family, kind, port):
        server = socket.socket(family, kind)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.setblocking(False)
        server.bind(("", port))
        if kind == socket.SOCK_STREAM:
            server.listen(1024)
        self.sockets.append(server)
        return server

    def reached(self, probes, seconds=0.7):
        """The probes that are answered in time."""
        answered, waiting, echoes = set(), {}, {}
        for name, mine in itertools.groupby(sorted(probes, key=lambda p: p.source.name), key=lambda p: p.source.name):
            with inside(self.lab.namespaces[name]):
                for probe in mine:
                    self._begin(probe, waiting, echoes)
        deadline = time.monotonic() + seconds * fabric.SCALE
        while (left := deadline - time.monotonic()) > 0 and len(answered) < len(waiting) + len(echoes):
            for number, events in self.poll.poll(left):
                if number in self.udp:
                    self._answer(self.udp[number])
                elif number in waiting:
                    client, probe = waiting[number]
                    self.poll.unregister(client)
                    if probe.protocol == "tcp" and client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                        answered.add(probe)
                    elif probe.protocol == "udp":
                        try:
                            client.recv(100)
                            answered.add(probe)
                        except OSError:
                            pass  # an ICMP error
                else:
                    answered.update(self._echoes(number, echoes))
        for client, _ in waiting.values():
            client.close()
        return answered

    def _begin(self, probe, waiting, echoes):
        address = probe.target.address(probe.family)
        if probe.protocol == "icmp":
            number = next(self.numbers) & 0xffff
            echoes[probe.source.name, probe.family, number] = probe
            kind = ECHO[probe.family][0]
            packet = struct.pack("!BBHHH", kind, 0, 0, number, os.getpid() & 0xffff)
            if probe.family == 4:
                packet = packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]
            self.raw[probe.source.name, probe.family].sendto(packet, (address, 0))
            return
        client = socket.socket(socket.AF_INET if probe.family == 4 else socket.AF_INET6,
                               socket.SOCK_STREAM if probe.protocol == "tcp" else socket.SOCK_DGRAM)
        client.setblocking(False)
        client.connect_ex((address, probe.port))
        if probe.protocol == "udp":
            client.send(b"who goes there")
        waiting[client.fileno()] = client, probe
        self.poll.register(client, select.EPOLLOUT if probe.protocol == "tcp" else select.EPOLLIN)

    @staticmethod
    def _answer(server):
        try:
            while True:
                data, peer = server.recvfrom(100)
                server.sendto(data, peer)
        except BlockingIOError:
            pass

    def _echoes(self, number, echoes):
        (name, family), raw = next((key, raw) for key, raw in self.raw.items() if raw.fileno() == number)
        try:
            while True:
                packet = raw.recv(2000)
                packet = packet[(packet[0] & 15) * 4:] if family == 4 else packet
                if packet[0] == ECHO[family][1]:
                    probe = echoes.get((name, family, struct.unpack("!H", packet[4:6])[0]))
                    if probe:
                        yield probe
        except BlockingIOError:
            pass

    def close(self):
        self.poll.close()
        for one in self.sockets:
            one.close()
