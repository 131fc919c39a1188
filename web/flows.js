// Flows by owner and drops by reason, with rates: of one host or object, read while it is looked at and only then.
import { h, refill } from "./dom.js";
import { get, Poll } from "./api.js";
import { count, rate, ref } from "./format.js";
import { Rates } from "./rates.js";

const MOST = 12;

/// "port/web1" → its link; a rule's owner leads to its group or network.
function ownerLink(owner) {
  const slash = owner.indexOf("/");
  if (slash < 0) return owner || "–";
  const kind = owner.slice(0, slash);
  const name = owner.slice(slash + 1).replace(/ (rule|acl) \d+$/, "");
  return h("a", { href: ref(kind, name) }, h("small", {}, `${kind.replace("_", " ")} `), owner.slice(slash + 1));
}

/// Rows of one owner (and reason) together, the busiest first.
export function grouped(flows, keyOf) {
  const groups = new Map();
  for (const flow of flows) {
    const key = keyOf(flow);
    const group = groups.get(key) ?? {
      key,
      owner: flow.owner,
      reason: flow.reason,
      stage: flow.stage,
      host: flow.host,
      flows: 0,
      packets: 0,
      rate: null,
    };
    group.flows += 1;
    group.packets += flow.packets ?? 0;
    if (typeof flow.rate === "number") group.rate = (group.rate ?? 0) + flow.rate;
    groups.set(key, group);
  }
  return [...groups.values()].sort(
    (a, b) => (b.rate ?? 0) - (a.rate ?? 0) || b.packets - a.packets || a.key.localeCompare(b.key),
  );
}

export const dropKey = (flow) => `${flow.owner}\n${flow.reason}`;

/// Gives every flow its rate, by the difference from when it was read before.
export function rated(flows, rates) {
  const time = performance.now();
  for (const flow of flows) {
    const key = `${flow.host}|${flow.table}|${flow.priority}|${flow.match}|${flow.owner}|${flow.reason}`;
    rates.add(key, flow.packets ?? 0, time);
    flow.rate = rates.of(key);
  }
  rates.keepOnly(time);
  return flows;
}

export function dropTable(groups, empty) {
  const some = groups.filter((group) => group.packets > 0);
  if (some.length === 0) return h("p", { class: "none" }, empty);
  return h(
    "table",
    { class: "drops" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", {}, "Reason"),
        h("th", {}, "Of"),
        h("th", { class: "n" }, "Packets"),
        h("th", { class: "n" }, "Rate"),
      ),
    ),
    h(
      "tbody",
      {},
      some
        .slice(0, MOST)
        .map((group) =>
          h(
            "tr",
            { "data-hot": (group.rate ?? 0) > 0 },
            h("td", {}, h("code", {}, group.reason)),
            h("td", {}, ownerLink(group.owner)),
            h("td", { class: "n" }, count(group.packets)),
            h("td", { class: "n" }, rate(group.rate)),
          ),
        ),
    ),
  );
}

function ownerTable(groups) {
  return h(
    "table",
    {},
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", {}, "Owner"),
        h("th", { class: "n" }, "Flows"),
        h("th", { class: "n" }, "Packets"),
        h("th", { class: "n" }, "Rate"),
      ),
    ),
    h(
      "tbody",
      {},
      groups
        .slice(0, MOST)
        .map((group) =>
          h(
            "tr",
            { "data-hot": (group.rate ?? 0) > 0 },
            h("td", {}, ownerLink(group.owner)),
            h("td", { class: "n" }, count(group.flows)),
            h("td", { class: "n" }, count(group.packets)),
            h("td", { class: "n" }, rate(group.rate)),
          ),
        ),
    ),
  );
}

/// Of an object with flows on many hosts those of one are read: the one chosen here.
export class FlowReader {
  constructor(kind, name, hosts) {
    this.owner = kind === "host" ? "" : `${kind}/${name}`;
    this.hosts = hosts;
    this.host = hosts[0] ?? null;
    this.rates = new Rates(6);
    this.body = h("div", {}, h("p", { class: "none" }, this.host === null ? "On no host." : "Reading …"));
    this.element = h("section", { class: "flows" }, this.choice(), this.body);
    this.aborted = new AbortController();
    if (this.host !== null) this.poll = new Poll(2, () => this.read());
  }
  stop() {
    this.poll?.stop();
    this.aborted.abort();
  }
  choice() {
    if (this.hosts.length < 2) return null;
    return h(
      "label",
      {},
      "Flows on ",
      h(
        "select",
        {
          on: {
            change: (event) => {
              this.host = event.target.value;
              this.rates = new Rates(6);
              this.poll.now();
            },
          },
        },
        this.hosts.map((host) => h("option", { value: host }, host)),
      ),
    );
  }
  async read() {
    const host = this.host;
    try {
      const owner = this.owner ? `&owner=${encodeURIComponent(this.owner)}` : "";
      const flows = await get(`/v1/flows?host=${encodeURIComponent(host)}${owner}`, 20, this.aborted.signal);
      if (host === this.host) this.show(rated(flows, this.rates)); // else another was chosen meanwhile
    } catch (error) {
      if (!this.aborted.signal.aborted)
        refill(this.body, String(error), () =>
          h("p", { class: "none" }, `The flows could not be read: ${error.message}`),
        );
    }
  }
  show(flows) {
    const owners = grouped(
      flows.filter((flow) => !flow.reason),
      (flow) => flow.owner,
    );
    const drops = grouped(
      flows.filter((flow) => flow.reason),
      dropKey,
    );
    refill(this.body, JSON.stringify([owners, drops]), () => [
      h("h3", {}, "Drops"),
      dropTable(drops, flows.length > 0 ? "Nothing was dropped." : "No flows here."),
      h("h3", {}, "Flows by owner"),
      owners.length > 0 ? ownerTable(owners) : h("p", { class: "none" }, "None."),
    ]);
  }
}
