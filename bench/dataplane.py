#!/usr/bin/env python3
"""Says, as JSON, where the parts of a running lab of dataplane.toml are, for a program that measures data planes.

usage: weft-lab up bench/dataplane.toml --name dataplane; bench/dataplane.py [BIN_DIRECTORY] >lab.json

A host: the directory of its Open vSwitch's sockets, and its bridge. An endpoint: its network namespace, address, host and
interface there. A path: from where to where, and what may pass.
"""
import json
import pathlib
import subprocess
import sys

NAME = "dataplane"
ROOT = pathlib.Path(__file__).resolve().parents[1]
PORTS = [22, 80, 443, 3306, 8000, 8050, 30080, 5205]


def say(*command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    bins = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/release/bin")
    namespaces = {row["name"]: row["namespace"] for row in say(bins / "weft-lab", "status", "--name", NAME, "-o", "json")}
    endpoints = {port["name"]: {"ns": namespaces[port["name"]], "ip": port["ips"][0], "host": port["host"],
                                "port": port["interface"]}
                 for port in say(bins / "weftctl", f"--lab={NAME}", "ports", "-o", "json")}
    # The internet is behind a switch of its own: what comes from there comes to h1 by its uplink.
    endpoints["inet"] = {"ns": namespaces["inet"], "ip": "203.0.113.254", "host": "h1", "port": "eth1"}
    print(json.dumps({
        "name": "weft",
        "hosts": {host: {"run_dir": f"/run/weft-lab/{NAME}/hosts/{host}", "bridge": "br-int"} for host in ("h1", "h2")},
        "endpoints": endpoints,
        "paths": {"same_host": {"from": "a1", "to": "a2"}, "cross_host": {"from": "a1", "to": "b1"},
                  "snat": {"from": "a1", "to": "inet", "denied_port": None},
                  "floating_ip": {"from": "inet", "to": "b1", "ip": "203.0.113.10", "udp": False,
                                  "ports": [port for port in PORTS if port != 3306]}},
        "ports": PORTS, "iperf_port": 5201, "denied_port": 9999}, indent=1))


if __name__ == "__main__":
    main()
