#!/usr/bin/env python3
"""COUNT guests ask for an address at the same moment: how long until the last of them has one? weft beside dnsmasq, with the
same guests and clients.

usage: leases.py [--guests 200] [--rounds 3] [--bin DIRECTORY] [SERVER…]           default bin: build/release/bin

  weft          a lab of three hosts with one vxlan network; weftd answers what the switches send it
  dnsmasq       on one Open vSwitch bridge (netdev, actions=NORMAL, and one flow that takes requests to the server alone), a
                fixed address for each MAC
  dnsmasq-flood the same without that flow: every guest's broadcasts go to all guests
  dnsmasq-pool  as the first, addresses from a range, offered without a ping
  dnsmasq-ping  the same as it is by default: the first addresses are pinged before they are offered

Two clients. `driver` is one process with a raw socket in every guest, DISCOVER to ACK for all of them at once, again after a
second without an answer: the server's time and the switch's. `udhcpc` is a process in every guest: their start is measured
too, two cores fork for longer than a server answers.

Nothing is asserted of speed. It fails if somebody got no address, one that somebody else has, or another than its own.
"""
import argparse
import collections
import contextlib
import ctypes
import heapq
import itertools
import json
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/integration"))
from fabric import inside  # noqa: E402: it is beside the tests

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
SERVER_IP = "10.50.0.1"
GIVE_UP = 120  # seconds
Guest = collections.namedtuple("Guest", "name namespace mac ip")  # ip: what it must get; None: any
Result = collections.namedtuple("Result", "addresses times retries cpu started")


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))[:300]}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def await_path(path):
    for _ in range(1000):
        if os.path.exists(path):
            return
        time.sleep(0.01)
    raise SystemExit(f"no {path}")


def cpu(pid):
    """Seconds of a process and its threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def mac_of(index):
    return f"52:54:00:50:{index >> 8:02x}:{index & 255:02x}"


def ip_of(index):
    return f"10.50.{1 + index // 200}.{10 + index % 200}"


# The places in which guests ask.

class Weft:
    """A lab. Its endpoints have their addresses already, which no client minds: it asks for one that it was never given."""

    def __init__(self, count, bins, name):
        self.bins, self.name, self.count = bins, name, count

    def __enter__(self):
        text = "".join(f'[[host]]\nname = "h{n}"\n' for n in (1, 2, 3))
        text += '[[network]]\nname = "leases"\nkind = "vxlan"\nsubnet = "10.50.0.0/16"\n'
        text += "".join(f'[[port]]\nname = "g{i:03}"\nnetwork = "leases"\nmac = "{mac_of(i)}"\nip = "{ip_of(i)}"\n'
                        f'lab_host = "h{i % 3 + 1}"\n' for i in range(self.count))
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(text)
            file.flush()
            try:
                run(self.bins / "weft-lab", "up", file.name, "--name", self.name, "--timeout", 300)
                run(self.bins / "weftctl", f"--lab={self.name}", "wait", "--timeout", "60s")
            except BaseException:
                self.__exit__()
                raise
        ports = json.loads(run(self.bins / "weftctl", f"--lab={self.name}", "ports", "-o", "json"))
        address = {port["name"]: next(ip for ip in port["ips"] if ":" not in ip) for port in ports}
        self.guests = [Guest(name, f"weft-{self.name}-{name}", mac_of(i), address[name])
                       for i, name in enumerate(f"g{i:03}" for i in range(self.count))]
        record = json.loads(pathlib.Path(f"/run/weft-lab/{self.name}/lab.json").read_text())
        self.pid = record["processes"]["weftd"]["pid"]
        return self

    def fresh(self):
        """It remembers nothing: a lease is the port's address."""

    def __exit__(self, *_):
        subprocess.run([self.bins / "weft-lab", "down", "--name", self.name], capture_output=True, check=False)


