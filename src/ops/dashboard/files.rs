//! The files that the page is put together from, in the order in which they are.

/// The document, with the places `<!--policy-->`, `<!--style-->`, `<!--state-->` and `<!--script-->`.
pub(super) const PAGE: &str = include_str!("index.html");

/// Styles: those of the charts first, so that ours come last.
pub(super) const STYLES: [&str; 2] = [
    include_str!("uplot/uPlot.min.css"),
    include_str!("style.css"),
];

/// Scripts: each uses only what is before it, but within functions.
pub(super) const SCRIPTS: [&str; 17] = [
    include_str!("uplot/uPlot.iife.min.js"),
    include_str!("format.js"),
    include_str!("dom.js"),
    include_str!("history.js"),
    include_str!("chart.js"),
    include_str!("histogram.js"),
    include_str!("headline.js"),
    include_str!("glance.js"),
    include_str!("model.js"),
    include_str!("accuracy.js"),
    include_str!("features.js"),
    include_str!("timeline.js"),
    include_str!("missing.js"),
    include_str!("recent.js"),
    include_str!("feed.js"),
    include_str!("theme.js"),
    include_str!("app.js"),
];
