// The search box: names, addresses and MACs of everything. What matches is lit in the picture, the best is listed.
import { at, h } from "./dom.js";
import { model } from "./model.js";
import { Bright } from "./related.js";
import { plural, ref } from "./format.js";

const MOST = 12;
const input = at("search"),
  list = at("found");
let chosen = -1;

function everything() {
  return [
    ...model.hosts.map((host) => ({
      kind: "host",
      name: host.name,
      more: [host.vtep, host.state],
      words: [host.name, host.vtep],
    })),
    ...model.networks.map((network) => ({
      kind: "network",
      name: network.name,
      more: [network.kind, network.subnet],
      words: [network.name, network.subnet, network.subnet6],
    })),
    ...model.routers.map((router) => ({
      kind: "router",
      name: router.name,
      more: [],
      words: [router.name, router.mac],
    })),
    ...model.gateways.map((gateway) => ({
      kind: "gateway",
      name: gateway.name,
      more: [gateway.address],
      words: [gateway.name, gateway.address, gateway.address6, gateway.mac],
    })),
    ...model.nat
      .filter((row) => row.kind !== "snat")
      .map((row) => ({ kind: row.kind, name: row.public, more: ["→", row.private], words: [row.public, row.private] })),
    ...model.ports.map((port) => {
      const guests = [...new Set(port.leases.map((lease) => lease.host_name).filter(Boolean))];
      const ips = [...port.ips, ...port.trunk.flatMap((entry) => entry.ips)];
      return {
        kind: "port",
        name: port.name,
        port,
        more: [...guests.filter((guest) => guest !== port.name), port.ips[0], port.host],
        words: [port.name, port.mac, port.interface, ...guests, ...ips],
      };
    }),
    ...model.groups.map((group) => ({
      kind: "security_group",
      name: group.name,
      more: [plural(group.ports.length, "port")],
      words: [group.name],
    })),
    ...model.qos.map((qos) => ({ kind: "qos", name: qos.name, more: [], words: [qos.name] })),
  ];
}

/// Exact before beginning before within.
function matches(text) {
  const sought = text.trim().toLowerCase();
  if (sought === "") return [];
  const rank = (entry) =>
    Math.min(
      ...entry.words.filter(Boolean).map((word) => {
        const found = word.toLowerCase();
        return found === sought ? 0 : found.startsWith(sought) ? 1 : found.includes(sought) ? 2 : 9;
      }),
    );
  return everything()
    .map((entry) => ({ ...entry, rank: rank(entry) }))
    .filter((entry) => entry.rank < 9)
    .sort((a, b) => a.rank - b.rank);
}

/// {bright, best}: what to light, and what to look at first; null while nothing is sought.
export function sought() {
  if (input.value.trim() === "") return null;
  const found = matches(input.value);
  const bright = new Bright();
  for (const { kind, name, port } of found) {
    if (port) bright.addPorts([port]);
    else bright.of(kind)?.add(name);
  }
  return { bright, best: found[0] ? { kind: found[0].kind, name: found[0].name } : null };
}

function choose(index) {
  const options = [...list.children];
  chosen = options.length === 0 ? -1 : (index + options.length) % options.length;
  options.forEach((option, at) => option.setAttribute("aria-selected", String(at === chosen)));
  if (chosen >= 0) input.setAttribute("aria-activedescendant", options[chosen].id);
  else input.removeAttribute("aria-activedescendant");
}

function close() {
  list.hidden = true;
  input.setAttribute("aria-expanded", "false");
}

/// `changed` is called when something else is sought; `begun` fetches what is only needed here.
export function startSearch(changed, begun) {
  const go = (option) => {
    location.hash = option.dataset.ref;
    input.value = "";
    close();
    changed();
  };
  const seek = () => {
    const found = matches(input.value);
    list.replaceChildren(
      ...found
        .slice(0, MOST)
        .map((entry, index) =>
          h(
            "li",
            { role: "option", id: `found-${index}`, "data-ref": ref(entry.kind, entry.name), "aria-selected": "false" },
            h("small", {}, entry.kind.replace("_", " ")),
            h("b", {}, entry.name),
            h("span", {}, entry.more.filter(Boolean).join(" ")),
          ),
        ),
    );
    list.hidden = found.length === 0;
    input.setAttribute("aria-expanded", String(found.length > 0));
    choose(0);
    changed();
  };
  input.addEventListener("input", seek);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      choose(chosen + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter" && list.children[chosen]) go(list.children[chosen]);
    else if (event.key === "Escape") {
      input.value = "";
      close();
      changed();
    }
  });
  list.addEventListener("mousedown", (event) => {
    event.preventDefault();
    const option = event.target.closest("li");
    if (option) go(option);
  });
  input.addEventListener("focus", async () => {
    await begun();
    if (input.value !== "" && document.activeElement === input) seek();
  });
  input.addEventListener("blur", close);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.closest("input, select, textarea")) {
      event.preventDefault();
      input.focus();
    }
    if (event.key === "Escape" && event.target !== input) location.hash = "#/";
  });
}
