// The opened email in Salesforce: whether it is saved and why, saving it now, keeping its conversation private, saying who
// is meant. Keeps nothing of the email, and asks the mail client for all of it only when somebody wants it saved.

import { call, Problem, upload } from "./api.js";
import { announce, el, newId, replace } from "./dom.js";
import { wholeMail } from "./host.js";
import { orKept } from "./offline.js";

const OUTCOMES = {
  synced: ["Saved", "tag known"],
  parked: ["Waits for you", "tag warn"],
  unmatched: ["Not saved", "tag"],
  blocked: ["Not saved", "tag"],
  private: ["Private", "tag"],
  ignored: ["Not saved", "tag"],
  failed: ["Failed", "tag warn"],
};
const OBJECTS = { "02s": "EmailMessage", "00T": "Task" };
const PEOPLE = { "003": "Contact", "00Q": "Lead", "001": "Person Account" };
const LOOKS = 8; // while sync is at work on it
const EVERY = 1_500; // ms between them

export function connectEmail(place, { open, signedOut, connect, recordOf }) {
  const savedHere = new Map(); // what came of those that were saved from here: codes, ids and sentences
  let running = null;
  let state = null;

  /** Whoever comes next is another person. */
  function stop() {
    savedHere.clear();
    clear();
  }

  function clear() {
    running?.abort();
    running = state = null;
    place.hidden = true;
    replace(place);
  }

  function show(item) {
    clear();
    if (!item || !(item.mail || item.isWhole)) return;
    running = new AbortController();
    state = { item, key: crypto.randomUUID(), why: null, saved: savedHere.get(item.id) ?? null, failure: null, isBusy: false, isKept: false, looks: 0 };
    draw();
    if (item.mail) look(LOOKS);
  }

  function isAtWork(why) {
    return why?.standing === "waiting" || why?.standing === "running";
  }

  /** Asks what became of it, and again while that may change at any moment. */
  async function look(times) {
    const { signal } = running;
    const mine = state;
    const turn = ++mine.looks; // whatever an earlier one is told is older
    const { provider, messageId, threadId } = mine.item.mail;
    const query = new URLSearchParams({ provider, message_id: messageId, thread_id: threadId });
    let why;
    try {
      why = await call("GET", `sync/why/?${query}`, { signal });
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof Problem) return; // the people matter more: shown as if unknown
      if (error.name !== "AbortError") signedOut(error);
      return;
    }
    if (signal.aborted || turn !== mine.looks) return;
    const isNews = JSON.stringify(why) !== JSON.stringify(mine.why);
    mine.why = why;
    if (why.decision?.rule === "taken_back") mine.saved = null;
    if (isNews) draw(); // else whatever somebody has chosen stays chosen
    if (isAtWork(why) && times > 1) setTimeout(() => { if (!signal.aborted && turn === mine.looks) look(times - 1); }, EVERY);
  }

  /** One action at a time; what fails stays on the block until the next. */
  async function act(work, done) {
    const { signal } = running;
    const mine = state;
    Object.assign(mine, { isBusy: true, failure: null });
    draw();
    try {
      await work(signal);
      if (!signal.aborted) announce(done());
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof Problem)) { signedOut(error); return; }
      mine.failure = error;
      if (error.slug === "outcome-unknown") mine.key = crypto.randomUUID(); // the email itself is never saved twice
    }
    mine.isBusy = false;
    if (!signal.aborted) draw();
  }

  /** `chosen`: the ids of whoever is meant, where somebody was asked. Pressed twice it is saved once. */
  function save(chosen = []) {
    const mine = state;
    return act(async (signal) => {
      const found = await (mine.item.mail ? fetched(mine, chosen, signal) : handed(mine, chosen, signal));
      mine.key = crypto.randomUUID();
      mine.isKept = found.kept === true;
      if (mine.isKept) return;
      mine.saved = found;
      if (found.saved) savedHere.set(mine.item.id, found);
    }, () => (mine.isKept ? "Kept until the server can be reached" : mine.saved.saved ? "Saved in Salesforce" : "Not saved"));
  }

  /** Its mailbox has it, so that it can be asked for again once the server is back. */
  function fetched({ item, key }, chosen, signal) {
    const body = { provider: item.mail.provider, message_id: item.mail.messageId, record_ids: chosen };
    const send = () => call("POST", "sync/emails/", { body, key, signal });
    return orKept(send, key, { action: "log_email", ...body, label: "An email", fields: [] });
  }

  async function handed({ item, key }, chosen, signal) {
    const mail = await wholeMail(item.id);
    if (!mail) throw new Problem({ slug: "no-mail", detail: "Your mail client does not hand this email over just now. Please try again." });
    const query = chosen.length ? `?record_ids=${chosen.join(",")}` : "";
    return upload(`sync/emails/${query}`, mail, { key, signal });
  }

  function keepPrivate(wanted) {
    const { provider, threadId } = state.item.mail;
    return act(async (signal) => {
      const body = { provider, thread_id: threadId, is_private: wanted };
      await call("POST", "sync/conversations/private/", { body, signal });
      state.saved = null;
      await look(LOOKS);
    }, () => (wanted ? "This conversation is kept private" : "This conversation is saved again"));
  }

  /** In the whole conversation, for what comes as well. */
  function choose(decision, personId) {
    return act(async (signal) => {
      await call("POST", "sync/decisions/choose/", { body: { decision_id: decision.id, person_id: personId }, signal });
      await look(LOOKS);
    }, () => "Thank you. It is looked at again");
  }

  // --- Drawing ------------------------------------------------------------------------------------

  function draw() {
    const focused = place.contains(document.activeElement) ? document.activeElement.dataset.act : null;
    place.hidden = false;
    replace(place, block());
    if (focused) (place.querySelector(`[data-act="${focused}"]:not(:disabled)`) ?? place.querySelector("h2")).focus();
  }

  function block() {
    const title = newId("email");
    const found = state.saved ?? state.why?.decision;
    const staysOut = isKeptOut(found);
    const [words, look] = staysOut ? OUTCOMES.private : tag(found);
    return el("section", { class: "email", aria: { labelledby: title, busy: state.isBusy ? "true" : null } },
      el("div", { class: "signal" }, el("h2", { id: title, tabindex: "-1" }, "This email in Salesforce"), words && el("span", { class: look }, words)),
      el("p", { class: "small" }, sentence(found)),
      found?.notes?.length && !staysOut ? el("ul", { class: "quiet small" }, found.notes.map((note) => el("li", {}, note))) : null,
      question(found),
      failure(),
      el("div", { class: "row" }, buttons(found)));
  }

  /** Of a conversation that is kept private, and not saved before. */
  function isKeptOut(found) {
    return !state.saved && state.why?.is_private && found?.outcome !== "synced";
  }

  function tag(found) {
    if (found?.rule === "several_people") return ["Needs you", "tag warn"];
    if (found?.outcome === "unmatched" && state.why?.decision?.is_waiting) return ["Waits", "tag"];
    return OUTCOMES[found?.outcome] ?? ["", ""];
  }

  function sentence(found) {
    const { why, saved } = state;
    if (state.isKept) return "It is saved as soon as the server can be reached.";
    if (isKeptOut(found)) return "This conversation is kept private: nothing more of it is saved.";
    if (isAtWork(why) && !saved && found?.outcome !== "synced") return why.hindrance || "Its turn comes in a moment.";
    if (found && why?.is_private) return `${found.sentence} From now on its conversation is kept private.`;
    return found?.sentence ?? (why?.is_followed ? why.hindrance || "Nothing was decided about it yet." : "Not saved from here yet.");
  }

  /** Several people have the same address, the likeliest first, and why. Who they are stands on their cards below; others
   *  are named by what they are. */
  function question(found) {
    const ids = asked(found);
    if (!ids.length) return null;
    const name = newId("meant");
    const choice = (id) => el("label", { class: "choice" },
      el("input", { type: "radio", name, value: id, required: true, disabled: state.isBusy }), el("span", {}, ...person(id), reasons(found.asked_why?.[id])));
    const answer = (event) => {
      event.preventDefault();
      const id = new FormData(event.target).get(name);
      if (state.saved) save([id]); else choose(found, id);
    };
    return el("form", { onsubmit: answer },
      el("fieldset", {}, el("legend", {}, "Who is meant?"), ids.map(choice)),
      el("button", { type: "submit", disabled: state.isBusy, "data-act": "choose" }, "Save with this person"));
  }

  function asked(found) {
    if (!found) return [];
    if (found.asked_ids?.length) return found.asked_ids;
    return found.rule === "several_people" ? found.record_ids : [];
  }

  function person(id) {
    const record = recordOf(id);
    const kind = el("span", { class: "tag" }, PEOPLE[id.slice(0, 3)] ?? "Person");
    if (!record) return [`Record ${id}`, " ", kind];
    const facts = record.fields.filter(({ name }) => ["Title", "Company", "Department"].includes(name)).map(({ value }) => value).filter(Boolean);
    return [record.name, " ", kind, facts.length ? el("span", { class: "quiet" }, ` ${facts.join(", ")}`) : null];
  }

  function reasons(sentences) {
    return sentences?.length ? el("span", { class: "why quiet small" }, sentences.join(" ")) : null;
  }

  function failure() {
    const problem = state.failure;
    if (!problem) return null;
    return el("p", { class: "failure small", role: "alert" }, problem.message.replace(/ ?Open reconnect_url[^.]*\./, ""), " ",
      problem.needsConnection ? el("button", { type: "button", class: "link", onclick: () => connect(problem.reconnectUrl, () => show(state?.item)) }, "Connect") : null);
  }

  function buttons(found) {
    const { why, isBusy, item } = state;
    const isSaved = found?.outcome === "synced" && found.rule !== "saved_elsewhere"; // which may be deleted there
    const activity = isSaved && OBJECTS[found.activity_id.slice(0, 3)];
    const button = (act, label, onclick, look = null) => el("button", { type: "button", class: look, disabled: isBusy, onclick, "data-act": act }, label);
    return [
      !isSaved && !state.isKept && !asked(found).length && !why?.is_private && button("save", isBusy ? "Saving" : "Log this email now", () => save()),
      activity && button("open", "Open in Salesforce", () => open({ object: activity, id: found.activity_id, url: "" })),
      item.mail && why?.is_followed && (why.is_private
        ? button("private", "Save this conversation again", () => keepPrivate(false), "link")
        : button("private", "Keep this conversation private", () => keepPrivate(true), "link")),
    ];
  }

  /** Who is meant has a name once the cards are there. */
  function refresh() {
    if (state && asked(state.saved ?? state.why?.decision).length && !place.contains(document.activeElement)) draw();
  }

  return { show, stop, refresh };
}
