// The picture of a small fabric: a column a host, a lane a network, a port where they cross. Routers are lines between
// lanes; gateways, public addresses and next hops stand in the lane of the gateway's network.
import { s } from "./dom.js";
import { fitted, mark, SAYS, width } from "./glyphs.js";
import { hostState, hue, model, networksOf, portState, sumRates, translations } from "./model.js";
import { rate, ref } from "./format.js";

const CHIP = 24,
  GAP = 6,
  PAD = 12,
  HEAD = 72, // of a host's column
  LABEL = 150,
  LEAST = 120, // of a column: below that its names say nothing
  OUTSIDE = 118, // for next hops
  TURNED = 140; // the longest name of a router that is written upwards

/// What stands in the cell of a host and a network: {kind, name, text, state, say, key}.
function cells() {
  const cells = new Map();
  const into = (host, network, chip) => {
    const key = `${host}\n${network}`;
    if (!cells.has(key)) cells.set(key, []);
    cells.get(key).push(chip);
  };
  for (const port of model.ports)
    for (const network of networksOf(port)) {
      const vlan = network === port.network ? null : port.trunk.find((entry) => entry.network === network).vlan;
      into(port.host, network, {
        kind: "port",
        name: port.name,
        text: vlan === null ? port.name : `${port.name} ·${vlan}`,
        network,
        port,
        vlan,
      });
    }
  for (const gateway of model.gateways) {
    for (const { host, state } of gateway.candidates)
      into(host, gateway.network, {
        kind: "gateway",
        name: gateway.name,
        text: `${gateway.name} ${state}`,
        state,
        host,
      });
    for (const row of translations(gateway.name)) {
      const [inside, ...rest] = row.private.split(" ");
      const forwarded = row.kind === "port_forward" ? `:${rest.join(" ").split(":").at(-1)}` : "";
      into(row.host ?? gateway.candidates[0]?.host, gateway.network, {
        kind: row.kind,
        name: row.public,
        inside,
        text: `${row.public.startsWith(`${gateway.address}:`) ? row.public.slice(gateway.address.length + 1).replace(":", " ") : row.public} → ${inside}${forwarded}`,
        state: row.host === null ? "down" : "up",
      });
    }
  }
  return cells;
}

/// Wraps the chips of a cell into rows; gives each its place within the cell.
function flow(chips, room) {
  let x = 0,
    row = 0;
  for (const chip of chips) {
    const spare = chip.kind === "port" ? 24 : 18;
    const weight = chip.kind === "gateway" ? 600 : 400;
    chip.shown = fitted(chip.text, room - spare, 12, weight);
    chip.width = Math.min(room, width(chip.shown, 12, weight) + spare);
    if (x > 0 && x + chip.width > room) {
      x = 0;
      ++row;
    }
    [chip.x, chip.row] = [x, row];
    x += chip.width + GAP;
  }
  return row + 1;
}

function describe(network) {
  const where = {
    vxlan: `VXLAN ${network.vni}`,
    vlan: `VLAN ${network.vlan} · ${network.physnet}`,
    flat: `untagged · ${network.physnet}`,
    local: "within each host",
  }[network.kind];
  return [where ?? network.kind, network.subnet ?? network.subnet6 ?? ""];
}

function chipOf(chip, left, top, parts) {
  const port = chip.kind === "port";
  const group = s(
    "a",
    {
      href: ref(chip.kind, chip.name),
      class: `chip ${chip.kind}`,
      "data-kind": chip.kind,
      "data-name": chip.name,
      "data-network": port ? chip.network : null,
    },
    s("title"),
    s("rect", { x: left, y: top, width: chip.width, height: CHIP, rx: port ? CHIP / 2 : 5 }),
    port ? s("g", { class: "spot" }) : null,
    s("text", { x: left + (port ? 20 : 9), y: top + CHIP / 2 + 4 }, chip.shown),
  );
  parts.push({ chip, group, x: left + 11, y: top + CHIP / 2 });
  return group;
}

