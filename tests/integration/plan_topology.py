"""A topology that is edited at random, for plan_test: what an admin may do to it, and its file."""
import copy

HOSTS = ("kvm1", "kvm2", "kvm3")
RULES = ({"direction": "ingress", "protocol": "icmp"}, {"direction": "ingress", "protocol": "tcp", "ports": ["80"]},
         {"direction": "ingress", "protocol": "tcp", "ports": ["8000-8010"], "remote": "10.0.0.0/8"},
         {"direction": "ingress", "protocol": "any", "remote_group": "app"},
         {"direction": "egress", "protocol": "udp", "remote": "10.0.2.0/24"})
ACL = ({"action": "deny", "direction": "egress", "protocol": "tcp", "ports": ["25"]},
       {"action": "deny", "direction": "ingress", "protocol": "udp", "remote": "10.0.2.0/24"},
       {"action": "allow", "direction": "ingress", "protocol": "icmp"})
BEGIN = {
    "host": {name: {"uplinks": {"physnet1": "eth1"}} for name in HOSTS},
    "network": {
        "blue": {"kind": "vxlan", "subnet": "10.0.1.0/24", "subnet6": "fd00:1::/64", "dhcp": False},
        "green": {"kind": "vxlan", "subnet": "10.0.2.0/24", "dhcp": False},
        "red": {"kind": "vxlan", "subnet": "10.0.1.0/24", "dhcp": False},
        "office": {"kind": "vlan", "physnet": "physnet1", "vlan": 100, "subnet": "192.168.100.0/24"},
        "public": {"kind": "flat", "physnet": "physnet1", "subnet": "203.0.113.0/24"}},
    "router": {"main": {"networks": ["blue", "green"], "gateway": "igw"}},
    "gateway": {"igw": {"network": "public", "address": "203.0.113.2", "nexthop": "203.0.113.1", "hosts": ["kvm1", "kvm3"]}},
    "floating_ip": {"203.0.113.20": {"port": "web2", "gateway": "igw"}},
    "port_forward": {"203.0.113.2:8080": {"gateway": "igw", "address": "203.0.113.2", "protocol": "tcp", "ports": "8080", "to": "web3:80"}},
    "security_group": {"web": {"rules": [RULES[0], RULES[1]]}, "app": {"rules": []}},
    "qos": {"gold": {"ingress": {"rate": "20mbit"}, "egress": {"rate": "10mbit"}}},
    "port": {
        "app1": {"network": "blue", "ip": "10.0.1.11", "lab_host": "kvm1"},
        "app2": {"network": "blue", "ip": "10.0.1.12", "lab_host": "kvm2", "security_groups": ["app"]},
        "app3": {"network": "blue", "ip": "10.0.1.13", "lab_host": "kvm3"},
        "web2": {"network": "green", "ip": "10.0.2.12", "lab_host": "kvm2", "security_groups": ["web"]},
        "web3": {"network": "green", "ip": "10.0.2.13", "lab_host": "kvm3"},
        "db1": {"network": "red", "ip": "10.0.1.21", "lab_host": "kvm1"},
        "db2": {"network": "red", "ip": "10.0.1.22", "lab_host": "kvm2"},
        "desk2": {"network": "office", "ip": "192.168.100.12", "lab_host": "kvm2"},
        "trunk3": {"network": "blue", "ip": "10.0.1.33", "trunk": [{"network": "office", "vlan": 100, "ip": "192.168.100.33"}],
                   "lab_host": "kvm3"}}}
ENDPOINT = """
[[lab.endpoint]]
name = "internet"
physnet = "physnet1"
addresses = ["203.0.113.1/24", "198.51.100.7/32"]
"""
KEYS = {"floating_ip": "address", "port_forward": None}  # what an object's key in BEGIN is in the file; else its name


def toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(toml, value)) + "]"
    return str(value)


