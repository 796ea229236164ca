// What the mail client tells the pane. One interface for every client: {onItem({id, people, messageIds, replies}), onList(people)}.
// `replies`: [{in_reply_to, sender}], two headers of each opened message that a person wrote in reply to another.
// And `mailFrom(itemId, address)`: the newest mail of that sender in the opened message, {text | html, sender}, or null.
// Here the host is a page that frames us; Office.js will be another module with the same shape.

const MAX_PEOPLE = 500;
const MAX_REPLIES = 10;
const MAX_BODY = 60_000; // characters; the API takes 256 KiB, and a signature stands near the end of what its author wrote
const PATIENCE = 1_500; // ms for a host that hands out no mail

/** Listens to the page of ours around us, and to nobody else. Returns false where there is none. */
export function connectHost({ onItem, onList }) {
  if (window.parent === window || !isOurs(window.parent)) return false;
  window.addEventListener("message", (event) => {
    if (event.source !== window.parent || event.origin !== location.origin) return;
    const people = strings(event.data?.people);
    if (event.data?.type === "item") onItem({ id: String(event.data.id ?? ""), people, messageIds: strings(event.data.messageIds), replies: pairs(event.data.replies) });
    if (event.data?.type === "list") onList(people);
  });
  window.parent.postMessage({ type: "ready" }, location.origin);
  return true;
}

/** Asked only when somebody is about to be created, and only where reading signatures is switched on. */
export function mailFrom(itemId, address) {
  if (window.parent === window || !isOurs(window.parent)) return Promise.resolve(null);
  return new Promise((resolve) => {
    const listen = (event) => {
      if (event.source !== window.parent || event.origin !== location.origin) return;
      if (event.data?.type === "mail" && event.data.id === itemId && event.data.address === address) done(asMail(event.data));
    };
    const done = (mail) => { clearTimeout(waiting); window.removeEventListener("message", listen); resolve(mail); };
    const waiting = setTimeout(done, PATIENCE, null);
    window.addEventListener("message", listen);
    window.parent.postMessage({ type: "mail", id: itemId, address }, location.origin);
  });
}

function asMail({ text, html, sender }) {
  const body = typeof text === "string" ? { text: text.slice(0, MAX_BODY) } : { html: String(html ?? "").slice(0, MAX_BODY) };
  return { ...body, sender: String(sender ?? "").slice(0, 1_000) };
}

function isOurs(other) {
  try {
    return other.location.origin === location.origin;
  } catch {
    return false; // another origin's location cannot be read
  }
}

function pairs(value) {
  const isPair = (entry) => typeof entry?.in_reply_to === "string" && typeof entry.sender === "string";
  return Array.isArray(value) ? value.filter(isPair).slice(-MAX_REPLIES).map(({ in_reply_to, sender }) => ({ in_reply_to, sender })) : [];
}

function strings(value) {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === "string").slice(0, MAX_PEOPLE) : [];
}