/// What stands side by side. Routers' names are written upwards where they would take more than a sixth of the room.
function across(room) {
  const hosts = model.hosts.map((host) => host.name);
  if (model.ports.some((port) => port.host === null)) hosts.push(null);
  const sizes = model.routers.map((router) => width(router.name, 12, 600) + 14);
  const turned = sizes.reduce((sum, size) => sum + size + 10, 0) > room / 6;
  const slots = model.routers.map((router, index) => ({
    router,
    turned,
    size: turned ? Math.min(TURNED, sizes[index]) : sizes[index],
    width: turned ? 22 : Math.max(34, sizes[index] + 2),
  }));
  const left = LABEL + 8 + slots.reduce((sum, slot) => sum + slot.width + 8, 0);
  const right = model.gateways.some((gateway) => gateway.nexthop || gateway.nexthop6) ? OUTSIDE : 0;
  return { hosts, slots, left, right };
}

/// How wide the picture must be at least.
export function roomFor(room) {
  const { hosts, left, right } = across(room);
  return left + hosts.length * (LEAST + 12) + right;
}

/// Where all stands. Pure, but for the widths of texts.
function plan(room) {
  const all = cells();
  const { hosts, slots, left, right } = across(room);
  const wide = Math.max(LEAST, (room - left - right) / Math.max(1, hosts.length) - 12);
  const columns = hosts.map((name, index) => ({ name, x: left + index * (wide + 12), width: wide }));
  const head = Math.max(HEAD, ...slots.map((slot) => (slot.turned ? slot.size + 8 : 0))); // where lanes begin
  let y = head + 10;
  const lanes = model.networks.map((network) => {
    const rows = Math.max(
      1,
      ...columns.map((column) => flow(all.get(`${column.name}\n${network.name}`) ?? [], wide - 2 * PAD)),
    );
    const lane = { network, y, height: Math.max(54, rows * (CHIP + GAP) - GAP + 18), rows };
    y += lane.height + 8;
    return lane;
  });
  let x = LABEL + 8;
  for (const slot of slots) {
    slot.x = x + slot.width / 2;
    x += slot.width + 8;
  }
  return {
    all,
    columns,
    lanes,
    slots,
    top: head - HEAD, // of the hosts' columns
    width: left + hosts.length * (wide + 12) + right,
    height: y + 6,
    end: left + hosts.length * (wide + 12),
  };
}

function drawRouter(slot, lanes, bottom) {
  const { router, x } = slot;
  const legs = lanes.filter((lane) => router.networks.some((network) => network.name === lane.network.name));
  const out = lanes.find((lane) =>
    model.gateways.some((gateway) => gateway.name === router.gateway && gateway.network === lane.network.name),
  );
  const middle = (lane) => lane.y + lane.height / 2;
  if (legs.length === 0) return null;
  const ends = legs.map(middle);
  const [wide, high] = slot.turned ? [22, slot.size] : [slot.size, 22];
  const top = slot.turned ? bottom - high : 14;
  return s(
    "a",
    {
      href: ref("router", router.name),
      class: "router",
      "data-kind": "router",
      "data-name": router.name,
      "aria-label": `router ${router.name}, joins ${router.networks.map((network) => network.name).join(", ")}`,
    },
    s(
      "title",
      {},
      `router ${router.name}: joins ${router.networks.map((network) => network.name).join(", ")}, on every host that has ports in them`,
    ),
    out
      ? s("path", { class: "way out", d: `M${x} ${Math.max(...ends)}V${middle(out)}H${x + slot.width / 2 + 8}` })
      : null,
    s("path", { class: "way", d: `M${x} ${top + high}V${Math.max(...ends)}` }),
    ends.map((end) => s("path", { class: "way", d: `M${x} ${end}H${x + slot.width / 2 + 8}` })),
    legs.map((lane) =>
      s("circle", { class: "leg", cx: x, cy: middle(lane), r: 5.5, vars: { hue: hue(lane.network.name) } }),
    ),
    s("rect", { x: x - wide / 2, y: top, width: wide, height: high, rx: 11 }),
    s(
      "text",
      slot.turned
        ? { transform: `translate(${x + 4} ${top + high - 7}) rotate(-90)` }
        : { x, y: top + 15, "text-anchor": "middle" },
      fitted(router.name, slot.size - 14, 12, 600),
    ),
  );
}

