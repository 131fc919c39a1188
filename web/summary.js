// The line at the top: the whole in numbers.
import { at, h, put, refill, s } from "./dom.js";
import { model, portState } from "./model.js";
import { count, rate } from "./format.js";

function sparkline(values) {
  const [wide, high] = [96, 16];
  const most = Math.max(1, ...values);
  const points = values.map(
    (value, index) =>
      `${(wide - (values.length - 1 - index) * (wide / 59)).toFixed(1)},${(high - 1 - (value / most) * (high - 6)).toFixed(1)}`,
  );
  return s(
    "svg",
    { class: "spark", width: wide, height: high, "aria-hidden": "true" },
    s("path", { class: "zero", d: `M0 ${high - 0.5}h${wide}` }),
    s("polyline", { points: points.join(" ") }),
  );
}

export function summary() {
  const box = at("summary");
  const { status } = model;
  if (!status) return;
  const entry = (id, says, title = null) => h("div", { id: `sum-${id}`, title }, h("dt", {}, says), h("dd", {}));
  refill(box, "made", () => [
    entry("revision", "Revision"),
    entry("hosts", "Hosts"),
    entry("ports", "Ports up"),
    entry("flows", "Flows"),
    entry("traffic", "Packets sent + received", "By all ports: what one sends to another is counted at both"),
  ]);
  const set = (id, text, state = "") => {
    const element = at(`sum-${id}`);
    put(element.querySelector("dd"), "text", text);
    put(element, "data-state", state);
  };
  const synced = status.hosts.filter((host) => host.state === "synced").length;
  const down = status.hosts.some((host) => host.state === "down" || host.state === "degraded");
  const bound = model.ports.filter((port) => port.host !== null && portState(port) !== "arriving");
  const up = bound.filter((port) => portState(port) === "up").length;
  set("revision", `${status.revision}${status.confirm_by ? " on trial" : ""}`, status.confirm_by ? "warn" : "");
  set(
    "hosts",
    `${synced} of ${status.hosts.length} synced`,
    down ? "bad" : synced < status.hosts.length ? "warn" : synced > 0 ? "good" : "",
  );
  set("ports", `${count(up)} of ${count(bound.length)}`, up < bound.length ? "bad" : up > 0 ? "good" : "");
  set("flows", count(status.hosts.reduce((sum, host) => sum + host.flows, 0)));
  const traffic = at("sum-traffic");
  const last = model.history.at(-1);
  refill(traffic.querySelector("dd"), `${last} ${model.history.length}`, () => [
    sparkline(model.history),
    h("span", {}, rate(last ?? null)),
  ]);
  document.title = `${down || model.silentSince ? "✕" : synced < status.hosts.length ? "…" : "✓"} weft`;
}

const WORDS = { bad: "Wrong", warn: "Warning", note: "Note" };

const MOST = 4; // before the rest is folded away: the fabric must stay in sight
let unfolded = false;

function line({ level, text, hint, ref }) {
  return h(
    "p",
    { class: `trouble ${level}` },
    h("b", {}, WORDS[level]),
    h("span", {}, ref ? h("a", { href: ref }, text) : text, hint ? h("small", {}, hint) : null),
  );
}

function lines(found) {
  if (!model.status && !model.silentSince) return [h("p", { class: "trouble note" }, "Asking weftd …")];
  if (found.length === 0)
    return [
      h(
        "p",
        { class: "trouble good" },
        h("b", {}, "All is well"),
        h("span", {}, "Every host has all of the revision in force; every port that is plugged in is up."),
      ),
    ];
  if (found.length <= MOST + 1) return found.map(line);
  const rest = h(
    "details",
    {
      open: unfolded,
      on: {
        toggle: () => {
          unfolded = rest.open;
        },
      },
    },
    h("summary", {}, `and ${found.length - MOST} more`),
    found.slice(MOST, 60).map(line),
  );
  return [...found.slice(0, MOST).map(line), rest];
}

export function showTroubles(found) {
  refill(at("troubles"), JSON.stringify([model.status !== null, found]), () => lines(found));
}
