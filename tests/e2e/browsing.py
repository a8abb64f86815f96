"""Chromium on the live page, driven by page/driver.js: what is shown, pressed, asked for and complained of."""

import atexit
import json
import os
import select
import shutil
import subprocess
import urllib.parse

import harness as h
from harness import Failed, check, equal, wait_until

FOLDER = h.E2E / "page"
MODULES = h.ROOT / ".cache" / "page" / "node_modules"
# Best practices of axe-core beside the levels A and AA of WCAG 2.2.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# A slow machine starts a browser slowly.
BROWSER_PATIENCE = 180


class Browser:
    """One Chromium; ends with the suite."""

    def __init__(self):
        check(MODULES.exists(), f"no {MODULES}: npm ci, as tests/run.sh does")
        chromium = shutil.which("chromium")
        check(chromium, "no chromium: Debian's package of that name")
        environment = {**os.environ, "NODE_PATH": str(MODULES), "CHROMIUM": chromium}
        self.child = subprocess.Popen(["node", FOLDER / "driver.js"], env=environment, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE)
        self.count = 0

    def call(self, do, **command):
        line = json.dumps({"do": do, **command}) + "\n"
        self.child.stdin.write(line.encode())
        self.child.stdin.flush()
        ready, _, _ = select.select([self.child.stdout], [], [], BROWSER_PATIENCE)
        check(ready, f"the browser did not answer to {do} in {BROWSER_PATIENCE} s")
        answer = self.child.stdout.readline()
        check(answer, lambda: f"the browser has ended: {self.child.poll()}")
        said = json.loads(answer)
        if "error" in said:
            raise Failed(f"{do}: {said['error']}")
        return said["value"]

    def open(self, url, width=1280, height=900, scheme="light", reduced=False, **more):
        self.count += 1
        return Page(self, f"page{self.count}", url, width=width, height=height, scheme=scheme, reduced=reduced, **more)

    def close(self):
        self.child.stdin.close()
        try:
            self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.child.kill()


_browsers = []


def open_page(url, **options):
    """A page in the one browser of the suite, which is started for the first."""
    if not _browsers:
        _browsers.append(Browser())
        atexit.register(_browsers[0].close)
    return _browsers[0].open(url, **options)


class Page:
    """One page in a context of its own: storage, theme and what was asked for are nobody else's."""

    def __init__(self, browser, name, url, **options):
        self.browser, self.name, self.url = browser, name, url
        self.answer = self.call("open", url=url, **options)

    def call(self, do, **command):
        return self.browser.call(do, page=self.name, **command)

    def js(self, script, argument=None):
        """The value of a function of JavaScript: `(argument) => ..`."""
        return self.call("evaluate", script=script, argument=argument)

    def text(self, selector):
        return self.js("(s) => { const n = document.querySelector(s); return n && n.textContent; }", selector)

    def attribute(self, selector, name):
        return self.js("([s, n]) => { const e = document.querySelector(s); return e && e.getAttribute(n); }", [selector, name])

    def is_shown(self, selector):
        return self.js("(s) => { const n = document.querySelector(s); return !!n && n.checkVisibility(); }", selector)

    def figures(self, within="body"):
        """Every figure below `within` as it is and as it is shown: `{name: [(value, text), ..]}`."""
        found = self.js("""(within) => [...document.querySelectorAll(within + " [data-figure]")].map((node) =>
            [node.dataset.figure, node.dataset.value, node.textContent])""", within)
        figures = {}
        for name, value, text in found:
            figures.setdefault(name, []).append((None if value == "none" else float(value), text))
        return figures

    def figure(self, name, within="body"):
        found = self.figures(within).get(name, [])
        equal(len(found), 1, f"figures {name} in {within}")
        return found[0]

    def shows(self, name, value, within="body", patience=h.PATIENCE):
        """Waits until a figure has this value."""
        def is_it():
            shown = self.figure(name, within)[0]
            equal(shown, value, f"{name} in {within}")
            return True
        wait_until(is_it, f"{name} to be {value}", patience)

    def live(self, patience=h.PATIENCE):
        wait_until(lambda: self.attribute("#link", "data-link") == "live", "the page to be live", patience)
        return self

    def press(self, key):
        self.call("press", key=key)

    def focused(self):
        """What has the focus: its id, else its words; and how wide the ring around it is."""
        return self.js("""() => { const e = document.activeElement, style = getComputedStyle(e);
            return [e.id || e.textContent.trim().slice(0, 60), style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth)]; }""")

    def complaints(self, is_gone=False):
        """What a good page gives nobody a reason for. `is_gone`: the agent was away for a while."""
        seen = self.call("seen")
        host = urllib.parse.urlsplit(self.url).netloc
        elsewhere = [url for url in seen["requests"]
                     if urllib.parse.urlsplit(url).scheme not in ("data", "blob") and urllib.parse.urlsplit(url).netloc != host]
        errors = [message["text"] for message in seen["console"] if message["type"] in ("error", "warning")]
        if is_gone:
            # the browser's own word for a connection that was refused or broke off
            errors = [text for text in errors if "net::ERR_" not in text]
        return {key: value for key, value in {
            "requests elsewhere": elsewhere, "console": errors, "errors": seen["errors"],
            "violations of the policy": seen["violations"], "dialogs": seen["dialogs"]}.items() if value}

    def is_clean(self, is_gone=False):
        equal(self.complaints(is_gone), {}, f"complaints of {self.url}")

    def accessible(self):
        result = self.call("axe", rules=RULES)
        equal(result["violations"], [], "violations of axe-core")
        check(result["passes"] > 30, lambda: f"axe-core looked at little: {result}")

    def overflow(self):
        """By how many pixels the page is wider than its window, and what sticks out."""
        return self.js("""() => { const wide = document.documentElement.scrollWidth - innerWidth;
            const out = [...document.querySelectorAll("body *")].filter((node) => {
                const box = node.getBoundingClientRect(); return box.width > 0 && box.right > innerWidth + 1 &&
                    !node.closest(".scroll, pre, .plot, .unseen, .announced, .cards thead, .symbols"); });
            return [Math.max(0, wide), out.slice(0, 3).map((node) => node.outerHTML.slice(0, 120))]; }""")

    def heap(self):
        return self.call("heap")

    def close(self):
        self.call("close")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
