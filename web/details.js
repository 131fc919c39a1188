// The side: everything known about the selected object (/v1/show), its traffic, its flows and drops.
import { at, h, put, refill } from "./dom.js";
import { get, Poll } from "./api.js";
import { Fabric } from "./fabric.js";
import { FlowReader } from "./flows.js";
import { hostState, model, networksOf, portRate, portState } from "./model.js";
import { clock, count, rate, ref } from "./format.js";

const LINKS = {
  host: "host",
  active: "host",
  network: "network",
  port: "port",
  ports: "port",
  to_port: "port",
  gateway: "gateway",
  router: "router",
  qos: "qos",
  hosts: "host",
  routers: "router",
  security_groups: "security_group",
};
const TITLES = {
  rx_packets: "sent (packets)",
  tx_packets: "received (packets)",
  ips: "addresses",
  vtep: "VTEP",
  mac: "MAC",
  mtu: "MTU",
  vni: "VNI",
  vlan: "VLAN",
  acl: "ACL",
  snat: "SNAT",
  ovsdb: "OVSDB",
  ofport: "OpenFlow port",
};
const HIDDEN = new Set(["name", "state", "reason", "sent", "services", "leases"]); // shown otherwise, or better by weftctl
const MOST = 30;

const title = (key) => TITLES[key] ?? key.replaceAll("_", " ");
const isGateway = (key, of) => key === "gateway" && /^[0-9a-f.:]+$/i.test(String(of)); // a network's is an address

function scalar(key, value) {
  if (value === null || value === "") return "–";
  if (LINKS[key] && typeof value === "string" && !isGateway(key, value))
    return h("a", { href: ref(LINKS[key], value) }, value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number" && /packets|bytes/.test(key)) return count(value);
  if (key === "kind") return value.replaceAll("_", " ");
  if (key === "private") return value.replaceAll(",", ", ");
  return /^\d{4}-\d\d-\d\dT/.test(value) ? clock(value) : String(value);
}

function inline(key, value) {
  if (Array.isArray(value))
    return value.length === 0 ? "–" : value.map((entry, index) => [index > 0 ? ", " : "", inline(key, entry)]);
  if (value !== null && typeof value === "object")
    return Object.entries(value)
      .filter(([, of]) => of !== null && of !== "")
      .map(([name, of], index) => [
        index > 0 ? " " : "",
        index > 0 ? h("small", {}, `${title(name)} `) : "",
        inline(name, of),
      ]);
  return scalar(key, value);
}

/// Rows of objects as a table; its first columns are what people look for.
function table(kind, key, rows) {
  const columns =
    {
      ports:
        kind === "qos"
          ? ["port", "what", "acts", "how"]
          : ["name", kind === "network" ? "host" : "network", "ips", "state"],
      rules: ["rule", "packets"],
      translations: ["kind", "public", "private", "packets"],
      candidates: ["host", "state"],
    }[key] ?? Object.keys(rows[0]).slice(0, 4);
  const cell = (row, column) =>
    column === "name" && key === "ports"
      ? h("a", { href: ref("port", row.name) }, row.name)
      : column === "name" && key === "networks"
        ? h("a", { href: ref("network", row.name) }, row.name)
        : column === "ips"
          ? (row.ips?.[0] ?? "–")
          : column === "state" && key === "ports"
            ? h("span", { class: "state", "data-state": portState(row) }, portState(row))
            : inline(column, row[column] ?? null);
  // What is not well comes first: it must not be among those left out.
  const sorted =
    key === "ports" && kind !== "qos" ? [...rows].sort((a, b) => (portState(a) === "up") - (portState(b) === "up")) : rows;
  return [
    h("h3", {}, `${title(key)} `, h("small", {}, count(rows.length))),
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          columns.map((column) => h("th", {}, title(column))),
        ),
      ),
      h(
        "tbody",
        {},
        sorted.slice(0, MOST).map((row) =>
          h(
            "tr",
            {},
            columns.map((column) => h("td", {}, cell(row, column))),
          ),
        ),
      ),
    ),
    rows.length > MOST ? h("p", { class: "none" }, `and ${rows.length - MOST} more`) : null,
  ];
}

