// Reads one RFC 5322 mailbox as far as the pane needs it: to name people and to fill in a form. The server is the judge.

const PUBLIC_MAIL = new Set(["gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "yahoo.com",
  "icloud.com", "me.com", "aol.com", "gmx.de", "gmx.net", "web.de", "proton.me", "protonmail.com", "mail.com"]);

/** "\"Doe, Jane\" <j@x>" -> {name: "Doe, Jane", address: "j@x"}; the domain in A-labels, lower case. */
export function readMailbox(text) {
  const match = /^\s*(.*?)\s*<([^<>]+)>\s*$/s.exec(text);
  const name = match ? unquote(match[1]) : "";
  return { name, address: normalise((match ? match[2] : text).trim()), raw: text };
}

function unquote(text) {
  const quoted = /^"(.*)"$/s.exec(text);
  return (quoted ? quoted[1].replace(/\\(.)/gs, "$1") : text).trim();
}

function normalise(address) {
  const at = address.lastIndexOf("@");
  if (at < 1) return address.toLowerCase();
  return `${address.slice(0, at)}@${asciiDomain(address.slice(at + 1))}`;
}

function asciiDomain(domain) {
  try {
    return new URL(`http://${domain}`).hostname;
  } catch {
    return domain.toLowerCase();
  }
}

/** A key under which the answer's address and the message's address meet. */
export const addressKey = (address) => normalise(address.trim()).toLowerCase();

/** Guesses {first, last} from a display name, else from the address: "Doe, Jane", "Jane van Doe", "jane.doe@x". */
export function guessName({ name, address }) {
  const plain = name.replace(/\([^)]*\)/g, " ").trim(); // "Doe, Jane (Sales)"
  const words = plain && !plain.includes("@") ? plain : fromLocalPart(address);
  const comma = words.split(",").map((part) => part.trim());
  if (comma.length === 2 && comma[0] && comma[1]) return { first: comma[1], last: comma[0] };
  const parts = words.split(/\s+/).filter(Boolean);
  if (parts.length < 2) return { first: "", last: parts[0] ?? "" };
  return { first: parts[0], last: parts.slice(1).join(" ") };
}

function fromLocalPart(address) {
  const local = address.split("@")[0].split("+")[0];
  return local.split(/[._-]+/).filter(Boolean).map(capital).join(" ");
}

const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);

/** "jane@acme-tools.example" -> "Acme Tools"; "" for the big public mail hosts. */
export function guessCompany(address) {
  const domain = address.slice(address.lastIndexOf("@") + 1).toLowerCase();
  if (!domain || PUBLIC_MAIL.has(domain) || domain.includes("xn--")) return "";
  const labels = domain.split(".");
  const short = labels.length > 2 && labels.at(-2).length <= 3 ? labels.at(-3) : labels.at(-2) ?? labels[0];
  return short.split("-").filter(Boolean).map(capital).join(" ");
}

/** Two letters for the round badge. */
export function initials(text) {
  const words = text.replace(/[^\p{L}\p{N}\s]/gu, " ").split(/\s+/).filter(Boolean);
  const letters = words.length > 1 ? words[0].slice(0, 1) + words.at(-1).slice(0, 1) : (words[0] ?? "?").slice(0, 2);
  return letters.toUpperCase();
}
