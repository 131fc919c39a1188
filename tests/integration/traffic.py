"""What talks over a fabric: sockets in namespaces that ask and answer, streams that are echoed, wires that listen.

A class mixes Traffic into its FabricTest. An address of any kind works; IPv6 is told by its colons.
"""
import collections
import contextlib
import ctypes
import errno
import hashlib
import json
import selectors
import socket
import struct
import threading
import time

import fabric
from fabric import Wire, eventually, inside

MARK = b"weft traffic"
Echoed = collections.namedtuple("Echoed", "sent arrived answered gap_there gap_back")


def make(namespace, kind, address, protocol=0):
    """A socket of the family of `address` in the namespace."""
    with inside(namespace):
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return made


def bind(made, address, port):
    """To `address` if it is the namespace's own, else (it is a translated one) to all of its addresses."""
    try:
        made.bind((address, port))
    except OSError:
        made.bind(("::" if ":" in address else "0.0.0.0", port))


class EchoStream:
    """Numbered datagrams at `rate` a second that the other end sends back, until stop()."""

    def __init__(self, client, server, address, rate=1000, port=7100, source=""):
        self._far = make(server, socket.SOCK_DGRAM, address)
        bind(self._far, address, port)
        self._near = make(client, socket.SOCK_DGRAM, address)
        if source:
            self._near.bind((source, 0))
        self._near.connect((address, port))
        for end in (self._far, self._near):
            end.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
            end.settimeout(0.5)
        self._period, self._stop = 1 / rate, threading.Event()
        self._began, self.sent, self.there, self.back = time.monotonic(), 0, {}, {}
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._echo, self._receive, self._send)]
        for thread in self._threads:
            thread.start()

    def _send(self):
        next_at = time.monotonic()
        while not self._stop.is_set():
            with contextlib.suppress(OSError):  # an ICMP error that came in
                self._near.send(struct.pack("!Q", self.sent))
            self.sent += 1
            next_at += self._period
            time.sleep(max(0, next_at - time.monotonic()))

    def _until_silence(self, receive):
        while True:
            try:
                receive()
            except TimeoutError:
                if self._stop.is_set():
                    return
            except OSError:
                continue

    def _echo(self):
        def one():
            data, peer = self._far.recvfrom(64)
            self.there.setdefault(struct.unpack("!Q", data)[0], time.monotonic())
            self._far.sendto(data, peer)
        self._until_silence(one)

    def _receive(self):
        def one():
            data = self._near.recv(64)
            self.back.setdefault(struct.unpack("!Q", data)[0], time.monotonic())
        self._until_silence(one)

    def stop(self):
        """What never came back until now counts as a gap too."""
        if not self._stop.is_set():
            self._stop.set()
            ended = time.monotonic()
            for thread in self._threads:
                thread.join()
            self._far.close()
            self._near.close()
            self._result = Echoed(self.sent, len(self.there), len(self.back), *(
                max(b - a for a, b in zip([self._began, *times], [*times, max([ended, *times])]))
                for times in (sorted(self.there.values()), sorted(self.back.values()))))
        return self._result


Question = collections.namedtuple("Question", "kind sender address port")
Heard = collections.namedtuple("Heard", "who port source")


