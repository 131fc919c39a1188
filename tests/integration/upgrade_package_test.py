#!/usr/bin/python3
"""A new version's packages, installed by dpkg over those that run a fabric with traffic, and weftd restarted as their scripts
do it: no packet is lost, nothing is sent. WEFT_OLD_PACKAGES names a directory with the packages to come from; without it
they are the new ones under an older version."""
import os
import pathlib
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "packaging"))
INSTALLED = tempfile.TemporaryDirectory(prefix="weft-installed-")
os.environ["WEFT_BIN"] = f"{INSTALLED.name}/usr/bin"  # where fabric takes the programs from

import debs
import fabric
import restart_test
from fabric import NOTHING_SENT, FabricTest, eventually


def unpack(packages):
    """dpkg's part of an installation, in a directory of its own: each file is replaced at once, by renaming. There is no shell
    for the packages' scripts in there; what they do while files are unpacked is nothing."""
    fabric.run(["dpkg", f"--root={INSTALLED.name}", "--force-depends", "--force-script-chrootless", "--unpack",
                *packages])


class Upgrade(FabricTest):
    assert_nothing_lost = restart_test.Restart.assert_nothing_lost

    @classmethod
    def setUpClass(cls):
        (pathlib.Path(INSTALLED.name) / "var/lib/dpkg/info").mkdir(parents=True)
        (pathlib.Path(INSTALLED.name) / "var/lib/dpkg/status").touch()
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        old = os.environ.get("WEFT_OLD_PACKAGES")
        unpack(pathlib.Path(old).glob("weft-*.deb") if old else debs.with_version(debs.built(), "0.0.1", scratch.name))
        super().setUpClass()

    def streams(self, **options):
        where = self.lab.namespaces
        streams = (fabric.UdpStream(where["app1"], where["app2"], "10.0.1.12", **options),
                   fabric.UdpStream(where["desk2"], where["printer"], "192.168.100.200", **options),
                   restart_test.TcpStream(where["app3"], where["app1"], "10.0.1.11"))
        for stream in streams:
            self.addCleanup(stream.stop)
        return streams

    def executable(self):
        return os.readlink(f"/proc/{self.lab.weftd()}/exe")

    def test_upgrade_under_traffic(self):
        self.assertEqual(self.executable(), f"{INSTALLED.name}/usr/sbin/weftd")
        for who, address in (("app1", "10.0.1.12"), ("desk2", "192.168.100.200"), ("app3", "10.0.1.11")):
            eventually(lambda: self.lab.reaches(who, address), what=f"{who} to {address}")  # neighbours are known
        # So many a second that a socket's buffer outlasts a machine that is busy unpacking.
        streams = self.streams(rate=200)
        time.sleep(0.5)
        unpack(debs.built())
        self.assertTrue(self.executable().endswith("(deleted)"), "the old one runs on, without its file")
        self.lab.wait()
        self.lab.stop_weftd()  # deb-systemd-invoke restart weftd.service
        self.lab.start_weftd()
        self.lab.wait()
        eventually(lambda: self.executable() == f"{INSTALLED.name}/usr/sbin/weftd", what="the new one")
        started = self.lab.log().rpartition("listening for bridges")[0].splitlines()[-1]
        self.assertIn(debs.field(debs.built()[0], "Version"), started)
        self.assertEqual(self.lab.sent(), dict.fromkeys(self.lab.hosts(), NOTHING_SENT))
        self.assert_nothing_lost(streams)


if __name__ == "__main__":
    if os.environ.get("WEFT_SKIP_INTEGRATION") == "1" or not debs.built():
        print(f"skipped: no packages in {debs.BUILT}, or WEFT_SKIP_INTEGRATION=1")
        sys.exit(0)
    unittest.main(verbosity=2)
