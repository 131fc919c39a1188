"""Where the page can be had from without a weftd of its own: web/ from the tree, and a weftd that is a function."""
import http.server
import json
import pathlib
import random
import socket
import socketserver
import threading
import time
import typing
import urllib.parse

WEB = pathlib.Path(__file__).resolve().parents[2] / "web"
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".svg": "image/svg+xml"}


class Server(socketserver.ThreadingTCPServer):
    daemon_threads, allow_reuse_address, request_queue_size = True, True, 64

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """A browser hangs up when it has seen enough."""

    def close(self):
        self.shutdown()
        self.server_close()


class Refusal(typing.NamedTuple):
    status: int
    reason: str


class Origin(Server):
    """Serves web/, and for the API what `answer(path, query)` gives: a value for JSON, an error, or None for 404."""

    def __init__(self, answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                url = urllib.parse.urlsplit(self.path)
                if url.path.startswith("/v1/"):
                    value = answer(urllib.parse.unquote(url.path), dict(urllib.parse.parse_qsl(url.query)))
                    value = Refusal(404, "no such thing") if value is None else value
                    status, value = (value.status, {"error": value.reason}) if isinstance(value, Refusal) else (200, value)
                    return self.reply(status, "application/json", json.dumps(value).encode())
                file = WEB / ("index.html" if url.path == "/" else url.path.removeprefix("/web/"))
                if not file.is_file():
                    return self.reply(404, "application/json", b"{}")
                return self.reply(200, TYPES[file.suffix], file.read_bytes())

            def reply(self, status, kind, body):
                self.send_response(status)
                for name, value in (("Content-Type", kind), ("Content-Length", len(body)), ("Cache-Control", "no-store"),
                                    ("Content-Security-Policy", "default-src 'self'")):
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        super().__init__(Handler)


class Relay(Server):
    """A TCP port whose bytes go to a unix socket and back: a browser knows no unix sockets."""

    def __init__(self, path):
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                with socket.socket(socket.AF_UNIX) as weftd:
                    try:
                        weftd.connect(str(path))
                    except OSError:
                        return
                    back = threading.Thread(target=pump, args=(weftd, self.request), daemon=True)
                    back.start()
                    pump(self.request, weftd)
                    back.join()

        def pump(source, sink):
            try:
                while data := source.recv(65536):
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        super().__init__(Handler)


class BigFabric:
    """A weftd of 100 hosts and 2,000 ports in 24 networks; some of them are not well. Counters rise with time."""

    def __init__(self, hosts=100, per_host=20, networks=24):
        dice = random.Random(7)
        self.began = time.monotonic()
        self.asked = []  # paths with queries
        self.confirm_by = None
        self.refusing = set()  # hosts whose flows cannot be read
        self.revision = 41
        names = [f"kvm{number:03}" for number in range(1, hosts + 1)]
        kinds = [f"{team}-{tier}" for team in ("shop", "billing", "search", "media", "data", "ops") for tier in ("web", "app", "db", "cache")]
        self.networks = [{"name": kinds[n % len(kinds)], "kind": "vlan" if n % 6 == 5 else "vxlan",
                          "vni": None if n % 6 == 5 else 4096 + n, "vlan": 100 + n if n % 6 == 5 else None,
                          "physnet": "physnet1" if n % 6 == 5 else None, "subnet": f"10.{n}.0.0/16", "subnet6": None,
                          "mtu": 1450, "ports": 0, "hosts": []} for n in range(networks)]
        self.networks.append({"name": "public", "kind": "flat", "vni": None, "vlan": None, "physnet": "physnet1",
                              "subnet": "203.0.113.0/24", "subnet6": None, "mtu": 1500, "ports": 0, "hosts": []})
        self.status = [{"name": name, "state": "synced", "revision": 41, "flows": 3600 + dice.randrange(900), "lag_ms": 2,
                        "reason": "", "libvirt": {"state": "following", "reason": ""},
                        "sent": {"flow_mods": 0, "group_mods": 0, "meter_mods": 0, "ovsdb_ops": 0}} for name in names]
        self.ports, self.speeds = [], {}
        for index, host in enumerate(names):
            local = [self.networks[n] for n in sorted(dice.sample(range(networks), 5))]
            for number in range(per_host):
                network = local[number * len(local) // per_host]
                name = f"{network['name']}-{len(self.ports) + 1}"
                self.ports.append({
                    "name": name, "network": network["name"], "host": host, "interface": f"vnet{number}", "ofport": number + 5,
                    "mac": f"0a:00:00:00:{index:02x}:{number:02x}", "ips": [f"10.{number}.{index}.{number + 10}"], "trunk": [],
                    "leases": [], "state": "up", "rx_packets": 0, "tx_packets": 0})
                self.speeds[name] = dice.paretovariate(1.3) * 9 if dice.random() < 0.7 else 0
                network["ports"] += 1
                if host not in network["hosts"]:
                    network["hosts"].append(host)
        if hosts >= 100:
            for index, state, reason in ((36, "down", "OVSDB at tcp:192.0.2.47:6640: no answer in time"),
                                         (71, "degraded", "the switch refused flow table=12 priority=100: out of memory"),
                                         (88, "syncing", "sending what differs")):
                self.status[index].update(state=state, reason=reason)
            for index in (77, 912):
                self.ports[index]["state"] = "down"
            self.ports[1404]["state"] = "duplicate"
        self.gateways = [{"name": f"igw{n + 1}", "network": "public", "address": f"203.0.113.{n + 2}", "address6": None,
                          "mac": "0e:00:00:00:00:01", "active": names[n * 7], "nexthop6": None, "snat": [], "routers": [f"r{n + 1}"],
                          "candidates": [{"host": names[n * 7], "state": "active"}, {"host": names[n * 7 + 3], "state": "standby"}],
                          "nexthop": {"address": "203.0.113.1", "mac": None, "state": "resolved"}} for n in range(min(4, hosts // 8))]
        self.routers = [{"name": f"r{n + 1}", "mac": "06:00:00:00:00:01", "gateway": f"igw{n % 4 + 1}", "routes": [], "hosts": names,
                         "networks": [{"name": network["name"], "addresses": []} for network in self.networks[n * 4:n * 4 + 4]]}
                        for n in range(networks // 4)]
        self.nat = [{"gateway": f"igw{n % 4 + 1}", "kind": "floating_ip", "public": f"203.0.113.{20 + n}",
                     "private": f"{self.ports[n * 40]['name']} {self.ports[n * 40]['ips'][0]}", "router": None,
                     "host": names[n % 4 * 7], "packets": 100, "bytes": 1000} for n in range(40)] if self.gateways else []
        self.groups = [{"name": "frontends", "ports": [port["name"] for port in self.ports if port["network"].endswith("web")],
                        "hosts": [], "rules": [{"rule": "ingress tcp 80", "declared": "", "packets": 0, "bytes": 0}]}]
        self.qos = [{"name": "gold", "egress": {"rate": 10 ** 9, "burst": 10 ** 8}, "ingress": None, "dscp": None, "guarantee": None,
                     "ports": [{"port": port["name"], "host": port["host"], "what": "egress", "acts": True, "how": "meter",
                                "packets": 0, "bytes": 0, "dropped": 0} for port in self.ports[:2]]}]
        self.events = [{"seq": n + 1, "time": self.utc(time.time() - 900 + n), "kind": "port_plugged", "host": names[n % hosts],
                        "object": f"port {self.ports[n]['name']}", "text": f"plugged in as vnet{n % per_host}"} for n in range(min(300, len(self.ports)))]
        for entry in self.status:
            if entry["state"] in ("down", "degraded"):
                self.event(f"host_{entry['state']}", entry["name"], "", f"{entry['state']}: {entry['reason']}")

    def unplug(self, count):
        """The first ports are plugged in nowhere."""
        for port in self.ports[:count]:
            port.update(host=None, state="unbound", interface="", ofport=None)

    @staticmethod
    def utc(seconds):
        return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))

    def event(self, kind, host, thing, text):
        self.events.append({"seq": len(self.events) + 1, "time": self.utc(time.time()),
                            "kind": kind, "host": host, "object": thing, "text": text})

    def live(self):
        past = time.monotonic() - self.began
        return [port | {"rx_packets": int(self.speeds.get(port["name"], 0) * past), "tx_packets": int(self.speeds.get(port["name"], 0) * past * 0.8)}
                for port in self.ports]

    def flows(self, host, owner, drops):
        past = time.monotonic() - self.began
        rows = []
        for port in self.ports:
            if port["host"] != host or owner not in ("", f"port/{port['name']}"):
                continue
            base = {"host": host, "table": 1, "stage": "guard", "priority": 10, "actions": "drop", "owner": f"port/{port['name']}", "bytes": 0}
            rows.append(base | {"match": f"in_port={port['ofport']}", "reason": "spoofed_ip" if port["ofport"] % 3 else "group_ingress",
                                "packets": int(past * port["ofport"]) if port["ofport"] % 4 == 0 else 0})
            if not drops:
                rows += [base | {"match": f"m{n}", "reason": "", "packets": int(self.speeds.get(port["name"], 0) * past)} for n in range(8)]
        return rows

    def answer(self, path, query):
        self.asked.append(path + ("?" + urllib.parse.urlencode(query) if query else ""))
        _, _, what, *rest = path.split("/", 4)
        if what == "status":
            return {"revision": self.revision, "converged": False, "confirm_by": self.confirm_by, "else_back_to": self.confirm_by and 40, "hosts": self.status, "troubles": []}
        if what == "hosts":
            counts = {}
            for port in self.ports:
                counts[port["host"]] = counts.get(port["host"], 0) + 1
            return [{key: entry[key] for key in ("name", "state", "reason", "revision", "flows", "libvirt")}
                    | {"vtep": f"192.0.2.{n + 11}", "bridge": "br-int", "ovsdb": "", "datapath": "system", "ports": counts.get(entry["name"], 0)}
                    for n, entry in enumerate(self.status)]
        if what == "ports":
            return self.live()
        if what in ("networks", "routers", "gateways", "nat", "groups", "qos"):
            return getattr(self, what)
        if what == "flows":
            if query.get("host") in self.refusing:
                return Refusal(503, "its switch does not answer")
            return self.flows(query.get("host"), query.get("owner", ""), query.get("drops") == "1")
        if what == "events":
            since, end = int(query["since"]), time.monotonic() + float(query.get("wait", 0))
            while since > len(self.events) and time.monotonic() < end:
                time.sleep(0.05)
            return {"events": self.events[max(0, since - 1):], "next": len(self.events) + 1}
        if what == "show":
            return self.show(*rest)
        return None

    def show(self, kind, name):
        rows = {"host": self.answer("/v1/hosts", {}), "network": self.networks, "port": self.live(), "router": self.routers,
                "gateway": self.gateways, "security_group": self.groups, "qos": self.qos}.get(kind, [])
        for row in rows:
            if row["name"] == name:
                mine = {"host": lambda port: port["host"] == name, "network": lambda port: port["network"] == name}.get(kind)
                return row | ({"ports": [port for port in self.live() if mine(port)]} if mine else {})
        return None


class SmallFabric(BigFabric):
    """One that is drawn as lanes where there is room: with routers between every two of its networks, and long names."""

    def __init__(self, hosts=6, routers=6):
        super().__init__(hosts, per_host=4, networks=6)
        self.routers = [{"name": f"router-{n + 1}-of-team", "mac": "06:00:00:00:00:01", "gateway": None, "routes": [],
                         "hosts": [entry["name"] for entry in self.status],
                         "networks": [{"name": self.networks[m % 6]["name"], "addresses": []} for m in (n, n + 1)]} for n in range(routers)]

    def empty(self):
        self.status, self.ports, self.networks, self.routers, self.events, self.revision = [], [], [], [], [], 0
        return self
