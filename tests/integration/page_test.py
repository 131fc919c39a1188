#!/usr/bin/env python3
"""The status page in a browser: of weftd with the demo in the lab, and of a made-up fabric of 100 hosts."""
import json
import sys
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import browser
from fabric import SCALE, FabricTest, main
from page_origin import BigFabric, Origin, Relay, SmallFabric

PORTS = "document.querySelectorAll('#canvas [data-kind=port]').length"
EVENTS = "document.getElementById('event-list').textContent"
TROUBLES = "document.getElementById('troubles').textContent"
DETAILS = "document.getElementById('details').textContent"
WIDE = "document.documentElement.scrollWidth"
# Texts of hosts and routers that are cut or stand out of their box, and hosts that are out of sight.
ASTRAY = """(() => {
    const room = document.getElementById('canvas').getBoundingClientRect();
    const out = (of, box) => of.left < box.left - 1 || of.right > box.right + 1 || of.top < box.top - 1 || of.bottom > box.bottom + 1;
    const boxes = [...document.querySelectorAll('#canvas .host, #canvas .router')].map((e) => [e, e.querySelector('.box, rect').getBoundingClientRect()]);
    return boxes.filter(([, box]) => box.left < room.left || box.right > room.right).map(([e]) => e.dataset.name ?? 'nowhere')
        .concat(boxes.flatMap(([e, box]) => [...e.querySelectorAll('text')].filter((text) => text.textContent.includes('…') ||
            out(text.getBoundingClientRect(), box)).map((text) => text.textContent)));
})()"""


def lit(kind):
    return f"[...document.querySelectorAll('#canvas [data-kind={kind}]:not(.dim)')].map((e) => e.dataset.name).sort().join(' ')"


def stroke(selector):
    return f"(() => {{ const of = getComputedStyle(document.querySelector({json.dumps(selector)})); return of.stroke + of.strokeWidth; }})()"


CHOSEN = "(() => { document.body.style.color = 'var(--note)'; const of = getComputedStyle(document.body).color; document.body.style.color = ''; return of; })()"


class PageTest(unittest.TestCase):
    """Every test ends with a look at what the page complained of, and whom it asked."""

    def look(self, url, shown=PORTS, **options):
        self.url = url
        self.browser = browser.Browser(**options)
        self.addCleanup(self.leave)
        self.browser.open(url)
        self.browser.until(shown, 20, "the picture")
        return self.browser

    def leave(self):
        problems, requests = self.browser.problems, self.browser.requests
        self.browser.close()
        self.assertEqual(problems, [])
        self.assertEqual([url for url in requests if not url.startswith(self.url)], [])