class Topology:
    """Objects by kind and name, all that there may be; and those of them that are not in the file now."""

    def __init__(self, dice):
        self.objects, self.absent, self.dice = copy.deepcopy(BEGIN), set(), dice

    def there(self):
        """The objects in the file: without those that are absent, and what cannot be without them."""
        there = {kind: {name: copy.deepcopy(entry) for name, entry in objects.items() if (kind, name) not in self.absent}
                 for kind, objects in self.objects.items()}
        networks, ports = there["network"], there["port"]
        for port in ports.values():
            port["trunk"] = [entry for entry in port.get("trunk", []) if entry["network"] in networks]
            port["security_groups"] = [group for group in port.get("security_groups", []) if group in there["security_group"]]
            if port.get("qos") not in there["qos"]:
                port.pop("qos", None)
        for name in [name for name, port in ports.items() if port["network"] not in networks]:
            del ports[name]
        for name, router in list(there["router"].items()):
            router["networks"] = [network for network in router["networks"] if network in networks]
            if "blue" not in router["networks"]:
                router.pop("routes", None)
            if router.get("gateway") not in there["gateway"]:
                router.pop("gateway", None)
            if not router["networks"]:
                del there["router"][name]
        routed = {network for router in there["router"].values() if "gateway" in router for network in router["networks"]}
        for gateway in there["gateway"].values():
            linked = [host for host in gateway["hosts"] if there["host"].get(host, {}).get("uplinks")]
            gateway["hosts"] = linked or ["kvm1"]
        for kind, port_of in (("floating_ip", lambda it: it["port"]), ("port_forward", lambda it: it["to"].split(":")[0])):
            for name, entry in list(there[kind].items()):
                port = ports.get(port_of(entry))
                if not port or port["network"] not in routed or entry["gateway"] not in there["gateway"]:
                    del there[kind][name]
        if "app" not in there["security_group"]:
            for group in there["security_group"].values():
                group["rules"] = [rule for rule in group["rules"] if rule.get("remote_group") != "app"]
        return there

    def text(self):
        """Objects of a kind in any order but hosts, whose order means something; comments here and there."""
        text = f"# {self.dice.random()}\n"
        for kind, objects in self.there().items():
            names = list(objects)
            if kind != "host":
                self.dice.shuffle(names)
            for name in names:
                entry = {KEYS.get(kind, "name"): name, **objects[name]}
                entry.pop(None, None)
                text += f"\n[[{kind}]]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in entry.items())
        return text + ENDPOINT

    def toggle(self, kind, name):
        self.absent ^= {(kind, name)}
        return f"{kind} {name} {'goes' if (kind, name) in self.absent else 'comes'}"

    def edit(self):
        """One thing that an admin may do; says what."""
        return self.dice.choice([self.some_object, self.some_object, self.a_port, self.a_port, self.a_policy, self.a_network,
                                 self.what_is_outside, self.an_uplink, lambda: "nothing but comments and order"])()

    def some_object(self):
        kind = self.dice.choice(["port", "port", "port", "network", "router", "floating_ip", "port_forward", "security_group", "qos",
                                 "gateway"])
        names = [name for name in self.objects[kind] if name != "public"]
        return self.toggle(kind, self.dice.choice(names))

    def a_port(self):
        name = self.dice.choice(list(self.objects["port"]))
        port = self.objects["port"][name]
        what = self.dice.choice(["ip", "port_security", "security_groups", "qos", "allowed_addresses"])
        if what == "ip":
            net, _, last = port["ip"].rpartition(".")
            port["ip"] = f"{net}.{(int(last) + 100) % 200}"
        elif what == "port_security":
            port[what] = not port.get(what, True)
        elif what == "security_groups":
            port[what] = [group for group in ("web", "app") if self.dice.random() < 0.5]
        elif what == "qos":
            port.pop(what) if what in port else port.update(qos="gold")
        else:
            port.pop(what) if what in port else port.update(allowed_addresses=["10.7.0.0/24"])
        return f"{what} of port {name}"

    def a_policy(self):
        what = self.dice.choice(["rules", "acl", "qos"])
        if what == "rules":
            name = self.dice.choice(list(self.objects["security_group"]))
            self.objects["security_group"][name]["rules"] = self.dice.sample(RULES, self.dice.randrange(4))
            return f"rules of {name}"
        if what == "acl":
            name = self.dice.choice(["blue", "green", "red"])
            self.objects["network"][name]["acl"] = self.dice.sample(ACL, self.dice.randrange(3))
            return f"ACL of {name}"
        gold = {"ingress": {"rate": f"{self.dice.randrange(10, 13)}mbit"}, "egress": {"rate": f"{self.dice.randrange(10, 13)}mbit"},
                "dscp": 46}
        for key in self.dice.sample(list(gold), self.dice.randrange(3)):
            del gold[key]
        self.objects["qos"]["gold"] = gold
        return f"qos gold is {gold}"

    def a_network(self):
        name = self.dice.choice(["blue", "green", "red", "office"])
        network = self.objects["network"][name]
        if name == "office":
            network["vlan"] = self.dice.randrange(100, 103)
        elif self.dice.random() < 0.5:
            network["dhcp"] = {} if network["dhcp"] is False else False
        else:
            network["vni"] = self.dice.randrange(5000, 5003) * 10 + len(name)
        return f"network {name} is {network}"

    def what_is_outside(self):
        what = self.dice.choice(["hosts", "snat", "distributed", "routes", "networks"])
        gateway, router = self.objects["gateway"]["igw"], self.objects["router"]["main"]
        if what == "hosts":
            gateway["hosts"] = self.dice.sample(HOSTS, self.dice.randrange(2, 4))
        elif what == "snat":
            gateway["snat"] = self.dice.choice([[], ["203.0.113.2"], ["203.0.113.2", "203.0.113.8-203.0.113.9"]])
        elif what == "distributed":
            floating = self.objects["floating_ip"]["203.0.113.20"]
            floating[what] = not floating.get(what, False)
        elif what == "routes":
            router[what] = [] if router.get(what) else [{"prefix": "192.168.50.0/24", "via": "10.0.1.254"}]
        else:
            router[what] = self.dice.choice([["blue", "green"], ["blue", "green", "office"], ["blue"]])
        return f"{what} outside: {gateway} {router}"

    def an_uplink(self):
        host = self.objects["host"]["kvm2"]
        host["uplinks"] = {} if host["uplinks"] else {"physnet1": "eth1"}
        return f"uplinks of kvm2: {host['uplinks']}"
