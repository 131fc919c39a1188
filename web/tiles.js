// The picture of a big fabric: a tile a host, a mark a port, a coloured band behind the ports of one network. Above them
// every network, router and gateway, to click on.
import { h, s } from "./dom.js";
import { mark, SAYS } from "./glyphs.js";
import { hostState, hue, model, portState, sumRates, translations } from "./model.js";
import { count, plural, rate, ref } from "./format.js";

const STEP = 13,
  ROOM = 130; // between two ports; of a tile, for them

const laneOf = (port) => port.network || port.trunk[0]?.network || "";

/// Ports of one network stand together, and wrap; each run of them in a row is a band.
function place(ports) {
  const order = new Map(model.networks.map((network, index) => [network.name, index]));
  const sorted = [...ports].sort((a, b) => (order.get(laneOf(a)) ?? 0) - (order.get(laneOf(b)) ?? 0));
  const most = Math.floor(ROOM / STEP);
  const spots = [],
    bands = [];
  sorted.forEach((port, index) => {
    const [column, row] = [index % most, Math.floor(index / most)];
    spots.push({ port, x: column * STEP + STEP / 2, y: row * (STEP + 3) + STEP / 2 });
    const band = bands.at(-1);
    if (band && band.network === laneOf(port) && band.row === row) band.width += STEP;
    else bands.push({ network: laneOf(port), row, x: column * STEP, width: STEP });
  });
  return { spots, bands, height: Math.max(1, Math.ceil(sorted.length / most)) * (STEP + 3) };
}

/// Of a host; of null: of the ports that are plugged in nowhere.
function tile(host, parts) {
  const ports = model.portsOn?.get(host) ?? [];
  const { spots, bands, height } = place(ports);
  const counts = h("span", { class: "counts" }),
    traffic = h("span", { class: "traffic" });
  const roles = model.gateways.flatMap((gateway) =>
    gateway.candidates.some((candidate) => candidate.host === host) ? [gateway.name] : [],
  );
  const name = h("b", { title: host }, host ?? "nowhere");
  const link = host === null ? name : h("a", { href: ref("host", host) }, name);
  const badges = roles
    .slice(0, 2)
    .map((name) => h("a", { class: "badge", href: ref("gateway", name), tabindex: -1, "data-gateway": name }, name));
  const dots = spots.map(({ port, x, y }) => {
    const spot = s(
      "a",
      { href: ref("port", port.name), tabindex: -1, "data-kind": "port", "data-name": port.name, class: "dot" },
      s("title"),
      s("rect", { class: "hit", x: x - STEP / 2, y: y - STEP / 2, width: STEP, height: STEP }),
    );
    parts.ports.push({ name: port.name, host: port.host, spot, x, y });
    return spot;
  });
  const element = h(
    "article",
    host === null ? { class: "tile" } : { class: "tile", "data-kind": "host", "data-name": host },
    h("header", {}, link, badges),
    s(
      "svg",
      { width: ROOM, height, viewBox: `0 0 ${ROOM} ${height}`, "aria-hidden": "true" },
      bands.map((band) =>
        s("rect", {
          class: "band",
          x: band.x,
          y: band.row * (STEP + 3),
          width: band.width,
          height: STEP,
          rx: STEP / 2,
          vars: { hue: hue(band.network) },
        }),
      ),
      dots,
    ),
    h("footer", {}, counts, traffic),
  );
  parts.hosts.push({ host, element, link, counts, traffic, badges });
  return element;
}

function update(parts) {
  const ports = new Map(model.ports.map((port) => [`${port.name}@${port.host}`, port]));
  for (const part of parts.ports) {
    const port = ports.get(`${part.name}@${part.host}`);
    const state = port ? portState(port) : "unbound";
    if (part.state === state) continue;
    part.state = state;
    part.spot.dataset.state = state;
    part.spot.querySelector("title").textContent = `port ${part.name}: ${SAYS[state] ?? state}`;
    part.spot.querySelector(".mark")?.remove();
    part.spot.append(mark(state, part.x, part.y, 3.8));
  }
  for (const part of parts.hosts) {
    const state = part.host === null ? "nowhere" : hostState(part.host);
    const own = model.portsOn?.get(part.host) ?? [];
    const wrong = own.filter((port) => ["down", "duplicate"].includes(portState(port))).length;
    part.element.dataset.state = state;
    // Short: the marks tell how many there are.
    part.counts.textContent = !["synced", "nowhere"].includes(state)
      ? `${state}${wrong ? `, ${wrong} wrong` : ""}`
      : wrong
        ? `${wrong} of ${own.length} wrong`
        : plural(own.length, "port");
    part.traffic.textContent = ["down", "nowhere"].includes(state) ? "" : rate(sumRates(own));
    const say = part.host === null ? "plugged in nowhere" : `host ${part.host}, ${state}`;
    part.link.setAttribute("aria-label", `${say}, ${plural(own.length, "port")}, ${wrong} wrong`);
    for (const badge of part.badges) {
      const candidate = model.gateways
        .find((gateway) => gateway.name === badge.dataset.gateway)
        ?.candidates.find((entry) => entry.host === part.host);
      badge.dataset.state = candidate?.state ?? "down";
      badge.setAttribute("aria-label", `gateway ${badge.dataset.gateway} ${badge.dataset.state}`);
      badge.title = badge.getAttribute("aria-label");
    }
  }
}

/// {element, update}
export function tiles() {
  const parts = { hosts: [], ports: [] };
  const element = h(
    "div",
    { class: "tiles" },
    model.hosts.map((host) => tile(host.name, parts)),
    model.portsOn.has(null) ? tile(null, parts) : null,
  );
  return { element, update: () => update(parts) };
}

/// Networks, routers and gateways in words; where a tile has no room for them.
export function strip() {
  const networks = model.networks.map((network) =>
    h(
      "li",
      {},
      h(
        "a",
        {
          class: "network",
          href: ref("network", network.name),
          "data-kind": "network",
          "data-name": network.name,
          vars: { hue: hue(network.name) },
          title: `${network.kind} ${network.subnet ?? network.subnet6 ?? ""}`,
        },
        h("i"),
        network.name,
        h("small", {}, count(network.ports)),
      ),
    ),
  );
  const routers = model.routers.map((router) =>
    h(
      "li",
      {},
      h(
        "a",
        { class: "router", href: ref("router", router.name), "data-kind": "router", "data-name": router.name },
        router.name,
        router.networks.slice(0, 8).map((network) => h("i", { vars: { hue: hue(network.name) }, title: network.name })),
      ),
    ),
  );
  const gateways = model.gateways.map((gateway) =>
    h(
      "li",
      {},
      h(
        "a",
        {
          class: "gateway",
          href: ref("gateway", gateway.name),
          "data-kind": "gateway",
          "data-name": gateway.name,
          "data-state": gateway.active === null ? "down" : "active",
        },
        gateway.name,
        h("small", {}, gateway.active === null ? "active nowhere" : `on ${gateway.active}`),
        h("small", {}, plural(translations(gateway.name).length, "public address", "public addresses")),
      ),
    ),
  );
  const row = (title, items) => items.length > 0 && h("div", { class: "row" }, h("h2", {}, title), h("ul", {}, items));
  return [row("Networks", networks), row("Routers", routers), row("Gateways", gateways)];
}