class Bridge:
    """Guests and a server on one switch, each in a namespace of its own."""

    def __init__(self, count, name):
        self.count, self.name, self.processes, self.namespaces = count, name, [], []
        self.directory = tempfile.mkdtemp(prefix="weft-leases-")
        self.environment = dict(os.environ, OVS_RUNDIR=self.directory, OVS_LOGDIR=self.directory,
                                OVS_DBDIR=self.directory)

    def __enter__(self):
        try:
            self.make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def make(self):
        switch, server = f"{self.name}-switch", f"{self.name}-server"
        guests = [Guest(f"g{i:03}", f"{self.name}-g{i:03}", mac_of(i), ip_of(i)) for i in range(self.count)]
        for namespace in (switch, server, *(guest.namespace for guest in guests)):
            run("ip", "netns", "add", namespace)
            self.namespaces.append(namespace)
        ends = [("server", server, "52:54:00:50:ff:01"), *((g.name, g.namespace, g.mac) for g in guests)]
        for name, namespace, mac in ends:
            run("ip", "-n", switch, "link", "add", f"v{name}", "type", "veth", "peer", "name", "eth0", "address", mac, "netns",
                namespace)
            # What a NIC would do, nobody does: a userspace datapath passes frames on as they are.
            run("ip", "netns", "exec", namespace, "ethtool", "-K", "eth0", "tx", "off", "rx", "off")
            run("ip", "-n", namespace, "link", "set", "eth0", "up")
        run("ip", "-n", switch, "-batch", "-", input="".join(f"link set v{name} up\n" for name, _, _ in ends))
        run("ip", "-n", server, "addr", "add", f"{SERVER_IP}/16", "dev", "eth0")
        run("ip", "-n", server, "link", "set", "lo", "up")

        run("ovsdb-tool", "create", f"{self.directory}/conf.db", SCHEMA)
        self.start(switch, "ovsdb-server", f"{self.directory}/conf.db", f"--remote=punix:{self.directory}/db.sock",
                   f"--unixctl={self.directory}/ovsdb.ctl")
        await_path(f"{self.directory}/db.sock")
        vsctl = ("ovs-vsctl", f"--db=unix:{self.directory}/db.sock", "--timeout=60")
        run(*vsctl, "--no-wait", "init", env=self.environment)
        self.start(switch, "ovs-vswitchd", f"unix:{self.directory}/db.sock", "--disable-system",
                   f"--unixctl={self.directory}/vswitchd.ctl")
        await_path(f"{self.directory}/vswitchd.ctl")
        words = ["add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev"]
        for name, _, _ in ends:
            words += ["--", "add-port", "br0", f"v{name}"]
        run(*vsctl, *words, env=self.environment)
        self.guests = guests

    def start(self, namespace, *command):
        with inside(namespace), open(f"{self.directory}/{command[0]}.log", "a") as log:
            process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def stop(self, process):
        process.kill()
        process.wait()
        self.processes.remove(process)

    def __exit__(self, *_):
        for process in reversed(self.processes[:]):
            self.stop(process)
        for namespace in self.namespaces:
            subprocess.run(["ip", "netns", "del", namespace], check=False)
        shutil.rmtree(self.directory)


class Dnsmasq(Bridge):
    def __init__(self, count, name, kind):
        super().__init__(count, name)
        self.fixed, self.ping = kind in ("dnsmasq", "dnsmasq-flood"), kind == "dnsmasq-ping"
        self.flood, self.server = kind == "dnsmasq-flood", None

    def make(self):
        super().make()
        if not self.flood:
            run("ovs-ofctl", "add-flow", f"unix:{self.directory}/br0.mgmt",
                "priority=9,udp,tp_src=68,tp_dst=67,actions=output:vserver", env=self.environment)
        if not self.fixed:
            self.guests = [guest._replace(ip=None) for guest in self.guests]
        pathlib.Path(f"{self.directory}/hosts").write_text("".join(f"{g.mac},{g.ip}\n" for g in self.guests if g.ip))

    def fresh(self):
        """A server without leases."""
        if self.server:
            self.stop(self.server)
        leases = pathlib.Path(f"{self.directory}/leases")
        leases.unlink(missing_ok=True)
        pool = "10.50.0.0,static" if self.fixed else "10.50.1.10,10.50.8.250"
        self.server = self.start(
            f"{self.name}-server", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--pid-file=",
            "--port=0", "--interface=eth0", "--quiet-dhcp", f"--dhcp-range={pool},255.255.0.0,1h",
            f"--dhcp-hostsfile={self.directory}/hosts", f"--dhcp-leasefile={leases}", "--dhcp-lease-max=5000",
            "--dhcp-option=option:router,10.50.0.1", "--log-facility=-", *([] if self.ping else ["--no-ping"]))
        self.pid = self.server.pid
        await_path(leases)
        with inside(f"{self.name}-server"):
            for _ in range(500):
                if ":0043 " in pathlib.Path("/proc/thread-self/net/udp").read_text():
                    break
                time.sleep(0.01)
            else:
                raise SystemExit(f"dnsmasq does not listen, its log:\n"
                                 f"{pathlib.Path(f'{self.directory}/dnsmasq.log').read_text()}")


# The clients.

