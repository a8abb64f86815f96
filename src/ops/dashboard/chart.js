// Lines over time: uPlot draws them; the legend above says in words what the canvas shows, and a table
// below has the last points for who reads no canvas.

const CHART_HEIGHT = 190;
const TABLE_ROWS = 30;
const DASHES = [[], [7, 3], [2, 3]];
const allCharts = [];


class TimeChart {
  /**
   * `series`: `{label, colour, dash, text}`, `text` making a figure of a value.
   * `title`: what the chart is of, in a sentence for who does not see it.
   */
  constructor(parent, title, name, series, axisText) {
    this.title = title;
    this.name = name;
    this.series = series;
    this.axisText = axisText;
    this.data = [[], ...series.map(() => [])];
    this.values = series.map(() => make("b", {}, NO_FIGURE));
    this.picture = make("div", { class: "plot", role: "img" });
    this.body = make("tbody");
    this.details = make("details", { class: "table" },
      make("summary", {}, "Last figures as a table"),
      make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title + ", as a table" },
        make("table", {}, make("thead", {}, this.headings()), this.body)));
    this.details.addEventListener("toggle", () => this.tabulate());
    const legend = make("ul", { class: "values" }, ...series.map((one, place) =>
      make("li", {}, this.swatch(one), one.label, this.values[place])));
    parent.append(make("div", { class: "chart" }, legend, this.picture, this.details));
    this.draw();
    new ResizeObserver(() => this.resize()).observe(this.picture);
    allCharts.push(this);
  }

  swatch(one) {
    const line = makeSvg("line", { x1: 0, y1: 4, x2: 20, y2: 4, "stroke-width": 2.5 });
    line.style.stroke = "var(--" + one.colour + ")";
    if (one.dash.length) setAttribute(line, "stroke-dasharray", one.dash.join(" "));
    return makeSvg("svg", { class: "swatch", viewBox: "0 0 20 8", "aria-hidden": "true" }, line);
  }

  headings() {
    const columns = this.series.map((one) => make("th", { class: "number", scope: "col" }, one.label));
    return make("tr", {}, make("th", { scope: "col" }, "Time"), ...columns);
  }

  draw() {
    if (this.plot) this.plot.destroy();
    const colour = (name) => () => this.colours[name];
    this.readColours();
    const axis = {
      stroke: colour("soft"),
      grid: { stroke: colour("line-grid"), width: 1 },
      ticks: { show: false },
      font: "12px system-ui, sans-serif",
    };
    this.plot = new uPlot({
      width: Math.max(120, this.picture.clientWidth),
      height: CHART_HEIGHT,
      legend: { show: false },
      padding: [8, 26, 0, 0],
      cursor: { y: false, drag: { setScale: false }, points: { size: 6 } },
      scales: { x: { time: true }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.12 : 1] } },
      axes: [
        { ...axis, space: 78, size: 28, gap: 6, values: (_, times) => times.map((at) => clockText(at)) },
        { ...axis, size: 62, values: (_, values) => values.map((value) => this.axisText(value)) },
      ],
      series: [{}, ...this.series.map((one) => ({
        label: one.label,
        stroke: colour(one.colour),
        width: 2,
        dash: one.dash,
        points: { show: false },
        spanGaps: false,
      }))],
      hooks: { setCursor: [() => this.say()] },
    }, this.data, this.picture);
  }

  readColours() {
    const style = getComputedStyle(this.picture);
    this.colours = {};
    for (const name of ["soft", "line-grid", "line-1", "line-2", "line-3", "line-bad"]) {
      // a canvas knows no light-dark(): the browser resolves it for a property that is a colour
      this.picture.style.color = "var(--" + name + ")";
      this.colours[name] = style.color;
    }
    this.picture.style.color = "";
  }

  resize() {
    const width = this.picture.clientWidth;
    if (width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: CHART_HEIGHT });
  }

  recolour() {
    this.readColours();
    this.plot.redraw(false);
  }

  /** `text`: makes figures of values in place of that of each series. */
  set(times, columns, text) {
    this.text = text || null;
    this.data = [times, ...columns];
    this.plot.setData(this.data);
    this.say();
    if (this.details.open) this.tabulate();
  }

  /** The figures under the cursor, or the last ones. */
  say() {
    const place = this.plot && this.plot.cursor.idx;
    const last = this.data[0].length - 1;
    const at = isNumber(place) && this.plot.cursor.left >= 0 ? place : last;
    const said = [];
    this.series.forEach((one, number) => {
      const value = this.data[number + 1][at];
      const newest = this.data[number + 1][last];
      setText(this.values[number], isNumber(value) ? (this.text || one.text)(value) : NO_FIGURE);
      setAttribute(this.values[number], "data-figure", this.name + "." + one.key);
      setAttribute(this.values[number], "data-value", isNumber(value) ? value : "none");
      said.push(one.label + " " + (isNumber(newest) ? one.text(newest) : "not known"));
    });
    setAttribute(this.picture, "aria-label", this.title + ": now " + said.join(", "));
  }

  tabulate() {
    if (!this.details.open) return;
    const last = this.data[0].length - 1;
    const rows = [];
    for (let place = last; place >= 0 && rows.length < TABLE_ROWS; place -= 1) {
      rows.push([clockText(this.data[0][place]), ...this.series.map((one, number) => {
        const value = this.data[number + 1][place];
        return isNumber(value) ? one.text(value) : NO_FIGURE;
      })]);
    }
    keyed(this.body, rows, (_, place) => place,
      (row) => make("tr", {}, ...row.map((_, number) => make("td", { class: number ? "number" : null }))),
      (node, row) => row.forEach((text, number) => setText(node.children[number], text)));
  }
}
