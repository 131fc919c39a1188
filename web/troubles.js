// What is wrong, in words: each with since when, why, and where to look.
import { model, portState } from "./model.js";
import { clock, listed, plural, ref, span } from "./format.js";

/// When the host went where it is: its last event of that kind.
function since(host, kind) {
  for (const event of model.events)
    if (event.host === host && event.kind.startsWith("host_"))
      return event.kind === kind ? ` since ${clock(event.time)}` : "";
  return "";
}

/// One entry for many objects with the same trouble: a hundred lines tell less than one.
function together(found, entries, kind, level, one, many, hint) {
  if (entries.length === 0) return;
  if (entries.length <= 3)
    for (const entry of entries) found.push({ level, ref: ref(kind, entry.name), text: one(entry), hint });
  else found.push({ level, ref: ref(kind, entries[0].name), text: many(entries), hint });
}

function ofHosts(found) {
  const hosts = model.status?.hosts ?? [];
  const inState = (state) => hosts.filter((host) => host.state === state);
  const names = (entries) => listed(entries.map((entry) => entry.name));
  const why = (host) =>
    host.reason ? `: ${host.reason.replace(/^down: /, "")}` : ": its bridge has not dialed in yet";
  together(
    found,
    inState("down"),
    "host",
    "bad",
    (host) => `${host.name} is down${since(host.name, "host_down")}${why(host)}`,
    (all) => `${plural(all.length, "host")} are down: ${names(all)}`,
    "Its flows stay and traffic goes on; changes wait. See there: ovs-vsctl show",
  );
  together(
    found,
    inState("degraded"),
    "host",
    "bad",
    (host) => `${host.name} is degraded${since(host.name, "host_degraded")}${why(host)}`,
    (all) => `${plural(all.length, "host")} are degraded: ${names(all)}`,
    "It keeps what it had before. See: weftctl status",
  );
  together(
    found,
    inState("syncing"),
    "host",
    "note",
    (host) => `${host.name} is syncing: ${host.reason || "it is being brought up to date"}`,
    (all) => `${plural(all.length, "host")} are syncing: ${names(all)}`,
    "",
  );
  for (const host of hosts)
    if (host.libvirt && ["down", "refused"].includes(host.libvirt.state))
      found.push({
        level: "warn",
        ref: ref("host", host.name),
        text: `libvirt of ${host.name} is ${host.libvirt.state}: ${host.libvirt.reason}`,
        hint: "Ports stay as they are.",
      });
}

function ofGateways(found) {
  for (const gateway of model.gateways) {
    const say = (level, text, hint = "") => found.push({ level, ref: ref("gateway", gateway.name), text, hint });
    if (gateway.active === null)
      say("bad", `gateway ${gateway.name} is active nowhere: nothing gets in or out by it`, "See: weftctl gateways");
    for (const hop of [gateway.nexthop, gateway.nexthop6])
      if (hop && hop.state === "failed")
        say(
          "bad",
          `next hop ${hop.address} of gateway ${gateway.name} does not answer`,
          "See: tcpdump arp behind the active host's uplink",
        );
    const away = gateway.candidates.filter((candidate) => !["active", "standby"].includes(candidate.state));
    if (gateway.active !== null && away.length > 0)
      say(
        "warn",
        `gateway ${gateway.name}: ${away.map((candidate) => `${candidate.host} ${candidate.state}`).join(", ")}; active is ${gateway.active}`,
      );
  }
}

function ofPorts(found) {
  const inState = (state) => model.ports.filter((port) => portState(port) === state);
  const names = (entries) => listed(entries.map((entry) => entry.name));
  together(
    found,
    inState("duplicate"),
    "port",
    "bad",
    (port) => `port ${port.name} is claimed twice; ${port.host} lost it`,
    (all) => `${plural(all.length, "port")} are claimed twice: ${names(all)}`,
    "Remove the interface that should not be. See: weftctl ports",
  );
  together(
    found,
    inState("down"),
    "port",
    "bad",
    (port) =>
      `port ${port.name} on ${port.host} is down: its interface ${port.interface} has no OpenFlow port, or an error`,
    (all) => `${plural(all.length, "port")} are down: ${names(all)}`,
    "See on the host: ovs-vsctl list Interface",
  );
  const unbound = inState("unbound");
  if (unbound.length > 0)
    found.push({
      level: "note",
      ref: ref("port", unbound[0].name),
      hint: "",
      text: `${unbound.length === 1 ? `port ${unbound[0].name} is` : `${plural(unbound.length, "port")} are`} plugged in nowhere${unbound.length === 1 ? "" : `: ${names(unbound)}`}`,
    });
  for (const trouble of model.status?.troubles ?? []) {
    const [kind, ...name] = trouble.object.split(" ");
    found.push({ level: "warn", ref: ref(kind, name.join(" ")), text: `${trouble.object}: ${trouble.text}`, hint: "" });
  }
}

/// {level: bad, warn, note; text; hint; ref}, worst first.
export function troubles() {
  const found = [];
  if (model.silentSince)
    found.push({
      level: "bad",
      ref: null,
      text: `weftd does not answer since ${clock(model.silentSince)}`,
      hint: "What you see is of before. Traffic goes on without it. See: journalctl -u weftd",
    });
  if (model.status?.confirm_by) {
    const left = (new Date(model.status.confirm_by) - Date.now()) / 1000;
    found.push({
      level: "warn",
      ref: null,
      text: `revision ${model.status.revision} is on trial for ${span(left)} more, until ${clock(model.status.confirm_by)}: then revision ${model.status.else_back_to} comes back`,
      hint: "weftctl confirm keeps it",
    });
  }
  if (model.status) {
    if (model.status.hosts.length === 0)
      found.push({
        level: "note",
        ref: null,
        text: model.status.revision === 0 ? "no topology yet" : "the topology has no host",
        hint: "weftctl apply FILE",
      });
    ofHosts(found);
    ofGateways(found);
    ofPorts(found);
  }
  const order = { bad: 0, warn: 1, note: 2 };
  return found.sort((a, b) => order[a.level] - order[b.level]);
}
