"""Real VMs in a lab of two hosts, for the tests of libvirt: what they share."""
import contextlib
import json
import os
import re
import signal
import time

import fabric
from fabric import eventually, run

TOPOLOGY = """
[[host]]
name = "kvm1"
uplinks = { physnet1 = "eth1" }
[[host]]
name = "kvm2"
uplinks = { physnet1 = "eth1" }

[[network]]
name = "private1"
kind = "vxlan"
subnet = "10.0.1.0/24"
[[network]]
name = "office"
kind = "vxlan"
subnet = "10.0.2.0/24"
[[network]]
name = "public"
kind = "flat"
physnet = "physnet1"
subnet = "203.0.113.0/24"
gateway = "203.0.113.1"

[[router]]
name = "main"
networks = ["private1", "office"]
gateway = "igw"
[[gateway]]
name = "igw"
network = "public"
address = "203.0.113.2"
nexthop = "203.0.113.1"
hosts = ["kvm1", "kvm2"]
[[floating_ip]]
address = "203.0.113.10"
port = "web1"
gateway = "igw"
[[port_forward]]
gateway = "igw"
address = "203.0.113.2"
protocol = "tcp"
ports = "8080"
to = "web1:80"

[[security_group]]
name = "web"
rules = [
  { direction = "ingress", protocol = "tcp", ports = ["80"] },
  { direction = "ingress", protocol = "icmp" },
]

[[port]]
name = "web1"
network = "private1"
vm = "web1"
ip = "10.0.1.10"
security_groups = ["web"]
[[port]]
name = "probe"
network = "private1"
lab_host = "kvm2"

[[lab.endpoint]]
name = "internet"
physnet = "physnet1"
addresses = ["203.0.113.1/24"]
[[lab.vm]]
name = "web1"
host = "kvm1"
network = "private1"
[[lab.vm]]
name = "app"
host = "kvm2"
network = "private1"
"""


class VmLab(fabric.FabricTest):
    TOPOLOGY = TOPOLOGY
    VMS = ("web1", "app")
    # Booting guests take the CPUs from BFD, which a failover by a busy machine is no fault of.
    EXPECTED_ERRORS = ("no host can be active",)

    @classmethod
    def setUpClass(cls):
        if "WEFT_GUEST" not in os.environ:
            run([fabric.ROOT / "scripts/guest"], timeout=600)
        super().setUpClass()
        eventually(lambda: [gateway for gateway in cls.lab.json("gateways")
                            if gateway["active"] and gateway["nexthop"]["state"] == "resolved"], 20, "the gateway")

    def guest(self, vm, script, check=True):
        """A line of shell in the guest; what it prints."""
        return self.lab.exec(vm, "sh", "-c", script, check=check).stdout.strip()

    def virsh(self, host, *words, check=True, **options):
        return self.lab.exec(host, "virsh", *words, check=check, **options).stdout

    def address(self, vm, interface="eth0"):
        found = re.search(r"inet ([0-9.]+)/", self.guest(vm, f"ip -4 -o addr show dev {interface}", check=False))
        return found and found[1]

    def port(self, name):
        """The port's row, or None. While it is claimed twice, the row of who holds it."""
        rows = [row for row in self.lab.json("ports") if row["name"] == name]
        return next((row for row in rows if row["state"] not in ("arriving", "duplicate")), None)

    def fetched(self, who, host, port=80, seconds=3):
        """The page that a host serves, from a namespace or a guest; empty where there is no answer."""
        if who in self.VMS:
            # Not busybox's wget, which its static build crashes.
            return self.guest(who, f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout {seconds} nc {host} {port} | tail -n1",
                              check=False)
        script = f"import urllib.request as u; print(u.urlopen('http://{host}:{port}/', timeout={seconds}).read().decode())"
        return self.lab.exec(who, "python3", "-c", script, check=False).stdout.strip()

    def up(self, name, host=None, seconds=60):
        def is_up():
            row = self.port(name)
            return row and row["state"] == "up" and host in (None, row["host"]) and row
        return eventually(is_up, seconds, f"port {name} up{f' on {host}' if host else ''}")

    def alive(self, vm, seconds=90):
        eventually(lambda: self.lab.exec(vm, "true", check=False).returncode == 0, seconds, f"the agent of {vm}")

    def interfaces(self, host):
        """OVS interfaces of VMs on a host, and the flows of ports."""
        rows = json.loads(self.lab.exec(host, "ovs-vsctl", "--format=json", "--columns=name,external_ids", "list",
                                        "Interface").stdout)["data"]
        return sorted(name for name, ids in rows if any(key == "vm-id" for key, _ in ids[1]))


@contextlib.contextmanager
def pinging(lab, who, address, interval="0.02"):
    """Pings all the while; gives a dict that has sent, lost and the longest gap in seconds when the block has ended."""
    result = {}
    with lab.running(who, "ping", "-D", "-n", "-i", interval, "-W", "1", address) as process:
        time.sleep(0.3)
        yield result
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out = process.communicate(timeout=10)[0]
    sent, received = re.search(r"(\d+) packets transmitted, (\d+) received", out).groups()
    times = [float(t) for t in re.findall(r"^\[([0-9.]+)\].*icmp_seq", out, re.M)]
    result.update(sent=int(sent), lost=int(sent) - int(received),
                  gap=max((b - a for a, b in zip(times, times[1:])), default=float("inf")))
