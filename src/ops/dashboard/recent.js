// The last requests, with what was asked and answered. They hold values of bodies, so not everybody who
// may see figures may see them: from elsewhere than the agent's machine the token is asked for. It is
// kept in this page's memory alone, and gone when it is loaded again.

const RECENT_EVERY_MS = 2000;
const MOST_FEATURES = 12;

class Recent {
  constructor() {
    this.token = null;
    this.timer = null;
    byId("token-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.token = byId("token").value.trim();
      byId("token").value = "";
      this.ask();
    });
  }

  /** Asks again and again, while somebody looks. */
  start() {
    if (this.timer === null) this.timer = setInterval(() => { if (!document.hidden) this.ask(); }, RECENT_EVERY_MS);
    this.ask();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
  }

  async ask() {
    if (this.isAsking) return;
    this.isAsking = true;
    try {
      const headers = this.token ? { Authorization: "Bearer " + this.token } : {};
      const answer = await fetch("recent", { headers, cache: "no-store", signal: AbortSignal.timeout(5000) });
      if (answer.ok) this.show(await answer.json());
      else this.refused(answer.status);
    } catch {
      // the agent is gone for a while: the page says so above, and what was read stays
    } finally {
      this.isAsking = false;
    }
  }

  /** 401: the token is asked for. 403: none is set, so only the agent's own machine may. */
  refused(status) {
    this.stop();
    setHidden(byId("token-form"), status !== 401);
    setText(byId("token-note"), this.token ? "That is not the token." : "");
    this.token = null;
    const texts = {
      401: "Requests hold values of bodies: from another machine they are shown with the token.",
      403: "Requests hold values of bodies. From another machine they are shown with a token, and none is set: set ops.token, or open this page by kubectl port-forward or ssh -L.",
    };
    this.empty(texts[status] || "Requests cannot be shown: the agent answers " + status + ".");
    if (status !== 401 && status !== 403) setTimeout(() => this.start(), 5 * RECENT_EVERY_MS);
  }

  empty(text) {
    setHidden(byId("recent"), true);
    setHidden(byId("recent-empty"), false);
    setText(byId("recent-empty"), text);
    setText(byId("recent-note"), "");
  }

  show(answer) {
    setHidden(byId("token-form"), true);
    if (this.timer === null && !this.isStatic) this.start();
    if (answer.requests.length === 0) return this.empty("No request since this page was opened: none is kept while nobody looks.");
    setHidden(byId("recent"), false);
    setHidden(byId("recent-empty"), true);
    setText(byId("recent-note"), "the last " + answer.requests.length + " since this page was opened, at most " + answer.most +
      (answer.skipped > 0 ? "; " + countText(answer.skipped) + " came too fast to be shown" : ""));
    const body = only(byId("recent"), "table", makeRecentTable).body;
    keyed(body, answer.requests, (one) => one.request_id + " " + one.timestamp, makeRequest, updateRequest);
  }
}

function makeRecentTable() {
  const heading = (text, name) => make("th", { scope: "col", class: name }, text);
  const body = make("tbody");
  const table = make("table", { class: "cards" }, make("thead", {}, make("tr", {}, heading("Time"), heading("Status"), heading("Took", "number"),
    heading("Request"), heading("Answer"), heading("Features"))), body);
  const root = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Recent requests as a table" }, table);
  return { root, body };
}

function makeRequest() {
  const cell = (label, part, name) => make("td", { "data-label": label, "data-part": part, class: name });
  return make("tr", {}, cell("Time", "time", "brief when"), cell("Status", "status", "brief"), cell("Took", "took", "brief number"),
    make("td", { "data-label": "Request" }, make("bdi", { "data-part": "route" }), make("br"), make("bdi", { class: "id", "data-part": "id" })),
    cell("Answer", "answer"), make("td", { "data-label": "Features" }, make("div", { class: "pairs", "data-part": "pairs" })));
}

/** A row never changes once it is there: it is filled once. */
function updateRequest(row, one) {
  if (row.isFilled) return;
  row.isFilled = true;
  const { time, status, took, route, id, answer, pairs } = partsOf(row);
  setAttribute(row, "data-request", nameText(one.request_id));
  setText(time, clockText(Date.parse(one.timestamp) / 1000));
  setText(status, one.status_code ?? NO_FIGURE);
  status.classList.toggle("failed", one.status_code >= 500 || Boolean(one.error));
  setText(took, isNumber(one.duration_ms) ? secondsText(one.duration_ms / 1000) : NO_FIGURE);
  setName(route, (one.method || "") + " " + (one.path || ""));
  setName(id, one.request_id);
  setText(answer, answerText(one));
  const features = Object.entries(one.features || {});
  for (const [name, value] of features.slice(0, MOST_FEATURES)) {
    pairs.append(make("span", {}, make("i", {}, make("bdi", {}, nameText(name))), " ", make("bdi", {}, valueText(value))));
  }
  if (features.length > MOST_FEATURES) pairs.append(make("span", {}, "and " + (features.length - MOST_FEATURES) + " more"));
}

function answerText(one) {
  if (one.error) return [one.fault, one.error].filter(Boolean).map(nameText).join(": ");
  if (one.prediction === undefined || one.prediction === null) return NO_FIGURE;
  const confidence = isNumber(one.confidence) ? " (" + shareText(one.confidence) + ")" : "";
  const items = one.items > 1 ? plural(one.items, "item") + ": " : "";
  return items + valueText(one.prediction) + confidence;
}

/** A value as it was: numbers, words, or what of a list there is room for. */
function valueText(value) {
  if (Array.isArray(value)) return listed(value.map(valueText), 3);
  if (isNumber(value)) return numberText(value);
  if (value === null || value === undefined) return "null";
  return inlineName(typeof value === "object" ? JSON.stringify(value) : value);
}
