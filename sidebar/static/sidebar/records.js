// What a person does to one record: open it in Salesforce, create it, edit it or one field of it.

import { call, path, Problem } from "./api.js";
import { announce, el, replace, safeUrl } from "./dom.js";
import { focusFirst, recordForm } from "./forms.js";
import { orKept } from "./offline.js";

const KEPT = "Kept until the server can be reached";

const ARTICLE = (object) => (/^[AEIOU]/.test(object) ? `an ${object}` : `a ${object}`);

/**
 * Opens the record without another sign-in, by a one-time link made on this click (C14). The window opens before
 * anything is awaited, else the browser takes it for a pop-up nobody asked for.
 */
export async function openRecord(record, fail) {
  const target = window.open("about:blank", "_blank");
  try {
    const { url } = await call("POST", `sidebar/records/${path(record.object, record.id, "open")}`);
    go(target, url);
  } catch (error) {
    const plain = error instanceof Problem && error.status === 403 ? safeUrl(record.url) : "";
    if (plain) { go(target, plain); return; } // no right to one-time links: Salesforce asks them to sign in
    target?.close();
    fail(error, null);
  }
}

function go(target, url) {
  if (!target) return;
  target.opener = null;
  target.location.replace(safeUrl(url));
}

/**
 * Shows the form for a new record in place of the cards; `back()` draws them again, `saved()` as they are after it.
 * `prefill`: a promise of its values.
 */
export async function createRecord(object, prefill, { show, fail, back, saved }) {
  try {
    const [form, initial] = await Promise.all([call("GET", `sidebar/forms/${path(object)}`), prefill]);
    const node = recordForm(form, {
      initial, action: `Create ${form.label}`, cancel: back,
      send: (values, key) => orKept(
        () => call("POST", `sidebar/records/${path(object)}`, { body: { values }, key }), key,
        { action: "create", object, values, label: `New ${form.label}`, fields: form.fields }),
      done: ({ kept }) => { announce(kept ? KEPT : `${form.label} created`); (kept ? back : saved)(); },
    });
    show(el("div", { class: "view-head" }, el("h2", {}, `Create ${ARTICLE(form.label)}`)), node);
    focusFirst(node);
  } catch (error) {
    fail(error, null);
  }
}

/** Opens the whole edit form of a record in `place`. */
export async function editRecord(record, place, { fail, saved }) {
  if (place.childElementCount) return;
  const origin = document.activeElement;
  const close = () => { replace(place); origin?.focus(); };
  await openEdit(record, place, { fail, saved, close, only: null });
}

/** Turns one field into an input where it stands. */
export async function editField(record, field, place, { fail, saved }) {
  const before = [...place.childNodes];
  const close = () => { replace(place, before); place.querySelector("button")?.focus(); };
  await openEdit(record, place, { fail, saved, close, only: [field.name] });
}

async function openEdit(record, place, { fail, saved, close, only }) {
  try {
    const form = await call("GET", `sidebar/forms/${path(record.object, record.id)}`);
    const missing = only?.find((name) => !form.fields.some((field) => field.name === name));
    if (missing) { announce("Salesforce does not let you change this field."); return; }
    const node = recordForm(form, {
      only, action: "Save", cancel: close, compact: Boolean(only),
      send: (values, key) => orKept(
        () => call("PATCH", `sidebar/records/${path(record.object, record.id)}`, { body: { values }, key }), key,
        { action: "update", object: record.object, id: record.id, values, was: seen(form, values), label: record.name, fields: form.fields }),
      done: ({ kept }) => { announce(kept ? KEPT : "Saved"); close(); if (!kept) saved(); },
    });
    replace(place, node);
    focusFirst(node);
  } catch (error) {
    fail(error, null);
  }
}

/** What stood in those fields when the form was opened: by it the server tells whether somebody else was faster. */
function seen(form, values) {
  return Object.fromEntries(form.fields.filter(({ name }) => name in values).map(({ name, value }) => [name, value ?? null]));
}
