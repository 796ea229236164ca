// What the mail client tells the pane. One interface for every client: {onItem({id, people}), onList(people)}.
// Here the host is a page that frames us; Office.js will be another module with the same shape.

const MAX_PEOPLE = 500;

/** Listens to the page around us, and to nobody else. Returns false where no page frames us. */
export function connectHost({ onItem, onList }) {
  if (window.parent === window) return false;
  window.addEventListener("message", (event) => {
    if (event.source !== window.parent || event.origin !== location.origin) return;
    const people = strings(event.data?.people);
    if (event.data?.type === "item") onItem({ id: String(event.data.id ?? ""), people });
    if (event.data?.type === "list") onList(people);
  });
  window.parent.postMessage({ type: "ready" }, location.origin);
  return true;
}

function strings(value) {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === "string").slice(0, MAX_PEOPLE) : [];
}
