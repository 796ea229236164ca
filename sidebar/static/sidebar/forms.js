// Builds create and edit forms from what describe says this person may set, and sends them once (Idempotency-Key).

import { Problem } from "./api.js";
import { el, newId, unseen } from "./dom.js";

const NUMBERS = new Set(["int", "double", "currency", "percent", "long"]);
const INPUTS = { email: "email", phone: "tel", date: "date", datetime: "datetime-local", time: "time" };

/**
 * A form element. `form` is the server's; `initial` fills in a new record and is null for one that exists; `only` names
 * the fields to show; `send(values, key)` writes; `done(answer)` and `cancel()` say where to go on.
 */
export function recordForm(form, { initial = null, only = null, action, send, done, cancel, compact = false }) {
  const isNew = initial !== null;
  const fields = form.fields.filter((field) => !only || only.includes(field.name)).map((field) => inputFor(field, initial ?? {}));
  const failure = el("div", { class: "failure", role: "alert", tabindex: "-1", hidden: true });
  const save = el("button", { class: "primary", type: "submit" }, action);
  const node = el("form", { class: compact ? "record-form compact" : "record-form", autocomplete: "off" },
    failure,
    fields.map((field) => field.node),
    el("div", { class: "form-actions" }, save, el("button", { type: "button", onclick: cancel }, "Cancel")),
  );
  const once = keyOncePerPayload();
  node.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.stopPropagation(); cancel(); } });
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = changedValues(fields, isNew);
    if (!isNew && !Object.keys(values).length) { cancel(); return; }
    save.disabled = true;
    clearFailure(failure, fields);
    try {
      done(await send(values, once.keyFor(values)));
    } catch (error) {
      once.settle(error);
      showFailure(error, failure, fields);
    } finally {
      save.disabled = false;
    }
  });
  return node;
}

/** The first thing to fill in: a required field that is still empty, else the first field one types into. */
export function focusFirst(node) {
  const inputs = [...node.querySelectorAll("input, select, textarea")];
  const wanted = inputs.find((input) => input.required && !input.value) ?? inputs.find((input) => !input.matches("select"));
  (wanted ?? inputs[0] ?? node).focus();
}

/** The same values sent again after a lost answer carry the same key, so that nothing is written twice. */
function keyOncePerPayload() {
  let key = "";
  let payload = "";
  return {
    keyFor(values) {
      const text = JSON.stringify(values);
      if (!key || text !== payload) [key, payload] = [crypto.randomUUID(), text];
      return key;
    },
    settle(error) {
      if (error instanceof Problem && !error.passing) key = "";
    },
  };
}

function changedValues(fields, isNew) {
  const values = {};
  for (const field of fields) {
    const now = field.read();
    if (isNew ? now !== null && now !== false : now !== field.before) values[field.name] = now;
  }
  return values;
}

function inputFor(field, initial) {
  const id = newId("field");
  const shown = initial[field.name]?.slice(0, field.max_length ?? undefined) || (field.value ?? "");
  const input = control(field, shown, id);
  const help = field.help ? el("p", { class: "help", id: `${id}-help` }, field.help) : null;
  const wrong = el("p", { class: "wrong", id: `${id}-wrong`, hidden: true });
  input.setAttribute("aria-describedby", [help?.id, wrong.id].filter(Boolean).join(" "));
  const mark = field.required ? [el("span", { class: "mark", aria: { hidden: "true" } }, " *"), unseen(" (required)")] : [];
  const label = el("label", { for: id }, field.label, mark);
  const isTick = field.type === "boolean";
  const read = () => readControl(field, input);
  return {
    name: field.name, input, wrong, read, before: read(),
    node: el("div", { class: isTick ? "field tick" : "field" }, isTick ? [input, label] : [label, input], help, wrong),
  };
}

function control(field, value, id) {
  const common = { id, name: field.name, required: field.required && field.type !== "boolean" };
  if (field.options?.length) return choice(field, value, common);
  if (field.type === "boolean") return el("input", { ...common, type: "checkbox", checked: value === true });
  if (field.type === "textarea") {
    return el("textarea", { ...common, rows: "3", maxlength: field.max_length, value: String(value) });
  }
  if (NUMBERS.has(field.type)) {
    return el("input", { ...common, type: "number", step: field.type === "int" ? "1" : "any", value: String(value) });
  }
  const text = field.type === "datetime" && value ? localDateTime(value) : String(value);
  return el("input", { ...common, type: INPUTS[field.type] ?? "text", maxlength: field.max_length, value: text });
}

function choice(field, value, common) {
  const several = field.type === "multipicklist";
  const chosen = new Set(several ? String(value).split(";") : [String(value)]);
  const known = new Set(field.options.map((option) => option.value));
  const gone = [...chosen].filter((entry) => entry && !known.has(entry)); // an entry that is no longer offered stays
  const options = [...(several ? [] : [{ value: "", label: "None" }]),
    ...gone.map((entry) => ({ value: entry, label: entry })), ...field.options];
  return el("select", { ...common, multiple: several },
    options.map((option) => el("option", { value: option.value, selected: chosen.has(option.value) }, option.label)));
}

function readControl(field, input) {
  if (field.type === "boolean") return input.checked;
  if (input.multiple) return [...input.selectedOptions].map((option) => option.value).join(";") || null;
  const text = input.value.trim();
  if (!text) return null;
  if (NUMBERS.has(field.type)) return Number(text);
  return field.type === "datetime" ? new Date(text).toISOString() : text;
}

function localDateTime(value) {
  const date = new Date(value);
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return isNaN(date) ? "" : local.toISOString().slice(0, 16);
}

function clearFailure(failure, fields) {
  failure.hidden = true;
  for (const field of fields) {
    field.input.removeAttribute("aria-invalid");
    field.wrong.hidden = true;
  }
}

/** Salesforce's own words, beside the fields it names where it names them (C15). */
function showFailure(error, failure, fields) {
  const entries = error.errors ?? [];
  const unplaced = entries.filter((entry) => !markField(entry, fields)).map((entry) => entry.message);
  const marked = entries.length > unplaced.length ? ["Please look at the marked fields."] : [];
  const lines = entries.length ? [...unplaced, ...marked] : [error.message];
  failure.replaceChildren(...lines.map((line) => el("p", {}, line)));
  failure.hidden = false;
  failure.focus();
}

function markField(entry, fields) {
  const names = entry.fields ?? [String(entry.field ?? "").split(".").pop()];
  const named = fields.filter((field) => names.includes(field.name));
  for (const field of named) {
    field.input.setAttribute("aria-invalid", "true");
    field.wrong.textContent = entry.message;
    field.wrong.hidden = false;
  }
  return named.length > 0;
}
