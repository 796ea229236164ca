// Tells in one quiet line what somebody did with a message of one's own, lately. Asks once a minute, and only while the
// pane can be seen; what the server tells is only what a person did, likely, and nothing where one wants no news.

import { changed } from "./api.js";
import { announce, el, replace } from "./dom.js";
import { lately } from "./format.js";

const EVERY = 60_000; // ms: so no message is told of more often than that (several people are one line)
const MOST = 3; // lines that stay

export function connectNews(place, { isShowing }) {
  let asked = { path: "", etag: "" };
  let lines = [];
  let timer = 0;
  let dueAt = 0;
  let running = null;

  function start() {
    stop();
    running = new AbortController();
    asked = { path: "tracking/news/", etag: "" };
    ask();
  }

  function stop() {
    running?.abort();
    running = null;
    clearTimeout(timer);
    lines = [];
    draw();
  }

  async function ask() {
    const { signal } = running;
    dueAt = Date.now() + EVERY;
    timer = setTimeout(goOn, EVERY);
    try {
      const answer = await changed(asked.path, asked.etag, signal);
      if (answer && !signal.aborted) take(answer);
    } catch {
      // Nobody asked for news: what fails is asked again in a minute.
    }
  }

  function goOn() {
    clearTimeout(timer);
    if (running && !document.hidden) ask();
  }

  function take({ body, etag }) {
    asked = { path: `tracking/news/?after=${encodeURIComponent(body.until)}`, etag };
    const fresh = byMessage(body.items.filter(({ id }) => !isShowing(id))).map(line);
    if (!fresh.length) return;
    lines = [...fresh, ...lines].slice(0, MOST);
    draw();
    announce(fresh.map(({ text }) => text).join(". "));
  }

  function draw() {
    place.hidden = !lines.length;
    replace(place, lines.length ? el("ul", {}, lines.map(({ text, at }) =>
      el("li", {}, text, " ", el("time", { class: "quiet small", datetime: at }, lately(at))))) : null,
    lines.length ? el("button", { class: "quiet", type: "button", onclick: dismiss }, "Dismiss") : null);
  }

  function dismiss() {
    lines = [];
    draw();
    document.getElementById("main").focus();
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && Date.now() >= dueAt) goOn();
  });
  return { start, stop };
}

/** The items of each message, those with the newest first. */
function byMessage(items) {
  const found = new Map();
  for (const item of items) found.set(item.id, [...(found.get(item.id) ?? []), item]);
  return [...found.values()];
}

function line(items) {
  const clicked = items.filter(({ signal }) => signal === "clicked");
  const opened = items.filter(({ signal }) => signal !== "clicked");
  const text = [
    clicked.length && `${names(clicked)} followed a link of your message`,
    opened.length && `${names(opened)} likely opened ${clicked.length ? "it" : "your message"}`,
  ].filter(Boolean).join("; ");
  return { text, at: items[0].at };
}

function names([{ who }, ...others]) {
  return others.length ? `${who} and ${others.length} ${others.length === 1 ? "other" : "others"}` : who;
}
