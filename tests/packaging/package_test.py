#!/usr/bin/python3
"""The packages in a clean Debian 12: what they install, the service under systemd, an upgrade, and that purging leaves nothing.
scripts/package --check runs it."""
import json
import os
import re
import shlex
import sys
import tempfile
import time
import unittest

import debs
from clean_root import CleanRoot

sys.path.insert(0, str(debs.ROOT / "tests"))
import docs

SCALE = float(os.environ.get("WEFT_TIME_SCALE", "1"))
PAGES = ("weftd.8", "weftd.toml.5", "weft-topology.5", "weftctl.1", "weft-lab.1")
MOST_EXPOSURE = 1.5  # of 10; systemd-analyze security says "OK" up to 5
NOTHING_SENT = {"flow_mods": 0, "group_mods": 0, "meter_mods": 0, "ovsdb_ops": 0}
TOPOLOGY = """
[[host]]
name = "kvm1"
ovsdb = "tcp:127.0.0.1:6640"
vtep = "192.0.2.11"
datapath = "netdev"
[[network]]
name = "blue"
kind = "vxlan"
subnet = "10.0.1.0/24"
[[port]]
name = "web1"
network = "blue"
"""
# A host: an Open vSwitch that needs nothing of a kernel. It is not the machine's own, which a container cannot run.
SWITCH = """
mkdir /run/kvm1
ovsdb-tool create /run/kvm1/conf.db /usr/share/openvswitch/vswitch.ovsschema
systemd-run --quiet --unit=kvm1-db --setenv=OVS_RUNDIR=/run/kvm1 \
    ovsdb-server /run/kvm1/conf.db --remote=punix:/run/kvm1/db.sock --remote=ptcp:6640:127.0.0.1
timeout 10 sh -c 'until ovs-vsctl --db=unix:/run/kvm1/db.sock --no-wait init; do sleep 0.1; done' 2>/dev/null
systemd-run --quiet --unit=kvm1-switch --setenv=OVS_RUNDIR=/run/kvm1 \
    ovs-vswitchd unix:/run/kvm1/db.sock --enable-dummy=override --disable-system
"""


def eventually(probe, seconds, what):
    deadline = time.monotonic() + seconds * SCALE
    while not (found := probe()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds * SCALE:g} s")
        time.sleep(0.1)
    return found


def setUpModule():
    global root, version, scratch
    packages = debs.built()
    version = debs.field(packages[0], "Version")
    root = CleanRoot()
    unittest.addModuleCleanup(root.end)
    scratch = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(scratch.cleanup)
    root.fetch(packages)
    root.boot()
    root.sh("systemctl --quiet mask openvswitch-switch ovs-vswitchd ovsdb-server ovs-record-hostname")
    root.sh("apt-get install -qq --no-install-recommends /packages/*.deb")
    root.sh(SWITCH)


class PackageTest(unittest.TestCase):
    def shown(self, *properties):
        text = root.sh(f"systemctl show weftd --property={','.join(properties)}")
        return dict(line.split("=", 1) for line in text.splitlines())

    def pid(self):
        return int(self.shown("MainPID")["MainPID"])

    def running(self):
        return self.shown("ActiveState", "SubState") == {"ActiveState": "active", "SubState": "running"}

    def another_than(self, pid):
        """weftd runs, and not as the process `pid`."""
        def runs():
            return self.running() and self.pid() != pid and self.pid()
        return eventually(runs, 20, "another weftd")

    def json(self, *words):
        return json.loads(root.run("weftctl", *words, "-o", "json").stdout)

    def apply(self):
        (root.path / "etc/weft/topology.toml").write_text(TOPOLOGY)
        root.sh("systemctl reload weftd")
        eventually(lambda: self.json("hosts"), 10, "the topology's host")
        root.sh("weftctl wait --timeout 30s")


