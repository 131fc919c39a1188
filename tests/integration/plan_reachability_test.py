#!/usr/bin/python3
"""What a plan says ports lose and gain is what connections find, on edits at random. WEFT_SEED repeats a failure."""
import itertools
import json
import os
import random

import fabric
from fabric import FabricTest, eventually
from plan_topology import BEGIN, Topology
from probes import Probe, Servers

SEED = int(os.environ.get("WEFT_SEED", random.randrange(10**6)))
EDITS = int(os.environ.get("WEFT_EDITS", "14"))
TCP, UDP = (25, 80, 81, 8005), (53,)


class Endpoint:
    """A port in one of its networks."""

    def __init__(self, name, network, address):
        self.name, self.network, self.only = name, network, address

    def address(self, _):
        return self.only


class Speakers(Servers):
    def _begin(self, probe, waiting, echoes):
        try:
            super()._begin(probe, waiting, echoes)
        except OSError:
            pass  # no route: nobody is reached that way


def endpoints():
    for name, port in BEGIN["port"].items():
        yield Endpoint(name, port["network"], port["ip"])
        for entry in port.get("trunk", ()):
            yield Endpoint(name, entry["network"], entry["ip"])


def pairs():
    """Of each two ports the addresses by which they speak: on one network, if they share one."""
    by_name = {name: list(group) for name, group in itertools.groupby(endpoints(), key=lambda end: end.name)}
    for source, target in itertools.permutations(by_name, 2):
        shared = [(a, b) for a in by_name[source] for b in by_name[target] if a.network == b.network]
        yield shared[0] if shared else (by_name[source][0], by_name[target][0])


PROBES = [Probe(source, target, 4, protocol, port) for source, target in pairs()
          for protocol, ports in (("icmp", (0,)), ("tcp", TCP), ("udp", UDP)) for port in ports]


def words(probe):
    return f"{probe.source.name} -> {probe.target.name} {probe.protocol}/{probe.port}"


def says(plan, op):
    """The probes that a plan says become possible or impossible."""
    said = set()
    for change in plan["reachability"]:
        ranges = [tuple(map(int, (part + "-" + part).split("-")[:2])) for part in change["ports"].split(",") if part]
        for probe in PROBES:
            if (change["op"], change["from"], change["to"]) != (op, probe.source.name, probe.target.name):
                continue
            if change["protocol"] == "any" or change["protocol"] == probe.protocol and (
                    not ranges or any(first <= probe.port <= last for first, last in ranges)):
                said.add(words(probe))
    return said


class PlanReachability(FabricTest):
    TOPOLOGY = Topology(random.Random(SEED)).text()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.servers = Speakers(cls.lab, [Endpoint(name, "", "") for name in BEGIN["port"]], TCP, UDP)
        cls.addClassCleanup(cls.servers.close)

    def reached(self):
        """Three rounds: what is the first to be sent to somebody waits for ARP."""
        reached = set()
        for _ in range(3):
            reached |= self.servers.reached([probe for probe in PROBES if probe not in reached], 0.4)
        return {words(probe) for probe in reached}

    def edit(self, topology):
        """One that leaves endpoints' own addresses as they are: a lab's have those of its beginning."""
        dice = topology.dice
        port = topology.objects["port"][dice.choice(list(topology.objects["port"]))]
        kind = dice.choice(["policy", "policy", "groups", "groups", "object", "router"])
        if kind == "policy":
            return topology.a_policy()
        if kind == "groups":
            port["security_groups"] = [group for group in ("web", "app") if dice.random() < 0.5]
            return f"groups of a port at {port['ip']}: {port['security_groups']}"
        if kind == "object":
            return topology.toggle(*dice.choice([("port", "app2"), ("port", "web3"), ("network", "red"), ("router", "main"),
                                                 ("security_group", "web")]))
        topology.objects["router"]["main"]["networks"] = dice.choice([["blue", "green"], ["blue", "green", "office"], ["blue"]])
        return f"router main: {topology.objects['router']['main']['networks']}"

    def test_random_edits(self):
        print(f"WEFT_SEED={SEED}", flush=True)
        topology = Topology(random.Random(SEED))
        before, changes = self.reached(), 0
        self.assertGreater(len(before), 20)
        for number in range(EDITS):
            what = f"WEFT_SEED={SEED}: edit {number}: {self.edit(topology)}"
            file = self.lab.write("edited.toml", topology.text())
            plan = json.loads(self.lab.ctl("plan", file, "-o", "json", check=False).stdout)
            self.lab.ctl("apply", file)
            self.lab.wait()
            lost, gained = says(plan, "-"), says(plan, "+")

            def as_said():
                after = self.reached()
                found_lost, found_gained = before - after, after - before
                wrong = {"lost, not said": found_lost - lost, "said lost, not so": lost - found_lost,
                         "gained, not said": found_gained - gained, "said gained, not so": gained - found_gained}
                self.assertEqual({key: sorted(probes) for key, probes in wrong.items() if probes}, {}, what)
                return after

            before = eventually(as_said, 10, what)
            changes += len(lost) + len(gained)
        print(f"{EDITS} edits, {changes} connections lost or gained", flush=True)
        self.assertGreater(changes, 0)


if __name__ == "__main__":
    fabric.main()