DISCOVER, OFFER, REQUEST, ACK, NAK = 1, 2, 3, 5, 6
_INSTRUCTIONS = [(0x28, 0, 0, 12), (0x15, 0, 5, 0x0800), (0x30, 0, 0, 23), (0x15, 0, 3, 17),  # IPv4, UDP
                 (0x28, 0, 0, 36), (0x15, 0, 1, 68), (0x06, 0, 0, 0xffff), (0x06, 0, 0, 0)]   # to the client's port
_CODE = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *i) for i in _INSTRUCTIONS))
# A broadcast reaches every guest: the kernel leaves out what none of them waits for.
FILTER = struct.pack("HL", len(_INSTRUCTIONS), ctypes.addressof(_CODE))
SO_ATTACH_FILTER = 26


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


class Client:
    """One guest's way from DISCOVER to ACK."""

    def __init__(self, guest):
        self.mac = bytes.fromhex(guest.mac.replace(":", ""))
        self.xid = random.randbytes(4)
        with inside(guest.namespace):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, FILTER)
            self.socket.bind(("eth0", 0x0800))
        self.socket.setblocking(False)
        self.retries, self.address = 0, None
        self.message = self.frame(DISCOVER)

    def frame(self, kind, *options):
        payload = (b"\1\1\6\0" + self.xid + bytes(20) + self.mac + bytes(10 + 64 + 128) + b"\x63\x82\x53\x63"
                   + bytes((53, 1, kind)) + b"".join(options) + b"\x37\x09\x01\x79\x03\x06\x0c\x0f\x1a\x1c\x2a\xff")
        payload = payload.ljust(300, b"\0")
        udp = struct.pack("!HHHH", 68, 67, 8 + len(payload), 0) + payload
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes(4), b"\xff" * 4)
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        return b"\xff" * 6 + self.mac + b"\x08\0" + head + udp

    def send(self):
        self.socket.send(self.message)

    def heard(self):
        """What came in: true if it sent another message for it."""
        sent = False
        while not self.address:
            try:
                frame = self.socket.recv(2048)
            except BlockingIOError:
                break
            payload = frame[14 + (frame[14] & 15) * 4 + 8:]
            if payload[4:8] != self.xid or payload[28:34] != self.mac:
                continue
            options, at = {}, 240
            while at < len(payload) and payload[at] != 255:
                if payload[at] == 0:
                    at += 1
                    continue
                options[payload[at]] = payload[at + 2:at + 2 + payload[at + 1]]
                at += 2 + payload[at + 1]
            kind = options.get(53, b"\0")[0]
            waits_for_offer = self.message[14 + 28 + 242] == DISCOVER
            if kind == OFFER and waits_for_offer:
                self.message = self.frame(REQUEST, b"\x32\4" + payload[16:20], b"\x36\4" + options[54])
            elif kind == NAK:
                self.message = self.frame(DISCOVER)
            elif kind == ACK and not waits_for_offer:
                self.address = socket.inet_ntoa(payload[16:20])
                break
            else:
                continue
            self.send()
            sent = True
        return sent


def drive(place):
    clients = [Client(guest) for guest in place.guests]
    by_number = {client.socket.fileno(): client for client in clients}
    poll = select.epoll()
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    times, again, order = {}, [], itertools.count()  # again: a heap of when, number, who, the message that it waits with
    before, begin = cpu(place.pid), time.perf_counter()
    for client in clients:
        client.send()
        heapq.heappush(again, (time.perf_counter() + 1, next(order), client, client.message))
    started = time.perf_counter() - begin
    while len(times) < len(clients) and time.perf_counter() - begin < GIVE_UP:
        for number, _ in poll.poll(0.05):
            client = by_number[number]
            sent = client.heard()
            now = time.perf_counter()
            if client.address and number not in times:
                times[number] = now - begin
                poll.unregister(number)
            elif sent:
                heapq.heappush(again, (now + 1, next(order), client, client.message))
        now = time.perf_counter()
        while again and again[0][0] < now:
            _, _, client, message = heapq.heappop(again)
            if client.address or client.message is not message:
                continue
            client.retries += 1
            client.send()
            heapq.heappush(again, (now + 1, next(order), client, message))
    used = cpu(place.pid) - before
    for client in clients:
        client.socket.close()
    poll.close()
    return Result([client.address for client in clients], sorted(times.values()), sum(c.retries for c in clients), used,
                  started)


