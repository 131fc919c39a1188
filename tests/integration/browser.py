"""Chromium without a window, driven by its DevTools protocol: what a page shows, logs and asks for."""
import base64
import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request

try:
    import websocket
except ImportError:
    websocket = None

from fabric import SCALE, eventually

PROGRAM = websocket and shutil.which("chromium")


def end_with_parent():
    """A test that is killed leaves no browser (PR_SET_PDEATHSIG, prctl(2))."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Browser:
    """One window. `problems` are errors of its console, `requests` every URL that it asked for."""

    def __init__(self, width=1280, height=900, dark=False):
        self.scratch = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)  # its profile, and what it leaves in TMPDIR
        profile = pathlib.Path(self.scratch.name) / "profile"
        self.process = subprocess.Popen(
            [PROGRAM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
             "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"], preexec_fn=end_with_parent,
            env=os.environ | {"TMPDIR": self.scratch.name}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.problems, self.requests, self.loaded, self.last = [], [], 0, 0
        port_file = profile / "DevToolsActivePort"
        port = eventually(lambda: port_file.exists() and port_file.read_text().split("\n")[0], 30, "chromium")
        listed = eventually(lambda: self._targets(port), 30, "chromium's window")
        self.socket = websocket.create_connection(listed["webSocketDebuggerUrl"], suppress_origin=True,
                                                  timeout=60 * SCALE)
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.resize(width, height)

    @staticmethod
    def _targets(port):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
                return next((target for target in json.load(answer) if target["type"] == "page"), None)
        except OSError:
            return None

    def close(self):
        self.socket.close()
        self.process.terminate()
        self.process.wait(20)
        self.scratch.cleanup()

    def resize(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def call(self, method, **parameters):
        self.last += 1
        number = self.last
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") != number:
                self._note(message)
            elif "error" in message:
                raise AssertionError(f"{method}: {message['error']}")
            else:
                return message["result"]

    def _note(self, message):
        method, what = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = what["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and what["entry"]["level"] == "error":
            self.problems.append(f"{what['entry']['text']} {what['entry'].get('url', '')}")
        elif method == "Runtime.consoleAPICalled" and what["type"] in ("error", "assert"):
            self.problems.append(str(what["args"]))
        elif method == "Network.requestWillBeSent":
            self.requests.append(what["request"]["url"])
        elif method == "Page.loadEventFired":
            self.loaded += 1

    def open(self, url):
        before = self.loaded
        self.call("Page.navigate", url=url)
        eventually(lambda: self.eval("document.readyState") == "complete" and self.loaded > before, 30, url)

    def eval(self, expression):
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise AssertionError(f"{expression}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def until(self, expression, seconds=10, what=None):
        return eventually(lambda: self.eval(expression), seconds, what or expression)

    def key(self, key):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                      windowsVirtualKeyCode={"Tab": 9, "Enter": 13, "Escape": 27, "ArrowRight": 39, "ArrowDown": 40}[key],
                      **({"text": "\r"} if key == "Enter" and kind == "keyDown" else {}))

    def type(self, text):
        self.call("Input.insertText", text=text)

    def screenshot(self, path):
        pathlib.Path(path).write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def rest(self, seconds):
        """Lets the page live on for a while; what it says meanwhile is noted."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.eval("new Promise((resolve) => setTimeout(resolve, 50))")
