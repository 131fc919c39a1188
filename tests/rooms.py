#!/usr/bin/env python3
"""Rooms include each other only as docs/architecture.md allows; libopenvswitch's headers are seen by the codec."""
import pathlib
import re
import sys

ALLOWED = {
    "base": set(),
    "topology": {"base"},
    "openflow": {"base"},
    "ovsdb": {"base"},
    "pipeline": {"base", "openflow"},
    "nat": {"base", "topology", "openflow", "pipeline"},
    "fabric": {"base", "topology", "openflow", "ovsdb", "pipeline", "nat"},
    "virt": {"base", "topology"},
    "controller": {"base", "topology", "openflow", "ovsdb", "pipeline", "nat", "fabric", "virt"},
    "cli": {"base", "topology", "virt"},
    "lab": {"base", "topology"},
}
CODEC = re.compile(r"openflow/(codec\w*\.cpp|libopenvswitch\.hpp)")


def violations(root: pathlib.Path):
    for room, allowed in ALLOWED.items():
        for path in sorted((root / room).glob("**/*.[ch]pp")):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                include = re.match(r'\s*#\s*include\s*["<]([\w.-]+)/([\w./-]+)[">]', line)
                if not include:
                    continue
                first, rest = include.groups()
                where = f"{path.relative_to(root)}:{number}"
                ours = rest.endswith(".hpp")
                if ours and first in ALLOWED and first != room and first not in allowed:
                    yield f"{where}: {room}/ must not include {first}/ (allowed: {', '.join(sorted(allowed)) or 'nothing'})"
                if first == "openvswitch" or (first == "openflow" and (not ours or rest == "libopenvswitch.hpp")):
                    if not CODEC.fullmatch(str(path.relative_to(root))):
                        yield f"{where}: only openflow/codec*.cpp sees libopenvswitch's headers"


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    found = list(violations(root))
    print("\n".join(found) or "rooms: every include is allowed")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
