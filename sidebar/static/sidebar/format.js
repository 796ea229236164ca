// Shows values as the person is used to: their Salesforce locale and time zone, else the browser's. Formats only.

import { el, safeUrl } from "./dom.js";

let locale;
let timeZone;

/** `me.locale` is Salesforce's ("de_DE_EURO"), `me.time_zone` an IANA name; both may be unknown to this browser. */
export function useLocale(me) {
  locale = firstKnown(() => Intl.getCanonicalLocales((me.locale || "").split("_").slice(0, 2).join("-"))[0]);
  timeZone = firstKnown(() => new Intl.DateTimeFormat("en", { timeZone: me.time_zone || undefined })
    .resolvedOptions().timeZone);
}

function firstKnown(read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}

const FORMATS = {
  date: (value) => dateOnly(value),
  datetime: (value) => dateTime(value),
  currency: (value, field) => money(value, field.currency),
  double: (value) => number(value),
  int: (value) => number(value),
  percent: (value) => percent(value),
  boolean: (value) => (value === true || value === "true" ? "Yes" : "No"),
  multipicklist: (value) => String(value).split(";").join(", "),
};

/** The value as text; "" for nothing. */
export function asText(field) {
  if (field.value === null || field.value === undefined || field.value === "") return "";
  const format = FORMATS[field.type];
  return format ? format(field.value, field) : String(field.value);
}

/** The value as a node: telephone numbers and web sites become links. */
export function asNode(field) {
  const text = asText(field);
  if (field.type === "phone" && text) return el("a", { href: `tel:${text.replace(/[^\d+]/g, "")}` }, text);
  const url = field.type === "url" ? safeUrl(text.includes("://") ? text : `https://${text}`) : "";
  if (url) return el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, text);
  return document.createTextNode(text);
}

function number(value) {
  const amount = Number(value);
  return Number.isFinite(amount) ? new Intl.NumberFormat(locale, { maximumFractionDigits: 2 }).format(amount) : String(value);
}

function percent(value) {
  const share = Number(value) / 100;
  if (!Number.isFinite(share)) return String(value);
  return new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 2 }).format(share);
}

function money(value, currency) {
  const amount = Number(value);
  if (!Number.isFinite(amount)) return String(value);
  const digits = Number.isInteger(amount) ? 0 : 2;
  const style = currency ? { style: "currency", currency } : {}; // without multi-currency Salesforce names none
  return new Intl.NumberFormat(locale, { ...style, minimumFractionDigits: digits, maximumFractionDigits: digits })
    .format(amount);
}

function dateOnly(value) {
  const date = new Date(`${value}T00:00:00Z`); // a day has no zone: never shift it
  return isNaN(date) ? String(value) : new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone: "UTC" }).format(date);
}

export function dateTime(value) {
  const date = new Date(value);
  if (isNaN(date)) return String(value);
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short", timeZone }).format(date);
}

/** With its zone, for times that others may be told: "22 Nov 2026, 07:35 CET". */
export function moment(value) {
  const date = new Date(value);
  if (isNaN(date)) return String(value);
  const day = { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" };
  return new Intl.DateTimeFormat(locale, { ...day, timeZone, timeZoneName: "short" }).format(date);
}

/** The same, shorter where it was today: "07:35 CET". */
export function lately(value) {
  const date = new Date(value);
  if (isNaN(date) || dateOf(date) !== dateOf(new Date())) return moment(value);
  return new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", timeZone, timeZoneName: "short" }).format(date);
}

const dateOf = (date) => new Intl.DateTimeFormat("en", { dateStyle: "short", timeZone }).format(date);

export function clockTime(value) {
  const date = new Date(value);
  return isNaN(date) ? "" : new Intl.DateTimeFormat(locale, { timeStyle: "short", timeZone }).format(date);
}
