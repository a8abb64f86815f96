// A browser for tests/e2e/page.py: one JSON command a line on stdin, one answer a line on stdout.
// Whatever a page asks the network for, prints or is refused by its policy is kept and can be asked for.

const fs = require("fs");
const readline = require("readline");
const { chromium } = require("playwright-core");

const pages = new Map();
let browser = null;

function keep(list, entry) {
  if (list.length < 5000) list.push(entry);
}

async function open({ page: name, url, width, height, scheme, reduced, origin, headers }) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: scheme,
    reducedMotion: reduced ? "reduce" : "no-preference",
    extraHTTPHeaders: headers || {},
    // times of day are those of the reader: everywhere the same here
    timezoneId: "UTC",
    locale: "en-US",
  });
  if (origin) await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin });
  const page = await context.newPage();
  const seen = { requests: [], console: [], errors: [], violations: [], dialogs: [] };
  context.on("request", (request) => keep(seen.requests, request.url()));
  page.on("console", (message) => keep(seen.console, { type: message.type(), text: message.text(), url: message.location().url }));
  page.on("pageerror", (error) => keep(seen.errors, String(error.stack || error)));
  page.on("dialog", (dialog) => { keep(seen.dialogs, dialog.message()); dialog.dismiss(); });
  await page.exposeBinding("keepViolation", (_, text) => keep(seen.violations, text));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      window.keepViolation(event.violatedDirective + " " + event.blockedURI + " " + event.sample);
    });
  });
  const answer = await page.goto(url);
  pages.set(name, { page, context, seen, cdp: await context.newCDPSession(page) });
  return answer ? { status: answer.status(), headers: await answer.allHeaders() } : null;
}

/** What is really in use: garbage is collected first. */
async function heap({ cdp }) {
  await cdp.send("HeapProfiler.collectGarbage");
  await cdp.send("HeapProfiler.collectGarbage");
  await cdp.send("Performance.enable");
  const { metrics } = await cdp.send("Performance.getMetrics");
  const of = Object.fromEntries(metrics.map((metric) => [metric.name, metric.value]));
  return { used: of.JSHeapUsedSize, nodes: of.Nodes, listeners: of.JSEventListeners };
}

async function axe({ page }, { rules }) {
  await page.evaluate(fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8"));
  const result = await page.evaluate((runOnly) => window.axe.run(document, { runOnly }), rules);
  const violations = result.violations.map((violation) => ({
    id: violation.id,
    nodes: violation.nodes.slice(0, 3).map((node) => node.html.slice(0, 200) + " " + node.failureSummary),
  }));
  return { violations, passes: result.passes.length };
}

const COMMANDS = {
  open: (_, command) => open(command),
  evaluate: ({ page }, { script, argument }) => page.evaluate("(" + script + ")(" + JSON.stringify(argument ?? null) + ")"),
  press: ({ page }, { key }) => page.keyboard.press(key),
  type: ({ page }, { text }) => page.keyboard.type(text),
  click: ({ page }, { selector }) => page.click(selector),
  reload: ({ page }) => page.reload().then(() => null),
  media: ({ page }, { scheme }) => page.emulateMedia({ colorScheme: scheme }),
  resize: ({ page }, { width, height }) => page.setViewportSize({ width, height }),
  shot: ({ page }, { path, clip }) => page.screenshot({ path, fullPage: true, clip }).then(() => null),
  seen: ({ seen }) => seen,
  heap: (one) => heap(one),
  axe: (one, command) => axe(one, command),
  close: async ({ context }, { page }) => { await context.close(); pages.delete(page); return null; },
};

async function main() {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: [
      // Chromium's own sandbox needs another user than root
      ...(process.getuid() === 0 ? ["--no-sandbox"] : []),
      // whatever is asked for elsewhere is refused here, and seen
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    ],
  });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    let answer;
    try {
      const one = pages.get(command.page);
      if (!one && command.do !== "open") throw new Error("no page " + command.page);
      answer = { value: (await COMMANDS[command.do](one, command)) ?? null };
    } catch (error) {
      answer = { error: String(error.stack || error) };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
  await browser.close();
}

main().then(() => process.exit(0), (error) => {
  process.stderr.write(String(error.stack || error) + "\n");
  process.exit(1);
});
