"""A lab for the integration tests: up, down, what runs in its namespaces, and raw sockets on its endpoints.

Environment: WEFT_BIN is the directory of weftd, weftctl and weft-lab (default build/dev/bin). WEFT_TIME_SCALE multiplies
every deadline. WEFT_SKIP_INTEGRATION=1 leaves the tests out.
"""
import contextlib
import ctypes
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("WEFT_BIN", ROOT / "build/dev/bin")).resolve()
DEMO = ROOT / "configs/topologies/demo.toml"
SCALE = float(os.environ.get("WEFT_TIME_SCALE", "1"))
NOTHING_SENT = {"flow_mods": 0, "group_mods": 0, "meter_mods": 0, "ovsdb_ops": 0}
FORGETTING = 10  # flow-mods of every change on a userspace datapath: controller/stale_cache.hpp
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error:|LeakSanitizer")


def eventually(probe, seconds=5, what="it"):
    """Polls until probe() gives something true, and returns that. A failed assertion in probe counts as not yet."""
    deadline = time.monotonic() + seconds * SCALE
    while True:
        last = None
        try:
            found = probe()
            if found:
                return found
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds * SCALE:g} s{f': {last}' if last else ''}")
        time.sleep(0.02)


def run(command, check=True, **options):
    options.setdefault("timeout", 120 * SCALE)
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)  # a guest would wait for the end of ours
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Lab:
    """One lab of weft-lab. `topology` is a file, or the text of one; `text` is what it holds."""

    def __init__(self, topology):
        stem = pathlib.Path(sys.argv[0]).stem.removesuffix("_test")
        self.name = f"{stem[:8]}{os.getpid()}"
        self.run_directory = pathlib.Path("/run/weft-lab") / self.name
        self.scratch = tempfile.TemporaryDirectory()
        self.text = topology.read_text() if isinstance(topology, pathlib.Path) else topology
        self.file = self.write("topology.toml", self.text)

    def write(self, name, text):
        path = pathlib.Path(self.scratch.name) / name
        path.write_text(text)
        return path

    def lab(self, command, *words, check=True, **options):
        return run([BIN / "weft-lab", command, "--name", self.name, *words], check, **options)

    def up(self):
        self.lab("up", self.file)
        self.namespaces = {row["name"]: row["namespace"] for row in json.loads(self.lab("status", "-o", "json").stdout)}
        self.namespaces.update({name: f"weft-{self.name}-{name}" for name in ("control", "underlay", "switch")})
        self.meet_vteps()

    def meet_vteps(self):
        """The userspace datapath drops what goes to a VTEP until it has seen that one's ARP reply."""
        vteps = {host["name"]: host["vtep"] for host in self.json("hosts")}

        def met(host, peer):
            if vteps[peer] in self.exec(host, "ovs-appctl", "tnl/neigh/show").stdout:
                return True
            self.exec(host, "ip", "neigh", "flush", "dev", "br-phy")
            self.reaches(host, vteps[peer])
            return False

        for host, peer in itertools.permutations(vteps, 2):
            eventually(lambda: met(host, peer), what=f"{peer}'s VTEP from {host}")

    def exec(self, who, *command, check=True, **options):
        return run([BIN / "weft-lab", "exec", "--name", self.name, who, "--", *command], check, **options)

    @contextlib.contextmanager
    def running(self, who, *command):
        """Runs `command` in the namespace of `who` until the block ends; gives the Popen."""
        words = [str(word) for word in (BIN / "weft-lab", "exec", "--name", self.name, who, "--", *command)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    def ctl(self, *words, check=True, **options):
        return run([BIN / "weftctl", f"--lab={self.name}", *words], check, **options)

    def json(self, *words):
        return json.loads(self.ctl(*words, "-o", "json").stdout)

    def fault(self, *words, **options):
        return self.lab("fault", *words, **options)

    def hosts(self):
        return {host["name"]: host for host in self.json("status")["hosts"]}

    def sent(self):
        return {name: host["sent"] for name, host in self.hosts().items()}

    def ports(self):
        return {port["name"]: port for port in self.json("ports")}

    def next_event(self):
        events = self.json("events")
        return events[-1]["seq"] + 1 if events else 0

    def events(self, kind, host=None, since=0):
        return [event for event in self.json("events")
                if event["seq"] >= since and event["kind"] == kind and host in (None, event["host"])]

    def wait(self, seconds=30):
        """Until every host is synced and has stayed so for a moment."""
        self.ctl("wait", "--timeout", f"{int(seconds * SCALE)}s")
        time.sleep(0.3 * SCALE)
        self.ctl("wait", "--timeout", f"{int(seconds * SCALE)}s")

    def start_weftd(self, **environment):
        """Starts a killed weftd; what stands in the environment reaches it."""
        return self.fault("weftd", "start", check=not environment, env={**os.environ, **environment})

    def weftd(self):
        return json.loads((self.run_directory / "lab.json").read_text())["processes"]["weftd"]["pid"]

    def weftd_is_gone(self):
        try:
            return pathlib.Path(f"/proc/{self.weftd()}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except FileNotFoundError:
            return True

    def start_weftd_if_gone(self):
        """For cleanups: the tests after one that failed find a weftd."""
        if self.weftd_is_gone():
            self.start_weftd()

    def stop_weftd(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.weftd(), signal.SIGTERM)
        eventually(self.weftd_is_gone, 10, "the end of weftd")

    def restart_weftd(self):
        self.fault("weftd", "kill")
        self.start_weftd()
        self.wait()

    def reaches(self, who, address, *options):
        return self.exec(who, "ping", "-c1", "-W1", *options, address, check=False).returncode == 0

    def matrix_differences(self):
        done = self.lab("matrix", "--expect", ROOT / "configs/topologies/demo.expect", check=False)
        return done.stderr if done.returncode != 0 else ""

    def log(self):
        return (self.run_directory / "weftd.log").read_text(errors="replace")

    def sent_by_restart(self):
        """To whom a restart of weftd sent something. A failover in the middle of it is a change of its own: then again."""
        for _ in range(3):
            since = self.next_event()
            self.restart_weftd()
            sent = {host: sent for host, sent in self.sent().items() if sent != NOTHING_SENT}
            if not sent or not self.events("gateway_active", since=since):
                break
        return sent

    def finish(self, expected_errors=(), healthy=True):
        """Takes the lab down after the checks that every lab must pass."""
        problems = []
        try:
            if healthy:
                problems += [f"a restart sent {sent} to {host}" for host, sent in self.sent_by_restart().items()]
            self.stop_weftd()  # a sanitizer speaks up at the end
            problems += [f"weftd.log: {line}" for line in self.log().splitlines()
                         if SANITIZER.search(line) or (line.startswith("error")
                                                       and not any(re.search(e, line) for e in expected_errors))]
        except (AssertionError, OSError) as error:
            problems.append(str(error))
        self.lab("down")
        problems += [f"namespace {name} is left" for name in namespaces(self.name)]
        problems += [f"process is left: {words}" for words in processes(self.name)]
        if self.run_directory.exists():
            problems.append(f"{self.run_directory} is left")
        self.scratch.cleanup()
        if problems:
            raise AssertionError("\n".join(problems))


def namespaces(lab):
    listed = run(["ip", "netns", "list"]).stdout.splitlines()
    return [line.split()[0] for line in listed if line.startswith(f"weft-{lab}-")]


def processes(lab):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if f"/run/weft-lab/{lab}/" in words:
                found.append(words)
    return found


class FabricTest(unittest.TestCase):
    """One lab for all tests of a class."""
    TOPOLOGY = DEMO
    EXPECTED_ERRORS = ()  # patterns of lines in weftd.log

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(cls.TOPOLOGY)
        cls.addClassCleanup(cls.lab.finish, cls.EXPECTED_ERRORS)
        cls.lab.up()


# Sockets in namespaces. A socket stays in the namespace it was made in, so one process can hold all ends.

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def inside(namespace):
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{namespace}") as there:
        if _libc.setns(there.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
        try:
            yield
        finally:
            if _libc.setns(home.fileno(), _CLONE_NEWNET) != 0:
                os.abort()  # everything after would happen in the wrong place


class Wire:
    """A raw socket on an interface: sends frames and tells which came in (or also, or only, went out), VLAN tags included."""
    _SOL_PACKET, _AUXDATA, _OUTGOING, _VLAN_VALID = 263, 8, 4, 0x10

    def __init__(self, namespace, interface="eth0", outgoing=False, incoming=True):
        self.unwanted = (() if incoming else (0, 1, 2, 3)) + (() if outgoing else (self._OUTGOING,))
        with inside(namespace):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
            self.socket.setsockopt(self._SOL_PACKET, self._AUXDATA, 1)
            self.socket.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
            self.socket.bind((interface, 0))
            self.mac = ":".join(f"{byte:02x}" for byte in self.socket.getsockname()[4])
        self.socket.setblocking(False)

    def send(self, *frames):
        for frame in frames:
            self.socket.send(bytes(frame))

    def received(self):
        """The frames that came in since the last call, as bytes."""
        frames = []
        while True:
            try:
                frame, ancillary, _, address = self.socket.recvmsg(65536, 256)
            except BlockingIOError:
                return frames
            if address[2] in self.unwanted:
                continue
            for _, kind, data in ancillary:
                status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", data) if kind == self._AUXDATA else [0] * 7
                if status & self._VLAN_VALID:
                    frame = frame[:12] + struct.pack("!HH", tpid or 0x8100, tci) + frame[12:]
            frames.append(frame)

    def close(self):
        self.socket.close()


class UdpStream:
    """Numbered datagrams at `rate` a second from one namespace to another, until stop()."""

    def __init__(self, sender, receiver, address, rate=1000, port=7000):
        with inside(receiver):
            self._in = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._in.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)
            self._in.bind(("0.0.0.0", port))
        with inside(sender):
            self._out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._out.connect((address, port))
        self._in.settimeout(0.5)
        self._period, self._stop, self.sent, self.seen, self.times = 1 / rate, threading.Event(), 0, [], []
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._receive, self._send)]
        for thread in self._threads:
            thread.start()

    def _send(self):
        next_at = time.monotonic()
        while not self._stop.is_set():
            with contextlib.suppress(ConnectionRefusedError):
                self._out.send(struct.pack("!Q", self.sent))
            self.sent += 1
            next_at += self._period
            time.sleep(max(0, next_at - time.monotonic()))

    def _receive(self):
        while True:
            try:
                data = self._in.recv(64)
            except TimeoutError:
                if self._stop.is_set():
                    return
                continue
            self.seen.append(struct.unpack("!Q", data)[0])
            self.times.append(time.monotonic())

    def stop(self):
        """(sent, lost, doubled, longest gap in seconds)"""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._in.close()
        self._out.close()
        once = set(self.seen)
        gap = max((b - a for a, b in zip(self.times, self.times[1:])), default=float("inf"))
        return self.sent, self.sent - len(once), len(self.seen) - len(once), gap


def main():
    if os.environ.get("WEFT_SKIP_INTEGRATION") == "1":
        print("skipped: WEFT_SKIP_INTEGRATION=1")
        sys.exit(0)
    name = pathlib.Path(sys.argv[0]).stem
    if os.geteuid() != 0:
        sys.exit(f"{name} makes network namespaces: run it as root, or leave it out with WEFT_SKIP_INTEGRATION=1")
    for program in ("weftd", "weftctl", "weft-lab"):
        if not (BIN / program).exists():
            sys.exit(f"{BIN / program} is not there: build it, or say where it is with WEFT_BIN")
    unittest.main(verbosity=2)
