"""A row of a dashboard as SVG: panels where they are on the grid, with what their queries were answered. No case."""

import math
import re
from xml.sax.saxutils import escape

WIDTH, UNIT, GAP = 1200, 50, 6
HIGH = 28
COLORS = ("#3b7a57", "#c9822b", "#3f78b5", "#b8433d", "#7b5ea7", "#2a8c8c", "#a8577e", "#7d7f2f", "#5c6b7a", "#d0a30b")
NAMED = {"green": "#3b8f4f", "red": "#c4382f", "orange": "#d9822b", "blue": "#3f78b5", "purple": "#7b5ea7"}
HEAT = ("#fdebd3", "#fbcf9b", "#f5a65b", "#e57a2c", "#c2520f", "#7f3006")
LEGENDS = 6


def number(value, unit, decimals=None):
    """As Grafana writes it, nearly."""
    if unit == "percentunit":
        return f"{value * 100:.3g}%" if decimals is None else f"{value * 100:.{min(decimals, 2)}f}%"
    if unit == "s":
        for factor, name in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
            if abs(value) * factor >= 1 or name == "µs":
                return "0 s" if value == 0 else f"{value * factor:.3g} {name}"
    if unit in ("bytes", "Bps"):
        power = min(int(math.log(abs(value), 1024)), 3) if abs(value) >= 1 else 0
        return f"{value / 1024 ** power:.3g} {('B', 'KiB', 'MiB', 'GiB')[power]}{'/s' if unit == 'Bps' else ''}"
    if decimals is not None:
        return f"{value:.{decimals}f}"
    text = f"{value / 1000:.3g}k" if abs(value) >= 10_000 else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return text + {"reqps": " req/s", "cps": "/s"}.get(unit, "")


def named(legend, labels):
    return re.sub(r"{{(\w+)}}", lambda match: labels.get(match.group(1), ""), legend)


def text(x, y, what, size=11, anchor="start", fill="#333", more=""):
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}" fill="{fill}"{more}>' \
           f"{escape(what)}</text>"


def cut(what, width, size=11):
    """As much of a text as has room."""
    most = int(width / (size * 0.58))
    return what if len(what) <= most else what[:max(1, most - 1)] + "…"


def stepped(thresholds, value):
    """The color of a value."""
    color = next(step["color"] for step in thresholds["steps"] if step["value"] is None)
    for step in thresholds["steps"]:
        if step["value"] is not None and value >= step["value"]:
            color = step["color"]
    return NAMED[color]


