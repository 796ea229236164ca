// The people of the opened message: asks for all of them in one call, draws their cards, and starts edits and new records.

import { addressKey, guessCompany, guessName, readMailbox } from "./addresses.js";
import { call } from "./api.js";
import { personCard, skeleton } from "./cards.js";
import { announce, el } from "./dom.js";
import { clockTime, dateTime } from "./format.js";
import { createRecord, editField, editRecord } from "./records.js";
import { readSignature } from "./signature.js";

const MOST = 100; // the API's limit for one call
const PATIENCE = 150; // ms before the grey placeholder: a warm answer comes sooner

export function connectPeople({ actions, show, fail, drawn }) {
  let current = null;
  let running = null;
  let records = new Map();
  const cardActions = {
    ...actions,
    create: (object, mailbox) => createRecord(object, prefill(current, mailbox), { show, fail, back: () => load(current), saved: () => load(current, { refresh: true }) }),
    edit: (record, place) => editRecord(record, place, { fail, saved: () => again(current) }),
    editField: (record, field, place) => editField(record, field, place, { fail, saved: () => again(current) }),
  };

  /** As it is now, after something was written: for a second another process of the server may not know of that yet. */
  const again = (item) => load(item, { refresh: true, quietly: true });

  async function load(item, { refresh = false, quietly = false } = {}) {
    running?.abort();
    current = item;
    if (!item) { show(el("p", { class: "empty" }, "Open a message to see the people in it.")); return; }
    if (!item.people.length) { show(el("p", { class: "empty" }, "This message names nobody to look up.")); return; }
    const mine = running = new AbortController();
    const waiting = setTimeout(() => { if (!quietly) show(heading(), skeleton(item.people.length)); }, PATIENCE);
    try {
      const body = { addresses: item.people.slice(0, MOST), refresh };
      const answer = await call("POST", "sidebar/people/", { body, signal: mine.signal });
      if (running === mine) draw(item, answer);
    } catch (error) {
      if (running === mine) explain(error, item);
    } finally {
      clearTimeout(waiting);
    }
  }

  function explain(error, item) {
    show(heading(), el("p", { class: "empty" }, "These people could not be looked up."));
    fail(error, () => load(item));
  }

  function draw(item, answer) {
    const byAddress = new Map(item.people.map(readMailbox).map((box) => [addressKey(box.address), box]));
    const boxOf = (card) => byAddress.get(addressKey(card.address)) ?? { name: "", address: card.address };
    const firstKnown = Math.max(answer.people.findIndex((card) => card.records.length), 0);
    records = new Map(answer.people.flatMap((card) => card.records.map((record) => [record.id, record])));
    const restore = rememberPlace(item);
    const cards = answer.people.map((card, index) =>
      personCard(card, boxOf(card), cardActions, { open: index === firstKnown || answer.people.length <= 2 }));
    show(heading(answer.people, () => again(item)),
      cards.length ? el("ul", { class: "people" }, cards) : el("p", { class: "empty" }, "Only colleagues of yours are in this message."),
      leftOut(answer, item));
    restore();
    drawn();
    announce(summary(answer.people));
  }

  return {
    show: (item) => load(item),
    again,
    stop() {
      running?.abort();
      running = current = null;
    },
    prefetch: (list) => prefetch(list),
    /** What is shown of a person in the opened message; nothing for anybody else. */
    recordOf: (id) => records.get(id),
  };
}

let drawnItem = null;

/** Drawing the same message again keeps what was unfolded, and the focus where it was. */
function rememberPlace(item) {
  const same = drawnItem === item;
  drawnItem = item;
  if (!same) return () => {};
  const unfolded = new Map([...document.querySelectorAll(".person > details")].map((node) => [node.id, node.open]));
  const focused = document.activeElement?.getAttribute("aria-label");
  return () => {
    for (const [id, open] of unfolded) if (document.getElementById(id)) document.getElementById(id).open = open;
    if (focused) [...document.querySelectorAll("[aria-label]")].find((node) => node.ariaLabel === focused)?.focus();
  };
}

/** Warms the server's cache for the messages in view. A failure is nobody's concern: the click will ask again. */
function prefetch(list) {
  const addresses = [...new Set(list)].slice(0, MOST);
  if (addresses.length) call("POST", "sidebar/prefetch/", { body: { addresses } }).catch(() => {});
}

function heading(cards = [], refresh = null) {
  const oldest = cards.map((card) => card.as_of).sort()[0];
  const time = oldest && el("time", { datetime: oldest, title: dateTime(oldest) }, `as of ${clockTime(oldest)}`);
  const button = refresh && el("button", { class: "refresh", type: "button", aria: { label: "Ask Salesforce again" } });
  button?.addEventListener("click", () => { button.disabled = true; refresh(); });
  return el("div", { class: "view-head" }, el("h2", {}, "People in this message"), el("span", { class: "as-of" }, time, button));
}

function leftOut(answer, item) {
  const lines = [];
  const colleagues = answer.skipped.length;
  if (colleagues) lines.push(`${counted(colleagues, "colleague")} of your organization left out.`);
  if (answer.invalid.length) lines.push(`${counted(answer.invalid.length, "address")} could not be read.`);
  if (item.people.length > MOST) lines.push(`Only the first ${MOST} of ${item.people.length} people are looked up.`);
  return lines.length ? el("div", { class: "left-out" }, lines.map((line) => el("p", {}, line))) : null;
}

const counted = (count, word) => `${count} ${word}${count === 1 ? "" : word.endsWith("s") ? "es" : "s"}`;

function summary(cards) {
  const known = cards.filter((card) => card.records.length).length;
  return `${counted(cards.length, "card")}, ${known} in Salesforce`;
}

/** What the signature says goes before what the address suggests. */
async function prefill(item, mailbox) {
  const { first, last } = guessName(mailbox);
  const guessed = { FirstName: first, LastName: last, Company: guessCompany(mailbox.address) };
  return { ...guessed, ...await readSignature(item.id, mailbox.address), Email: mailbox.address };
}
