// Builds elements. The only way data becomes markup here is as text: nothing in this folder uses innerHTML.

/** el("button", {class: "quiet", onclick: go, aria: {expanded: "false"}}, "Text", child, ...) */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "aria") setAria(node, value);
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "selected") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function setAria(node, states) {
  for (const [name, value] of Object.entries(states)) {
    if (value !== undefined && value !== null) node.setAttribute(`aria-${name}`, String(value));
  }
}

export const byId = (id) => document.getElementById(id);

/** Text for screen readers only. */
export const unseen = (text) => el("span", { class: "unseen" }, text);

export function replace(parent, ...children) {
  parent.replaceChildren(...children.flat(Infinity).filter(Boolean));
}

/** Says `text` to screen readers; the same text twice is said twice. */
export function announce(text) {
  const place = byId("announcer");
  place.textContent = "";
  setTimeout(() => { place.textContent = text; }, 60);
}

/** An http(s) address, or "" for anything else (a record's website may say `javascript:`). */
export function safeUrl(text) {
  try {
    const url = new URL(text);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : "";
  } catch {
    return "";
  }
}

let serial = 0;
export const newId = (prefix) => `${prefix}-${(serial += 1)}`;
