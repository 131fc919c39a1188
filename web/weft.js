// The page: asks weftd (light questions often, heavier ones seldom), keeps what it said in the model, and has the views
// drawn from that. The selected object is the page's fragment: "#port/web1", so it can be linked to, and back goes back.
import { at } from "./dom.js";
import { get, Poll } from "./api.js";
import { draw } from "./picture.js";
import { follow, selectForEvents } from "./events.js";
import { model, setNetworks, setPorts, setStatus } from "./model.js";
import { show, updateDetails } from "./details.js";
import { showTroubles, summary } from "./summary.js";
import { sought, startSearch } from "./search.js";
import { troubles } from "./troubles.js";

let selection = null;

function selected() {
  const found = /^#([a-z_]+)\/(.+)$/.exec(location.hash);
  if (!found) return null;
  try {
    return { kind: found[1], name: decodeURIComponent(found[2]) };
  } catch {
    return null;
  }
}

let due = false;
/// Once a frame at most, however many answers came.
function redraw() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    summary();
    showTroubles(troubles());
    draw(selection, sought());
    updateDetails();
  });
}

/// Security groups and QoS classes: weftd reads their counters from all switches, so only when somebody wants them.
async function readPolicies() {
  const [groups, qos] = await Promise.all([get("/v1/groups"), get("/v1/qos")]);
  Object.assign(model, { groups, qos });
}

function select() {
  selection = selected();
  if (["security_group", "qos"].includes(selection?.kind)) asked(readPolicies);
  show(selection);
  selectForEvents(selection);
  redraw();
}

/// Runs `ask`; a weftd that does not answer is told at the top, and what was known stays.
async function asked(ask) {
  try {
    await ask();
    model.silentSince = null;
  } catch (error) {
    console.warn(error);
    model.silentSince ??= new Date();
  }
  redraw();
}

async function readFabric() {
  const [hosts, networks, routers, gateways, nat] = await Promise.all(
    ["hosts", "networks", "routers", "gateways", "nat"].map((what) => get(`/v1/${what}`)),
  );
  hosts.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  Object.assign(model, { hosts, routers, gateways, nat, read: true });
  setNetworks(networks);
}

async function readPorts() {
  const ports = await get("/v1/ports");
  setPorts(ports, performance.now());
}

const status = new Poll(1, () => asked(async () => setStatus(await get("/v1/status", 5))));
const fabric = new Poll(5, () => asked(readFabric));
const ports = new Poll(2, () => asked(readPorts));
let soon = null;
follow(() => {
  // a whole burst of events asks once
  soon ??= setTimeout(() => {
    soon = null;
    status.now();
    fabric.now();
    ports.now();
  }, 150);
});

addEventListener("hashchange", select);
new ResizeObserver(redraw).observe(at("canvas"));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  at("details").focus();
});
startSearch(redraw, () => asked(readPolicies));
select();
