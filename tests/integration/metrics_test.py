#!/usr/bin/python3
"""/metrics while things happen, its alert rules, and the support bundle."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import tarfile
import time
import unittest

from scapy.all import IP, UDP, Ether

import fabric
from fabric import FabricTest, SCALE, Wire, eventually, run

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
name = "public"
kind = "flat"
physnet = "physnet1"
subnet = "203.0.113.0/24"
[[router]]
name = "main"
networks = ["private1"]
gateway = "igw1"
[[gateway]]
name = "igw1"
network = "public"
address = "203.0.113.2"
nexthop = "203.0.113.1"
snat = ["203.0.113.2"]
hosts = ["kvm1", "kvm2"]
[[port]]
name = "web1"
network = "private1"
ip = "10.0.1.10"
lab_host = "kvm1"
[[port]]
name = "web2"
network = "private1"
ip = "10.0.1.11"
lab_host = "kvm2"
[[lab.endpoint]]
name = "internet"
physnet = "physnet1"
addresses = ["203.0.113.1/24", "198.51.100.7/32"]
"""
INTERNET = "198.51.100.7"
FRESH = 5.1  # so old, what was read from the switches is read anew
RULES = fabric.ROOT / "packaging/prometheus"


def promtool(*words, **options):
    """scripts/promtool says how to get it when it is absent."""
    return run([run([fabric.ROOT / "scripts/promtool"]).stdout.strip(), *words], **options)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("weftd", timeout=30 * SCALE)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Scrape:
    """One answer of /metrics."""
    LINE = re.compile(r'([a-z_]+)(?:\{(.*)\})? (\S+)')

    def __init__(self, text):
        self.text, self.values = text, {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, labels, value = self.LINE.fullmatch(line).groups()
                self.values[name, frozenset(re.findall(r'(\w+)="([^"]*)"', labels or ""))] = float(value)

    def __call__(self, metric, **labels):
        """The sum over all that have these labels."""
        found = [value for (name, have), value in self.values.items() if name == metric and set(labels.items()) <= have]
        assert found, f"no {metric} {labels}"
        return sum(found)

    def counters(self):
        return {key: value for key, value in self.values.items() if key[0].endswith(("_total", "_count", "_bucket"))}


class Rules(unittest.TestCase):
    def test_the_rules_are_valid_and_fire_when_they_should(self):
        promtool("check", "rules", RULES / "weft.rules.yml")
        promtool("test", "rules", RULES / "weft.rules.test.yml")

    def test_each_alert_says_what_to_do_and_each_metric_it_asks_for_is_documented(self):
        text = (RULES / "weft.rules.yml").read_text()
        alerts = text.split("- alert: ")[1:]
        self.assertTrue(alerts)
        documented = (fabric.ROOT / "docs/operations.md").read_text()
        for alert in alerts:
            with self.subTest(alert.splitlines()[0]):
                self.assertIn("summary:", alert)
                self.assertRegex(alert, r"docs/(troubleshooting|operations)\.md")
                expression = re.search("expr: (.*)", alert)[1]
                for metric in re.findall(r"weft_[a-z_]+", expression):
                    self.assertIn(f"`{metric.removesuffix('_bucket')}`", documented)


class Metrics(FabricTest):
    TOPOLOGY = TOPOLOGY
    EXPECTED_ERRORS = ("gateway igw1 no host can be active",)  # while kvm2 is made to fail

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for who in ("web1", "web2"):
            eventually(lambda: cls.lab.reaches(who, INTERNET), 10, f"{who} → the internet")
        cls.scrape()  # from now on

    @classmethod
    def scrape(cls):
        with contextlib.closing(UnixConnection(cls.lab.run_directory / "api.sock")) as connection:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            assert answer.status == 200, answer.status
            return Scrape(answer.read().decode())

    def rises(self, before, count, metric, **labels):
        """What is read from the switches is up to 5 s old."""
        eventually(lambda: self.assertGreaterEqual(self.scrape()(metric, **labels), before(metric, **labels) + count) or True,
                   12, f"{metric} {labels} + {count}")

    def vswitchd(self, host):
        return json.loads((self.lab.run_directory / "lab.json").read_text())["processes"][f"{host}/ovs-vswitchd"]["pid"]

    def test_promtool_has_nothing_to_say(self):
        done = promtool("check", "metrics", input=self.scrape().text)
        self.assertEqual(done.stdout + done.stderr, "")

    def test_each_metric_is_documented_and_no_other(self):
        exported = {name for name in re.findall(r"^# TYPE (\S+)", self.scrape().text, re.M) if name.startswith("weft_")}
        table = re.findall(r"^\| ((?:`weft_[^|]*`)+) \|", (fabric.ROOT / "docs/operations.md").read_text(), re.M)
        documented = {name for row in table for name in re.findall(r"`(weft_\w+)`", row)}
        seldom = {"weft_confirm_deadline_timestamp_seconds", "weft_service_messages_total", "weft_host_libvirt_state"}
        self.assertEqual(exported - seldom, documented - seldom)

    def test_drops_are_counted_by_host_and_reason(self):
        before = self.scrape()
        with contextlib.closing(Wire(self.lab.namespaces["web1"])) as wire:
            wire.send(*[Ether(src="52:54:00:99:99:99", dst="ff:ff:ff:ff:ff:ff") / IP(src="10.0.1.10") / UDP()] * 5)
            wire.send(*[Ether(src=wire.mac, dst="ff:ff:ff:ff:ff:ff") / IP(src="10.0.1.99") / UDP()] * 3)
        self.rises(before, 5, "weft_dropped_packets_total", host="kvm1", reason="spoofed_mac")
        self.rises(before, 3, "weft_dropped_packets_total", host="kvm1", reason="spoofed_ip")
        after = self.scrape()
        for reason, count in (("spoofed_mac", 5), ("acl", 0), ("snat_exhausted", 0)):
            with self.subTest(reason):
                self.assertEqual(after("weft_dropped_packets_total", reason=reason)
                                 - before("weft_dropped_packets_total", reason=reason), count)

    def test_translations_and_punts_are_counted(self):
        before = self.scrape()
        self.assertTrue(self.lab.reaches("web1", INTERNET))
        self.lab.exec("web1", "ping", "-c1", "-W1", "-t1", INTERNET, check=False)
        self.rises(before, 1, "weft_punts_total", kind="ttl_expired")
        self.rises(before, 1, "weft_packet_ins_total", host="kvm1")
        self.rises(before, 1, "weft_host_messages_sent_total", host="kvm1", kind="packet_out")
        self.rises(before, 1, "weft_translated_packets_total", gateway="igw1", host="kvm1", kind="snat", router="main",
                   public="203.0.113.2")
        self.assertEqual(before("weft_gateway_next_hop_state", gateway="igw1", address="203.0.113.1", state="resolved"), 1)
        self.assertEqual(before("weft_ports", state="up"), 2)
        self.assertEqual(before("weft_gateway_active", gateway="igw1", host="kvm1"), 1)
        self.assertEqual(before("weft_gateway_active", gateway="igw1", host="kvm2"), 0)

    def test_an_apply_is_timed_until_all_hosts_have_it(self):
        before = self.scrape()
        self.lab.ctl("apply", self.lab.write("changed.toml", self.lab.text.replace("10.0.1.11", "10.0.1.12")))
        self.rises(before, 1, "weft_convergence_duration_seconds_count")
        after = self.scrape()
        for metric in ("weft_apply_duration_seconds_count", "weft_convergence_duration_seconds_count", "weft_revision"):
            self.assertEqual(after(metric) - before(metric), 1, metric)
        self.assertEqual(after("weft_events_total", kind="topology_applied")
                         - before("weft_events_total", kind="topology_applied"), 1)
        self.assertLess(after("weft_convergence_duration_seconds_sum"), 60 * SCALE)
        self.assertEqual(after("weft_converged"), 1)

    def test_drift_is_counted_by_host(self):
        before = self.scrape()
        self.lab.exec("kvm2", "ovs-ofctl", "-OOpenFlow15", "add-flow", "br-int", "table=0,priority=7,udp,actions=drop")
        self.rises(before, 1, "weft_drift_repairs_total", host="kvm2")
        self.assertEqual(self.scrape()("weft_drift_repairs_total", host="kvm1"), before("weft_drift_repairs_total", host="kvm1"))

    def test_counters_go_on_over_a_restart_of_ovs_vswitchd(self):
        before = self.scrape()
        self.addCleanup(self.lab.wait)
        self.addCleanup(self.lab.fault, "kvm2", "heal")
        self.lab.fault("kvm2", "kill-vswitchd")
        eventually(lambda: self.scrape()("weft_host_state", host="kvm2", state="down") == 1, 20, "kvm2 down")
        bundle = self.bundle(check_missing={"flows/kvm2"})
        self.assertIn("kvm2 does not answer: ", bundle["weft-support/flows/kvm2.error.txt"])
        flows = self.lab.ctl("flows", "-o", "json", check=False)
        self.assertEqual(({flow["host"] for flow in json.loads(flows.stdout)}, flows.returncode), ({"kvm1"}, 1))
        self.assertIn("weftctl: kvm2 does not answer: ", flows.stderr)
        self.lab.fault("kvm2", "heal")
        self.lab.wait()
        eventually(lambda: self.scrape()("weft_host_state", host="kvm2", state="synced") == 1, 20, "kvm2 synced")
        after = self.scrape()
        self.assertGreater(after("weft_host_connections_total", host="kvm2", protocol="openflow"),
                           before("weft_host_connections_total", host="kvm2", protocol="openflow"))
        self.assertEqual(after("weft_host_connections_total", host="kvm1", protocol="openflow"),
                         before("weft_host_connections_total", host="kvm1", protocol="openflow"))
        self.assertGreater(after("weft_host_messages_sent_total", host="kvm2", kind="flow_mod"),
                           before("weft_host_messages_sent_total", host="kvm2", kind="flow_mod"))
        time.sleep(FRESH)  # the switches are read anew
        after = self.scrape()
        fallen = {key: (value, after.values.get(key)) for key, value in before.counters().items()
                  if after.values.get(key, 0) < value}
        self.assertEqual(fallen, {})

    def test_a_switch_that_hangs_does_not_hold_up_a_scrape(self):
        time.sleep(FRESH)
        process = self.vswitchd("kvm2")
        os.kill(process, signal.SIGSTOP)
        try:
            began = time.monotonic()
            with contextlib.closing(Wire(self.lab.namespaces["web1"])) as wire:
                wire.send(Ether(src="52:54:00:99:99:99", dst="ff:ff:ff:ff:ff:ff") / IP(src="10.0.1.10") / UDP())
            self.scrape()
            self.assertLess(time.monotonic() - began, 2 * SCALE)
            flows = self.lab.ctl("flows", "--host", "kvm2", check=False)
            self.assertEqual((flows.stdout, flows.returncode), ("", 1))
            self.assertIn("weftctl: kvm2 does not answer: ", flows.stderr)
        finally:
            os.kill(process, signal.SIGCONT)
        self.lab.wait()

    def bundle(self, *options, check_missing=frozenset()):
        """Its files by name; nothing but what is expected is missing."""
        path = pathlib.Path(self.lab.scratch.name) / f"bundle{time.monotonic_ns()}.tar.gz"
        told = json.loads(self.lab.ctl("support-bundle", path, "-o", "json", *options).stdout)
        self.assertEqual({missing["name"] for missing in told["missing"]}, check_missing)
        with tarfile.open(path) as archive:
            return {member.name: archive.extractfile(member).read().decode() for member in archive}

    def test_a_support_bundle_has_it_all(self):
        # On a real host the start script of Open vSwitch does this.
        self.lab.exec("kvm1", "ovs-vsctl", "set", "Open_vSwitch", ".", "ovs_version=3.1.0")
        eventually(lambda: self.lab.json("hosts")[0]["ovs_version"] == "3.1.0", 5, "the version of kvm1")
        files = {name.removeprefix("weft-support/"): text for name, text in self.bundle().items()}
        versions = json.loads(files["versions.json"])
        self.assertEqual(versions["open_vswitch"], {"kvm1": "3.1.0", "kvm2": None})
        for program in ("weftd", "weftctl"):
            self.assertEqual(f"{program} {versions[program]}", run([fabric.BIN / program, "--version"]).stdout.strip())
        planned = json.loads(files["plan.json"])
        self.assertEqual((planned["objects"], planned["hosts"], planned["reachability"]), ([], [], []))
        tables = json.loads(files["rows/kvm1.json"])["tables"]
        self.assertEqual(sorted(tables), ["Bridge", "Controller", "Datapath", "Interface", "Open_vSwitch", "Port", "QoS",
                                          "Queue"])
        self.assertIn("br-int", {row["name"] for row in tables["Bridge"]})
        self.assertTrue(json.loads(files["flows/kvm1.json"]))
        text = next(text for name, text in files.items() if name.startswith("topology/"))
        self.assertIn('name = "igw1"', text)
        self.assertIn("weft_host_state", files["metrics.txt"])
        self.assertTrue(json.loads(files["events.json"])["events"])
        self.assertNotIn("weft-support/events.json", self.bundle("--no-events"))


if __name__ == "__main__":
    fabric.main()
