// What belongs to a selected or found object: it stays bright in the picture, the rest is dimmed.
import { model, networksOf } from "./model.js";

const inside = (row) => row.private.split(" ")[0]; // the port of a floating IP or a port forward
const joins = (router, networks) => router.networks.some((network) => networks.has(network.name));

/// Names by kind.
export class Bright {
  constructor() {
    for (const kind of ["hosts", "networks", "ports", "routers", "gateways", "translations"]) this[kind] = new Set();
  }
  /// Null: of that kind nothing is ever dimmed.
  of(kind) {
    const translations = this.translations;
    return (
      {
        host: this.hosts,
        network: this.networks,
        port: this.ports,
        router: this.routers,
        gateway: this.gateways,
        floating_ip: translations,
        port_forward: translations,
      }[kind] ?? null
    );
  }
  addPorts(ports) {
    for (const port of ports) {
      this.ports.add(port.name);
      this.hosts.add(port.host);
      networksOf(port).forEach((network) => this.networks.add(network));
    }
  }
  /// The networks and who is in them; a trunk's other networks are not meant.
  addNetworks(names) {
    for (const name of names) this.networks.add(name);
    for (const port of model.ports)
      if (networksOf(port).some((network) => names.includes(network))) {
        this.ports.add(port.name);
        this.hosts.add(port.host);
      }
  }
  addTranslation(row) {
    this.translations.add(row.public);
    this.gateways.add(row.gateway);
    const gateway = model.gateways.find((entry) => entry.name === row.gateway);
    if (gateway) this.networks.add(gateway.network);
  }
  /// Routers between the networks, the gateways that lead out of them.
  addWays() {
    for (const router of model.routers)
      if (joins(router, this.networks)) {
        this.routers.add(router.name);
        if (router.gateway) this.gateways.add(router.gateway);
      }
    for (const row of model.nat) if (row.kind !== "snat" && this.ports.has(inside(row))) this.addTranslation(row);
  }
}

const OF = {
  host(name, bright) {
    bright.addPorts(model.ports.filter((port) => port.host === name));
    bright.hosts = new Set([name]);
    for (const router of model.routers) if (router.hosts.includes(name)) bright.routers.add(router.name);
    for (const gateway of model.gateways)
      if (gateway.candidates.some((candidate) => candidate.host === name)) {
        bright.gateways.add(gateway.name);
        bright.networks.add(gateway.network);
      }
    for (const row of model.nat) if (row.kind !== "snat" && row.host === name) bright.addTranslation(row);
  },
  network(name, bright) {
    bright.addNetworks([name]);
    for (const router of model.routers) if (joins(router, bright.networks)) bright.routers.add(router.name);
    for (const gateway of model.gateways)
      if (gateway.network === name) {
        bright.gateways.add(gateway.name);
        for (const row of model.nat) if (row.gateway === gateway.name) bright.translations.add(row.public);
      }
  },
  port(name, bright) {
    bright.addPorts(model.ports.filter((port) => port.name === name));
    bright.addWays();
  },
  router(name, bright) {
    for (const router of model.routers.filter((entry) => entry.name === name)) {
      bright.addNetworks(router.networks.map((network) => network.name));
      bright.routers.add(name);
      for (const gateway of model.gateways.filter((entry) => entry.name === router.gateway)) {
        bright.gateways.add(gateway.name);
        bright.networks.add(gateway.network);
        for (const row of model.nat)
          if (row.gateway === gateway.name && bright.ports.has(inside(row))) bright.translations.add(row.public);
      }
    }
  },
  gateway(name, bright) {
    for (const gateway of model.gateways.filter((entry) => entry.name === name)) {
      const rows = model.nat.filter((row) => row.gateway === name && row.kind !== "snat");
      bright.addPorts(model.ports.filter((port) => rows.some((row) => inside(row) === port.name)));
      rows.forEach((row) => bright.addTranslation(row));
      bright.gateways.add(name);
      bright.networks.add(gateway.network);
      gateway.candidates.forEach((candidate) => bright.hosts.add(candidate.host));
      for (const router of model.routers) if (router.gateway === name) bright.routers.add(router.name);
    }
  },
  floating_ip(name, bright) {
    for (const row of model.nat.filter((entry) => entry.public === name)) {
      bright.addPorts(model.ports.filter((port) => port.name === inside(row)));
      bright.addTranslation(row);
      if (row.host) bright.hosts.add(row.host);
    }
  },
  security_group(name, bright) {
    const members = model.groups.filter((group) => group.name === name).flatMap((group) => group.ports);
    bright.addPorts(model.ports.filter((port) => members.includes(port.name)));
  },
  qos(name, bright) {
    const members = model.qos.filter((entry) => entry.name === name).flatMap((entry) => entry.ports);
    bright.addPorts(model.ports.filter((port) => members.some((member) => member.port === port.name)));
  },
};
OF.port_forward = OF.floating_ip;

/// Null: nothing is dimmed.
export function related(selection) {
  if (!selection || !Object.hasOwn(OF, selection.kind)) return null;
  const bright = new Bright();
  OF[selection.kind](selection.name, bright);
  return bright;
}