class Survey:
    """Many questions at once, by TCP, UDP and ICMP echo: who heard each, on which port, from whom; and whether the answer
    came back. Everybody listens on every port of `ports` and asks from the address in `sources`, if there is one. IPv4 only."""
    BURST = 20  # then a pause: an interface of the userspace datapath holds under 300 packets

    def __init__(self, namespaces, listeners, ports, sources):
        self._selector, self._namespaces, self._sources = selectors.DefaultSelector(), namespaces, sources
        self.heard, self.answered, self._raw = collections.defaultdict(set), set(), {}
        for who in listeners:
            raw = make(namespaces[who], socket.SOCK_RAW, "", socket.IPPROTO_ICMP)
            raw.bind((sources.get(who, "0.0.0.0"), 0))
            self._raw[who] = self._watch(raw, self._icmp, who)
            for port in ports:
                for kind, work in ((socket.SOCK_DGRAM, self._datagram), (socket.SOCK_STREAM, self._accept)):
                    end = make(namespaces[who], kind, "")
                    end.bind((sources.get(who, "0.0.0.0"), port))
                    if kind == socket.SOCK_STREAM:
                        end.listen(1000)
                    self._watch(end, work, who, port)

    def _watch(self, end, work, *words):
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)  # SO_RCVBUFFORCE
        self._selector.register(end, selectors.EVENT_READ, (work, words))
        return end

    def _drop(self, end):
        self._selector.unregister(end)
        end.close()

    def _icmp(self, end, who):
        packet, (source, _) = end.recvfrom(2000)
        head = (packet[0] & 15) * 4
        if packet[head] in (0, 8) and packet[head + 8:].startswith(MARK):
            number = int(packet[head + 8 + len(MARK):])
            if packet[head] == 8:
                self.heard[self.questions[number]].add(Heard(who, 0, source))
            elif self.questions[number].sender == who and self.questions[number].address == source:
                self.answered.add(self.questions[number])

    def _datagram(self, end, who, port):
        words, peer = end.recvfrom(100)
        self.heard[self.questions[int(words)]].add(Heard(who, port, peer[0]))
        end.sendto(words, peer)

    def _accept(self, end, who, port):
        self._watch(end.accept()[0], self._segment, who, port)

    def _segment(self, end, who, port):
        words, peer = end.recv(100), None
        if words:
            self.heard[self.questions[int(words)]].add(Heard(who, port, end.getpeername()[0]))
            end.sendall(words)
        else:
            self._drop(end)

    def _answer(self, end, number):
        try:
            if end.recv(100) == str(number).encode():
                self.answered.add(self.questions[number])
        except OSError:
            pass  # refused
        self._drop(end)

    def _ask(self, number, question):
        kind, sender, address, port = question
        try:
            if kind == "icmp":
                echo = struct.pack("!BBHHH", 8, 0, 0, 0x4000 + number, 1) + MARK + str(number).encode()
                total = sum(struct.unpack(f"!{(len(echo) + 1) // 2}H", echo + bytes(len(echo) % 2)))
                total = (total & 0xffff) + (total >> 16)
                return self._raw[sender].sendto(echo[:2] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + echo[4:],
                                                (address, 0))
            end = make(self._namespaces[sender], socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM, "")
            end.bind((self._sources.get(sender, "0.0.0.0"), 0))
            self._watch(end, self._answer, number)
            if kind == "udp":
                end.connect((address, port))
                end.send(str(number).encode())
            elif end.connect_ex((address, port)) == errno.EINPROGRESS:
                self._selector.modify(end, selectors.EVENT_WRITE, (self._connected, (number,)))
            else:
                self._drop(end)
        except OSError:
            pass  # no route

    def _connected(self, end, number):
        if end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return self._drop(end)
        end.send(str(number).encode())
        self._selector.modify(end, selectors.EVENT_READ, (self._answer, (number,)))

    def _serve(self, seconds):
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            for key, _ in self._selector.select(left):
                work, words = key.data
                work(key.fileobj, *words)

    def ask(self, questions, expected, rounds=3, most=10):
        """Asks what is not answered yet, `rounds` times and until all of `expected` are answered, at most `most` times."""
        self.questions = list(questions)
        for turn in range(most):
            for number, question in enumerate(self.questions):
                if question not in self.answered:
                    self._ask(number, question)
                    if number % self.BURST == 0:
                        self._serve(0.01)
            self._serve(0.4)
            if turn + 1 >= rounds and self.answered >= set(expected):
                return

    def close(self):
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()


