// A window over its baseline: bars and an outline, bin by bin, both as shares of their sums.

const BIN_TOP = 100;

/** `{labels, baseline, recent}` as shares of each; `null` where a side has nothing. */
function sharesOf(counts) {
  if (!Array.isArray(counts)) return null;
  const sum = total(counts);
  return sum > 0 ? counts.map((count) => count / sum) : null;
}

class Histogram {
  /** `of`: whose bins are listed in a table below; none without. */
  constructor(parent, of) {
    this.bars = makeSvg("g");
    this.outline = makeSvg("path", { class: "outline" });
    this.svg = makeSvg("svg", { preserveAspectRatio: "none", "aria-hidden": "true" }, this.bars,
      makeSvg("line", { class: "floor", x1: 0, x2: "100%", y1: BIN_TOP, y2: BIN_TOP }), this.outline);
    this.picture = make("div", { class: "plot", role: "img" }, this.svg);
    this.ends = [make("span"), make("span"), make("span")];
    this.root = make("div", { class: "histogram" }, this.picture,
      make("div", { class: "ends", "aria-hidden": "true" }, ...this.ends));
    if (of) this.root.append(this.table(of));
    parent.append(this.root);
  }

  table(of) {
    this.body = make("tbody");
    const heading = (text, name) => make("th", { scope: "col", class: name }, text);
    this.details = make("details", { class: "table" }, make("summary", {}, "Bins as a table"),
      make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Bins of " + of + " as a table" },
        make("table", {}, make("thead", {}, make("tr", {}, heading("Bin"), heading("Window", "number"),
          heading("Baseline", "number"))), this.body)));
    this.details.addEventListener("toggle", () => this.tabulate());
    return this.details;
  }

  /** `bins`: `{label, now, base}` with shares or `null`; `ends`: left, middle, right; `said`: in words. */
  set(bins, ends, said) {
    this.bins = bins;
    const width = bins.length * 10;
    setAttribute(this.svg, "viewBox", "0 0 " + Math.max(10, width) + " " + BIN_TOP);
    const highest = Math.max(0.02, ...bins.map((bin) => Math.max(bin.now || 0, bin.base || 0)));
    const height = (share) => (share / highest) * (BIN_TOP - 6);
    keyed(this.bars, bins, (_, place) => place, () => makeSvg("rect", { class: "bar", width: 8.4 }),
      (bar, bin, place) => {
        setAttribute(bar, "class", bin.isExtra ? "bar extra" : "bar");
        setAttribute(bar, "x", place * 10 + 0.8);
        setAttribute(bar, "y", (BIN_TOP - height(bin.now || 0)).toFixed(2));
        setAttribute(bar, "height", height(bin.now || 0).toFixed(2));
      });
    const steps = bins.map((bin, place) => {
      const level = (BIN_TOP - height(bin.base || 0)).toFixed(2);
      return (place ? "L" : "M") + place * 10 + " " + level + "H" + (place + 1) * 10;
    });
    setAttribute(this.outline, "d", bins.some((bin) => bin.base) ? steps.join("") : null);
    this.ends.forEach((end, place) => setText(end, ends[place] || ""));
    setAttribute(this.picture, "aria-label", said);
    this.tabulate();
  }

  tabulate() {
    if (!this.details || !this.details.open || !this.bins) return;
    keyed(this.body, this.bins, (_, place) => place,
      () => make("tr", {}, make("td"), make("td", { class: "number" }), make("td", { class: "number" })),
      (row, bin) => {
        const texts = [nameText(bin.label), shareText(bin.now), shareText(bin.base)];
        texts.forEach((text, place) => setText(row.children[place], text));
      });
  }
}

/** The bins of a series as it is in a state, with labels for people. */
function binsOf(series) {
  const { bins, ranges, baseline, recent } = series.histogram;
  const base = sharesOf(baseline);
  const now = sharesOf(recent);
  const found = bins.map((name, place) => {
    const range = ranges && ranges[place];
    const isExtra = ranges !== null ? !range : place >= bins.length - 2;
    return { label: labelOf(name, range, ranges !== null), isExtra, now: now ? now[place] : null, base: base ? base[place] : null };
  });
  // what neither side has is no bin: a column of missing values that are never missing says nothing
  return found.filter((bin) => !bin.isExtra || bin.now || bin.base);
}

function labelOf(name, range, isNumeric) {
  if (range) {
    const [low, high] = range.map(numberText);
    // a value that many share is a range of its own
    return low === high ? low : low + " to " + high;
  }
  return isNumeric && name === "out" ? "out of range" : name;
}

function endsOf(series) {
  const ranges = (series.histogram.ranges || []).filter(Boolean);
  if (ranges.length === 0) {
    const names = binsOf(series).map((bin) => nameText(bin.label)).map((name) => (name.length > 18 ? name.slice(0, 17) + "…" : name));
    return names.length > 1 ? [names[0], "", names[names.length - 1]] : [names[0]];
  }
  // behind the tenths, where there are any: what is beyond them, and what is missing
  const beyond = binsOf(series).filter((bin) => bin.isExtra).map((bin) => bin.label);
  return [numberText(ranges[0][0]), "", [numberText(ranges[ranges.length - 1][1]), ...beyond].join(" · ")];
}
