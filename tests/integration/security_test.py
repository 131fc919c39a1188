#!/usr/bin/env python3
"""Security groups on real packets: random topologies against a matcher that knows only what the topology file means,
and edits under running connections. WEFT_SEED repeats what a failure names; WEFT_POLICIES says how many.
"""
import os
import random

import fabric
import policy
from probes import Probe, Servers

SEED = int(os.environ.get("WEFT_SEED", "1"))
POLICIES = int(os.environ.get("WEFT_POLICIES", "20"))


class TruthTable(fabric.FabricTest):
    TOPOLOGY = policy.everybody().toml()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.servers = Servers(cls.lab, policy.ENDPOINTS, policy.TCP_PORTS, policy.UDP_PORTS)
        cls.addClassCleanup(cls.servers.close)

    def apply(self, wanted):
        self.lab.ctl("apply", self.lab.write("policy.toml", wanted.toml()))
        for host in policy.HOSTS:  # what Open vSwitch has cached follows its tables a moment later
            self.lab.exec(host, "ovs-appctl", "revalidator/wait")

    def differences(self, wanted):
        probes = [Probe(*cell) for cell in wanted.cells()]
        expected = {probe for probe in probes if wanted.allows(*probe)}
        seen = self.servers.reached(probes)
        # A slow machine may answer late; what must not pass gets no second chance.
        late = expected - seen
        seen |= self.servers.reached(late, 3) if late else set()
        return [f"{p.source.name} → {p.target.name} IPv{p.family} {p.protocol} {p.port}: "
                f"{'reached' if p in seen else 'cut off'}" for p in sorted(expected ^ seen, key=str)], len(probes), len(expected)

    def check(self, wanted, what):
        wrong, cells, allowed = self.differences(wanted)
        self.assertFalse(wrong, f"{what}: {len(wrong)} of {cells} cells differ (says what was seen):\n  "
                         + "\n  ".join(wrong[:30]) + f"\n{wanted.toml()}")
        return cells, allowed

    def test_everybody_reaches_everybody_without_groups(self):
        wanted = policy.everybody()
        self.apply(wanted)
        cells, allowed = self.check(wanted, "without groups")
        self.assertEqual(cells, allowed)

    def test_random_topologies_agree_with_the_matcher_cell_by_cell(self):
        total, open_ = 0, 0
        for seed in range(SEED, SEED + POLICIES):
            wanted = policy.random_policy(seed)
            self.apply(wanted)
            cells, allowed = self.check(wanted, f"WEFT_SEED={seed}")
            total, open_ = total + cells, open_ + allowed
        print(f"\n    {POLICIES} topologies, {total} cells, {open_} of them open")
        self.assertGreater(open_, total / 20)
        self.assertLess(open_, total * 19 / 20)


if __name__ == "__main__":
    fabric.main()
