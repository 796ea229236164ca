// What came of one's own messages in the opened conversation: who opened or clicked, when, where, and how sure that is.
// Says to the server that the sender is looking, so that this counts for nothing. Quiet where nothing is tracked.

import { call, changed } from "./api.js";
import { announce, el, newId, replace } from "./dom.js";
import { dateTime } from "./format.js";

const EVERY = 5_000; // ms between looks; an answer that is the same as before costs the server next to nothing
const LOOK = 45_000; // ms after which "I am looking" is said again
const SIGNALS = {
  clicked: "Clicked",
  opened: "Opened, likely",
  maybe_opened: "Perhaps opened",
  no_signal: "No signal",
};
const VERDICTS = {
  human_likely: "",
  proxy_prefetch: "loaded ahead",
  scanner: "a filter",
  self: "your own",
  unknown: "unclear",
};

export function connectTracking(place) {
  let mine = null;
  let timer = 0;

  function stop() {
    mine?.abort();
    clearTimeout(timer);
    mine = null;
    place.hidden = true;
    replace(place);
  }

  async function show(item) {
    stop();
    if (!item?.messageIds?.length) return;
    const run = mine = new AbortController();
    try {
      const { ids } = await call("POST", "tracking/messages/find/", { body: { message_ids: item.messageIds.slice(0, 100) }, signal: run.signal });
      if (ids.length) await follow(ids[0], run);
    } catch {
      // Who is in the mail matters more: a failure here is shown nowhere, and the next message asks again.
    }
  }

  /** Looks again and again at the newest of them, as long as it is open and anybody may see it. */
  async function follow(id, run, said = 0, etag = "") {
    if (!document.hidden && Date.now() - said > LOOK) {
      said = Date.now();
      await call("POST", `tracking/messages/${id}/viewing/`, { signal: run.signal });
    }
    const answer = document.hidden ? null : await changed(`tracking/messages/${id}/`, etag, run.signal);
    if (answer) draw(answer.body, etag !== "");
    timer = setTimeout(() => follow(id, run, said, answer?.etag ?? etag).catch(() => {}), EVERY);
  }

  function draw(message, isNews) {
    const title = newId("tracking");
    const open = place.querySelector("details")?.open ?? false;
    place.hidden = false;
    replace(place, el("section", { class: "tracked", aria: { labelledby: title } },
      el("h2", { id: title }, "What came of your message"),
      el("ul", { class: "signals" }, message.recipients.map(recipient)),
      message.events.length ? el("details", { open }, el("summary", {}, "Each time"), el("ul", {}, message.events.map(event))) : null,
      el("p", { class: "quiet small" }, "No signal does not mean unread: recipients may block images.")));
    if (isNews) announce("New about your message");
  }

  return { show, stop };
}

function recipient({ who, signal, last_at: lastAt, clicks, opens }) {
  const times = clicks ? `${clicks} ${clicks === 1 ? "click" : "clicks"}` : opens > 1 ? `${opens} times` : "";
  return el("li", {},
    el("span", { class: "who" }, who),
    el("span", { class: signal === "no_signal" ? "tag" : "tag known" }, SIGNALS[signal] ?? signal),
    el("span", { class: "quiet small" }, [times, lastAt ? dateTime(lastAt) : ""].filter(Boolean).join(", ")));
}

function event({ at, what, who, link, verdict, reason, device, place }) {
  const label = VERDICTS[verdict] ?? verdict;
  return el("li", { title: reason },
    el("strong", {}, what === "click" ? "Click" : "Open"), " ", dateTime(at), " ",
    label ? el("span", { class: "tag" }, label) : null,
    el("p", { class: "quiet small" }, [who, link, device, place, reason].filter(Boolean).join(" \u00b7 ")));
}
