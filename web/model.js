// What weftd said last, and what follows from it. The views read it and keep nothing of their own.
import { Rates } from "./rates.js";

const byName = (a, b) => a.localeCompare(b, "en", { numeric: true });

export const model = {
  status: null,
  hosts: [],
  networks: [],
  ports: [],
  routers: [],
  gateways: [],
  nat: [],
  groups: [], // security groups and QoS classes: asked for when they are sought or selected
  qos: [],
  events: [],
  read: false, // hosts, networks and what joins them have been asked for
  silentSince: null, // weftd does not answer since then (Date)
  drops: new Map(), // host → its drops, or why they could not be read (Error); as far as it has been asked
  rates: new Rates(10), // ports: "rx NAME@HOST", "tx NAME@HOST"
  history: [], // packets a second through all ports, newest last
};

export const hostState = (name) => model.byHost?.get(name)?.state ?? "down";

/// A port's state; `unknown` where its host is down: what the API says is then what the host's OVSDB said last.
export function portState(port) {
  if (port.host !== null && hostState(port.host) === "down") return "unknown";
  return port.state;
}

export const networksOf = (port) => [port.network, ...port.trunk.map((entry) => entry.network)].filter(Boolean);

export function setStatus(status) {
  status.hosts.sort((a, b) => byName(a.name, b.name));
  model.status = status;
  model.byHost = new Map(status.hosts.map((host) => [host.name, host]));
}

export function setPorts(ports, time) {
  ports.sort((a, b) => byName(a.name, b.name));
  model.ports = ports;
  model.portsOn = Map.groupBy(ports, (port) => port.host);
  for (const port of ports) {
    if (port.host === null) continue;
    model.rates.add(`rx ${port.name}@${port.host}`, port.rx_packets, time);
    model.rates.add(`tx ${port.name}@${port.host}`, port.tx_packets, time);
  }
  model.rates.keepOnly(time);
  const total = sumRates(ports);
  if (total !== null) model.history = [...model.history.slice(-59), total];
}

/// {sent, received, sum}: packets a second as the guest sees it. A switch's `rx` is what the guest sent.
export function portRate(port) {
  const sent = model.rates.of(`rx ${port.name}@${port.host}`);
  const received = model.rates.of(`tx ${port.name}@${port.host}`);
  return sent === null || received === null ? null : { sent, received, sum: sent + received };
}

/// Of all of them; null before any is known.
export function sumRates(ports) {
  const bound = (ports ?? []).filter((port) => port.host !== null);
  const rates = bound.map(portRate).filter((of) => of !== null);
  return rates.length === 0 ? (bound.length > 0 ? null : 0) : rates.reduce((sum, of) => sum + of.sum, 0);
}

/// Networks that a router joins stand together, then those that lead out, then the rest.
export function setNetworks(networks) {
  const rank = new Map();
  const put = (name) => {
    if (!rank.has(name)) rank.set(name, rank.size);
  };
  for (const router of model.routers) router.networks.forEach((network) => put(network.name));
  for (const gateway of model.gateways) put(gateway.network);
  networks.sort((a, b) => (rank.get(a.name) ?? 1e6) - (rank.get(b.name) ?? 1e6) || byName(a.name, b.name));
  model.networks = networks;
  // Neighbouring lanes get hues far apart.
  model.hues = new Map(networks.map((network, index) => [network.name, Math.round((200 + index * 137.508) % 360)]));
}

export const hue = (network) => String(model.hues?.get(network) ?? 0);

/// Public addresses and ports of a gateway.
export const translations = (gateway) => model.nat.filter((row) => row.gateway === gateway && row.kind !== "snat");