# Classes run in the order of their names.
class Installed(PackageTest):
    def test_the_service_runs_with_the_settings_as_installed(self):
        self.assertTrue(self.running())
        self.assertEqual(self.shown("Type", "User", "UnitFileState", "WatchdogUSec", "NeedDaemonReload"),
                         {"Type": "notify", "User": "weft", "UnitFileState": "enabled", "WatchdogUSec": "30s",
                          "NeedDaemonReload": "no"})
        self.assertEqual(root.sh("stat -c '%U:%G %a' /run/weft/api.sock /var/lib/weft /etc/weft/weftd.toml").split("\n")[:3],
                         ["weft:weft 660", "weft:weft 700", "root:root 644"])
        self.assertEqual(root.sh(f"awk '/^(CapEff|CapBnd|NoNewPrivs)/ {{print $2}}' /proc/{self.pid()}/status").split(),
                         ["0000000000000000", "0000000000000000", "1"])

    def test_programs_say_the_version_of_the_package(self):
        for program in ("weftd", "weftctl", "weft-lab"):
            self.assertEqual(root.run(program, "--version").stdout, f"{program} {version}\n")

    def test_only_the_group_may_use_weftctl(self):
        root.sh("id alice 2>/dev/null || useradd --groups weft alice")
        self.assertIn("revision", root.run("runuser", "-u", "alice", "weftctl", "status").stdout)
        refused = root.run("runuser", "-u", "nobody", "weftctl", "status", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("may not talk to weftd", refused.stdout)

    def test_it_runs_a_switch_from_its_sandbox(self):
        self.apply()
        self.assertEqual([(host["name"], host["state"]) for host in self.json("status")["hosts"]], [("kvm1", "synced")])
        pid = self.pid()
        root.sh("systemctl restart weftd && weftctl wait --timeout 30s")
        self.another_than(pid)
        self.assertEqual(self.json("status")["hosts"][0]["sent"], NOTHING_SENT)
        self.assertEqual(root.sh("journalctl --quiet --priority=err _COMM=weftd"), "")

    def test_a_loop_that_stands_still_is_ended_and_started_again(self):
        self.addCleanup(root.sh, "rm -r /run/systemd/system/weftd.service.d; systemctl daemon-reload; "
                                 "systemctl restart weftd; rm -f /var/lib/weft/core*")
        root.sh("mkdir -p /run/systemd/system/weftd.service.d; "
                "printf '[Service]\nWatchdogSec=2\nLimitCORE=0\n' >/run/systemd/system/weftd.service.d/soon.conf; "
                "systemctl daemon-reload; systemctl restart weftd")
        pid = self.pid()
        time.sleep(5)
        self.assertEqual(self.pid(), pid, "it feeds the watchdog")
        root.sh(f"kill -STOP {pid}")
        self.another_than(pid)
        self.assertIn("Watchdog timeout", root.sh("journalctl --quiet --unit=weftd"))

    def test_it_comes_back_when_it_is_killed(self):
        pid = self.pid()
        root.sh(f"kill -KILL {pid}")
        self.another_than(pid)

    def test_the_unit_is_sound_and_hardened(self):
        self.assertEqual(root.sh("systemd-analyze verify --man=yes weftd.service"), "")
        said = root.sh("systemd-analyze security --no-pager weftd.service")
        exposure = float(re.search(r"exposure level for weftd.service: ([\d.]+)", said)[1])
        print(f"\n    exposure {exposure} ", end="", flush=True)
        self.assertLessEqual(exposure, MOST_EXPOSURE, said)

    def test_manual_pages_render_without_warnings(self):
        for page in PAGES:
            name, section = page.rsplit(".", 1)
            path = root.sh(f"man --where {section} {name}").strip()
            self.assertEqual(path, f"/usr/share/man/man{section}/{page}.gz")
            self.assertEqual(root.sh(f"man --warnings --encoding=UTF-8 --troff-device=utf8 --ditroff {path} 2>&1 >/dev/null"), "")
            self.assertRegex(root.sh(f"lexgrog {path}"), rf'"{name} - \w')

    def test_links_in_the_documents_lead_somewhere(self):
        installed = {path.resolve() for path in (root.path / "usr/share/doc").glob("weft-*/**/*.md")}
        self.assertIn(root.path.resolve() / "usr/share/doc/weft-controller/docs/operations.md", installed)
        self.assertEqual(list(docs.broken(root.path.resolve(), sorted(installed))), [])
        self.assertTrue((root.path / "usr/share/doc/weft-lab/README.md").exists())

    def test_the_alert_rules_are_where_the_documents_say(self):
        path = "usr/share/weft/prometheus/weft.rules.yml"
        self.assertEqual((root.path / path).read_text(), (debs.ROOT / "packaging/prometheus/weft.rules.yml").read_text())
        self.assertIn(f"/{path}", (debs.ROOT / "docs/operations.md").read_text())

    def complete(self, line):
        """What bash offers for a line, found and loaded as at somebody's prompt."""
        program = line.split()[0]
        function = "_" + program.replace("-", "_")
        words = shlex.split(line)
        if line.endswith(" "):
            words.append("")
        return root.sh(f"source /usr/share/bash-completion/bash_completion; _completion_loader {program} || :; "
                       f"COMP_WORDS=({' '.join(map(shlex.quote, words))}); COMP_CWORD={len(words) - 1}; {function}; "
                       'printf "%s\\n" "${COMPREPLY[@]}"').split()

    def test_completion_knows_the_names_of_the_running_daemon(self):
        self.apply()
        self.assertEqual(self.complete("weftctl stat"), ["status"])
        self.assertEqual(self.complete("weftctl show port "), ["web1"])
        self.assertEqual(self.complete("weftctl show network b"), ["blue"])
        self.assertEqual(self.complete("weftctl flows --host "), ["kvm1"])
        self.assertEqual(self.complete("weftctl flows --owner port/w"), ["port/web1"])
        self.assertEqual(self.complete("weftctl trace --from w"), ["web1"])
        self.assertIn("1", self.complete("weftctl rollback "))
        self.assertEqual(self.complete("weft-lab mat"), ["matrix"])

    def test_examples_are_valid(self):
        for example in root.sh("ls /usr/share/doc/weft-controller/examples/*.toml").split():
            root.sh(f"weftctl validate {example}")

    def test_upgrade_keeps_settings_and_state_and_sends_nothing(self):
        self.apply()
        root.sh("echo 'log_level = \"debug\"' >>/etc/weft/weftd.toml")
        before, pid = self.json("status"), self.pid()
        for deb in debs.with_version(debs.built(), version + "+next", scratch.name):
            with open(deb, "rb") as file:
                root.sh(f"cat >/packages/{deb.name}", stdin=file)
        root.sh("apt-get install -qq --no-install-recommends /packages/*+next.deb")
        self.assertEqual(root.sh("dpkg-query -W -f '${Version}' weft-controller"), version + "+next")
        self.another_than(pid)
        root.sh("weftctl wait --timeout 30s")
        after = self.json("status")
        self.assertEqual(after["revision"], before["revision"])
        self.assertEqual(after["hosts"][0]["sent"], NOTHING_SENT)
        self.assertIn('log_level = "debug"', root.sh("cat /etc/weft/weftd.toml"))


class Purged(PackageTest):
    def test_purge_leaves_nothing(self):
        flows = root.sh("ovs-ofctl -O OpenFlow15 dump-flows /run/kvm1/br-int.mgmt | wc -l")
        root.sh("apt-get purge -qq weft-controller weft-cli weft-lab")
        # What man has formatted is man's; /run/kvm1 is the switch.
        self.assertEqual(root.sh("find / /run -xdev -name '*weft*' -not -path '/packages/*' -not -path '/var/cache/man/*' "
                                 "-not -path '/run/kvm1/*'; systemctl list-unit-files --no-legend 'weft*' || :"), "")
        self.assertEqual(root.sh("ovs-ofctl -O OpenFlow15 dump-flows /run/kvm1/br-int.mgmt | wc -l"), flows)
        self.assertGreater(int(flows), 10)


if __name__ == "__main__":
    if os.environ.get("WEFT_SKIP_INTEGRATION") == "1":
        print("skipped: WEFT_SKIP_INTEGRATION=1")
        sys.exit(0)
    if os.geteuid() != 0:
        sys.exit("package_test boots a container: run it as root, or leave it out with WEFT_SKIP_INTEGRATION=1")
    if not debs.built():
        sys.exit(f"no packages in {debs.BUILT}: scripts/package builds them")
    unittest.main(verbosity=2)
