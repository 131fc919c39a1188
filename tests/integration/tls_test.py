#!/usr/bin/python3
"""OpenFlow and OVSDB over TLS: one host and weftd on the loopback of a namespace, certificates made by ovs-pki."""
import json
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import unittest

import fabric
from fabric import SANITIZER, eventually, inside, run

NAMESPACE = f"weft-tls{os.getpid()}"
TOPOLOGY = """
[[host]]
name = "kvm1"
[[network]]
name = "blue"
kind = "vxlan"
subnet = "10.0.1.0/24"
[[port]]
name = "app1"
network = "blue"
"""


class Pki:
    """`switch` certificates are what weftd trusts, `controller` certificates what Open vSwitch trusts."""

    def __init__(self, directory):
        self.directory = directory
        self.pki("init")

    def pki(self, *words):
        run(["ovs-pki", f"--dir={self.directory}/pki", f"--log={self.directory}/pki.log", *words], cwd=self.directory)

    def sign(self, file, name, kind):
        """FILE-privkey.pem and FILE-cert.pem for the common name NAME."""
        self.pki("req", file)
        run(["openssl", "req", "-new", "-key", f"{file}-privkey.pem", "-subj", f"/C=US/ST=CA/O=Open vSwitch/CN={name}",
             "-out", f"{file}-req.pem"], cwd=self.directory)
        self.pki("-b", "sign", file, kind)

    def expire(self, file):
        """As sign(), but it was valid long ago."""
        run(["openssl", "ca", "-batch", "-notext", "-config", "ca.cnf", "-startdate", "200101000000Z", "-enddate",
             "200102000000Z", "-in", f"{self.directory}/{file}-req.pem", "-out", f"{self.directory}/{file}-cert.pem"],
            cwd=f"{self.directory}/pki/switchca")

    def options(self, file):
        return [f"--private-key={self.directory}/{file}-privkey.pem", f"--certificate={self.directory}/{file}-cert.pem",
                f"--ca-cert={self.directory}/pki/controllerca/cacert.pem"]


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.directory = pathlib.Path(scratch.name)
        run(["ip", "netns", "add", NAMESPACE])
        cls.addClassCleanup(run, ["ip", "netns", "del", NAMESPACE])
        run(["ip", "-n", NAMESPACE, "link", "set", "lo", "up"])
        cls.pki = Pki(cls.directory)
        cls.pki.sign("weftd", "weftd", "controller")
        cls.pki.sign("good", "kvm1", "switch")
        cls.pki.sign("goodid", "kvm1 id:4d0c51b2", "switch")
        cls.pki.sign("other", "kvm2", "switch")
        cls.pki.sign("wrongca", "kvm1", "controller")
        cls.pki.sign("expired", "kvm1", "switch")
        (cls.directory / "expired-cert.pem").unlink()
        run(["sed", "-i", "s/^unique_subject.*/unique_subject = no/", f"{scratch.name}/pki/switchca/ca.cnf"])
        cls.pki.expire("expired")

    def start(self, name, *command):
        log = open(self.scene / f"{name}.out", "a")
        process = subprocess.Popen(["ip", "netns", "exec", NAMESPACE, *map(str, command)], stdout=log, stderr=log,
                                   env={**os.environ, **{key: str(self.scene) for key in ("OVS_RUNDIR", "OVS_LOGDIR",
                                                                                         "OVS_DBDIR", "OVS_SYSCONFDIR")}})

        def stop():
            process.terminate()
            process.wait(10)
            log.close()

        self.addCleanup(stop)
        return process

    def scene_with(self, switch="good", server="good", plain_server=False):
        """weftd and one host whose two daemons show these certificates."""
        self.scene = pathlib.Path(tempfile.mkdtemp(dir=self.directory))
        database = self.scene / "conf.db"
        run(["ovsdb-tool", "create", database, "/usr/share/openvswitch/vswitch.ovsschema"])
        remote = "ptcp:6640:127.0.0.1" if plain_server else "pssl:6640:127.0.0.1"
        self.start("ovsdb", "ovsdb-server", database, f"--remote=punix:{self.scene}/db.sock", f"--remote={remote}",
                   f"--unixctl={self.scene}/db.ctl", "--no-chdir", *self.pki.options(server))
        eventually((self.scene / "db.sock").exists, what="ovsdb-server")
        run(["ovs-vsctl", f"--db=unix:{self.scene}/db.sock", "--no-wait", "init"])
        self.start("vswitchd", "ovs-vswitchd", f"unix:{self.scene}/db.sock", "--enable-dummy=override", "--disable-system",
                   f"--unixctl={self.scene}/vs.ctl", "--no-chdir", *self.pki.options(switch))
        (self.scene / "topology.toml").write_text(TOPOLOGY)
        (self.scene / "weftd.toml").write_text(f"""
openflow = "ssl:127.0.0.1:6653"
advertise = "127.0.0.1"
api = "unix:{self.scene}/api.sock"
state_dir = "{self.scene}/state"
[tls]
key = "{self.directory}/weftd-privkey.pem"
certificate = "{self.directory}/weftd-cert.pem"
ca = "{self.directory}/pki/switchca/cacert.pem"
[host.kvm1]
ovsdb = "ssl:127.0.0.1:6640"
vtep = "127.0.0.1"
datapath = "netdev"
""")
        self.start("weftd", fabric.BIN / "weftd", "--config", self.scene / "weftd.toml", "--topology",
                   self.scene / "topology.toml")
        eventually((self.scene / "api.sock").exists, what="weftd")

    def ctl(self, *words):
        return json.loads(run([fabric.BIN / "weftctl", f"--api=unix:{self.scene}/api.sock", *words, "-o", "json"]).stdout)

    def host(self):
        return self.ctl("status")["hosts"][0]

    def log(self):
        text = (self.scene / "weftd.out").read_text()
        self.assertNotRegex(text, SANITIZER)
        return text

    def assert_refused(self, said):
        """kvm1 is not served, and the log and the events say why, once for all attempts."""
        eventually(lambda: re.search(said, self.log()), 10, f"{said} in the log")
        eventually(lambda: any(re.search(said, event["text"]) for event in self.ctl("events")), 5, f"{said} in the events")
        self.assertNotEqual(self.host()["state"], "synced")
        self.assertEqual(self.host()["sent"]["flow_mods"], 0)

    def assert_synced(self):
        eventually(lambda: self.host()["state"] == "synced", 15, "synced")

    def test_good_certificates(self):
        self.scene_with()
        self.assert_synced()
        self.assertNotRegex(self.log(), "(?m)^error|TLS|certificate")

    def test_names_as_ovs_pki_makes_them(self):
        self.scene_with("goodid", "goodid")
        self.assert_synced()

    def test_switch_of_another_authority(self):
        self.scene_with(switch="wrongca")
        self.assert_refused("OpenFlow.*127.0.0.1.*(certificate|unable to get)")

    def test_switch_with_an_expired_certificate(self):
        self.scene_with(switch="expired")
        self.assert_refused("OpenFlow.*127.0.0.1.*certificate has expired")

    def test_switch_with_the_certificate_of_another_host(self):
        self.scene_with(switch="other")
        self.assert_refused("certificate of 'kvm2'.*refused")

    def test_database_of_another_authority(self):
        self.scene_with(server="wrongca")
        self.assert_refused("OVSDB at ssl:127.0.0.1:6640.*(certificate|unable to get)")

    def test_database_with_an_expired_certificate(self):
        self.scene_with(server="expired")
        self.assert_refused("OVSDB at ssl:127.0.0.1:6640.*certificate has expired")

    def test_database_with_the_certificate_of_another_host(self):
        self.scene_with(server="other")
        self.assert_refused("OVSDB at ssl:127.0.0.1:6640.*certificate of 'kvm2'")

    def test_database_without_tls(self):
        self.scene_with(plain_server=True)
        self.assert_refused("OVSDB at ssl:127.0.0.1:6640")

    def test_plain_tcp(self):
        """A bridge, or anybody, that speaks OpenFlow without TLS hears nothing; the others are served."""
        self.scene_with()
        self.assert_synced()
        with inside(NAMESPACE):
            peer = socket.create_connection(("127.0.0.1", 6653), timeout=10)
        peer.sendall(bytes.fromhex("0600000800000001"))  # OFPT_HELLO of OpenFlow 1.5
        self.assertNotIn(b"\x06\x00", peer.recv(100)[:2])
        peer.close()
        eventually(lambda: re.search("OpenFlow connection from 127.0.0.1.*TLS", self.log()), 5, "the refusal in the log")
        self.assertEqual(self.host()["state"], "synced")


if __name__ == "__main__":
    fabric.main()
