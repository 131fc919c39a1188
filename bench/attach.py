#!/usr/bin/env python3
"""From `virsh attach-interface` to the first answered ping: a NIC on a network of weft's, and on libvirt's `default`.

usage: attach.py [--rounds N] [BIN_DIRECTORY]

One lab, one guest, the same command. The guest asks DHCP as soon as it has the device; it is pinged every 10 ms at the
address that it is to get, from a port on the same host or from the host itself (virbr0), which know its MAC beforehand.
"""
import argparse
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
NAME = "attach"
MAC = "52:54:00:00:be:ac"
TOPOLOGY = f"""
[[host]]
name = "kvm1"
[[network]]
name = "private1"
kind = "vxlan"
subnet = "10.0.1.0/24"
[[port]]
name = "measured"
network = "private1"
vm = "guest"
mac = "{MAC}"
ip = "10.0.1.50"
[[port]]
name = "probe"
network = "private1"
[[network]]
name = "first"
kind = "local"
subnet = "10.0.9.0/24"
[[lab.vm]]
name = "guest"
host = "kvm1"
network = "first"
"""
# As libvirt comes with it, and without the spanning tree protocol, which keeps a new port of the bridge silent for 4 s.
LIBVIRTS = {"default": ("on", 122), "no-stp": ("off", 123)}


def libvirt_network(name):
    stp, subnet = LIBVIRTS[name]
    return f"""
<network><name>{name}</name><bridge name='virbr{subnet - 122}' stp='{stp}' delay='0'/><forward mode='open'/>
<ip address='192.168.{subnet}.1' netmask='255.255.255.0'>
<dhcp><range start='192.168.{subnet}.2' end='192.168.{subnet}.254'/>
<host mac='{MAC}' ip='192.168.{subnet}.50'/></dhcp></ip></network>
"""


class Lab:
    def __init__(self, bins):
        self.bins = bins

    def run(self, *words, **options):
        done = subprocess.run([self.bins / "weft-lab", words[0], "--name", NAME, *words[1:]], capture_output=True,
                              text=True, **options)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, words))}: {done.stdout}{done.stderr}")
        return done.stdout

    def exec(self, who, *command, **options):
        return self.run("exec", who, "--", *command, **options)

    def first_answer(self, network, prober, address):
        """Seconds."""
        device = re.search(r"dev (\S+)", self.exec(prober, "ip", "route", "get", address))[1]
        self.exec(prober, "ip", "neigh", "replace", address, "lladdr", MAC, "dev", device, "nud", "permanent")
        ping = subprocess.Popen([self.bins / "weft-lab", "exec", "--name", NAME, prober, "--", "ping", "-D", "-n", "-i",
                                 "0.01", "-W", "1", address], stdout=subprocess.PIPE, text=True)
        time.sleep(0.3)
        began = time.time()
        self.exec("kvm1", "virsh", "attach-interface", "guest", "network", network, "--mac", MAC, "--model", "virtio",
                  "--live")
        returned = time.time() - began
        answer = next(float(line[1:line.index("]")]) for line in ping.stdout if "icmp_seq" in line and "ttl" in line)
        ping.kill()
        interface = f"<interface type='network'><source network='{network}'/><mac address='{MAC}'/></interface>"
        self.exec("kvm1", "virsh", "detach-device", "guest", "/dev/stdin", "--live", input=interface)
        while MAC in self.exec("kvm1", "virsh", "dumpxml", "guest"):
            time.sleep(0.1)
        time.sleep(1)
        return returned, answer - began


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("bins", nargs="?", type=pathlib.Path, default=ROOT / "build/release/bin")
    arguments = parser.parse_args()
    lab = Lab(arguments.bins.resolve())
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(TOPOLOGY)
        file.flush()
        lab.run("up", file.name)
    try:
        for name in LIBVIRTS:
            lab.exec("kvm1", "virsh", "net-define", "/dev/stdin", input=libvirt_network(name))
            lab.exec("kvm1", "virsh", "net-start", name)
        took = {"weft": [], **{name: [] for name in LIBVIRTS}}
        for _ in range(arguments.rounds):
            took["weft"].append(lab.first_answer("private1", "probe", "10.0.1.50"))
            for name, (_, subnet) in LIBVIRTS.items():
                took[name].append(lab.first_answer(name, "kvm1", f"192.168.{subnet}.50"))
        for name, times in took.items():
            for index, what in enumerate(("virsh returned", "first answer")):
                values = [1000 * time[index] for time in times]
                print(f"{name}: {what} after {statistics.median(values):.0f} ms "
                      f"({min(values):.0f}-{max(values):.0f}), {len(values)} rounds")
        for name in LIBVIRTS:
            lab.exec("kvm1", "virsh", "net-destroy", name)
    finally:
        lab.run("down")


if __name__ == "__main__":
    main()
