// Events as they happen: one question to weftd is always open, and answered when there is something new.
import { at, h, put } from "./dom.js";
import { get } from "./api.js";
import { model } from "./model.js";
import { clock, ref } from "./format.js";

const KEPT = 10000,
  SHOWN = 200,
  WAIT = 25;
const BAD = new Set([
  "host_down",
  "host_degraded",
  "flows_refused",
  "rows_refused",
  "uplink_down",
  "topology_refused",
  "gateway_down",
  "nexthop_failed",
  "refused_connection",
  "allocation",
  "state",
]);
const WARN = new Set([
  "topology_rolled_back",
  "drift_repaired",
  "snat_exhausted",
  "new_connection_rate",
  "foreign_qos",
  "lease_declined",
  "libvirt_down",
  "libvirt_refused",
  "vm",
]);
const GOOD = new Set([
  "host_synced",
  "topology_applied",
  "topology_confirmed",
  "port_plugged",
  "nexthop_resolved",
  "host_cleaned",
  "libvirt_following",
]);
const level = (kind) => (BAD.has(kind) ? "bad" : WARN.has(kind) ? "warn" : GOOD.has(kind) ? "good" : "");

function line(event, isNew) {
  const [kind, ...name] = (event.object ?? "").split(" ");
  return h(
    "li",
    {
      class: [level(event.kind), isNew ? "new" : ""].join(" "),
      "data-seq": event.seq,
    },
    h("time", { datetime: event.time }, clock(event.time)),
    h("code", {}, event.kind),
    h(
      "span",
      {},
      event.host ? h("a", { href: ref("host", event.host) }, event.host) : null,
      event.object ? [event.host ? " " : "", h("a", { href: ref(kind, name.join(" ")) }, event.object)] : null,
      event.host || event.object ? ": " : "",
      event.text,
    ),
  );
}

let selection = null;
const only = at("events-only");
const wanted = (event) =>
  !only.checked ||
  !selection ||
  (selection.kind === "host" ? event.host === selection.name : event.object === `${selection.kind} ${selection.name}`);

function redraw() {
  at("event-list").replaceChildren(
    ...model.events
      .filter(wanted)
      .slice(0, SHOWN)
      .map((event) => line(event, false)),
  );
}

function added(events) {
  const list = at("event-list");
  list.prepend(
    ...events
      .filter(wanted)
      .slice(0, SHOWN)
      .map((event) => line(event, true)),
  );
  while (list.children.length > SHOWN) list.lastElementChild.remove();
}

export function selectForEvents(selected) {
  selection = selected;
  if (only.checked) redraw();
}

/// Calls `happened` after every answer that brought something.
export async function follow(happened) {
  only.addEventListener("change", redraw);
  let since = 0;
  for (;;) {
    try {
      const answer = await get(`/v1/events?since=${since}${since > 0 ? `&wait=${WAIT}` : ""}`, WAIT + 15);
      const fresh = answer.events.reverse();
      if (answer.next < since) model.events = []; // the numbers began anew
      model.events = [...fresh, ...model.events].slice(0, KEPT);
      if (since === 0 || answer.next < since) redraw();
      else added(fresh);
      since = Math.max(1, answer.next);
      if (fresh.length > 0) happened();
      put(at("event-list"), "data-next", String(since));
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 1500));
    }
  }
}
