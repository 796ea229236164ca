// What the mail client tells the pane. One interface for every client: {onItem({id, people, messageIds, replies}), onList(people)}.
// `replies`: [{in_reply_to, sender}], two headers of each opened message that a person wrote in reply to another.
// Here the host is a page that frames us; Office.js will be another module with the same shape.

const MAX_PEOPLE = 500;
const MAX_REPLIES = 10;

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