class Crowd:
    """Many connections to one server, each from its own (who, port), all open at once."""
    WINDOW = 50  # so many at most wait for their answer: an interface of the userspace datapath holds under 300 packets

    def __init__(self, namespaces, kind, members, server, address, port):
        self.kind, self.selector, self.turn = kind, selectors.DefaultSelector(), 0
        self.server = make(namespaces[server], kind, address)
        self.server.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)
        self.server.bind((address, port))
        self.watch(self.server, self.answer)
        if kind == socket.SOCK_STREAM:
            self.server.listen(4096)
        self.seen, self.members = {}, {}
        for who, source in members:
            end = make(namespaces[who], kind, address)
            end.bind(("0.0.0.0", source))
            self.watch(end, self.hear)
            self.members[end] = f"{who}:{source}"
            end.connect_ex((address, port))

    def watch(self, end, work):
        end.setblocking(False)
        self.selector.register(end, selectors.EVENT_READ, work)

    def answer(self, end):
        if self.kind == socket.SOCK_DGRAM:
            words, peer = end.recvfrom(100)
            end.sendto(words, peer)
        elif end is self.server:
            return self.watch(self.server.accept()[0], self.answer)
        else:
            words, peer = end.recv(100), end.getpeername()
            end.sendall(words)
        self.seen.setdefault(words.decode().split()[1], set()).add(peer)

    def hear(self, end):
        words = end.recv(100).decode()
        if words.split()[1] != self.members[end]:
            raise AssertionError(f"{self.members[end]} heard {words!r}")
        if words == self.words(end):  # else a late answer to what was asked twice
            self.missing.discard(end)

    def words(self, end):
        return f"{self.turn} {self.members[end]}"

    def round(self, seconds=15):
        """Each member says something and hears just that."""
        self.turn += 1
        self.missing, mute, asked = set(self.members), collections.deque(self.members), {}
        deadline = time.monotonic() + seconds * fabric.SCALE
        while self.missing:
            if time.monotonic() > deadline:
                raise AssertionError(f"round {self.turn}: {len(self.missing)} of {len(self.members)} heard nothing, "
                                     f"{sorted(self.members[end] for end in self.missing)[:5]} …")
            for _ in range(min(len(mute), self.WINDOW - len(self.missing) + len(mute))):
                end = mute.popleft()
                try:
                    end.send(self.words(end).encode())
                    asked[end] = time.monotonic()
                except BlockingIOError:  # not connected yet
                    mute.append(end)
            for key, _ in self.selector.select(0.01):
                key.data(key.fileobj)
            if self.kind == socket.SOCK_DGRAM:  # a busy machine loses a datagram now and then
                mute.extend(end for end in self.missing if asked.pop(end, deadline) < time.monotonic() - 2)

    def close(self):
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()


class PrivateSourceWire(Wire):
    """Hears only what must never be on the public network: IPv4 and ARP with a source in 10/8 or 192.168/16."""
    _FILTER = ((0x28, 0, 0, 12), (0x15, 0, 2, 0x0800), (0x20, 0, 0, 26), (0x05, 0, 0, 2),      # ip.src
               (0x15, 0, 7, 0x0806), (0x20, 0, 0, 28),                                         # arp.spa
               (0x07, 0, 0, 0), (0x54, 0, 0, 0xff000000), (0x15, 4, 0, 0x0a000000),            # 10/8
               (0x87, 0, 0, 0), (0x54, 0, 0, 0xffff0000), (0x15, 1, 0, 0xc0a80000),            # 192.168/16
               (0x06, 0, 0, 0), (0x06, 0, 0, 0x40000))

    def __init__(self, namespace, interface="eth0"):
        super().__init__(namespace, interface, outgoing=True)
        code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *word) for word in self._FILTER))
        self.socket.setsockopt(socket.SOL_SOCKET, 26,  # SO_ATTACH_FILTER
                               struct.pack("HP", len(self._FILTER), ctypes.addressof(code)))
        self.received()


