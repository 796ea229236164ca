// The demo mailbox around the pane: opens messages without reloading the page, and tells the pane who is in them,
// as any mail client's adapter would: {type: "item"} for the opened message, {type: "list"} for those in view.

const list = document.getElementById("list");
const pane = document.getElementById("pane");
const SETTLE = 250; // ms after the last scroll before the messages in view are named
let paneIsReady = false;
let opening = null;

window.addEventListener("message", (event) => {
  if (event.source !== pane.contentWindow || event.origin !== location.origin) return;
  if (event.data?.type === "mail") tellMail(event.data);
  if (event.data?.type === "whole") tellWhole(event.data);
  if (event.data?.type !== "ready") return;
  paneIsReady = true;
  tellItem();
  tellList();
});

list.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-key]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  open(link.href);
});
window.addEventListener("popstate", () => open(location.href));

let settling = 0;
list.addEventListener("scroll", () => {
  clearTimeout(settling);
  settling = setTimeout(tellList, SETTLE);
}, { passive: true });

dress(document);

/** Fetches the message's own page and takes its reading pane; the sidebar's frame stays as it is. */
async function open(address) {
  opening?.abort();
  const mine = opening = new AbortController();
  mark(address);
  try {
    const response = await fetch(address, { signal: mine.signal, credentials: "omit" });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = document.importNode(page.getElementById("reader"), true);
    document.getElementById("reader").replaceWith(fresh);
    document.title = page.title;
    dress(fresh);
    fresh.focus({ preventScroll: true });
    tellItem();
  } catch (error) {
    if (error.name !== "AbortError") location.assign(address);
  }
}

function mark(address) {
  for (const link of list.querySelectorAll("a[data-key]")) {
    if (link.href === new URL(address, location.href).href) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

function tellItem() {
  const { key, people, messageIds, replies, whole } = document.getElementById("reader").dataset;
  if (!paneIsReady || !key) return;
  tell({ type: "item", id: key, people: JSON.parse(people), messageIds: JSON.parse(messageIds), replies: JSON.parse(replies), isWhole: Boolean(whole) });
}

function tellList() {
  const frame = list.getBoundingClientRect();
  const inView = [...list.querySelectorAll("a[data-people]")].filter((link) => {
    const box = link.getBoundingClientRect();
    return box.bottom > frame.top && box.top < Math.min(frame.bottom, innerHeight);
  });
  const people = [...new Set(inView.flatMap((link) => JSON.parse(link.dataset.people)))];
  if (paneIsReady && people.length) tell({ type: "list", people });
}

/** The newest mail of one sender, as it is shown. */
async function tellMail({ id, address }) {
  const reader = document.getElementById("reader");
  const wanted = String(address).toLowerCase();
  const mail = [...reader.querySelectorAll("article[data-address]")].findLast((node) => node.dataset.address.toLowerCase() === wanted);
  if (!mail || reader.dataset.key !== id) return;
  const { sender } = mail.dataset;
  const frame = mail.querySelector("iframe.html");
  if (!frame) { tell({ type: "mail", id, address, sender, text: shownText(mail) }); return; }
  const response = await fetch(frame.src, { credentials: "omit" });
  if (response.ok) tell({ type: "mail", id, address, sender, html: await response.text() });
}

/** The newest mail of the conversation, byte for byte. */
async function tellWhole({ id }) {
  const { key, whole } = document.getElementById("reader").dataset;
  if (key !== id || !whole) return;
  const response = await fetch(whole, { credentials: "omit" });
  if (response.ok) tell({ type: "whole", id, mail: await response.blob() });
}

function shownText(mail) {
  return [...mail.querySelectorAll(".text > *")].map((block) =>
    block.matches("blockquote") ? block.textContent.replace(/^/gm, "> ") : block.textContent).join("\n");
}

function tell(message) {
  pane.contentWindow.postMessage(message, location.origin);
}

/** Times in the reader's own zone; frames as high as the message in them. */
function dress(root) {
  for (const time of root.querySelectorAll("time[data-format]")) {
    const style = time.dataset.format === "long" ? { dateStyle: "medium", timeStyle: "short" } : { day: "numeric", month: "short" };
    time.textContent = new Intl.DateTimeFormat(undefined, style).format(new Date(time.dateTime));
  }
  for (const frame of root.querySelectorAll("iframe.html")) {
    frame.addEventListener("load", () => {
      const height = frame.contentDocument?.documentElement.scrollHeight;
      if (height) frame.height = Math.min(height + 2, 4000);
    });
  }
}
