"use strict";
// shows the state as it is
const shown = document.createElement("pre");
document.getElementById("page").append(shown);
const show = (text) => { shown.textContent = JSON.stringify(JSON.parse(text), null, 1); };
const inside = document.getElementById("state");
if (inside) {
  show(inside.textContent);
} else {
  new EventSource("events").addEventListener("state", (event) => show(event.data));
}
