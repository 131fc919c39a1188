// Which picture fits the fabric, when it is drawn anew, and what of it is lit.
import { at, h, refill, s } from "./dom.js";
import { arrows, oneStop } from "./keys.js";
import { lanes, roomFor } from "./lanes.js";
import { mark, SAYS } from "./glyphs.js";
import { model, networksOf } from "./model.js";
import { related } from "./related.js";
import { strip, tiles } from "./tiles.js";

let drawn = null;
let kind = "lanes";

const BACK = 24; // pixels to spare before tiles become lanes again: a scrollbar that comes and goes must not turn them

/// Which picture there is room for.
function kindFor(room) {
  const few =
    model.hosts.length <= 6 && model.networks.length <= 14 && model.ports.length <= 120 && model.routers.length <= 6;
  return few && roomFor(room) <= room - (kind === "tiles" ? BACK : 0) ? "lanes" : "tiles";
}

/// Changes when something must move.
const shape = (room) =>
  JSON.stringify([
    kind,
    room,
    model.hosts.map((host) => [host.name, host.vtep]),
    model.networks.map((n) => [n.name, n.kind, n.vni, n.vlan, n.subnet, n.ports]),
    model.ports.map((port) => [port.name, port.host, networksOf(port)]),
    model.routers.map((r) => [r.name, r.networks.map((n) => n.name), r.gateway]),
    model.gateways.map((g) => [g.name, g.network, g.active, g.candidates, g.nexthop?.address, g.nexthop6?.address]),
    model.nat.map((row) => [row.public, row.private, row.host]),
  ]);

function legend() {
  const known = ["up", "down", "duplicate", "arriving", "unknown", "unbound"];
  return h(
    "ul",
    { "aria-label": "Ports" },
    known.map((state) =>
      h(
        "li",
        {},
        s("svg", { width: 14, height: 14, "aria-hidden": "true" }, mark(state, 7, 7)),
        `${state}`,
        h("span", { class: "why" }, state === "up" ? "" : `: ${SAYS[state].replace(/^down: /, "")}`),
      ),
    ),
  );
}

const nothing = () => ({
  element: h("p", { class: "none" }, "Nothing to draw: no topology is in force. ", h("code", {}, "weftctl apply FILE")),
  update: () => {},
});

export function draw(selection, sought) {
  if (!model.status || !model.portsOn || !model.read) return; // once, when all is known
  const canvas = at("canvas");
  const empty = model.hosts.length === 0 && model.networks.length === 0;
  kind = kindFor(canvas.clientWidth);
  const small = kind === "lanes";
  const room = small ? canvas.clientWidth : 0;
  document.body.dataset.picture = kind;
  const now = shape(room);
  const began = performance.now();
  const anew = refill(canvas, now, () => {
    drawn = empty ? nothing() : small ? lanes(room) : tiles();
    return drawn.element;
  });
  refill(at("strip"), small ? "" : now, () => (small ? [] : strip()));
  refill(at("legend"), empty ? "" : "legend", () => (empty ? [] : legend()));
  drawn.update();
  if (anew) {
    oneStop(canvas);
    oneStop(at("strip"));
  }
  light(selection, sought, anew);
  if (anew) performance.measure("weft picture", { start: began });
}

/// Dims what does not belong to the selected object, or is not among what is sought.
let lit = "";
function light(selection, sought, anew) {
  const bright = sought?.bright ?? related(selection);
  const key = JSON.stringify([selection, bright], (_, value) => (value instanceof Set ? [...value] : value));
  if (key === lit && !anew) return;
  lit = key;
  for (const element of at("picture").querySelectorAll("[data-kind]")) {
    const { kind, name, network } = element.dataset;
    const own = bright?.of(kind);
    // A trunk stands in many lanes: it is bright where it is meant.
    const out = own && (!own.has(name) || (network !== undefined && !bright.networks.has(network)));
    element.classList.toggle("dim", Boolean(out));
    const chosen = selection !== null && selection.kind === kind && selection.name === name;
    element.classList.toggle("chosen", chosen);
    const link = element.matches("a") ? element : element.querySelector("a");
    if (chosen) link?.setAttribute("aria-current", "true");
    else link?.removeAttribute("aria-current");
  }
  bringIntoSight(sought?.best ?? selection);
}

/// Scrolls to what was found or selected, once: who scrolls away is left there.
let sighted = "";
function bringIntoSight(object) {
  const key = JSON.stringify(object);
  if (key === sighted) return;
  sighted = key;
  if (object === null) return;
  const found = at("picture").querySelector(`[data-kind="${object.kind}"][data-name="${CSS.escape(object.name)}"]`);
  const seen = found?.closest(".tile") ?? (found?.matches("a") ? found : found?.querySelector("a"));
  seen?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

arrows(at("canvas"));
arrows(at("strip"));
