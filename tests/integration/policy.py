"""Random topologies with security groups, and who may reach whom in them: written from the description of the topology
file alone, so that it can be wrong only where the product is not.
"""
import dataclasses
import ipaddress
import random

HOSTS = ("kvm1", "kvm2", "kvm3")
TCP_PORTS, UDP_PORTS = (22, 80, 443, 5432, 8005), (53, 123, 8005)
CELLS = [("tcp", port) for port in TCP_PORTS] + [("udp", port) for port in UDP_PORTS] + [("icmp", None)]
NUMBERS = {"tcp": 6, "udp": 17}


@dataclasses.dataclass(frozen=True)
class Network:
    name: str
    zone: str  # the router, or the network itself: who reaches whom, and whose members count
    subnet: str
    subnet6: str
    lines: str = 'kind = "vxlan"'


# cell has main's addresses: the same numbers, and other machines.
NETWORKS = {network.name: network for network in (
    Network("blue", "main", "10.0.1", "fd00:1"),
    Network("green", "main", "10.0.2", "fd00:2"),
    Network("cell", "cell", "10.0.1", "fd00:1"),
    Network("office", "office", "10.0.3", "fd00:3", 'kind = "vlan"\nvlan = 100\nphysnet = "physnet1"'))}


@dataclasses.dataclass(frozen=True)
class Endpoint:
    name: str
    network: str
    host: str
    number: int

    @property
    def mac(self):
        return f"52:54:00:00:{list(NETWORKS).index(self.network):02x}:{self.number:02x}"

    @property
    def zone(self):
        return NETWORKS[self.network].zone

    def address(self, family):
        network = NETWORKS[self.network]
        return f"{network.subnet}.{self.number}" if family == 4 else f"{network.subnet6}::{self.number:x}"


ENDPOINTS = [Endpoint(f"{network}{i + 1}", network, HOSTS[(i + shift) % 3], 10 + i)
             for shift, (network, count) in enumerate((("blue", 4), ("green", 4), ("cell", 2), ("office", 2)))
             for i in range(count)]


@dataclasses.dataclass(frozen=True)
class Rule:
    direction: str
    protocol: str
    ports: tuple = ()
    remote: str = ""
    remote_group: str = ""
    family: str = ""

    def toml(self):
        words = [f'direction = "{self.direction}"', f'protocol = "{self.protocol}"']
        if self.ports:
            words.append("ports = [" + ", ".join(f'"{port}"' for port in self.ports) + "]")
        words += [f'{key} = "{getattr(self, key)}"' for key in ("remote", "remote_group", "family")
                  if getattr(self, key)]
        return "{ " + ", ".join(words) + " }"

    def says_port(self, port):
        if not self.ports:
            return True
        ranges = [tuple(map(int, text.split("-"))) * (1 if "-" in text else 2) for text in self.ports]
        return any(first <= port <= last for first, last in ranges)

    def matches(self, policy, zone, family, protocol, port, remote):
        """Whether it is about a connection whose other end is the address `remote`."""
        if self.family and self.family != f"ipv{family}":
            return False
        if self.protocol not in ("any", protocol, str(NUMBERS.get(protocol))):
            return False
        if not self.says_port(port):
            return False
        address = ipaddress.ip_address(remote)
        if self.remote:
            prefix = ipaddress.ip_network(self.remote)
            return prefix.version == family and address in prefix
        if self.remote_group:
            return any(remote == endpoint.address(family) for endpoint, groups in policy.members.items()
                       if self.remote_group in groups and endpoint.zone == zone)
        return True