class Panel:
    """One panel and its answers; `span`: first and last second; `marks`: seconds and colors."""

    def __init__(self, panel, answers, span, marks):
        self.panel, self.answers, self.span, self.marks = panel, answers, span, marks
        at, self.defaults = panel["gridPos"], panel["fieldConfig"]["defaults"]
        self.unit, self.custom = self.defaults["unit"], self.defaults.get("custom", {})
        self.x, self.w = at["x"] * UNIT + GAP / 2, at["w"] * UNIT - GAP
        self.h = at["h"] * HIGH - GAP
        self.series = [
            (named(target["legendFormat"], labels), [(t, float(v)) for t, v in samples if v != "NaN"], labels)
            for target in panel["targets"] for labels, samples in answers[target["refId"]]]

    def draw(self, y):
        self.y = y + GAP / 2
        body = getattr(self, self.panel["type"])()
        return [f'<rect x="{self.x:.0f}" y="{self.y:.0f}" width="{self.w:.0f}" height="{self.h:.0f}" fill="#fff"/>',
                text(self.x + 8, self.y + 16, cut(self.panel["title"], self.w - 10, 12), 12, more=' font-weight="600"'),
                *body]

    # -- over time

    def frame(self, low, high, ticks, legend=0):
        """Where values go, with lines at `ticks` (values and what to call them)."""
        self.left, self.right = self.x + 62, self.x + self.w - 10
        self.top, self.bottom = self.y + 26, self.y + self.h - 20 - legend
        self.low, self.high = low, high
        found = []
        for value, what in ticks:
            y = self.at(value)
            found += [f'<path d="M{self.left:.0f} {y:.0f}H{self.right:.0f}" stroke="#e4e6e8"/>',
                      text(self.left - 5, y + 4, what, 10, "end", "#666")]
        first, last = self.span
        step = next(step for step in (60, 120, 180, 300, 600, 1200, 3600) if (last - first) / step <= self.w / 90)
        for second in range(0, int(last - first) + 1, step):
            found.append(text(self.when(first + second), self.bottom + 14, f"{second // 60} min", 10,
                              "middle" if second else "start", "#666"))
        return found

    def at(self, value):
        return self.bottom - (value - self.low) / (self.high - self.low) * (self.bottom - self.top)

    def when(self, second):
        first, last = self.span
        return self.left + (second - first) / (last - first) * (self.right - self.left)

    def scale(self, series):
        """Lowest and highest value to be drawn, whether logarithms are, and ticks."""
        is_log = self.custom["scaleDistribution"]["type"] == "log"
        values = [v for _, samples, _ in series for _, v in samples if v > 0 or not is_log] or [0, 1]
        if is_log:
            low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
            return low, max(high, low + 1), True, [(p, number(10.0 ** p, self.unit)) for p in range(low, high + 1)]
        high = self.defaults.get("max") or max(values) or 1
        whole = 1024 ** max(0, int(math.log(high, 1024))) if self.unit in ("bytes", "Bps") and high > 1 else 1
        unit = 10 ** math.floor(math.log10(high / whole)) * whole
        step = next(s * unit for s in (0.25, 0.5, 1, 2, 2.5) if high / (s * unit) <= 4.01)
        high = self.defaults.get("max") or math.ceil(high / step - 1e-9) * step
        low = min(0, math.floor(min(values) / step) * step)
        return low, high, False, [(i * step, number(i * step, self.unit))
                                  for i in range(round(low / step), round(high / step) + 1)]

    def timeseries(self):
        series = self.stacked() if self.custom["stacking"]["mode"] == "normal" else self.series
        low, high, is_log, ticks = self.scale(series)
        rows = math.ceil(min(len(series), LEGENDS + 1) / 2)
        found = self.frame(low, high, ticks, rows * 14 + 4)
        if self.custom["thresholdsStyle"]["mode"] != "off":
            found += [f'<path d="M{self.left:.0f} {self.at(step["value"]):.0f}H{self.right:.0f}" '
                      f'stroke="{NAMED[step["color"]]}" stroke-dasharray="7 5"/>'
                      for step in self.defaults["thresholds"]["steps"]
                      if step["value"] is not None and low <= step["value"] <= high]
        dashed = [one["matcher"]["options"].strip("/") for one in self.panel["fieldConfig"]["overrides"]]
        is_stacked = series is not self.series
        # the lowest last, so that each is seen
        for place, (name, samples, _) in reversed(list(enumerate(series))):
            color = COLORS[place % len(COLORS)]
            dash = ' stroke-dasharray="5 4"' if any(re.search(what, name) for what in dashed) else ""
            points = [(t, math.log10(v) if is_log else v) for t, v in samples if v > 0 or not is_log]
            if is_stacked and points:
                area = f"{self.line(points)}V{self.bottom:.0f}H{self.when(points[0][0]):.0f}z"
                found.append(f'<path d="{area}" fill="#fff"/><path d="{area}" fill="{color}" fill-opacity="0.3"/>')
            found.append(f'<path d="{self.line(points)}" fill="none" stroke="{color}" stroke-width="1.4"{dash}/>')
        for second, color in self.marks:
            found.append(f'<path d="M{self.when(second):.0f} {self.top:.0f}V{self.bottom:.0f}" stroke="{NAMED[color]}" '
                         'stroke-dasharray="2 3"/>')
        return found + self.legend(series)

    def stacked(self):
        """Each on top of those before it."""
        below, found = {}, []
        for name, samples, labels in self.series:
            below = {**below, **{t: below.get(t, 0) + v for t, v in samples}}
            found.append((name, [(t, below[t]) for t, _ in samples], labels))
        return found

    def line(self, points):
        """A path in whole steps that breaks off where there is nothing, without what lies on a level between others."""
        steps = sorted(b[0] - a[0] for a, b in zip(points, points[1:]))
        usual = steps[len(steps) // 2] if steps else 1
        places = [(t, round(self.when(t)), round(min(max(self.at(v), self.top), self.bottom))) for t, v in points]
        path, at = "", None
        for place, (t, x, y) in enumerate(places):
            before, after = (places[place - 1] if place else None), (places[place + 1:] or [None])[0]
            is_gap = before is None or t - before[0] >= 1.5 * usual
            if is_gap:
                path += f"M{x} {y}"
            elif after and before[2] == y == after[2] and after[0] - t < 1.5 * usual:
                continue
            else:
                path += f"l{x - at[0]} {y - at[1]}"
            at = x, y
        return path

    def legend(self, series):
        found, own = [], {name: samples for name, samples, _ in self.series}
        names = [name for name, *_ in series]
        shown = names if len(names) <= LEGENDS + 1 else names[:LEGENDS]
        for place, name in enumerate(shown):
            x = self.x + 12 + place % 2 * (self.w - 16) / 2
            y = self.bottom + 30 + place // 2 * 14
            last = f": {number(own[name][-1][1], self.unit)}" if own[name] else ""
            found += [f'<rect x="{x:.0f}" y="{y - 7:.0f}" width="9" height="3" fill="{COLORS[place % len(COLORS)]}"/>',
                      text(x + 13, y, cut(name, self.w / 2 - 34 - len(last) * 5.6, 10) + last, 10)]
        if len(shown) < len(names):
            x = self.x + 12 + LEGENDS % 2 * (self.w - 16) / 2
            found.append(text(x, self.bottom + 30 + LEGENDS // 2 * 14, f"and {len(names) - LEGENDS} more", 10))
        return found

    def heatmap(self):
        edges = sorted((float(labels["le"]), samples) for _, samples, labels in self.series)
        cells, before = {}, {}
        for row, (_, samples) in enumerate(edges):
            for t, v in samples:
                cells[t, row] = max(0.0, v - before.get(t, 0.0))
            before = dict(samples)
        rows = sorted({row for (_, row), v in cells.items() if v > 1e-6}) or [0]
        rows = list(range(max(0, rows[0] - 1), min(len(edges), rows[-1] + 2)))
        every = math.ceil(len(rows) / 9)
        ticks = [(row - rows[0] + 1, "+Inf" if math.isinf(edges[row][0]) else number(edges[row][0], self.unit))
                 for row in rows if (row - rows[0]) % every == 0]
        found = self.frame(0, len(rows), ticks)
        times = sorted({t for t, _ in cells})
        wide = (self.right - self.left) / max(1, len(times)) - 0.6
        high = (self.bottom - self.top) / len(rows) - 0.6
        most, paths = max(cells.values()), [""] * len(HEAT)
        for (t, row), v in cells.items():
            if v > 1e-6 and row in rows:
                level = min(int(math.sqrt(v / most) * len(HEAT)), len(HEAT) - 1)
                x, y = min(self.when(t), self.right - wide), self.at(row - rows[0] + 1)
                paths[level] += f"M{x:.1f} {y:.1f}h{wide:.1f}v{high:.1f}h-{wide:.1f}z"
        return found + [f'<path d="{path}" fill="{color}"/>' for path, color in zip(paths, HEAT) if path]

    # -- now

    def stat(self):
        found, each = [], self.h - 34
        each /= max(1, len(self.series))
        for place, (name, samples, _) in enumerate(self.series):
            value, y = samples[-1][1], self.y + 30 + place * each
            mapped = [one["options"].get(f"{value:g}") for one in self.defaults.get("mappings", ())]
            what = mapped[0]["text"] if mapped and mapped[0] else \
                number(value, self.unit, self.defaults.get("decimals"))
            size = min(26, each * 0.55, (self.w - 10) / len(what) / 0.66)
            found += [text(self.x + self.w / 2, y + size * 0.9, what, round(size), "middle",
                           stepped(self.defaults["thresholds"], value), ' font-weight="600"'),
                      text(self.x + self.w / 2, y + size * 0.9 + 13, cut(name, self.w - 8, 10), 10, "middle", "#666")]
        return found

    def bargauge(self):
        found, room = [], self.h - 34
        shown = self.series[:12]
        each = room / max(1, len(shown))
        high = self.defaults.get("max") or max((samples[-1][1] for _, samples, _ in self.series), default=1) or 1
        wide = (self.w - 16) * 0.42
        for place, (name, samples, _) in enumerate(shown):
            y, value = self.y + 28 + place * each, samples[-1][1]
            x = self.x + self.w - 62 - wide
            found += [text(x - 6, y + each / 2 + 4, cut(name, x - self.x - 12, 10), 10, "end"),
                      f'<rect x="{x:.0f}" y="{y + 2:.0f}" width="{wide:.0f}" height="{each - 4:.1f}" fill="#eceef0"/>',
                      f'<rect x="{x:.0f}" y="{y + 2:.0f}" width="{wide * min(1, value / high):.1f}" '
                      f'height="{each - 4:.1f}" fill="{COLORS[place % len(COLORS)]}"/>',
                      text(self.x + self.w - 8, y + each / 2 + 4, number(value, self.unit), 10, "end")]
        return found

    def table(self):
        columns = [target["legendFormat"] for target in self.panel["targets"]]
        rows = {}
        for target in self.panel["targets"]:
            for labels, samples in self.answers[target["refId"]]:
                key = tuple(sorted((k, v) for k, v in labels.items() if k != "__name__"))
                rows.setdefault(key, {})[target["legendFormat"]] = float(samples[-1][1])
        rows = joined(rows)
        heads = sorted({name for key in rows for name, _ in key}, key=lambda name: ("job", "instance").count(name) * -1)
        most = int((self.h - 46) / 15)
        lines = [[*heads, *columns]]
        # as the panel sorts them, then by their labels
        by = [one["displayName"] for one in self.panel["options"]["sortBy"]]
        rows = sorted(rows.items(), key=lambda row: (*(-row[1].get(name, -1) for name in by), row[0]))
        for key, values in rows[:most]:
            lines.append([dict(key).get(head, "") for head in heads] + [self.cell(name, values.get(name))
                                                                        for name in columns])
        wide = [max(len(cells[0]) * 1.15, *map(len, cells)) + 2 for cells in zip(*lines)]
        each, found = (self.w - 16) / sum(wide), []
        for line, cells in enumerate(lines):
            x, more = self.x + 8, ' font-weight="600"' if line == 0 else ""
            for what, letters in zip(cells, wide):
                if what:
                    found.append(text(x, self.y + 34 + line * 15, cut(what, letters * each, 10), 10, more=more))
                x += letters * each
        if len(rows) > most:
            found.append(text(self.x + self.w - 8, self.y + 16, f"{most} of {len(rows)} rows", 10, "end", "#666"))
        return found

    def cell(self, column, value):
        """A value as the overrides of its column have it."""
        if value is None:
            return ""
        own = {"unit": self.unit, "decimals": self.defaults.get("decimals")}
        for one in self.panel["fieldConfig"]["overrides"]:
            is_regex = one["matcher"]["id"] == "byRegexp"
            wanted = one["matcher"]["options"]
            if re.search(wanted.strip("/"), column) if is_regex else wanted == column:
                own.update((change["id"], change["value"]) for change in one["properties"])
        for mapping in own.get("mappings", ()):
            if f"{value:g}" in mapping["options"]:
                return mapping["options"][f"{value:g}"]["text"]
        if own["unit"] == "dateTimeFromNow":
            return f"{(self.span[1] - value / 1000) / 60:.0f} min ago"
        return number(value, own["unit"], own["decimals"])


def joined(rows):
    """Rows of fewer labels are put into the one row that has these and more, as a merge does."""
    found = {}
    for key, values in sorted(rows.items(), key=lambda row: -len(row[0])):
        whole = [other for other in found if set(key) < set(other)]
        for other in whole or [key]:
            found.setdefault(other, {}).update(values)
    return found


def row(title, panels, answers, span, marks):
    """The picture of one row of a dashboard."""
    first = min(panel["gridPos"]["y"] for panel in panels)
    last = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    high = (last - first) * HIGH + 34
    parts = [part for panel in panels for part in Panel(panel, answers[str(panel["id"])], span, marks).draw(
        (panel["gridPos"]["y"] - first) * HIGH + 30)]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {high}" font-family="Arial,sans-serif">',
        f'<rect width="{WIDTH}" height="{high}" fill="#eef0f2"/>',
        text(10, 20, title, 14, more=' font-weight="600"'), *parts, "</svg>"]) + "\n"
