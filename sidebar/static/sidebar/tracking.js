// What came of one's own messages in the opened conversation: who opened or clicked, when, where, and how sure that is.
// Says to the server that its sender was just shown it, so that this counts for nothing. Quiet where nothing is tracked.

import { call, changed } from "./api.js";
import { announce, el, newId, replace } from "./dom.js";
import { moment } from "./format.js";
import { SignedOut } from "./oauth.js";

const EVERY = 5_000; // ms between looks; an answer that is the same as before costs the server next to nothing
const AFTER_FAILURE = 30_000;
const SIGNALS = {
  clicked: ["Clicked", "tag known"],
  replied: ["Replied", "tag known"],
  opened: ["Likely opened", "tag known"],
  maybe_opened: ["Perhaps opened", "tag warn"],
  no_signal: ["No signal", "tag"],
};
const VERDICTS = {
  human_likely: ["likely a person", "tag known"],
  proxy_prefetch: ["loaded ahead", "tag"],
  scanner: ["automatic", "tag"],
  self: ["your side", "tag"],
  unknown: ["unclear", "tag warn"],
};

export function connectTracking(place) {
  let mine = null;
  let shown = "";

  function stop() {
    mine?.abort();
    mine = null;
    shown = "";
    place.hidden = true;
    replace(place);
  }

  async function show(item) {
    stop();
    if (!item?.messageIds?.length) return;
    const run = mine = new AbortController();
    try {
      const { ids } = await call("POST", "tracking/messages/find/", { body: { message_ids: item.messageIds.slice(0, 100) }, signal: run.signal });
      if (!ids.length) return;
      await tell(item.replies, run.signal);
      await follow(ids[0], run.signal);
    } catch {
      // Who is in the mail matters more: a failure here is shown nowhere, and the next message asks again.
    }
  }

  /** What they reply to was read. What cannot be said now is said when the message is opened again. */
  async function tell(replies, signal) {
    for (const body of replies) await call("POST", "tracking/replies/", { body, signal }).catch(() => {});
  }

  /** Looks again and again at the newest of them, as long as it is open; only while anybody may see it. */
  async function follow(id, signal) {
    const look = { id, signal, said: false, etag: "" };
    while (!signal.aborted) {
      if (document.hidden) look.said = false; // whoever comes back is shown it anew
      await pause(document.hidden ? EVERY : await again(look), signal);
    }
  }

  /** Returns how long to wait then. What passes must not end it: the message may stay open for hours. */
  async function again(look) {
    try {
      if (!look.said) {
        await call("POST", `tracking/messages/${look.id}/viewing/`, { signal: look.signal });
        look.said = true; // once: said again and again it would hide every reader from a sender who watches
      }
      const answer = await changed(`tracking/messages/${look.id}/`, look.etag, look.signal);
      if (answer) draw(answer.body, look.etag !== "");
      look.etag = answer?.etag ?? look.etag;
      return EVERY;
    } catch (error) {
      if (error instanceof SignedOut || error.name === "AbortError" || error.status === 404) throw error;
      return AFTER_FAILURE;
    }
  }

  function draw(message, isNews) {
    const before = place.querySelector("details");
    const focused = before?.contains(document.activeElement);
    shown = message.id;
    place.hidden = false;
    replace(place, block(message, before?.open ?? false));
    if (focused) place.querySelector("summary")?.focus();
    if (isNews) announce("New about your message");
  }

  return { show, stop, isShowing: (id) => shown === id };
}

function pause(ms, signal) {
  return new Promise((go) => {
    const timer = setTimeout(go, ms);
    signal.addEventListener("abort", () => { clearTimeout(timer); go(); }, { once: true });
  });
}

function block({ sent_at: sentAt, recipients, events }, open) {
  const title = newId("tracking");
  const several = recipients.length > 1;
  return el("section", { class: "tracked", aria: { labelledby: title } },
    el("h2", { id: title }, "What came of your message"),
    el("p", { class: "quiet small" }, sentAt ? ["Sent ", when(sentAt)] : "Not sent yet, as far as we know: until then nothing counts."),
    el("ul", { class: "signals" }, recipients.map(recipient)),
    recipients.map(({ signal }) => signal).includes("no_signal")
      ? el("p", { class: "quiet small" }, "No signal does not mean unread: many mail programs block images.") : null,
    events.length ? el("details", { open }, el("summary", {}, `Every open and click (${events.length})`),
      el("ul", {}, events.map((each) => event(each, several)))) : null);
}

function recipient({ who, of_all: ofAll, signal, last_at: lastAt, replied_at: repliedAt, clicks, opens }) {
  const [words, look] = SIGNALS[signal] ?? [signal, "tag"];
  const facts = [clicks && counted(clicks, "click"), opens && counted(opens, "open")].filter(Boolean).join(", ");
  return el("li", {},
    el("div", { class: "signal" }, el("span", { class: "who" }, who), el("span", { class: look }, words)),
    facts || lastAt ? el("p", { class: "quiet small" }, facts, facts && lastAt ? ", last " : "", lastAt ? when(lastAt) : "") : null,
    repliedAt ? el("p", { class: "quiet small" }, "Reply seen ", when(repliedAt)) : null,
    ofAll ? el("p", { class: "quiet small" }, "All of them got the same copy: nobody can tell who it was.") : null);
}

function event({ at, what, who, link, verdict, reason, device, place }, several) {
  const [words, look] = VERDICTS[verdict] ?? [verdict, "tag"];
  const facts = [several ? who : "", link, device, place].filter(Boolean);
  return el("li", {},
    el("div", { class: "signal" },
      el("span", { class: "who" }, el("strong", {}, what === "click" ? "Click" : "Open"), " ", when(at)),
      el("span", { class: look }, words)),
    el("p", { class: "small" }, reason),
    facts.length ? el("p", { class: "quiet small facts" }, facts.map((fact) => el("span", { class: "fact" }, fact))) : null);
}

const when = (value) => el("time", { datetime: value }, moment(value));
const counted = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