@dataclasses.dataclass
class Policy:
    groups: dict   # name → list of rules
    members: dict  # endpoint → list of group names; the ports of the topology

    def toml(self, hosts=None):
        """`hosts`: the text of the hosts' tables, if they are not the lab's."""
        text = hosts or "".join(f'[[host]]\nname = "{host}"\nuplinks = {{ physnet1 = "eth1" }}\n' for host in HOSTS)
        for network in NETWORKS.values():
            text += (f'[[network]]\nname = "{network.name}"\n{network.lines}\nsubnet = "{network.subnet}.0/24"\n'
                     f'subnet6 = "{network.subnet6}::/64"\n')
        text += '[[router]]\nname = "main"\nnetworks = ["blue", "green"]\n'
        for name, rules in self.groups.items():
            listed = "".join(f"  {rule.toml()},\n" for rule in rules)
            text += f'[[security_group]]\nname = "{name}"\nrules = [\n{listed}]\n'
        for endpoint, groups in self.members.items():
            listed = ", ".join(f'"{group}"' for group in groups)
            text += (f'[[port]]\nname = "{endpoint.name}"\nnetwork = "{endpoint.network}"\nlab_host = "{endpoint.host}"\n'
                     f'mac = "{endpoint.mac}"\nip = "{endpoint.address(4)}"\nip6 = "{endpoint.address(6)}"\nsecurity_groups = [{listed}]\n')
        return text

    def allows(self, source, target, family, protocol, port):
        """Whether a connection that `source` begins comes about."""
        if source.zone != target.zone:
            return False
        sent = [rule for group in self.members[source] for rule in self.groups[group] if rule.direction == "egress"]
        taken = [rule for group in self.members[target] for rule in self.groups[group] if rule.direction == "ingress"]
        here, there = source.address(family), target.address(family)
        if sent and not any(rule.matches(self, source.zone, family, protocol, port, there) for rule in sent):
            return False
        if not self.members[target]:
            return True
        return any(rule.matches(self, target.zone, family, protocol, port, here) for rule in taken)

    def cells(self):
        """(source, target, family, protocol, port) of every pair that could reach each other."""
        for source in self.members:
            for target in self.members:
                if source is not target and source.zone == target.zone:
                    for family in (4, 6):
                        for protocol, port in CELLS:
                            yield source, target, family, protocol, port


def random_rule(dice, groups):
    protocol = dice.choice(("any", "tcp", "tcp", "udp", "icmp", "6", "17"))
    ports = ()
    if protocol in ("tcp", "udp") and dice.random() < 0.8:
        ports = tuple(dice.sample(("22", "53", "80", "443", "100-130", "1-1023", "5432", "8000-8010", "1024-65535"),
                                  dice.randint(1, 3)))
    rule = {"direction": dice.choice(("ingress", "ingress", "egress")), "protocol": protocol, "ports": ports}
    kind = dice.random()
    if kind < 0.4:
        rule["remote_group"] = dice.choice(groups)
    elif kind < 0.7:
        rule["remote"] = dice.choice(("0.0.0.0/0", "::/0", "10.0.1.0/24", "10.0.2.8/29", "10.0.1.11/32", "fd00:1::/64",
                                      "fd00:2::a/128", "10.0.0.0/15"))
    elif kind < 0.8:
        rule["family"] = dice.choice(("ipv4", "ipv6"))
    return Rule(**rule)


def random_policy(seed, endpoints=ENDPOINTS, least=5, most_groups=5):
    dice = random.Random(seed)
    names = [f"g{i + 1}" for i in range(dice.randint(2, most_groups))]
    groups = {name: [random_rule(dice, names) for _ in range(dice.randint(1, 4))] for name in names}
    chosen = dice.sample(endpoints, dice.randint(least, len(endpoints)))
    return Policy(groups, {endpoint: dice.sample(names, dice.choice((0, 1, 1, 2))) for endpoint in chosen})


def everybody():
    """All endpoints, no groups: what the lab is brought up with."""
    return Policy({}, {endpoint: [] for endpoint in ENDPOINTS})


def edited(policy, dice):
    """One edit: a rule comes, goes or changes; a port joins or leaves a group."""
    groups = {name: list(rules) for name, rules in policy.groups.items()}
    members = {endpoint: list(of) for endpoint, of in policy.members.items()}
    kind = dice.choice(("add", "remove", "replace", "join", "leave"))
    name = dice.choice(list(groups))
    if kind in ("join", "leave"):
        endpoint = dice.choice(list(members))
        if name in members[endpoint]:
            members[endpoint].remove(name)
        else:
            members[endpoint].append(name)
    else:
        if kind in ("remove", "replace") and groups[name]:
            groups[name].pop(dice.randrange(len(groups[name])))
        if kind in ("add", "replace"):
            groups[name].append(random_rule(dice, list(groups)))
    return Policy(groups, members)
