// Search over everything the person may see in Salesforce: waits for a pause in typing, drops answers that come late.

import { call } from "./api.js";
import { relatedLine } from "./cards.js";
import { announce, byId, el } from "./dom.js";

const PAUSE = 350;
const SHORTEST = 2;

/** Wires the search box. `show(node)` draws results, `back()` returns to the message, `fail(error, retry)` explains. */
export function connectSearch({ actions, show, back, fail }) {
  const box = byId("search-box");
  let timer = 0;
  let running = null;

  const stop = () => { clearTimeout(timer); running?.abort(); };
  const reset = () => { stop(); box.value = ""; };
  const clear = () => { reset(); back(); };
  const run = async () => {
    stop();
    const text = box.value.trim();
    if (text.length < SHORTEST) { if (!text) back(); return; }
    const mine = running = new AbortController();
    try {
      const answer = await call("GET", `sidebar/search/?${new URLSearchParams({ q: text })}`, { signal: mine.signal });
      if (running === mine) show(results(text, answer.records, actions, clear));
    } catch (error) {
      if (error.name !== "AbortError") fail(error, run);
    }
  };

  box.addEventListener("input", () => { stop(); timer = setTimeout(run, PAUSE); });
  box.addEventListener("keydown", (event) => { if (event.key === "Escape" && box.value) { event.preventDefault(); clear(); } });
  byId("search-form").addEventListener("submit", (event) => { event.preventDefault(); run(); });
  return { clear, reset, get active() { return box.value.trim().length >= SHORTEST; } };
}

function results(text, records, actions, clear) {
  announce(records.length ? `${records.length} results` : "Nothing found");
  return [
    el("div", { class: "view-head" },
      el("h2", {}, records.length ? `Results for “${text}”` : "Nothing found"),
      el("button", { class: "link", type: "button", onclick: clear }, "Back to message")),
    records.length
      ? el("ul", { class: "results" }, records.map((record) => el("li", {}, relatedLine(record, actions, record.label))))
      : el("p", { class: "empty" }, `Nothing in Salesforce that you may see matches “${text}”.`),
  ];
}
