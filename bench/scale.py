#!/usr/bin/env python3
"""A whole fabric on one machine: HOSTS switches on dummy datapaths, each with its own OVSDB, and one weftd.

usage: scale.py HOSTS PORTS_PER_HOST NETWORKS [BIN_DIRECTORY]      default bin: build/release/bin

Port v is in network v / (ports per network) and on host v mod HOSTS, so that every host has every network. Each network
has a router. Printed:
convergence, flows, memory, CPU, how long a new port takes, and what a restart of weftd costs and sends.
"""
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
PROBES = 50


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def await_path(path):
    for _ in range(1000):
        if os.path.exists(path):
            return
        time.sleep(0.01)
    raise SystemExit(f"no {path}")


def cpu(process):
    fields = open(f"/proc/{process.pid}/stat").read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_kib(process):
    for line in open(f"/proc/{process.pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Ovsdb:
    """JSON-RPC over the host's OVSDB socket: no process to start for a transaction."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.buffer = ""
        self.decoder = json.JSONDecoder()
        self.number = 0

    def receive(self):
        while True:
            text = self.buffer.lstrip()
            with contextlib.suppress(json.JSONDecodeError):
                message, end = self.decoder.raw_decode(text)
                self.buffer = text[end:]
                return message
            chunk = self.socket.recv(65536)
            if not chunk:
                raise SystemExit("ovsdb-server closed the connection")
            self.buffer += chunk.decode()

    def send(self, method, params):
        self.number += 1
        self.socket.sendall(json.dumps({"method": method, "params": params, "id": self.number}).encode())
        return self.number

    def answer(self, number):
        while True:
            message = self.receive()
            if message.get("id") == number and "result" in message:
                return message["result"]

    def transact(self, *operations):
        number = self.send("transact", ["Open_vSwitch", *operations])
        result = self.answer(number)
        assert not any("error" in entry for entry in result), result


class Host:
    def __init__(self, number, directory):
        self.name = f"host{number:03}"
        self.vtep = f"192.0.{2 + number // 200}.{number % 200 + 1}"
        self.directory = f"{directory}/{self.name}"
        os.makedirs(self.directory)
        self.environment = dict(os.environ, OVS_RUNDIR=self.directory, OVS_LOGDIR=self.directory,
                                OVS_DBDIR=self.directory)
        self.port = free_port()
        run("ovsdb-tool", "create", f"{self.directory}/conf.db", SCHEMA)
        self.ovsdb = self.start("ovsdb-server", f"{self.directory}/conf.db",
                                f"--remote=punix:{self.directory}/db.sock", f"--remote=ptcp:{self.port}:127.0.0.1",
                                f"--unixctl={self.directory}/ovsdb.ctl")
        await_path(f"{self.directory}/db.sock")
        self.vsctl("--no-wait", "init")
        self.vswitchd = self.start("ovs-vswitchd", f"unix:{self.directory}/db.sock", "--enable-dummy=override",
                                   "--disable-system", f"--unixctl={self.directory}/vswitchd.ctl")
        await_path(f"{self.directory}/vswitchd.ctl")

    def start(self, *command):
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def vsctl(self, *arguments):
        return run("ovs-vsctl", f"--db=unix:{self.directory}/db.sock", "--timeout=60", *arguments)

    def plug(self, names):
        arguments = []
        for name in names:
            arguments += ["--", "add-port", "br-int", f"t{name}", "--", "set", "Interface", f"t{name}", "type=dummy",
                          f"external_ids:iface-id={name}"]
        self.vsctl(*arguments[1:])

    def flows(self):
        return run("ovs-appctl", "-t", f"{self.directory}/vswitchd.ctl", "bridge/dump-flows",
                   "br-int").count("\n")

    def clear(self):
        run("ovs-ofctl", "-O", "OpenFlow15", "del-flows", f"unix:{self.directory}/br-int.mgmt")
        run("ovs-ofctl", "-O", "OpenFlow15", "del-groups", f"unix:{self.directory}/br-int.mgmt")

    def stop(self):
        for process in (self.vswitchd, self.ovsdb):
            process.kill()
            process.wait()


class Api(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("weft")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)

    def get(self, path):
        self.request("GET", path)
        return json.loads(self.getresponse().read())

    def status(self):
        return self.get("/v1/status")


class Weftd:
    def __init__(self, directory, bins):
        self.directory, self.bins = directory, bins
        self.socket = f"{directory}/api.sock"
        self.log = open(f"{directory}/weftd.log", "a")
        pathlib.Path(f"{directory}/weftd.toml").write_text(
            f'openflow = "tcp:127.0.0.1:{free_port()}"\napi = "unix:{self.socket}"\n'
            f'state_dir = "{directory}/state"\n')

    def start(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)
        self.process = subprocess.Popen([f"{self.bins}/weftd", "--config", f"{self.directory}/weftd.toml"],
                                        stdout=self.log, stderr=self.log)
        await_path(self.socket)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ctl(self, *arguments, may_be_behind=False):
        done = subprocess.run([f"{self.bins}/weftctl", "--api", f"unix:{self.socket}", *arguments], capture_output=True,
                              text=True)
        if done.returncode != 0 and not (may_be_behind and done.returncode == 2):
            raise SystemExit(f"weftctl {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")

    def apply(self, text):
        path = f"{self.directory}/topology.toml"
        pathlib.Path(path).write_text(text)
        self.ctl("apply", path, may_be_behind=True)  # new hosts may take longer to dial in than apply waits

    def wait(self):
        self.ctl("wait", "--timeout", "300s")


def host_tables(hosts):
    return "".join(f'[[host]]\nname = "{h.name}"\novsdb = "tcp:127.0.0.1:{h.port}"\nvtep = "{h.vtep}"\n'
                   'datapath = "netdev"\n' for h in hosts)


def fabric_tables(ports, networks):
    """PROBES ports more than are plugged in at first: extra port i is in network i mod networks."""
    each = (ports + networks - 1) // networks
    text = ""
    for n in range(networks):
        text += f'[[network]]\nname = "net{n:03}"\nkind = "vxlan"\nsubnet = "10.{n // 200 + 1}.{n % 200}.0/24"\n'
        text += f'[[router]]\nname = "r{n:03}"\nnetworks = ["net{n:03}"]\n'
    for v in range(ports):
        text += (f'[[port]]\nname = "p{v:05}"\nnetwork = "net{v // each:03}"\nmac = "52:54:00:00:{v >> 8:02x}:{v & 255:02x}"\n'
                 f'ip = "10.{v // each // 200 + 1}.{v // each % 200}.{v % each + 10}"\n')
    for i in range(PROBES):
        text += f'[[port]]\nname = "extra{i:02}"\nnetwork = "net{i % networks:03}"\nmac = "52:54:00:01:00:{i:02x}"\n'
    return text


def sent(status):
    return sum(host["sent"][kind] for host in status["hosts"] for kind in ("flow_mods", "group_mods", "meter_mods"))


def add_port(api, host, name):
    """Seconds from the row, and from the row's port number, to the last flow acknowledged on any host."""
    ovsdb = Ovsdb(f"{host.directory}/db.sock")
    ovsdb.answer(ovsdb.send("monitor", ["Open_vSwitch", "m", {"Interface": {"columns": ["name", "ofport"]}}]))
    before = api.status()
    seen = []
    inserted = time.perf_counter()
    ovsdb.transact(
        {"op": "insert", "table": "Interface", "uuid-name": "i",
         "row": {"name": f"t{name}", "type": "dummy", "external_ids": ["map", [["iface-id", name]]]}},
        {"op": "insert", "table": "Port", "uuid-name": "p",
         "row": {"name": f"t{name}", "interfaces": ["named-uuid", "i"]}},
        {"op": "mutate", "table": "Bridge", "where": [["name", "==", "br-int"]],
         "mutations": [["ports", "insert", ["set", [["named-uuid", "p"]]]]]})
    numbered = None
    ovsdb.socket.setblocking(False)
    quiet_since = time.perf_counter()
    while time.perf_counter() - quiet_since < 0.25:
        with contextlib.suppress(BlockingIOError):
            ovsdb.buffer += ovsdb.socket.recv(65536).decode()
        if numbered is None and f'"t{name}"' in ovsdb.buffer and '"ofport":' in ovsdb.buffer.replace(
                '"ofport":["set",[]]', ""):
            numbered = time.perf_counter()
        status = api.status()
        now = [(h["state"], h["flows"], h["lag_ms"] > 0) for h in status["hosts"]]
        if not seen or seen[-1][1] != now:
            seen.append((time.perf_counter(), now))
            quiet_since = seen[-1][0]
        time.sleep(0.001)
    done = seen[-1][0]
    concerned = sum(a["flows"] != b["flows"] for a, b in zip(before["hosts"], status["hosts"]))
    assert concerned > 0 and numbered is not None, (name, numbered, concerned)
    return done - inserted, done - numbered, sent(status) - sent(before), concerned


def milliseconds(values):
    values = sorted(values)
    return (f"median {statistics.median(values) * 1e3:.1f} ms, p90 {values[int(len(values) * 0.9)] * 1e3:.1f} ms, "
            f"max {values[-1] * 1e3:.1f} ms")


def measure(count, per_host, networks, bins, directory, hosts):
    start = time.monotonic()
    for number in range(count):
        hosts.append(Host(number, directory))
    print(f"{count} hosts x {per_host} ports, {networks} networks; OVS up in {time.monotonic() - start:.1f} s", flush=True)

    weftd = Weftd(directory, bins)
    weftd.start()
    try:
        idle = rss_kib(weftd.process)
        weftd.apply(host_tables(hosts))
        weftd.wait()
        for number, host in enumerate(hosts):
            host.plug(f"p{v:05}" for v in range(number, count * per_host, count))
        time.sleep(1)

        switches = sum(cpu(host.vswitchd) for host in hosts)
        daemon = cpu(weftd.process)
        connected = rss_kib(weftd.process)
        start = time.monotonic()
        weftd.apply(host_tables(hosts) + fabric_tables(count * per_host, networks))
        weftd.wait()
        took = time.monotonic() - start
        switch_cpu = sum(cpu(host.vswitchd) for host in hosts) - switches
        peak = rss_kib(weftd.process)
        flows = [host.flows() for host in hosts]
        print(f"topology applied to connected hosts: {took:.2f} s until all hosts synced; CPU weftd "
              f"{cpu(weftd.process) - daemon:.2f} s, switches {switch_cpu:.2f} s")
        print(f"flows: {sum(flows)} in all, per host mean {sum(flows) / count:.0f}, max {max(flows)}")
        time.sleep(3)
        settled = rss_kib(weftd.process)
        print(f"weftd RSS: idle {idle} KiB, hosts connected without networks {connected} KiB, synced {peak} KiB, 3 s later "
              f"{settled} KiB: {(settled - idle) * 1024 / sum(flows):.0f} bytes per flow above idle", flush=True)

        weftd.kill()
        for host in hosts:
            host.clear()
        start = time.monotonic()
        weftd.start()
        weftd.wait()
        print(f"cold: weftd started, every switch empty: {time.monotonic() - start:.2f} s until all hosts synced; CPU weftd "
              f"{cpu(weftd.process):.2f} s; RSS {rss_kib(weftd.process)} KiB", flush=True)

        rounds = []
        for _ in range(3):
            weftd.kill()
            start = time.monotonic()
            weftd.start()
            weftd.wait()
            rounds.append((time.monotonic() - start, cpu(weftd.process)))
        again = Api(weftd.socket).status()
        time.sleep(3)
        print(f"restart: {statistics.median(r[0] for r in rounds):.2f} s until all hosts synced, CPU weftd "
              f"{statistics.median(r[1] for r in rounds):.2f} s; messages sent: {sent(again)}; RSS {rss_kib(weftd.process)} KiB, "
              f"{(rss_kib(weftd.process) - idle) * 1024 / sum(flows):.0f} bytes per flow above idle", flush=True)

        api = Api(weftd.socket)
        busy, switches = cpu(weftd.process), sum(cpu(host.vswitchd) for host in hosts)
        probes = [add_port(api, hosts[i % count], f"extra{i:02}") for i in range(PROBES)]
        print(f"one more port, from its row to the last flow acknowledged: {milliseconds([p[0] for p in probes])}")
        print(f"one more port, from its port number in OVSDB on:           {milliseconds([p[1] for p in probes])}")
        print(f"one more port: {statistics.median(p[2] for p in probes):.0f} messages to {statistics.median(p[3] for p in probes):.0f} "
              f"hosts; CPU weftd, polling included, {(cpu(weftd.process) - busy) / PROBES * 1e3:.0f} ms, "
              f"switches {(sum(cpu(host.vswitchd) for host in hosts) - switches) / PROBES * 1e3:.0f} ms")
    finally:
        weftd.kill()


def main():
    count, per_host, networks = map(int, sys.argv[1:4])
    bins = sys.argv[4] if len(sys.argv) > 4 else str(pathlib.Path(__file__).resolve().parent.parent / "build/release/bin")
    directory = tempfile.mkdtemp(prefix="weft-scale-")
    hosts = []
    try:
        measure(count, per_host, networks, bins, directory, hosts)
    finally:
        for host in hosts:
            host.stop()
        if sys.exc_info()[0] is None:
            shutil.rmtree(directory)
        else:
            print(f"logs are in {directory}", file=sys.stderr)


if __name__ == "__main__":
    main()
