// What the mail client tells the pane. One interface for every client: {onItem({id, people, messageIds, replies, mail, isWhole}), onList(people)}.
// `replies`: [{in_reply_to, sender}], two headers of each opened message that a person wrote in reply to another.
// `mail`: the newest message as its provider names it, {provider, messageId, threadId}, or null where the client does not know.
// `isWhole`: the client can hand that message over, byte for byte: `wholeMail(itemId)` gives a Blob, or null.
// And `mailFrom(itemId, address)`: the newest mail of that sender in the opened message, {text | html, sender}, or null.
// Here the host is a page that frames us; Office.js will be another module with the same shape.

const MAX_PEOPLE = 500;
const MAX_REPLIES = 10;
const MAX_BODY = 60_000; // characters; the API takes 256 KiB, and a signature stands near the end of what its author wrote
const PATIENCE = 1_500; // ms for a host that hands out no mail
const WHOLE_PATIENCE = 30_000; // ms: it may have to fetch an attachment or two
const PROVIDERS = ["google", "microsoft"];
const PROVIDERS_ID = /^[!-~]{1,512}$/;

/** Listens to the page of ours around us, and to nobody else. Returns false where there is none. */
export function connectHost({ onItem, onList }) {
  if (window.parent === window || !isOurs(window.parent)) return false;
  window.addEventListener("message", (event) => {
    if (event.source !== window.parent || event.origin !== location.origin) return;
    const people = strings(event.data?.people);
    if (event.data?.type === "item") onItem({ id: String(event.data.id ?? ""), people, messageIds: strings(event.data.messageIds), replies: pairs(event.data.replies), mail: named(event.data.mail), isWhole: event.data.isWhole === true });
    if (event.data?.type === "list") onList(people);
  });
  window.parent.postMessage({ type: "ready" }, location.origin);
  return true;
}

/** Asked only when somebody is about to be created, and only where reading signatures is switched on. */
export async function mailFrom(itemId, address) {
  const found = await asked({ type: "mail", id: itemId, address }, PATIENCE);
  return found && asMail(found);
}

/** Asked only when somebody wants it to be saved in Salesforce. */
export async function wholeMail(itemId) {
  const found = await asked({ type: "whole", id: itemId }, WHOLE_PATIENCE);
  return found?.mail instanceof Blob ? found.mail : null;
}

/** The host's answer to `question`, which repeats all of it; null where none comes. */
function asked(question, patience) {
  if (window.parent === window || !isOurs(window.parent)) return Promise.resolve(null);
  return new Promise((resolve) => {
    const listen = (event) => {
      if (event.source !== window.parent || event.origin !== location.origin) return;
      if (Object.entries(question).every(([name, value]) => event.data?.[name] === value)) done(event.data);
    };
    const done = (answer) => { clearTimeout(waiting); window.removeEventListener("message", listen); resolve(answer); };
    const waiting = setTimeout(done, patience, null);
    window.addEventListener("message", listen);
    window.parent.postMessage(question, location.origin);
  });
}

function named(value) {
  const isKnown = PROVIDERS.includes(value?.provider) && [value.messageId, value.threadId].every((id) => PROVIDERS_ID.test(id));
  return isKnown ? { provider: value.provider, messageId: value.messageId, threadId: value.threadId } : null;
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