function facts(kind, object) {
  const plain = [],
    tables = [];
  for (const [key, value] of Object.entries(object)) {
    if (HIDDEN.has(key) || value === null || value === "") continue;
    const rows =
      Array.isArray(value) && value.length > 0 && value.every((entry) => entry !== null && typeof entry === "object");
    if (rows && key !== "trunk" && key !== "uplinks") tables.push(table(kind, key, value));
    else if (!(Array.isArray(value) && value.length === 0))
      plain.push(h("div", {}, h("dt", {}, title(key)), h("dd", {}, inline(key, value))));
  }
  return { plain: h("dl", { class: "facts" }, plain), tables };
}

/// The hosts where the object's flows are, the one to look at first.
function hostsOf(kind, name, object) {
  if (kind === "host") return [name];
  if (typeof object.host === "string") return [object.host];
  if (kind === "gateway")
    return [...new Set([object.active, ...object.candidates.map((candidate) => candidate.host)])].filter(Boolean);
  if (kind === "port") return [];
  const hosts = Array.isArray(object.hosts) ? object.hosts : [];
  return hosts.length > 0
    ? hosts
    : [...new Set(model.ports.filter((port) => networksOf(port).includes(name) && port.host).map((port) => port.host))];
}

class Shown {
  constructor({ kind, name }) {
    Object.assign(this, { kind, name, flows: null });
    this.state = h("span", { class: "state" });
    this.reason = h("p", { class: "reason" });
    this.traffic = h("p", { class: "traffic" });
    this.body = h("div", {}, h("p", { class: "none" }, "Reading …"));
    this.below = h("div");
    this.tables = h("div");
    this.element = h(
      "section",
      {},
      h(
        "p",
        { class: "kind" },
        kind.replace("_", " "),
        h("a", { href: "#/", class: "close", "aria-label": "Close: back to the whole fabric" }, "✕"),
      ),
      h("h2", {}, name, this.state),
      this.reason,
      this.traffic,
      this.body,
      this.below,
      this.tables,
    );
    this.aborted = new AbortController();
    this.poll = new Poll(3, () => this.read());
    this.update();
  }
  stop() {
    this.poll.stop();
    this.flows?.stop();
    this.aborted.abort();
  }
  async read() {
    let object;
    try {
      object = await get(
        `/v1/show/${encodeURIComponent(this.kind)}/${encodeURIComponent(this.name)}`,
        20,
        this.aborted.signal,
      );
    } catch (error) {
      if (!this.aborted.signal.aborted)
        refill(this.body, error.message, () => h("p", { class: "none" }, error.message));
      return;
    }
    if (this.aborted.signal.aborted) return;
    const known = { ...object };
    if (this.kind === "port") {
      delete known.rx_packets;
      delete known.tx_packets;
    }
    const made = facts(this.kind, known);
    refill(this.body, JSON.stringify(known), () => made.plain);
    refill(this.tables, JSON.stringify(known), () => made.tables);
    const hosts = hostsOf(this.kind, this.name, object);
    if (
      refill(this.below, JSON.stringify(hosts), () => {
        this.flows?.stop();
        this.flows = new FlowReader(this.kind, this.name, hosts);
        return this.flows.element;
      })
    )
      this.update();
  }
  update() {
    const ports = model.ports.filter((port) => port.name === this.name);
    const gateway = model.gateways.find((entry) => entry.name === this.name);
    const state =
      this.kind === "host"
        ? hostState(this.name)
        : this.kind === "port"
          ? ports[0]
            ? portState(ports[0])
            : ""
          : this.kind === "gateway" && gateway
            ? gateway.active
              ? "active"
              : "down"
            : "";
    put(this.state, "text", state);
    put(this.state, "data-state", state);
    put(this.reason, "text", this.kind === "host" ? (model.byHost?.get(this.name)?.reason ?? "") : "");
    const own =
      this.kind === "port"
        ? ports
        : this.kind === "host"
          ? (model.portsOn?.get(this.name) ?? [])
          : this.kind === "network"
            ? model.ports.filter((port) => networksOf(port).includes(this.name))
            : [];
    const rates = own.map(portRate).filter(Boolean);
    const sum = (key) => rates.reduce((total, of) => total + of[key], 0);
    put(
      this.traffic,
      "text",
      rates.length === 0
        ? ""
        : `${this.kind === "port" ? "Sends" : "Its ports send"} ${rate(sum("sent"))} and ${this.kind === "port" ? "receives" : "receive"} ${rate(sum("received"))} (packets).`,
    );
  }
}

let shown = null;

export function show(selection) {
  shown?.stop();
  shown = selection ? new Shown(selection) : new Fabric();
  at("details").replaceChildren(shown.element);
  at("details").scrollTop = 0;
}

export const updateDetails = () => shown?.update();
