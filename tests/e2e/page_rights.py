"""What the live page may: its policy, its own scripts, and whom it shows requests."""

import re

import harness as h
from browsing import open_page
from flowers import Traffic
from harness import Agent, case, check, equal, wait_until
from page_stage import SETTINGS, page_of


@case
def the_policy_allows_the_page_and_nothing_else():
    with Agent() as agent:
        html = {"Accept": "text/html,*/*;q=0.8"}
        answer = agent.ask("GET", "/", headers=html)
        policy = dict(part.strip().partition(" ")[::2] for part in answer.header("content-security-policy").split(";"))
        equal(policy["default-src"], "'none'", "what is not named")
        check("frame-ancestors" in policy and "unsafe" not in answer.header("content-security-policy"), lambda: policy)
        check("sha256-" in policy["script-src"] and "sha256-" in policy["style-src"], lambda: policy)
        equal(policy["connect-src"], "'self'", "whom it may ask")
        markup = answer.body.decode().partition("<script>")[0].partition("<body>")[2]
        equal(re.findall(r'(?:src|href|action)="(?!#|/?[a-z]+")[^"]*"', markup), [], "what it loads, or leads to elsewhere")
        equal(re.findall(r"<[^>]*\s(?:on\w+|style)=", markup), [], "handlers and styles in markup")
        with open_page(page_of(agent)) as page:
            page.live()
            # an attacker's script, were it to get in, would not run
            page.js("""() => { const s = document.createElement("script"); s.textContent = "window.ran = true";
                document.body.append(s); }""")
            equal(page.js("() => window.ran === true"), False, "a foreign script")
            asked = page.js("() => fetch('http://example.invalid/').then(() => 'answered', () => 'refused')")
            equal(asked, "refused", "a request elsewhere")
            violations = wait_until(lambda: len(found := page.call("seen")["violations"]) >= 2 and found, "violations")
            equal(sorted(text.split(" ")[0] for text in violations), ["connect-src", "script-src-elem"], "violations")
            # what the other cases look for is found where it is
            check({"violations of the policy", "console"} <= set(page.complaints()), page.complaints)


@case
def no_script_of_ours_makes_markup_of_text():
    scripts = sorted((h.ROOT / "src" / "ops" / "dashboard").glob("*.js"))
    check(len(scripts) > 10, f"only {scripts}")
    for script in scripts:
        found = re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|new Function", script.read_text())
        equal(found, [], script.name)


@case
def a_page_from_elsewhere_asks_for_the_token():
    settings = {**SETTINGS, "ops": {"token": "sesame-1"}}
    with Agent(config=settings) as agent:
        Traffic(8).send(agent, 3)
        agent.settled()
        # as behind a proxy, which says for whom it asks
        with open_page(page_of(agent), headers={"X-Forwarded-For": "10.1.2.3"}) as page:
            page.live()
            wait_until(lambda: page.is_shown("#token-form"), "the question for the token")
            page.shows("requests", 3, "#tiles")
            for token, is_it in (("wrong", False), ("sesame-1", True)):
                page.js("() => document.querySelector('#token').focus()")
                page.call("type", text=token)
                page.press("Enter")
                wait_until(lambda: page.is_shown("#token-form") != is_it and (is_it or "not the token" in page.text("#token-note")),
                           f"an answer to {token}")
            # nothing is kept while nobody looks
            Traffic(8).send(agent, 2)
            wait_until(lambda: page.js("() => document.querySelectorAll('[data-request]').length") == 2, "requests")
            stored = page.js("() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])")
            check("sesame" not in stored, "the token is kept")
