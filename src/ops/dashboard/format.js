"use strict";

// Numbers and names as people read them.

const NO_FIGURE = "–";

// What turns the direction of a text, or is not seen, would let a name look like another.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const LONGEST_NAME = 160;
const LONGEST_IN_SENTENCE = 60;

/** A name of the wire, safe to be shown as text: cut where it is very long, and nothing in it unseen. */
function nameText(name, longest = LONGEST_NAME) {
  const text = String(name).replace(UNSEEN, "\ufffd");
  return text.length > longest ? text.slice(0, longest) + "…" : text;
}

/** The same within a sentence: a name that runs the other way must not turn the words beside it. */
function inlineName(name) {
  const text = nameText(name, LONGEST_IN_SENTENCE);
  return /^[\x20-\x7e]*$/.test(text) ? text : "\u2068" + text + "\u2069";
}

function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/** 1234567 as 1,234,567: an exact count. */
function countText(count) {
  return isNumber(count) ? Math.round(count).toLocaleString("en-US") : NO_FIGURE;
}

/** The same where there is little room: exact below ten millions, then 12.3 M. */
function shortCountText(count) {
  if (!isNumber(count) || count < 1e7) return countText(count);
  const [size, letter] = [[1e12, "T"], [1e9, "G"], [1e6, "M"]].find(([least]) => count >= least);
  return Number((count / size).toPrecision(3)) + " " + letter;
}

/** Three digits that say something: 0.00123, 1.23, 12.3, 123, 1,230. */
function numberText(value) {
  if (!isNumber(value)) return NO_FIGURE;
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e7 || size < 1e-4) return value.toExponential(1).replace("e+", "e");
  if (size >= 100) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

/** An edge in a sentence: four digits, and more where fewer would put it onto 0 or 1, the ends of every share. */
function boundText(value) {
  if (!isNumber(value) || Math.abs(value) >= 1e4 || Number.isInteger(value)) return numberText(value);
  let digits = 4;
  while (digits < 17 && Number.isInteger(Number(value.toPrecision(digits)))) digits += 1;
  return String(Number(value.toPrecision(digits)));
}

/** A share of 1 in per cent. What is not 0 is not shown as 0, what is not all not as 100. */
function shareText(share) {
  if (!isNumber(share)) return NO_FIGURE;
  const percent = share * 100;
  if (percent > 0 && percent < 0.1) return "< 0.1 %";
  if (percent < 100 && percent > 99.9) return "> 99.9 %";
  return (percent === 0 || percent === 100 ? percent : percent.toFixed(1)) + " %";
}

/** A time in seconds with the unit that suits it, as number and unit. */
function secondsParts(seconds) {
  if (!isNumber(seconds)) return [NO_FIGURE, ""];
  if (seconds === 0) return ["0", "s"];
  if (seconds < 0.001) return [numberText(seconds * 1e6), "µs"];
  if (seconds < 1) return [numberText(seconds * 1e3), "ms"];
  return [numberText(seconds), "s"];
}

function secondsText(seconds) {
  return secondsParts(seconds).join(" ").trim();
}

/** How long: 12 s, 5 min, 3 h, 2 d. */
function spanText(seconds) {
  if (!isNumber(seconds)) return NO_FIGURE;
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return whole + " s";
  if (whole < 7200) return Math.floor(whole / 60) + " min";
  if (whole < 172800) return Math.floor(whole / 3600) + " h";
  return Math.floor(whole / 86400) + " d";
}

function bytesText(bytes) {
  if (!isNumber(bytes)) return NO_FIGURE;
  if (bytes < 1024) return bytes + " B";
  if (bytes < 1048576) return numberText(bytes / 1024) + " KiB";
  return numberText(bytes / 1048576) + " MiB";
}

/** The time of day where the reader is; with the date where it is of another day. */
function clockText(unix, now) {
  if (!isNumber(unix)) return NO_FIGURE;
  const at = new Date(unix * 1000);
  const two = (part) => String(part).padStart(2, "0");
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
  const today = new Date((isNumber(now) ? now : unix) * 1000);
  return at.toDateString() === today.toDateString() ? time : day + " " + time;
}

function plural(count, one, many) {
  return countText(count) + " " + (count === 1 ? one : many || one + "s");
}

/** "a", "a and b", "a, b and 3 more". */
function listed(names, most) {
  const shown = names.slice(0, most);
  const more = names.length - shown.length;
  const parts = more > 0 ? [...shown, more + " more"] : shown;
  if (parts.length < 2) return parts.join("");
  return parts.slice(0, -1).join(", ") + " and " + parts[parts.length - 1];
}
