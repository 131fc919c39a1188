#!/usr/bin/python3
"""What plan counts is what apply then sends, on edits at random. WEFT_SEED repeats a failure, WEFT_EDITS is their number."""
import json
import os
import random
import time

import fabric
from fabric import FabricTest, eventually
from plan_topology import HOSTS, Topology

SEED = int(os.environ.get("WEFT_SEED", random.randrange(10**6)))
EDITS = int(os.environ.get("WEFT_EDITS", "36"))
COUNTED = {"flow_mods": "flows", "group_mods": "groups", "meter_mods": "meters", "ovsdb_ops": "rows"}
QUIET = 0.25  # s in which nobody is sent anything


def counted(host):
    """What is to be sent to a host of a plan, in the words of `status`; None where that is not known."""
    counts = {key: host[kind] and sum(host[kind].values()) for key, kind in COUNTED.items()}
    if counts["flow_mods"] is not None:
        counts["flow_mods"] += host["forgetting"]
    return counts


class PlanTest(FabricTest):
    TOPOLOGY = Topology(random.Random(SEED)).text()

    def setUp(self):
        self.topology = Topology(random.Random(SEED))
        self.before = None  # what was sent at last; None when something else than apply() sends meanwhile
        self.addCleanup(self.lab.ctl, "apply", self.lab.file, check=False)

    def sent_at_last(self):
        """What has been sent once every host is synced and nothing more is sent."""
        last, sent = None, {}
        while last != sent:
            if last is not None:
                time.sleep(QUIET * fabric.SCALE)
            status = self.lab.json("wait", "--timeout", f"{int(30 * fabric.SCALE)}s")
            last, sent = sent, {host["name"]: host["sent"] for host in status["hosts"]}
        return sent

    def apply(self, what):
        """Plans and applies the topology as it is now; gives the plan's hosts by name."""
        file = self.lab.write("edited.toml", self.topology.text())
        before = self.before or self.sent_at_last()
        done = self.lab.ctl("plan", file, "-o", "json", check=False)
        self.assertIn(done.returncode, (0, 2), f"{what}: {done.stdout}{done.stderr}")
        plan = json.loads(done.stdout)
        hosts = {host["name"]: host for host in plan["hosts"]}
        pending = plan["objects"] or any(any(counted(host).values()) for host in hosts.values())
        self.assertEqual(done.returncode, 2 if pending else 0, what)
        self.assertIn("+ added" if pending else "nothing would change", self.lab.ctl("apply", file).stdout)
        after = self.before = self.sent_at_last()
        for host in set(before) & set(after):
            grown = {key: after[host][key] - before[host][key] for key in COUNTED}
            planned = counted(hosts[host]) if host in hosts else dict.fromkeys(COUNTED, 0)
            case = f"WEFT_SEED={SEED}: {what}: {host} was sent {grown}, planned was {planned}"
            if host in hosts and hosts[host]["more"]:
                self.assertGreater(sum(grown.values()), sum(planned.values()), case)
                self.assertTrue(all(grown[key] >= planned[key] for key in COUNTED), case)
            else:
                self.assertEqual(grown, planned, case)
        return hosts

    def test_random_edits(self):
        print(f"WEFT_SEED={SEED}", flush=True)
        dice, more = self.topology.dice, 0
        away = {EDITS // 3: "kvm2", 2 * EDITS // 3: "kvm3"}
        self.apply("the topology that the lab began with")
        for number in range(EDITS):
            what = f"edit {number}: {self.topology.edit()}"
            if dice.random() < 0.2:
                what += " and " + self.topology.edit()
            hosts = self.apply(what)
            more += any(host["more"] for host in hosts.values())
            if number in away:
                self.leave_and_return(away[number])
        print(f"{EDITS} edits, {more} of them with more to follow", flush=True)

    def test_comments_and_order_are_nothing(self):
        self.topology = Topology(random.Random(SEED + 1))
        self.assertEqual(self.apply("comments and order"), {})

    def leave_and_return(self, host):
        since = self.lab.next_event()
        plugged = {name: row["interface"] for name, row in self.lab.ports().items() if row["host"] == host}
        hosts = self.apply(self.topology.toggle("host", host))
        self.assertTrue(hosts[host]["leaves"])
        self.assertGreater(sum(hosts[host]["rows"].values()), 0)
        self.assertEqual(counted(hosts[host])["flow_mods"], 0)
        eventually(lambda: self.lab.events("host_cleaned", host, since), what="host_cleaned")
        hosts = self.apply(self.topology.toggle("host", host))
        self.assertEqual(set(counted(hosts[host]).values()), {None})
        for name, interface in plugged.items():
            self.lab.exec(host, "ovs-vsctl", "add-port", "br-int", interface, "--", "set", "interface", interface,
                          f"external_ids:iface-id={name}")
        eventually(lambda: {row["state"] for name, row in self.lab.ports().items() if name in plugged} <= {"up"}, 10, "its ports")
        eventually(lambda: {candidate["state"] for gateway in self.lab.json("gateways") for candidate in gateway["candidates"]}
                   <= {"active", "standby"}, 20, "the gateways' candidates")
        self.before = None

    def test_what_cannot_be_known_is_null(self):
        self.topology.objects["network"]["blue"]["vni"] = 77
        file = self.lab.write("edited.toml", self.topology.text())
        for fault, key, known in (("kill-ovsdb", "rows", "flows"), ("kill-vswitchd", "flows", "rows")):
            with self.subTest(fault):
                self.lab.fault("kvm2", fault)
                try:
                    eventually(lambda: self.lab.hosts()["kvm2"]["state"] == "down", 20, "kvm2 down")
                    plan = json.loads(self.lab.ctl("plan", file, "-o", "json", check=False).stdout)
                    host = next(host for host in plan["hosts"] if host["name"] == "kvm2")
                    self.assertIsNone(host[key])
                    self.assertIsNotNone(host[known])
                    self.assertRegex(self.lab.ctl("plan", file, check=False).stdout, r"kvm2 .*\? is not known")
                finally:
                    self.lab.fault("kvm2", "heal")
                    self.lab.wait()


if __name__ == "__main__":
    fabric.main()