function drawLane(lane, place) {
  const { network, y, height } = lane;
  const [kind, subnet] = describe(network);
  const from = LABEL - 4,
    to = place.end - 4;
  // A local network never leaves a host: its band has gaps between them.
  const bands =
    network.kind === "local" ? place.columns.map((column) => [column.x, column.width]) : [[from, to - from]];
  return s(
    "g",
    {
      class: `lane ${network.kind}`,
      "data-kind": "network",
      "data-name": network.name,
      vars: { hue: hue(network.name) },
    },
    bands.map(([x, wide]) => s("rect", { class: "band", x, y, width: wide, height, rx: 6 })),
    s(
      "a",
      { href: ref("network", network.name), "aria-label": `network ${network.name}, ${kind}, ${subnet}` },
      s("title", {}, `network ${network.name}: ${kind} ${subnet}`),
      s("rect", { class: "label", x: 0, y, width: LABEL - 8, height, rx: 6 }),
      s("rect", { class: "tab", x: 0, y, width: 5, height, rx: 2.5 }),
      s(
        "text",
        { class: "name", x: 14, y: y + height / 2 - (height < 44 ? 2 : 8) },
        fitted(network.name, LABEL - 30, 13, 600),
      ),
      s("text", { class: "small", x: 14, y: y + height / 2 + 6 }, fitted(kind, LABEL - 30, 11)),
      s("text", { class: "small", x: 14, y: y + height / 2 + 19 }, fitted(subnet, LABEL - 30, 11)),
    ),
  );
}

function drawHost(column, place, parts) {
  const { name, x, width: wide } = column;
  const top = place.top + 6;
  const box = s("rect", { class: "box", x, y: top, width: wide, height: place.height - top - 6, rx: 9 });
  if (name === null)
    return s(
      "g",
      { class: "host nowhere" },
      box,
      s("text", { class: "name", x: x + PAD, y: top + 22 }, "nowhere"),
      s("text", { class: "small", x: x + PAD, y: top + 38 }, "not plugged in"),
    );
  const state = s("text", { class: "small state", x: x + PAD, y: top + 55 });
  const traffic = s("text", { class: "small", x: x + wide - PAD, y: top + 55, "text-anchor": "end" });
  const host = model.hosts.find((entry) => entry.name === name);
  const group = s(
    "g",
    { class: "host", "data-kind": "host", "data-name": name },
    box,
    s(
      "a",
      { href: ref("host", name) },
      s("title", {}, `host ${name} ${host?.vtep ?? ""}`),
      s("path", {
        class: "head",
        d: `M${x} ${top + HEAD - 8}V${top + 9}a9 9 0 0 1 9-9H${x + wide - 9}a9 9 0 0 1 9 9V${top + HEAD - 8}z`,
      }),
      s("text", { class: "name", x: x + PAD, y: top + 22 }, fitted(name, wide - 2 * PAD, 14, 600)),
      s("text", { class: "small", x: x + PAD, y: top + 38 }, fitted(host?.vtep ?? "", wide - 2 * PAD, 11)),
      state,
      traffic,
    ),
  );
  parts.push({ host: name, group, state, traffic });
  return group;
}

function drawNextHops(place, parts) {
  const bits = [];
  for (const lane of place.lanes) {
    const hops = model.gateways
      .filter((gateway) => gateway.network === lane.network.name)
      .flatMap((gateway) =>
        [gateway.nexthop, gateway.nexthop6].filter(Boolean).map((hop) => ({ gateway: gateway.name, ...hop })),
      );
    hops.slice(0, 2).forEach((hop, index) => {
      const y = lane.y + lane.height / 2 - 16 + (index - (Math.min(2, hops.length) - 1) / 2) * 36;
      const state = s("text", { class: "small", x: place.end + 60, y: y + 27, "text-anchor": "middle" });
      const group = s(
        "a",
        { href: ref("gateway", hop.gateway), class: "hop", "data-kind": "gateway", "data-name": hop.gateway },
        s("title", {}, `next hop ${hop.address} of gateway ${hop.gateway}`),
        s("path", { class: "way out", d: `M${place.end - 4} ${y + 16}h12` }),
        s("rect", { x: place.end + 8, y, width: 104, height: 32, rx: 16 }),
        s("text", { x: place.end + 60, y: y + 14, "text-anchor": "middle" }, fitted(hop.address, 98, 11.5)),
        state,
      );
      parts.push({ hop, group, state });
      bits.push(group);
    });
  }
  return bits;
}