def udhcpc(place):
    """The file that a client's script writes tells its address, and when by the file's time. A client whose REQUESTs are not
    answered begins anew, as one does that nobody waits for."""
    with tempfile.TemporaryDirectory(prefix="weft-leases-") as scratch:
        script = pathlib.Path(scratch) / "script"
        script.write_text('#!/bin/sh\n[ "$1" = bound ] && echo "$ip" >"$LEASE"\nexit 0\n')
        script.chmod(0o755)
        leases = [pathlib.Path(scratch) / f"{guest.name}.lease" for guest in place.guests]
        logs = [pathlib.Path(scratch) / f"{guest.name}.log" for guest in place.guests]
        before, begin = cpu(place.pid), time.time()
        clients = []
        try:
            for guest, lease, log in zip(place.guests, leases, logs):
                with inside(guest.namespace), log.open("w") as out:
                    clients.append(subprocess.Popen(
                        ["udhcpc", "-i", "eth0", "-f", "-q", "-t", "20", "-T", "1", "-A", "1", "-s", script],
                        env=dict(os.environ, LEASE=str(lease)), stdout=out, stderr=out))
            started = time.time() - begin
            for client in clients:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    client.wait(max(0, begin + GIVE_UP - time.time()))
        finally:
            for client in clients:
                if client.poll() is None:
                    client.kill()
                    client.wait()
        used = cpu(place.pid) - before
        addresses = [lease.read_text().strip() if lease.exists() else None for lease in leases]
        times = sorted(lease.stat().st_mtime_ns / 1e9 - begin for lease in leases if lease.exists())
        texts = [log.read_text() for log in logs]
        for text in [text for text, address in zip(texts, addresses) if not address][:1]:
            print(f"one without an address said:\n{text}", file=sys.stderr)
        retries = sum(max(0, text.count("discover") - 1) + max(0, text.count("select") - 1) for text in texts)
        return Result(addresses, times, retries, used, started)


def problems(place, result):
    found = []
    without = [g.name for g, address in zip(place.guests, result.addresses) if not address]
    if without:
        found.append(f"{len(without)} got no address: {' '.join(without[:10])}")
    holders = collections.defaultdict(list)
    for guest, address in zip(place.guests, result.addresses):
        if address:
            holders[address].append(guest.name)
            if guest.ip and address != guest.ip:
                found.append(f"{guest.name} got {address}, it has {guest.ip}")
    return found + [f"{address} was given to {' and '.join(names)}" for address, names in holders.items() if len(names) > 1]


def report(server, client, results):
    def middle(value):
        return statistics.median(value(result) for result in results)

    if not all(result.times for result in results):
        print(f"| {server} | {client} | nobody got an address |", flush=True)
        return
    count = len(results[0].addresses)
    print(f"| {server} | {client} | {middle(lambda r: r.started) * 1e3:.0f} ms | {middle(lambda r: r.times[0]) * 1e3:.0f} ms | "
          f"{middle(lambda r: statistics.median(r.times)) * 1e3:.0f} ms | {middle(lambda r: r.times[-1]) * 1e3:.0f} ms "
          f"({min(r.times[-1] for r in results) * 1e3:.0f}–{max(r.times[-1] for r in results) * 1e3:.0f}) | "
          f"{count / middle(lambda r: r.times[-1]):.0f} | {middle(lambda r: r.retries):.0f} | "
          f"{middle(lambda r: r.cpu) / count * 1e3:.2f} ms |", flush=True)


def main():
    servers = ["weft", "dnsmasq", "dnsmasq-flood", "dnsmasq-pool", "dnsmasq-ping"]
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--guests", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("servers", nargs="*", metavar="SERVER")
    asked = parser.parse_args()
    if unknown := set(asked.servers) - set(servers):
        parser.error(f"no such server: {' '.join(unknown)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is stopped

    failed = False
    print(f"{asked.guests} guests at once, {asked.rounds} rounds, medians; load before {os.getloadavg()[0]:.1f}")
    print("| server | client | all asked after | first lease | median | last (least–most) | leases/s | retries | server's CPU a lease |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for server in asked.servers or servers:
        name = f"leases{os.getpid()}"
        place = (Weft(asked.guests, asked.bin.resolve(), name) if server == "weft" else
                 Dnsmasq(asked.guests, name, server))
        with place:
            for client in (drive, udhcpc):
                results = []
                for _ in range(asked.rounds):
                    place.fresh()
                    results.append(client(place))
                    for problem in problems(place, results[-1]):
                        failed = True
                        print(f"{server}, {client.__name__}: {problem}", file=sys.stderr)
                report(server, "driver" if client is drive else "udhcpc", results)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
