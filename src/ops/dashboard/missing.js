// What is not known, why, and the line or command that would tell it, ready to be copied.

const WHAT_WORDS = {
  baseline: "No baseline",
  confidence: "No confidence on the wire",
  class: "Class not known",
  kind: "Values or classes",
  class_names: "Names of classes",
  feature_names: "Names of features",
  features: "No features",
  value_edges: "Edges of the histogram of values",
  model: "Name of the model",
  labels: "No labels",
  hidden_features: "Features that are hashes",
  hidden_class: "Classes that are hashes",
  hidden_confidence: "Confidences that are hashes",
  hidden_path: "Paths that are hashes",
  hidden_model: "Models that are hashes",
  hidden_version: "Versions that are hashes",
  unread: "Requests of which nothing was read",
  separate: "Requests in separate lines",
  begin: "Requests that began before the log",
  order: "Lines out of order",
  time: "Exchanges without a time",
};

function gapsOf(state) {
  const unread = state.unread.map((route) => ({
    what: "unread " + route.route,
    title: "Bodies of " + inlineName(route.route) + " cannot be read",
    why: Object.entries(route.reasons).map(([reason, count]) => reason.replaceAll("_", " ") + " " + countText(count)).join(", "),
    configure: route.configure,
    command: null,
  }));
  const gaps = state.missing.map((gap) => ({
    ...gap,
    title: (WHAT_WORDS[gap.what] || capital(gap.what.replaceAll("_", " "))) + whoseText(gap),
    why: capital(gap.why) + (gap.count > 0 ? " (" + countText(gap.count) + " so far)" : ""),
  }));
  return [...gaps, ...unread];
}

function whoseText(gap) {
  // a model whose name is not known has one that says nothing
  const whom = gap.what === "model" ? [] : [gap.model, gap.version];
  const names = whom.filter((name) => name !== null && name !== undefined && name !== "").map(inlineName).join(" ");
  const route = gap.route ? "at " + inlineName(gap.route) : "";
  const whose = [names && "of " + names, route].filter(Boolean).join(" ");
  return whose ? " " + whose : "";
}

function showMissing(state) {
  const gaps = gapsOf(state);
  setHidden(byId("missing-panel"), gaps.length === 0);
  const left = state.missing_left_out + state.unread_left_out;
  setText(byId("missing-note"), "and what would tell it" + (left > 0 ? "; " + left + " more are not listed" : ""));
  keyed(byId("missing"), gaps, (gap) => JSON.stringify([gap.what, gap.model, gap.version, gap.route, gap.format]), makeGap, (item, gap) => {
    const { title, why, lead, code, block } = partsOf(item);
    setText(title, gap.title);
    setText(why, gap.why + ".");
    const line = gap.command || gap.configure;
    setHidden(lead, !line);
    setHidden(block, !line);
    setText(lead, gap.command ? "Run:" : "In the configuration:");
    setText(code, line || "");
  });
}

function makeGap() {
  const code = make("code", { "data-part": "code" });
  const button = make("button", { type: "button" }, "Copy");
  button.addEventListener("click", () => copy(code, button));
  const block = make("div", { class: "block", "data-part": "block" }, make("pre", {}, code), button);
  return make("li", {}, make("h3", { "data-part": "title" }), make("p", { class: "why note", "data-part": "why" }),
    make("p", { class: "note", "data-part": "lead" }), block);
}

/** A page over plain HTTP from elsewhere has no clipboard: then the text is selected, to be copied by hand. */
async function copy(code, button) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    setText(button, "Copied");
  } catch {
    const range = document.createRange();
    range.selectNodeContents(code);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    setText(button, "Selected");
  }
  setTimeout(() => setText(button, "Copy"), 2000);
}
