// The task pane: who is signed in, which message is open, what is drawn. Ties the other modules together.

import { initials } from "./addresses.js";
import { call, Problem } from "./api.js";
import { announce, byId, el, replace } from "./dom.js";
import { connectEmail } from "./email.js";
import { useLocale } from "./format.js";
import { connectHost } from "./host.js";
import { connectNews } from "./news.js";
import { connectOffline } from "./offline.js";
import { isSignedIn, SignedOut, SignInFailed, signIn, signOut } from "./oauth.js";
import { connectPeople } from "./people.js";
import { openRecord } from "./records.js";
import { connectSearch } from "./search.js";
import { connectTracking } from "./tracking.js";

const ROLES = { primary_admin: "Primary admin", admin: "Admin", manager: "Manager", user: "User" };
const view = byId("view");
const state = { item: null, list: [], leaving: false };

const show = (...nodes) => replace(view, ...nodes);
const actions = { open: (record) => openRecord(record, fail), show, fail };
const people = connectPeople({ actions, show, fail, drawn: () => email.refresh() });
const email = connectEmail(byId("email"), { open: actions.open, signedOut: fail, connect: reconnect, recordOf: people.recordOf });
const tracking = connectTracking(byId("tracking"));
const news = connectNews(byId("news"), tracking);
const offline = connectOffline(byId("offline"), () => { people.again(state.item); email.show(state.item); });
const search = connectSearch({ actions, show, back: () => people.show(state.item), fail });

connectHost({
  onItem(item) {
    state.item = item;
    if (!isSignedIn()) return;
    if (search.active) search.clear();
    else people.show(item);
    tracking.show(item);
    email.show(item);
  },
  onList(list) {
    state.list = list;
    if (isSignedIn()) people.prefetch(list);
  },
});

start();

async function start() {
  if (!isSignedIn()) { showSignIn(); return; }
  try {
    showMe(await call("GET", "me/"));
  } catch (error) {
    fail(error, start);
    return;
  }
  people.show(state.item);
  tracking.show(state.item);
  email.show(state.item);
  news.start();
  people.prefetch(state.list);
}

function showMe(me) {
  useLocale(me);
  byId("me-name").textContent = me.name;
  byId("me-role").textContent = ROLES[me.role] ?? me.role;
  byId("me-organization").textContent = me.organization.name;
  byId("me-sandbox").hidden = !me.organization.is_sandbox;
  byId("me-disc").textContent = initials(me.name || "?");
  byId("bar").hidden = false;
  clearBanner();
  offline.start(me.id);
}

// --- Signing in and out ---------------------------------------------------------------------------

function showSignIn(message = "") {
  people.stop();
  tracking.stop();
  offline.stop();
  email.stop();
  news.stop();
  search.reset();
  byId("bar").hidden = true;
  byId("menu").open = false;
  clearBanner();
  const failure = el("p", { class: "failure", role: "alert", hidden: !message }, message);
  const button = el("button", { class: "primary", type: "button" }, "Sign in with Salesforce");
  button.addEventListener("click", () => enter(button, failure));
  show(el("div", { class: "welcome" },
    el("h2", {}, "See who is writing to you"),
    el("p", {}, "The people of each message with their accounts, opportunities, cases and activities, straight from Salesforce, and only what you may see there."),
    failure,
    button,
    el("p", { class: "quiet small" }, "You sign in at Salesforce. Your password never reaches us, and nothing of your mail is stored."),
  ));
}

async function enter(button, failure) {
  button.disabled = true;
  failure.hidden = true;
  try {
    await signIn({ another: state.leaving });
    state.leaving = false;
    announce("Signed in");
    await start();
    byId("main").focus();
  } catch (error) {
    failure.textContent = error instanceof SignInFailed ? error.message : "The sidebar cannot reach its server. Please try again.";
    failure.hidden = false;
  } finally {
    button.disabled = false;
  }
}

byId("sign-out").addEventListener("click", async () => {
  state.leaving = true; // the next sign-in asks who it is, so that somebody else can come
  showSignIn();
  await signOut();
  announce("Signed out");
  view.querySelector("button")?.focus();
});

document.addEventListener("click", (event) => {
  if (!byId("menu").contains(event.target)) byId("menu").open = false;
});
byId("menu").addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  byId("menu").open = false;
  byId("menu").querySelector("summary").focus();
});

// --- When something fails -------------------------------------------------------------------------

/** Every failure ends here: signed out, connection lost, refused, or worth another try. */
function fail(error, retry) {
  if (error.name === "AbortError") return;
  if (error instanceof SignedOut) { showSignIn("You have been signed out. Sign in again to go on."); return; }
  if (!(error instanceof Problem)) throw error;
  if (error.needsConnection) { showReconnect(error, retry); return; }
  banner(error.message, retry && error.passing ? { label: "Try again", act: retry } : null);
}

function showReconnect(problem, retry) {
  show(el("p", { class: "empty" }, "What Salesforce knows about these people appears here once you are connected."));
  banner(problem.message.replace(/ ?Open reconnect_url[^.]*\./, ""), {
    label: "Reconnect to Salesforce",
    act: () => reconnect(problem.reconnectUrl, retry ?? start),
  });
}

/** Connecting ends on the callback page, which closes its window; a person who closes it earlier gets the banner again. */
function reconnect(address, retry) {
  const url = new URL(address);
  url.searchParams.set("next", document.body.dataset.callback);
  const popup = window.open(url, "sidebar-connect", "popup,width=520,height=720");
  if (!popup) { banner("Your browser blocked the window. Allow pop-ups for this page, then try again."); return; }
  const watch = setInterval(() => {
    if (!popup.closed) return;
    clearInterval(watch);
    retry();
  }, 400);
}

function banner(text, action = null) {
  byId("banner").classList.add("full");
  replace(byId("banner"), el("p", {}, text),
    action && el("button", { type: "button", onclick: () => { clearBanner(); action.act(); } }, action.label));
}

function clearBanner() {
  byId("banner").classList.remove("full");
  replace(byId("banner"));
}

window.addEventListener("online", () => { if (isSignedIn() && byId("banner").childElementCount) start(); });