class Traffic:
    def ns(self, who):
        return self.lab.namespaces[who]

    def wire(self, who, interface="eth0", outgoing=False, incoming=True):
        wire = Wire(self.ns(who), interface, outgoing, incoming)
        self.addCleanup(wire.close)
        return wire

    def wires(self, *members, **options):
        return {member: self.wire(*member.split("/"), **options) for member in members}

    def heard(self, wires, mark=MARK):
        return {name for name, wire in wires.items() if any(mark in frame for frame in wire.received())}

    def flush(self, *names):
        """Forgets what these have learned of path MTUs."""
        for name in names:
            self.lab.exec(name, "ip", "route", "flush", "cache")
            self.lab.exec(name, "ip", "-6", "route", "flush", "cache")

    def ping(self, who, address, *options):
        """All that ping prints of one echo request."""
        return self.lab.exec(who, "ping", "-c1", "-W2", *options, address, check=False).stdout

    def assert_pings(self, who, address, *options):
        self.assertIn(" 1 received", self.ping(who, address, *options), f"{who} → {address}")

    def mac_of(self, who, address):
        """The MAC that `who` sends to for its neighbour `address`."""
        def known():
            self.lab.reaches(who, address)
            found = json.loads(self.lab.exec(who, "ip", "-j", "neigh", "show", address, "dev", "eth0").stdout)
            return next((row["lladdr"] for row in found if "lladdr" in row), None)
        return eventually(known, 5, f"{who}'s neighbour {address}")

    def connect(self, client, server, address, port, listen=None, source="", timeout=3):
        """Both ends of a TCP connection."""
        with make(self.ns(server), socket.SOCK_STREAM, address) as listener:
            bind(listener, address, listen or port)
            listener.listen()
            listener.settimeout(timeout * fabric.SCALE)
            near = make(self.ns(client), socket.SOCK_STREAM, address)
            self.addCleanup(near.close)
            near.settimeout(timeout * fabric.SCALE)
            if source:
                near.bind((source, 0))
            near.connect((address, port))
            far, _ = listener.accept()
            self.addCleanup(far.close)
            far.settimeout(timeout * fabric.SCALE)
        return near, far

    def tcp(self, client, server, address, port, listen=None, source="", timeout=3):
        """Connects, asks, is answered; the source that the server saw. OSError if nothing comes of it."""
        near, far = self.connect(client, server, address, port, listen, source, timeout)
        for one, other in ((near, far), (far, near)):
            one.sendall(MARK)
            self.assertEqual(other.recv(100), MARK)
        seen = far.getpeername()[0]
        near.close()
        far.close()
        return seen

    def udp(self, client, server, address, port, listen=None, source="", timeout=3):
        """A datagram there and back, the answer from where the question went; the source that the server saw."""
        far, near = (make(self.ns(who), socket.SOCK_DGRAM, address) for who in (server, client))
        with far, near:
            bind(far, address, listen or port)
            if source:
                near.bind((source, 0))
            near.connect((address, port))
            for end in (far, near):
                end.settimeout(timeout * fabric.SCALE)
            near.send(MARK)
            data, peer = far.recvfrom(2000)
            far.sendto(data, peer)
            self.assertEqual(near.recv(2000), MARK)
        return peer[0]

    def both(self, *words, **options):
        """The sources seen over TCP and over UDP, which is one."""
        seen = {self.tcp(*words, **options), self.udp(*words, **options)}
        self.assertEqual(len(seen), 1, seen)
        return seen.pop()

    def assert_closed(self, *words, protocols=("tcp", "udp"), **options):
        for protocol in protocols:
            with self.assertRaises(OSError, msg=f"{protocol} {words}"):
                getattr(self, protocol)(*words, timeout=0.5, **options)

    def transfer(self, sender, receiver, size):
        """Sends `size` bytes and closes that direction; whether they arrived as they were. Megabits a second."""
        block = bytes(range(256)) * 1024
        sent, received = hashlib.sha256(), hashlib.sha256()

        def push():
            left = size
            while left > 0:
                part = block[:left]
                sender.sendall(part)
                sent.update(part)
                left -= len(part)
            sender.shutdown(socket.SHUT_WR)

        began = time.monotonic()
        pushing = threading.Thread(target=push, daemon=True)
        pushing.start()
        total = 0
        while data := receiver.recv(1 << 20):
            received.update(data)
            total += len(data)
        pushing.join()
        self.assertEqual((total, received.hexdigest()), (size, sent.hexdigest()))
        return size * 8 / 1e6 / (time.monotonic() - began)