class LabPage(FabricTest, PageTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.relay = Relay(cls.lab.run_directory / "api.sock")
        cls.addClassCleanup(cls.relay.close)

    def look(self, **options):
        return super().look(self.relay.url, **options)

    def test_weftd_serves_it(self):
        with urllib.request.urlopen(self.relay.url) as answer:
            self.assertEqual(answer.headers["Content-Type"], "text/html; charset=utf-8")
            self.assertIn("default-src 'self'", answer.headers["Content-Security-Policy"])
            again = urllib.request.Request(self.relay.url, headers={"If-None-Match": answer.headers["ETag"]})
        with self.assertRaises(urllib.error.HTTPError) as unchanged:
            urllib.request.urlopen(again)
        self.assertEqual(unchanged.exception.code, 304)

    def test_shows_all_that_the_api_names(self):
        page = self.look()
        for kind, names in (("host", self.lab.hosts()), ("port", self.lab.ports()),
                            ("network", [row["name"] for row in self.lab.json("networks")]), ("router", ["main"]), ("gateway", ["igw"])):
            shown = page.eval(f"[...document.querySelectorAll('[data-kind={kind}]')].map((e) => e.dataset.name)")
            self.assertEqual(set(shown), set(names), kind)
        self.assertIn("203.0.113.20", page.eval("document.getElementById('canvas').textContent"))
        page.until(f"{TROUBLES}.includes('All is well')")
        self.assertEqual(page.eval("document.querySelectorAll('#canvas .host[data-state=synced]').length"), 3)
        self.assertLessEqual(page.eval(WIDE), 1280)

    def test_a_host_that_dies_turns_red_and_the_event_comes_by_itself(self):
        page = self.look()
        self.addCleanup(self.lab.wait)
        self.addCleanup(self.lab.fault, "kvm2", "heal")
        self.lab.fault("kvm2", "kill-vswitchd")
        page.until("document.querySelector('#canvas .host[data-name=kvm2]').dataset.state === 'down'", 5)
        page.until(f"/kvm2 is down since .*: the bridge is not connected/.test({TROUBLES})", 5)
        page.until(f"{EVENTS}.includes('host_down') && document.querySelector('#event-list .new') !== null", 5)
        page.until("document.querySelector('#canvas [data-name=app2]').dataset.state === 'unknown'", 5)
        colour = page.eval("getComputedStyle(document.querySelector('#canvas .host[data-name=kvm2] .box')).stroke")
        self.assertEqual(colour, page.eval("(() => { const e = document.createElement('i'); e.style.color = 'var(--bad)'; "
                                           "document.body.append(e); return getComputedStyle(e).color; })()"))
        self.lab.fault("kvm2", "heal")
        page.until("document.querySelector('#canvas .host[data-name=kvm2]').dataset.state === 'synced'", 30)

    def test_rates_and_flows_of_what_is_selected(self):
        page = self.look()
        with self.lab.running("app1", "ping", "-i0.02", "-q", "10.0.1.13"):
            page.until("/[1-9]\\d*\\/s/.test(document.getElementById('sum-traffic').textContent)", 20)
            page.eval("location.hash = '#port/app1'")
            page.until("document.querySelector('#details h2').textContent.startsWith('app1')")
            page.until("[...document.querySelectorAll('#details .flows tr[data-hot]')].some((row) => row.textContent.includes('app1'))", 15)
            page.until("/Sends [1-9]\\d*\\/s/.test(document.querySelector('#details .traffic').textContent)", 15)
        asked = [urllib.parse.urlsplit(url) for url in page.requests]
        self.assertTrue(all("host=" in url.query for url in asked if url.path == "/v1/flows"), "only ever of one host")

    def test_drops_by_owner(self):
        page = self.look()
        self.lab.exec("db1", "ip", "address", "add", "10.0.1.99/32", "dev", "eth0")
        self.addCleanup(self.lab.exec, "db1", "ip", "address", "del", "10.0.1.99/32", "dev", "eth0")
        with self.lab.running("db1", "ping", "-i0.2", "-q", "-I10.0.1.99", "10.0.1.22"):
            page.until("[...document.querySelectorAll('#details tr')].some((row) => /spoofed.*db1/.test(row.textContent))", 20)
            page.eval("location.hash = '#host/kvm1'")
            page.until("[...document.querySelectorAll('#details tr[data-hot]')].some((row) => /spoofed.*db1.*[.1-9]\\/s/.test(row.textContent))", 15)

    def test_bright_is_what_belongs_to_the_selected(self):
        page = self.look()
        for chosen, bright in (("port/app2", {"port": "app2", "network": "blue", "host": "kvm2", "router": "main", "floating_ip": "", "port_forward": ""}),
                               ("port/db1", {"port": "db1", "network": "red", "router": "", "gateway": ""}),
                               ("port/web2", {"floating_ip": "203.0.113.20", "port_forward": "", "network": "green public"}),
                               ("router/main", {"port": "app1 app2 app3 trunk3 web2 web3", "network": "blue green public"}),
                               ("network/office", {"port": "desk2 trunk3", "router": "", "gateway": ""}),
                               ("security_group/web", {"port": "web2", "network": "green", "host": "kvm2", "router": "", "gateway": ""})):
            page.eval(f"location.hash = '#{chosen}'")
            for kind, names in bright.items():
                page.until(f"{lit(kind)} === {json.dumps(names)}", 5, (chosen, kind, names))
        page.until("document.querySelector('#details dd a[href=\"#port/web2\"]') !== null", 5)

    def test_what_is_chosen_and_where_the_keyboard_is_can_be_seen(self):
        page = self.look()
        note = page.eval(CHOSEN) + "3px"
        for chosen, rect in (("gateway/igw", ".chip.gateway[data-state=active] > rect"), ("gateway/igw", ".hop > rect"), ("router/main", ".router > rect")):
            page.eval("location.hash = '#/'")
            page.until(f"{stroke(rect)} !== '{note}'")
            page.eval(f"location.hash = '#{chosen}'")
            page.until(f"{stroke(rect)} === '{note}'", 5, rect)
        page.eval("location.hash = '#/'")
        page.key("Tab")
        page.eval("document.querySelector('.chip.gateway[data-state=active]').focus()")
        page.until(f"{stroke('.chip.gateway[data-state=active] > rect')} === '{note}'", 5)

    def test_a_silent_weftd_is_told_and_forgotten(self):
        page = self.look()
        self.addCleanup(self.lab.start_weftd_if_gone)
        self.lab.fault("weftd", "kill")
        page.until(f"{TROUBLES}.includes('weftd does not answer since')", 15)
        self.assertEqual(page.eval("document.querySelectorAll('#canvas .host').length"), 3)
        self.lab.start_weftd()
        self.lab.wait()
        page.until(f"{TROUBLES}.includes('All is well')", 30)
        self.browser.problems = [text for text in self.browser.problems if "Failed to load resource" not in text]


class BigPage(PageTest):
    def setUp(self):
        self.fabric = BigFabric()
        self.origin = Origin(lambda path, query: self.fabric.answer(path, query))
        self.addCleanup(self.origin.close)

    def see(self, **options):
        page = self.look(self.origin.url, **options)
        page.until(f"{PORTS} === 2000", 20)
        return page

    def test_draws_quickly(self):
        page = self.see()
        spent = page.eval("Math.max(...performance.getEntriesByName('weft picture').map((entry) => entry.duration))")
        self.assertLess(spent, 1000 * SCALE)

    def test_fits_at_usual_widths(self):
        self.fabric.unplug(30)
        self.fabric.ports[1431].update(state="down")  # on the degraded host, and a busy one
        self.fabric.speeds[self.fabric.ports[1430]["name"]] = 22000
        page = self.see()
        for width, height in ((1280, 800), (1920, 1080)):
            page.resize(width, height)
            page.rest(0.3)
            self.assertLessEqual(page.eval(WIDE), width)
            for within in ("#picture", "#details", "#events"):
                self.assertTrue(page.eval(f"(() => {{ const e = document.querySelector('{within}'); return e.scrollWidth <= e.clientWidth + 1; }})()"), (within, width))
            overlaps = page.eval("""(() => {
                const boxes = [...document.querySelectorAll('.tile')].map((tile) => tile.getBoundingClientRect());
                const spilled = [...document.querySelectorAll('.tile header, .tile svg, .tile footer, .tile footer span')].filter((e) => e.scrollWidth > e.clientWidth + 1 && !e.closest('svg, header') || e.getBoundingClientRect().right > e.parentElement.getBoundingClientRect().right + 0.5);
                let count = spilled.length;
                boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
                    if (a.left < b.right - 0.5 && b.left < a.right - 0.5 && a.top < b.bottom - 0.5 && b.top < a.bottom - 0.5) ++count;
                }));
                return count;
            })()""")
            self.assertEqual(overlaps, 0, width)

    def test_asks_little(self):
        page = self.see()
        page.rest(8)
        flows = [path for path in self.fabric.asked if path.startswith("/v1/flows")]
        self.assertLessEqual(len(flows), 6)
        self.assertTrue(all("drops=1" in path and "host=" in path for path in flows), flows)

    def test_a_trial_is_told(self):
        self.fabric.confirm_by = self.fabric.utc(time.time() + 300)
        page = self.see()
        page.until(f"/revision 41 is on trial for [45] min more, until .*: then revision 40 comes back/.test({TROUBLES})")
        self.assertIn("on trial", page.eval("document.getElementById('sum-revision').textContent"))

    @staticmethod
    def within(host):
        return f"""(() => {{ const [of, room] = ['.tile[data-name={host}]', '#picture'].map((e) => document.querySelector(e).getBoundingClientRect());
            return of.top >= room.top && of.bottom <= room.bottom; }})()"""

    def test_what_is_found_or_selected_is_brought_into_sight(self):
        page = self.see()
        self.assertFalse(page.eval(self.within("kvm095")))
        page.eval("document.getElementById('search').focus()")
        page.type("kvm095")
        page.until(self.within("kvm095"))
        page.key("Escape")
        page.eval("location.hash = '#port/' + document.querySelector('.tile[data-name=kvm002] .dot').dataset.name")
        page.until(self.within("kvm002"))
        page.eval("document.getElementById('picture').scrollTop = 400")
        page.rest(2.5)
        self.assertFalse(page.eval(self.within("kvm002")), "who scrolls away is left there")

    def test_finds_groups_classes_and_guests(self):
        self.fabric.ports[77]["leases"] = [{"host_name": "mailserver"}]
        page = self.see()
        for text, ref in (("front", "security_group/frontends"), ("gold", "qos/gold"), ("mailserver", f"port/{self.fabric.ports[77]['name']}")):
            page.eval("document.getElementById('search').focus()")
            page.type(text)
            page.until("!document.getElementById('found').hidden")
            page.key("Enter")
            page.until(f"location.hash === '#{ref}'", 5, ref)
        page.eval("location.hash = '#qos/gold'")
        page.until(f"document.querySelectorAll('.dot:not(.dim)').length === 2")
        page.until(f"document.querySelector('#details table a[href=\"#port/{self.fabric.ports[0]['name']}\"]') !== null", 5)

    def test_ports_plugged_in_nowhere_have_a_tile(self):
        self.fabric.unplug(7)
        page = self.see()
        self.assertEqual(page.eval("document.querySelectorAll('.tile[data-state=nowhere] .dot[data-state=unbound] .mark').length"), 7)
        self.assertEqual(page.eval("document.querySelectorAll('a[href=\"#host/nowhere\"]').length"), 0)

    def test_drops_are_of_hosts_that_answer(self):
        self.fabric = BigFabric(hosts=3, per_host=8, networks=6)
        self.fabric.refusing = {"kvm003"}
        page = self.look(self.origin.url)
        page.until(f"{DETAILS}.includes('of 2 of 3 hosts') && {DETAILS}.includes('Could not be read: kvm003: its switch does not answer')", 20)
        gone = self.fabric.ports[3]["name"]
        page.until(f"[...document.querySelectorAll('#details .drops tr')].some((row) => row.textContent.includes('{gone}'))", 20)
        page.eval("location.hash = '#host/kvm003'")
        page.until(f"{DETAILS}.includes('its switch does not answer')", 5)
        self.fabric.status[0].update(state="down", reason="gone")
        page.eval("location.hash = '#/'")
        page.until(f"/Drops of 1 of 3 hosts[^ ]/.test({DETAILS}) && !document.querySelector('#details .drops')?.textContent.includes('{gone}')", 10)
        self.browser.problems = [text for text in self.browser.problems if "503" not in text]

    def test_a_question_during_a_question_is_asked(self):
        page = self.see()
        asks = page.eval("""import('/web/api.js').then(async ({ Poll }) => {
            let asks = 0;
            const rest = (time) => new Promise((resolve) => setTimeout(resolve, time));
            const poll = new Poll(60, async () => { ++asks; await rest(100); });
            await rest(50);
            poll.now();
            await rest(250);
            poll.stop();
            return asks;
        })""")
        self.assertEqual(asks, 2)

    def test_bad_news_have_a_colour(self):
        for kind in ("libvirt_down", "foreign_qos", "drift_repaired", "topology_rolled_back"):
            self.fabric.event(kind, "kvm001", "", "so it is")
        page = self.see()
        page.until("document.querySelectorAll('#event-list .warn').length === 4")

    def test_finds_and_follows_by_keyboard(self):
        page = self.see()
        page.eval("document.getElementById('search').focus()")
        page.type("kvm042")
        page.until("!document.getElementById('found').hidden")
        page.key("Enter")
        page.until("location.hash === '#host/kvm042' && document.querySelector('#details h2').textContent.startsWith('kvm042')")
        page.until("document.querySelectorAll('#details table a[href^=\"#port/\"]').length >= 20")
        self.assertTrue(page.eval("document.querySelector('.tile[data-name=kvm001]').classList.contains('dim')"))
        self.assertTrue(page.eval(self.within("kvm042")))
        page.eval("document.querySelector('.tile[data-name=kvm042] header a').focus()")
        page.key("ArrowRight")
        self.assertNotEqual(page.eval("document.activeElement.getAttribute('href')"), "#host/kvm042")
        self.assertEqual(page.eval("document.querySelectorAll('#canvas a[tabindex=\"0\"]').length"), 1)

    def test_whatever_the_api_says_is_text(self):
        evil = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
        self.fabric = BigFabric(hosts=2, per_host=3, networks=6)
        fabric = self.fabric
        for row in (fabric.ports[0], fabric.networks[0], fabric.status[0]):
            row["name"] = row["name"] + evil
        for port in fabric.ports:
            port["network"], port["host"] = fabric.networks[0]["name"], fabric.status[0]["name"]
        fabric.status[0].update(state="degraded", reason=evil)
        fabric.event("host_degraded", fabric.status[0]["name"], f"port {evil}", evil)
        page = self.look(self.origin.url)
        for kind, name in (("host", fabric.status[0]["name"]), ("network", fabric.networks[0]["name"]), ("port", fabric.ports[0]["name"])):
            page.eval(f"location.hash = '#{kind}/' + encodeURIComponent({json.dumps(name)})")
            page.until(f"document.querySelector('#details h2').textContent.includes({json.dumps(evil)})")
            page.until("document.querySelector('#details .facts') !== null")
        page.rest(2)
        self.assertEqual(page.eval("document.querySelectorAll('img[src=x], body script').length"), 0)
        self.assertNotIn("broken", page.eval("document.title"))
        self.assertIn(evil, page.eval(EVENTS))


class SmallPage(PageTest):
    def see(self, fabric, **options):
        origin = Origin(fabric.answer)
        self.addCleanup(origin.close)
        return self.look(origin.url, **options)

    def test_lanes_where_there_is_room_else_tiles(self):
        page = self.see(SmallFabric())
        for width, picture in ((1920, "lanes"), (1280, "tiles"), (1920, "lanes"), (1000, "tiles")):
            page.resize(width, 800)
            page.until(f"document.body.dataset.picture === '{picture}'", 5, (width, picture))
            page.rest(0.3)
            self.assertEqual(page.eval(ASTRAY), [], width)
            self.assertEqual(page.eval("document.querySelectorAll('#canvas .host, #canvas .tile').length"), 6)
            self.assertLessEqual(page.eval("(() => { const e = document.getElementById('canvas'); return e.scrollWidth - e.clientWidth; })()"), 0, width)

    def test_names_fit_their_columns(self):
        for fabric in (SmallFabric(hosts=3, routers=1), SmallFabric(hosts=2, routers=6), SmallFabric(hosts=4, routers=0)):
            fabric.unplug(2)
            page = self.see(fabric)
            self.assertEqual(page.eval("document.body.dataset.picture"), "lanes")
            self.assertEqual(page.eval(ASTRAY), [], (len(fabric.status), len(fabric.routers)))
            self.assertIn("192.0.2.11", page.eval("document.getElementById('canvas').textContent"))

    def test_no_topology_yet(self):
        page = self.see(SmallFabric().empty(), shown=f"{TROUBLES}.includes('no topology yet')")
        page.until("document.getElementById('canvas').textContent.includes('weftctl apply FILE')", 5)
        page.until(f"!{DETAILS}.includes('Reading')", 5)
        self.assertNotIn("All is well", page.eval(TROUBLES))

    def test_all_hosts_down(self):
        fabric = SmallFabric(hosts=2)
        for entry in fabric.status:
            entry.update(state="down", reason="")
        fabric.unplug(8)
        page = self.see(fabric)
        page.until(f"{TROUBLES}.includes('kvm001 is down')")
        page.until(f"!{DETAILS}.includes('Reading') && {DETAILS}.includes('of 0 of 2 hosts')", 10)

    def test_a_migration_is_no_trouble(self):
        fabric = SmallFabric(hosts=2)
        fabric.ports.append(fabric.ports[0] | {"host": "kvm002", "state": "arriving"})
        page = self.see(fabric)
        page.until("document.querySelector('#canvas [data-state=arriving]') !== null")
        self.assertEqual(page.eval("document.querySelector('#sum-ports dd').textContent + document.getElementById('sum-ports').dataset.state"), "8 of 8good")


if __name__ == "__main__":
    if browser.PROGRAM is None:
        sys.exit("the page is tested in a browser, and there is no chromium: scripts/setup installs it")
    main()
