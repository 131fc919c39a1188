// The side when nothing is selected: who is busy, and what is dropped anywhere. Drops are read of one host at a time, every
// two seconds the next: in a big fabric that takes a while, and costs weftd next to nothing.
import { h, refill } from "./dom.js";
import { get, Poll, Refused } from "./api.js";
import { dropKey, dropTable, grouped, rated } from "./flows.js";
import { hostState, model, portRate, portState } from "./model.js";
import { listed, plural, rate, ref } from "./format.js";
import { Rates } from "./rates.js";

const rates = new Map(); // host → from one reading of it to the next

function busiest() {
  const busy = model.ports
    .map((port) => ({ port, rate: portRate(port) }))
    .filter((entry) => entry.rate && entry.rate.sum > 0 && portState(entry.port) !== "unknown")
    .sort((a, b) => b.rate.sum - a.rate.sum)
    .slice(0, 8);
  if (busy.length === 0)
    return h("p", { class: "none" }, model.history.length > 0 ? "No port sends or receives." : "Reading …");
  const most = busy[0].rate.sum;
  return h(
    "table",
    { class: "busy" },
    h(
      "thead",
      {},
      h("tr", {}, h("th", {}, "Port"), h("th", { class: "n" }, "Sends"), h("th", { class: "n" }, "Receives")),
    ),
    h(
      "tbody",
      {},
      busy.map(({ port, rate: of }) =>
        h(
          "tr",
          { vars: { share: `${Math.round((of.sum / most) * 100)}%` } },
          h("td", {}, h("a", { href: ref("port", port.name) }, port.name), h("small", {}, ` ${port.host}`)),
          h("td", { class: "n" }, rate(of.sent)),
          h("td", { class: "n" }, rate(of.received)),
        ),
      ),
    ),
  );
}

export class Fabric {
  constructor() {
    this.next = 0;
    this.busy = h("div");
    this.drops = h("div", {}, h("p", { class: "none" }, "Reading …"));
    this.read = h("small", {});
    this.element = h(
      "section",
      {},
      h("h2", {}, "The whole fabric"),
      h("p", { class: "none" }, "Choose a host, a port, a network: its details and its flows are shown here."),
      h("h3", {}, "Busiest ports"),
      this.busy,
      h("h3", {}, "Drops ", this.read),
      this.drops,
    );
    this.aborted = new AbortController();
    this.poll = new Poll(2, () => this.sweep());
    this.update();
  }
  stop() {
    this.poll.stop();
    this.aborted.abort();
  }
  async sweep() {
    const hosts = model.status?.hosts.filter((host) => host.state !== "down") ?? [];
    if (hosts.length === 0) return;
    const host = hosts[this.next++ % hosts.length].name;
    if (!rates.has(host)) rates.set(host, new Rates(1));
    try {
      model.drops.set(
        host,
        rated(
          await get(`/v1/flows?drops=1&host=${encodeURIComponent(host)}`, 20, this.aborted.signal),
          rates.get(host),
        ),
      );
    } catch (error) {
      // It is asked again in its turn; a weftd that is silent is told at the top.
      if (error instanceof Refused) model.drops.set(host, error);
    }
    this.update();
  }
  update() {
    const known = model.history.length > 0;
    refill(this.busy, JSON.stringify([known, model.ports.map((port) => portRate(port)?.sum)]), busiest);
    if (!model.status) return;
    // What a host said before it went down is of then: its rates would stand still.
    for (const host of model.drops.keys()) if (hostState(host) === "down") model.drops.delete(host);
    const answers = [...model.drops.values()];
    const read = answers.filter(Array.isArray);
    const drops = grouped(read.flat(), dropKey);
    const refused = [...model.drops].filter(([, answer]) => answer instanceof Refused);
    const hosts = model.status.hosts;
    const awake = hosts.filter((host) => host.state !== "down").length;
    const so = answers.length < awake ? " so far" : "";
    const all = read.length === hosts.length;
    this.read.textContent = all ? "of all hosts" : `of ${read.length} of ${plural(hosts.length, "host")}${so}`;
    const none = read.length > 0 ? "Nothing was dropped." : awake > 0 ? "Reading …" : "There is no host to ask.";
    const reasons = refused.map(([host, error]) => `${host}: ${error.message}`);
    refill(this.drops, JSON.stringify([drops, none, reasons]), () => [
      read.length === 0 && refused.length > 0 ? null : dropTable(drops, none),
      reasons.length > 0 ? h("p", { class: "none" }, `Could not be read: ${listed(reasons)}`) : null,
    ]);
  }
}
