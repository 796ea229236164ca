// What the mail client tells the pane. One interface for every client: {onItem({id, people, messageIds}), onList(people)}.
// Here the host is a page that frames us; Office.js will be another module with the same shape.

const MAX_PEOPLE = 500;

/** Listens to the page of ours around us, and to nobody else. Returns false where there is none. */
export function connectHost({ onItem, onList }) {
  if (window.parent === window || !isOurs(window.parent)) return false;
  window.addEventListener("message", (event) => {
    if (event.source !== window.parent || event.origin !== location.origin) return;
    const people = strings(event.data?.people);
    if (event.data?.type === "item") onItem({ id: String(event.data.id ?? ""), people, messageIds: strings(event.data.messageIds) });
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

function strings(value) {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === "string").slice(0, MAX_PEOPLE) : [];
}
