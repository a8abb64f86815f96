"""How soon the live page shows a change, and after what it still does."""

import statistics
import time

import harness as h
from browsing import open_page
from flowers import Traffic
from harness import Agent, case, check, equal, wait_until
from page_stage import SETTINGS, drifted, page_of

# What a change may take until it is on the page: so many events of the stream, or in seconds the best of
# several times, for a machine that is busy may be late. AT_LAST is when it is not waited for any more.
EVENTS, SOON, AT_LAST = 2, 2.0, 30.0
# What is shown after each event, and how many there were.
WATCH = """() => { const took = page.feed.took; window.shown = [];
    page.feed.took = (state) => { took(state);
        const figure = (name) => Number(document.querySelector(`#tiles [data-figure=${name}]`).dataset.value);
        window.shown.push([figure("requests"), figure("predictions")]); }; }"""


@case
def a_change_is_shown_soon():
    took, events = [], []
    with Agent(config={"drift": {"capture": 0}}) as agent, open_page(page_of(agent)) as page:
        page.live()
        page.js(WATCH)
        for number in range(1, 11):
            equal(agent.send("POST", "/predict", h.rows()[0]).status, 200, "status")
            began, before = time.monotonic(), page.js("() => window.shown.length")
            page.shows("requests", number, "#tiles", patience=AT_LAST)
            page.shows("predictions", number, "#tiles", patience=AT_LAST)
            took.append(time.monotonic() - began)
            events.append(next(place for place, one in enumerate(page.js("() => window.shown"), 1) if one == [number, number]) - before)
        page.is_clean()
    print(f"    {statistics.median(took):.1f} s, {max(took):.1f} s at most; {sum(t > SOON for t in took)} of {len(took)} beyond {SOON:.0f} s;"
          f" events until then {events}")
    check(statistics.median(events) <= EVENTS, lambda: f"shown after so many events: {events}")
    check(min(took) <= SOON, lambda: f"shown after so many seconds: {took}")


@case
def the_page_outlives_the_agent_and_says_when_figures_are_old():
    port, ops = h.free_port(), h.free_port()
    agent = Agent(config=SETTINGS, port=port, ops=ops)
    with open_page(page_of(agent)) as page:
        page.live()
        Traffic(4).send(agent, 3)
        page.shows("requests", 3, "#tiles")
        page.js("() => { window.isTheSamePage = true; }")
        agent.stop()
        wait_until(lambda: page.attribute("#link", "data-link") == "lost", "the page to say that there is no news")
        check("no news for" in page.text("#link-text") and page.is_shown("#stale"), lambda: page.text("#link-text"))
        check("figures below are old" in page.text("#stale") and page.text("title").startswith("No news"), lambda: page.text("#stale"))
        equal(page.figure("requests", "#tiles")[0], 3, "what is shown meanwhile")
        with Agent(config=SETTINGS, port=port, ops=ops) as again:
            page.live()
            page.shows("requests", 0, "#tiles")
            check(not page.is_shown("#stale"), "the warning is still there")
            Traffic(5).send(again, 2)
            page.shows("requests", 2, "#tiles")
            rates = page.js("() => page.history.points.map((point) => point.rates && point.rates.all)")
            check(all(rate is None or rate >= 0 for rate in rates), lambda: f"a restart is no negative rate: {rates}")
        check(page.js("() => window.isTheSamePage"), "the page was loaded again")
        page.is_clean(is_gone=True)


@case
def a_tab_that_nobody_looks_at_lets_its_stream_go_and_still_tells_of_drift():
    hide = """(isHidden) => { Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
        document.dispatchEvent(new Event("visibilitychange")); }"""
    with Agent(config=SETTINGS) as agent, open_page(page_of(agent)) as page:
        page.live()
        page.js(hide, True)
        check(page.js("() => page.feed.source !== null"), "the stream is gone at once")
        # as if that were long ago
        page.js("() => { page.feed.hiddenSince -= 60000; }")
        wait_until(lambda: page.js("() => page.feed.source === null"), "the stream to be let go")
        drifted(agent, Traffic(15))
        wait_until(lambda: page.text("title").startswith("Drift:"), "the title")
        check(page.js("() => page.feed.source === null"), "the stream is open all the same")
        page.js(hide, False)
        wait_until(lambda: page.js("() => page.feed.source !== null"), "the stream")
        page.live()
        page.is_clean()
