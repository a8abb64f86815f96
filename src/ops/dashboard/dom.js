// Elements are made once and changed in place: a page that is open for days must not grow, a reader's
// selection and focus must stay. Nothing here parses markup: text of the wire only ever becomes text.

const SVG = "http://www.w3.org/2000/svg";

function byId(id) {
  return document.getElementById(id);
}

/** `make("td", {class: "number"}, "text", child)`. */
function make(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function makeSvg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) setAttribute(node, name, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** `null` takes it away. Unchanged ones are left alone: each change wakes up screen readers. */
function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else {
    const text = value === true ? "" : String(value);
    if (node.getAttribute(name) !== text) node.setAttribute(name, text);
  }
}

function setText(node, text) {
  const wanted = String(text);
  if (node.textContent !== wanted) node.textContent = wanted;
}

function setHidden(node, isHidden) {
  if (node.hidden !== isHidden) node.hidden = isHidden;
}

/** A name of the wire, kept apart from what is beside it; whole in the title where it was cut. */
function setName(node, name) {
  setText(node, nameText(name));
  setAttribute(node, "title", String(name).length > 40 ? nameText(name) : null);
}

function makeName(name) {
  const node = make("bdi", { class: "name" });
  setName(node, name);
  return node;
}

/** A figure that a test can compare: the text for people, the number as it is beside it. */
function setFigure(node, name, value, text) {
  setAttribute(node, "data-figure", name);
  setAttribute(node, "data-value", value === null || value === undefined ? "none" : value);
  setText(node, text);
}

/** A mark in the shape and colour of a level: ok, warn, bad or none. */
function makeMark(level) {
  const use = makeSvg("use", { href: "#mark-" + level });
  return makeSvg("svg", { class: "mark", "aria-hidden": "true" }, use);
}

function setLevel(node, level) {
  setAttribute(node, "data-level", level);
  const use = node.querySelector(":scope > .mark > use");
  if (use) setAttribute(use, "href", "#mark-" + level);
}

/** One child of `parent` for each item, in their order: made when its key is new, gone with it. */
function keyed(parent, items, keyOf, create, update) {
  const known = parent.known || (parent.known = new Map());
  const seen = new Set();
  let place = parent.firstElementChild;
  items.forEach((item, index) => {
    const key = String(keyOf(item, index));
    if (seen.has(key)) return;
    seen.add(key);
    let node = known.get(key);
    if (!node) {
      node = create(item);
      known.set(key, node);
    }
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
    update(node, item, index);
  });
  for (const [key, node] of known) {
    if (!seen.has(key)) {
      node.remove();
      known.delete(key);
    }
  }
}

/** Parts of a node by their `data-part`, looked up once. */
function partsOf(node) {
  if (!node.parts) {
    node.parts = {};
    for (const part of node.querySelectorAll("[data-part]")) node.parts[part.getAttribute("data-part")] = part;
  }
  return node.parts;
}
