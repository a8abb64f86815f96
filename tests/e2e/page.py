#!/usr/bin/env python3
"""The live page in a real browser: what it shows is what the agent says, soon, for long, and to everybody.

Needs Debian's `chromium` and `nodejs`, the packages of page/package-lock.json in .cache/page, the agent's binary
and Python's standard library. Pages stay open for PAGE_SECONDS (120). `page.py pictures` draws docs/page-*.png.
"""

import sys
import time

import harness as h
# each brings its cases
import page_accuracy
import page_figures
import page_load
import page_news
import page_readers
import page_rights
import page_words
from browsing import open_page
from flowers import Traffic
from harness import Agent
from page_stage import SETTINGS, Steady, captured, page_of

PARTS = (page_figures, page_accuracy, page_words, page_news, page_readers, page_rights, page_load)


def pictures():
    """docs/page-light.png and docs/page-dark.png: the top of the page, a minute after a drift began."""
    with Agent(config=SETTINGS) as agent:
        captured(agent, Traffic(12))
        with open_page(page_of(agent)) as light, open_page(page_of(agent), scheme="dark") as dark:
            with Steady(agent, pause=0.02, traffic=Traffic(13)):
                time.sleep(45)
            traffic = Traffic(14)
            traffic.row = lambda row=traffic.row: row(petal_length=0.9)
            with Steady(agent, pause=0.02, traffic=traffic):
                time.sleep(15)
            for scheme, page in (("light", light), ("dark", dark)):
                path = h.ROOT / "docs" / f"page-{scheme}.png"
                end = page.js("() => document.querySelector('#features').closest('section').getBoundingClientRect().bottom")
                page.call("shot", path=str(path), clip={"x": 0, "y": 0, "width": 1280, "height": round(end) + 14})
                print(f"{path.relative_to(h.ROOT)}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    if sys.argv[1:] == ["pictures"]:
        pictures()
    else:
        h.main("page")