/// What changes without anything moving.
function update(parts) {
  const ports = new Map(model.ports.map((port) => [`${port.name}@${port.host}`, port]));
  for (const part of parts) {
    if (part.host) {
      const state = hostState(part.host);
      part.group.dataset.state = state;
      part.state.textContent = state;
      part.traffic.textContent = state === "down" ? "" : rate(sumRates(model.portsOn?.get(part.host)));
      part.group
        .querySelector("a")
        .setAttribute("aria-label", `host ${part.host}, ${state}, ${model.portsOn?.get(part.host)?.length ?? 0} ports`);
    } else if (part.hop) {
      const gateway = model.gateways.find((entry) => entry.name === part.hop.gateway);
      const hop = [gateway?.nexthop, gateway?.nexthop6].find((entry) => entry?.address === part.hop.address);
      part.group.dataset.state = hop?.state ?? "failed";
      part.state.textContent = { resolved: "answers", resolving: "is asked", failed: "no answer" }[hop?.state] ?? "";
      part.group.setAttribute("aria-label", `next hop ${part.hop.address} ${part.state.textContent}`);
    } else if (part.chip.kind === "port") {
      const port = ports.get(`${part.chip.port.name}@${part.chip.port.host}`) ?? part.chip.port;
      const state = portState(port);
      if (part.group.dataset.state !== state) {
        part.group.dataset.state = state;
        part.group.querySelector(".spot").replaceChildren(mark(state, part.x, part.y));
      }
      const say = `port ${port.name}${part.chip.vlan === null ? "" : `, VLAN ${part.chip.vlan} of its trunk`}, ${SAYS[state] ?? state}${port.ips.length ? `, ${port.ips[0]}` : ""}`;
      part.group.querySelector("title").textContent = say;
      part.group.setAttribute("aria-label", say);
    } else {
      part.group.dataset.state = part.chip.state;
      const say =
        part.chip.kind === "gateway"
          ? `gateway ${part.chip.name} ${part.chip.state} on ${part.chip.host}`
          : `${part.chip.kind.replace("_", " ")} ${part.chip.text}`;
      part.group.querySelector("title").textContent = say;
      part.group.setAttribute("aria-label", say);
    }
  }
}

/// {element, update}
export function lanes(room) {
  const place = plan(room);
  const parts = [];
  const chips = [];
  for (const column of place.columns)
    for (const lane of place.lanes) {
      const own = place.all.get(`${column.name}\n${lane.network.name}`) ?? [];
      const rows = Math.max(...own.map((chip) => chip.row + 1), 1);
      const top = lane.y + (lane.height - rows * (CHIP + GAP) + GAP) / 2;
      const group = s("g", { vars: { hue: hue(lane.network.name) } });
      for (const chip of own) group.append(chipOf(chip, column.x + PAD + chip.x, top + chip.row * (CHIP + GAP), parts));
      if (own.length > 0) chips.push(group);
    }
  const element = s(
    "svg",
    {
      class: "lanes",
      width: place.width,
      height: place.height,
      viewBox: `0 0 ${place.width} ${place.height}`,
      role: "group",
      "aria-label": "Hosts, networks and ports",
    },
    place.lanes.map((lane) => drawLane(lane, place)),
    place.columns.map((column) => drawHost(column, place, parts)),
    place.slots.map((slot) => drawRouter(slot, place.lanes, place.top + HEAD)),
    chips,
    drawNextHops(place, parts),
  );
  return { element, update: () => update(parts) };
}
