// What a person saved while the server was out of reach: kept in this page's memory alone, never on the device (C57), sent
// in its order once it can be reached, each change once for its key; and what became of it is told (C46).

import { call, Problem } from "./api.js";
import { announce, el, replace } from "./dom.js";
import { SignedOut } from "./oauth.js";

const MOST = 50; // the API's limit for one call
const AGAIN = 15_000; // ms
const HOPELESS = new Set([400, 413, 422]);

let queue = []; // {owner, label, fields, action}; fields: label by API name
let told = []; // the same with `result`: what did not come about
let owner = ""; // who is signed in; what somebody else has left here waits for him
let sending = false;
let most = MOST; // of the next call: fewer after one that was refused as a whole, for what a single change may be at fault for
let timer = 0;
let place = null;
let written = () => {};

const mine = () => queue.filter((each) => each.owner === owner);

/** Draws what waits in `where`; `saved()` after something was written. */
export function connectOffline(where, saved) {
  [place, written] = [where, saved];
  window.addEventListener("online", flush);
  return {
    start(id) { owner = id; draw(); flush(); },
    stop() { owner = ""; draw(); },
  };
}

/**
 * What `send()` answers; or {kept: true} where the server is out of reach, or earlier changes wait still. `action`: as
 * the API takes it, without its key; `fields`: those of the form.
 */
export async function orKept(send, key, { label, fields, ...action }) {
  if (!mine().length) {
    try {
      return await send();
    } catch (error) {
      if (!owner || !(error instanceof Problem) || error.status !== 0) throw error;
    }
  }
  if (mine().length >= MOST) throw new Problem({ slug: "offline" });
  const labels = Object.fromEntries(fields.map((field) => [field.name, field.label]));
  queue.push({ owner, label, fields: labels, action: { ...action, key, at: moment() } });
  draw();
  if (mine().length > 1) flush();
  else again();
  return { kept: true };
}

async function flush() {
  const batch = mine().slice(0, most);
  if (sending || !batch.length) return;
  sending = true;
  let wait = AGAIN;
  try {
    const body = { sent_at: moment(), actions: batch.map((each) => each.action) };
    const { results } = await call("POST", "sidebar/replay/", { body });
    settle(batch, results);
    most = Math.min(MOST, most * 2);
    if (results.some((each) => each.state !== "later")) wait = 0;
  } catch (error) {
    if (error instanceof Problem && HOPELESS.has(error.status)) {
      wait = 0;
      if (batch.length > 1) most = Math.ceil(batch.length / 2);
      else settle(batch, [{ state: "refused", conflicts: [], problem: { detail: error.message, errors: [] } }]);
    } else if (!(error instanceof Problem) && !(error instanceof SignedOut)) {
      throw error;
    } // still out of reach, or signed out: it stays
  } finally {
    sending = false;
    again(wait);
  }
}

function settle(batch, results) {
  const ended = batch.map((each, index) => ({ ...each, result: results[index] })).filter((each) => each.result.state !== "later");
  const keys = new Set(ended.map((each) => each.action.key));
  queue = queue.filter((each) => !keys.has(each.action.key));
  const failed = ended.filter(({ result }) => result.state !== "done" || result.email?.saved === false);
  told.push(...failed);
  draw();
  const count = ended.length - failed.length;
  if (count) announce(count === 1 ? "Your change is saved" : `${count} changes saved`);
  if (count || failed.some(({ result, action }) => result.state === "conflict" || action.action === "log_email")) written();
  if (failed.length) place.querySelector("[tabindex]")?.focus();
}

function again(wait = AGAIN) {
  clearTimeout(timer);
  if (mine().length) timer = setTimeout(flush, wait);
}

// --- What is seen of it ---------------------------------------------------------------------------

function draw() {
  const [waiting, ended] = [mine(), told.filter((each) => each.owner === owner)];
  place.hidden = !owner || !(waiting.length + ended.length);
  replace(place,
    waiting.length > 0 && el("p", { role: "status" }, waiting.length === 1
      ? "One change is kept here until the server can be reached. Leave this window open."
      : `${waiting.length} changes are kept here until the server can be reached. Leave this window open.`),
    ended.map((each) => el("div", { class: "failure", role: "group", tabindex: "-1", aria: { label: each.label } },
      el("p", {}, el("strong", {}, each.label), " ", wordsFor(each)),
      each.result.conflicts.map((conflict) => el("p", {},
        `${each.fields[conflict.field] ?? conflict.field}: you wrote “${shown(conflict.yours)}”, it now says “${shown(conflict.theirs)}”.`)),
      el("div", { class: "form-actions" },
        each.result.state === "conflict" && el("button", { type: "button", onclick: () => insist(each) }, "Save mine"),
        el("button", { type: "button", onclick: () => forget(each) }, each.result.state === "conflict" ? "Keep theirs" : "Understood")),
    )));
}

function wordsFor({ result }) {
  if (result.state === "done") return `was not saved. ${result.email.sentence}`;
  if (result.state === "conflict") return "was changed by somebody else meanwhile. Nothing of yours was saved.";
  if (result.state === "unknown") return "may be saved: Salesforce did not say. Look there before you do it again.";
  const words = (result.problem?.errors ?? []).map((each) => each.message);
  return `was not saved. ${(words.length ? words : [result.problem?.detail ?? ""]).join(" ")}`;
}

const shown = (value) => String(value ?? "");

function insist(ended) {
  const seen = Object.fromEntries(ended.result.conflicts.map((conflict) => [conflict.field, conflict.theirs]));
  const { action, label, fields } = ended;
  forget(ended);
  const was = { ...action.was, ...seen };
  queue.push({ owner, label, fields, action: { ...action, was, key: crypto.randomUUID(), at: moment() } });
  draw();
  flush();
}

function forget(ended) {
  told = told.filter((each) => each !== ended);
  draw();
}

/** This moment in the person's zone, as in RFC 3339. */
function moment() {
  const now = new Date();
  const ahead = -now.getTimezoneOffset();
  const local = new Date(now.getTime() + ahead * 60_000).toISOString().slice(0, 23);
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  return `${local}${ahead < 0 ? "-" : "+"}${two(Math.abs(ahead) / 60)}:${two(Math.abs(ahead) % 60)}`;
}
