#!/usr/bin/python3
"""plan and apply: what they say, what they send, what they leave behind."""
import json
import time

import fabric
from fabric import FabricTest, eventually

NEW_PORT = """
[[port]]
name = "app9"
network = "blue"
ip = "10.0.1.19"
lab_host = "kvm1"
"""


def total(sent, before):
    """Flow-mods sent to each host since `before`."""
    return {host: counters["flow_mods"] - before[host]["flow_mods"] for host, counters in sent.items()}


class Apply(FabricTest):
    def setUp(self):
        self.addCleanup(self.lab.ctl, "apply", self.lab.file)

    def edited(self, *replacements, extra=""):
        text = self.lab.text
        for old, new in replacements:
            self.assertIn(old, text)
            text = text.replace(old, new)
        return self.lab.write("edited.toml", text + extra)

    def plan(self, file):
        done = self.lab.ctl("plan", file, "-o", "json", check=False)
        return done.returncode, json.loads(done.stdout)

    def test_the_file_in_force(self):
        before, revision = self.lab.sent(), self.lab.json("status")["revision"]
        code, plan = self.plan(self.lab.file)
        self.assertEqual(code, 0)
        self.assertEqual(plan["objects"], [])
        self.lab.ctl("apply", self.lab.file)
        self.assertEqual(self.lab.sent(), before)
        self.assertEqual(self.lab.json("status")["revision"], revision)

    def test_plan_is_what_apply_sends(self):
        for what, replacements, extra, objects in (
                ("an address", [('ip = "10.0.1.13"', 'ip = "10.0.1.113"')], "", [("~", "port", "app3")]),
                ("a VLAN", [("vlan = 200\nsubnet", "vlan = 201\nsubnet")], "", [("~", "network", "lab")]),
                ("port security", [('name = "db1"', 'name = "db1"\nport_security = false')], "", [("~", "port", "db1")]),
                ("a port more", [], NEW_PORT, [("+", "port", "app9")]),
                ("a network more", [], '\n[[network]]\nname = "yellow"\nkind = "vxlan"\n', [("+", "network", "yellow")])):
            with self.subTest(what):
                file, before = self.edited(*replacements, extra=extra), self.lab.sent()
                code, plan = self.plan(file)
                self.assertEqual(code, 2)
                self.assertEqual([(o["op"], o["kind"], o["name"]) for o in plan["objects"]], objects)
                planned = {host["name"]: sum(host["flows"].values()) for host in plan["hosts"]}
                self.lab.ctl("apply", file)
                sent = total(self.lab.sent(), before)
                self.assertEqual(sent, {host: planned[host] + fabric.FORGETTING if planned.get(host) else 0 for host in sent})
                self.assertEqual(self.plan(file)[0], 0)
                code, back = self.plan(self.lab.file)
                self.assertEqual(code, 2)
                self.lab.ctl("apply", self.lab.file)
                swapped = {"+": "-", "-": "+", "~": "~"}
                self.assertEqual([(o["op"], o["name"]) for o in back["objects"]], [(swapped[op], name) for op, _, name in objects])

    def test_counts_of_one_port(self):
        """A port that is plugged in nowhere costs no flow: only its objects change."""
        code, plan = self.plan(self.edited(extra=NEW_PORT))
        self.assertEqual(code, 2)
        self.assertEqual({host["name"]: sum(host["flows"].values()) for host in plan["hosts"] if sum(host["flows"].values())}, {})

    def test_a_change_is_no_news_of_the_hosts_that_it_reaches(self):
        since = self.lab.next_event()
        self.lab.ctl("apply", self.edited(('ip = "10.0.1.13"', 'ip = "10.0.1.114"')))
        self.lab.wait()
        self.assertEqual(len(self.lab.events("topology_applied", since=since)), 1)
        self.assertEqual(self.lab.events("host_synced", since=since), [])

    def test_problems_are_shown_with_their_place(self):
        revision = self.lab.json("status")["revision"]
        file = self.edited(('ip = "10.0.1.12"', 'ip = "10.0.2.12"'), extra='\n[[network]]\nname = "bad"\nkind = "vxlann"\nmtuu = 3\n')
        for command in ("validate", "plan", "apply"):
            with self.subTest(command):
                done = self.lab.ctl(command, file, check=False)
                said = done.stdout + done.stderr
                self.assertEqual(done.returncode, 1, said)
                line = self.lab.file.read_text().split('"10.0.1.12"')[0].count("\n") + 1
                self.assertRegex(said, rf"edited\.toml:{line}:\d+: error: ")
                self.assertIn('ip = "10.0.2.12"', said)
                self.assertRegex(said, r"\n +\| +\^")
                self.assertIn("did you mean 'mtu'", said)
                self.assertIn("vxlann", said)
        self.assertEqual(self.lab.json("status")["revision"], revision)

    def test_a_port_taken_away_and_given_back(self):
        text = self.lab.text
        start = text.index('[[port]]\nname = "app3"')
        without = self.lab.write("without.toml", text[:start] + text[text.index("[[port]]", start + 1):])
        self.lab.ctl("apply", without)
        self.assertFalse(self.lab.reaches("app1", "10.0.1.13"))
        self.assertTrue(self.lab.reaches("app1", "10.0.1.12"))
        self.assertEqual(self.lab.json("flows", "--owner", "port/?"), [], "what belongs to a port that is gone")
        self.assertNotIn("app3", self.lab.ports())
        self.lab.ctl("apply", self.lab.file)
        eventually(lambda: self.lab.reaches("app1", "10.0.1.13"), what="app3 again")

    def test_a_network_taken_away_and_given_back(self):
        text = self.lab.text
        for first in ('[[network]]\nname = "red"', '[[port]]\nname = "db1"', '[[port]]\nname = "db2"'):
            start = text.index(first)
            text = text[:start] + text[text.index("[[", start + 2):]
        self.lab.ctl("apply", self.lab.write("without.toml", text))
        self.assertFalse(self.lab.reaches("db1", "10.0.1.22"))
        self.lab.ctl("apply", self.lab.file)
        eventually(lambda: self.lab.reaches("db1", "10.0.1.22"), what="red again")

    def test_a_host_taken_away_is_cleaned(self):
        text = self.lab.text.replace('[[host]]\nname = "kvm3"\nuplinks = { physnet1 = "eth1" }\n', "", 1)
        text = text.replace('lab_host = "kvm3"\n', "").replace('hosts = ["kvm1", "kvm3"]', 'hosts = ["kvm1"]')
        foreign = self.lab.exec("kvm3", "ovs-vsctl", "list-ports", "br-phy").stdout
        plugged = {name: row["interface"] for name, row in self.lab.ports().items() if row["host"] == "kvm3"}
        done = self.lab.ctl("apply", self.lab.write("two.toml", text))
        self.assertIn("kvm3", done.stdout + done.stderr)
        eventually(lambda: self.lab.events("host_cleaned", "kvm3"), what="host_cleaned")

        def marked():
            return "".join(self.lab.exec("kvm3", "ovs-vsctl", "--bare", "--columns=_uuid", "find", table,
                                         'external_ids:weft!=""').stdout for table in ("bridge", "port", "interface", "controller"))

        self.assertNotIn("br-int", self.lab.exec("kvm3", "ovs-vsctl", "list-br").stdout.split())
        self.assertEqual(marked().strip(), "")
        self.assertEqual(self.lab.exec("kvm3", "ovs-vsctl", "list-ports", "br-phy").stdout, foreign)
        self.assertEqual(set(self.lab.hosts()), {"kvm1", "kvm2"})
        self.assertTrue(self.lab.reaches("app1", "10.0.1.12"))
        self.lab.ctl("apply", self.lab.file)
        self.lab.wait()
        self.assertIn("br-int", self.lab.exec("kvm3", "ovs-vsctl", "list-br").stdout.split())
        # The ports went with the bridge: whoever plugged them in does so again.
        for name, interface in plugged.items():
            self.lab.exec("kvm3", "ovs-vsctl", "add-port", "br-int", interface, "--", "set", "interface", interface,
                          f"external_ids:iface-id={name}")
        eventually(lambda: {self.lab.ports()[name]["state"] for name in plugged} == {"up"}, what="the ports")
        self.lab.meet_vteps()
        self.assertEqual(self.lab.matrix_differences(), "")

    def test_an_unreachable_host(self):
        """apply says which host does not follow, and exits 2; the host gets the rest when it is back."""
        self.lab.fault("kvm2", "kill-ovsdb")
        file = self.edited(('ip = "10.0.1.12"', 'ip = "10.0.1.112"'))
        began = time.monotonic()
        try:
            done = self.lab.ctl("apply", file, "--timeout", "2s", check=False)
        finally:
            self.lab.fault("kvm2", "heal")
        self.assertEqual(done.returncode, 2)
        self.assertIn("kvm2", done.stdout + done.stderr)
        self.assertLess(time.monotonic() - began, 10 * fabric.SCALE)
        self.lab.ctl("wait")
        self.assertEqual(self.plan(file)[0], 0)
        self.assertEqual({host["revision"] for host in self.lab.hosts().values()}, {self.lab.json("status")["revision"]})

    def test_what_cannot_act_is_said(self):
        file = self.edited(('name = "app1"', 'name = "app1"\nqos = "slow"'), extra="""
[[qos]]
name = "slow"
egress = { rate = "1mbit" }
guarantee = "1mbit"
""")
        done = self.lab.ctl("apply", file)
        self.assertIn("no guarantee of qos slow on kvm1", done.stdout + done.stderr)


if __name__ == "__main__":
    fabric.main()
