"""The live page for everybody: with the keyboard, in both themes, on a phone, and with any names."""

import re

import harness as h
from browsing import open_page
from flowers import Traffic
from harness import Agent, ModelServer, case, check, equal, wait_until
from page_stage import SETTINGS, Named, drifted, hostile, page_of


@case
def hostile_names_are_text():
    with ModelServer(Named) as server, Agent(server.port, config=SETTINGS) as agent:
        with open_page(page_of(agent), width=390) as page:
            page.live()
            hostile(agent)
            agent.wait_event(message="Baseline captured")
            wait_until(lambda: page.text("#classes") and Named.MARKUP in page.text("#classes"), "the class")
            wait_until(lambda: Named.MARKUP in page.text("#features"), "the feature")
            check(Named.LONG in page.text("#features"), "the long name")
            check("\u202e" not in page.text("main"), "a character that turns a name is shown as what it is not")
            equal(page.js("() => document.querySelectorAll('main img, main b:not([data-figure]), main script').length"), 0, "elements of names")
            equal(page.overflow(), [0, []], "wider than 390 pixels")
            page.accessible()
            page.is_clean()


@case
def the_page_is_for_everybody_in_both_themes_and_on_a_phone():
    with Agent(config=SETTINGS) as agent:
        drifted(agent, Traffic(6))
        for scheme in ("light", "dark"):
            for width in (1280, 390):
                with open_page(page_of(agent), width=width, scheme=scheme, reduced=True) as page:
                    page.live()
                    wait_until(lambda: page.is_shown("#features .feature"), "features")
                    page.js("() => document.querySelectorAll('details').forEach((node) => { node.open = true; })")
                    equal(page.overflow(), [0, []], f"{scheme}: wider than {width} pixels")
                    page.accessible()
                    equal(page.js("() => getComputedStyle(document.body).colorScheme || getComputedStyle(document.documentElement).colorScheme"),
                          "light dark", "schemes")
                    light = page.js("() => getComputedStyle(document.body).backgroundColor")
                    equal(min(int(part) for part in re.findall(r"\d+", light)) > 128, scheme == "light", f"{light} in {scheme}")
                    for chart in page.js("() => [...document.querySelectorAll('[role=img]')].map((node) => node.getAttribute('aria-label'))"):
                        check(chart and re.search(r"\d|not known|No window", chart), lambda: f"a chart says nothing: {chart!r}")
                    page.is_clean()


@case
def everything_can_be_done_with_the_keyboard():
    with Agent(config=SETTINGS) as agent:
        agent.send("POST", "/predict", h.rows()[0])
        agent.settled()
        with open_page(page_of(agent)) as page:
            page.live()
            page.press("Tab")
            equal(page.js("() => document.activeElement.className"), "skip", "the first stop")
            page.press("Enter")
            equal(page.js("() => document.activeElement.id"), "main", "where the link leads")
        with open_page(page_of(agent)) as page:
            page.live()
            page.press("Tab")
            page.press("Tab")
            name, ring = page.focused()
            equal(name, "theme", "the second stop")
            check(ring >= 2, f"the ring is {ring} pixels wide")
            page.press("Enter")
            equal(page.attribute("html", "data-theme"), "dark", "theme")
            page.call("reload")
            page.live()
            equal(page.attribute("html", "data-theme"), "dark", "theme of the page that is loaded again")
            stops = []
            for _ in range(40):
                page.press("Tab")
                stop = page.js("() => { const e = document.activeElement; return [e.tagName, e.id, e.textContent.trim().slice(0, 40)]; }")
                if stop[0] == "BODY":
                    break
                stops.append(stop)
            words = [stop[2] for stop in stops]
            for word in ("metrics", "Last figures as a table"):
                check(any(word in one for one in words), lambda: f"{word} is no stop: {stops}")
            page.is_clean()


@case
def a_model_is_chosen_with_the_keyboard_and_stays_chosen():
    with ModelServer(Named) as server, Agent(server.port, config={"drift": {"capture": 0}}) as agent:
        for model, rows in (("alpha", 2), ("beta", 3)):
            agent.send("POST", f"/v1/models/{model}:predict", {"instances": [[1.5, 2.5]] * rows})
        agent.settled()
        with open_page(page_of(agent)) as page:
            page.live()
            buttons = wait_until(lambda: len(found := page.js("() => [...document.querySelectorAll('#models button')].map((b) => b.dataset.model)")) == 2 and found,
                                 "two models")
            equal(buttons, ["alpha", "beta"], "models")
            for model, rows in (("alpha", 2), ("beta", 3), ("alpha", 2)):
                page.js("(m) => document.querySelector(`#models [data-model=${m}]`).focus()", model)
                page.press("Enter")
                page.shows("predictions", rows, "#tiles")
                equal(page.attribute("#models [aria-current=true]", "data-model"), model, "the current one")
            agent.send("POST", "/v1/models/beta:predict", {"instances": [[1.5, 2.5]]})
            page.shows("requests", 3, "#tiles")
            page.shows("predictions", 2, "#tiles")
            page.call("reload")
            page.live()
            page.shows("predictions", 2, "#tiles")
            page.is_clean()


@case
def what_is_missing_comes_with_what_would_tell_it():
    with ModelServer(Named) as server, Agent(server.port, config={"drift": {"capture": 0}}) as agent:
        agent.send("POST", "/v1/models/m:predict", {"instances": [[1.5, 2.5]] * 3})
        agent.settled()
        with open_page(page_of(agent), origin=page_of(agent).rstrip("/")) as page:
            page.live()
            said = agent.ask("GET", "/state").json()["missing"]
            wait_until(lambda: page.is_shown("#missing-panel"), "what is missing")
            lines = {gap["command"] or gap["configure"] for gap in said if gap["command"] or gap["configure"]}
            shown = lambda: set(page.js("() => [...document.querySelectorAll('#missing code')].map((c) => c.textContent).filter(Boolean)"))
            wait_until(lambda: equal(shown(), lines, "lines") or True, "the lines")
            check({"baseline", "confidence"} <= {gap["what"] for gap in said}, lambda: said)
            check("Drift is not looked for" in page.text("#headline"), lambda: page.text("#headline"))
            check("No confidence on the wire" in page.text("#missing"), lambda: page.text("#missing"))
            page.call("click", selector="#missing .block button")
            copied = page.js("() => navigator.clipboard.readText()")
            check(copied in lines, lambda: f"{copied!r} was copied, of {lines}")
            page.is_clean()
