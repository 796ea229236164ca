// Draws what the server found about each person of a message. Draws only: every action is a function handed in.

import { initials } from "./addresses.js";
import { el, newId, safeUrl, unseen } from "./dom.js";
import { asNode, asText } from "./format.js";

const KINDS = { PersonAccount: "Person Account" };
const kindName = (kind) => KINDS[kind] ?? kind;

/**
 * One person. `card` is the server's, `mailbox` what the message says ({name, address}).
 * `actions`: open(record), edit(record, place), editField(record, field, place), create(object, mailbox).
 */
export function personCard(card, mailbox, actions, { open }) {
  const name = card.records[0]?.name || mailbox.name || card.address;
  const body = card.records.length
    ? card.records.map((record) => recordBlock(record, card, actions))
    : [stranger(card, mailbox, actions)];
  return el("li", { class: "person" },
    el("details", { open, id: `person-${card.address}` },
      el("summary", {},
        el("span", { class: card.records.length ? "disc" : "disc unknown", aria: { hidden: "true" } }, initials(name)),
        el("span", { class: "who" }, el("h3", {}, name), el("span", { class: "sub" }, card.address)),
        badge(card.records),
      ),
      el("div", { class: "person-body" }, body, notes(card.notes)),
    ),
  );
}

function badge(records) {
  if (!records.length) return el("span", { class: "tag" }, "New");
  if (records.length > 1) return el("span", { class: "tag known" }, `${records.length} records`);
  return el("span", { class: "tag known" }, kindName(records[0].kind));
}

function stranger(card, mailbox, actions) {
  const who = mailbox.name || card.address;
  const buttons = card.creatable.map((object) => el("button", {
    type: "button", onclick: () => actions.create(object, { ...mailbox, address: card.address }),
  }, `Create ${object}`, unseen(` for ${who}`)));
  return el("div", { class: "stranger" },
    el("p", { class: "quiet" }, "Not in Salesforce, or not visible to you."),
    buttons.length
      ? el("div", { class: "row" }, buttons)
      : el("p", { class: "quiet" }, "Your Salesforce profile does not let you create Leads or Contacts."),
  );
}

function recordBlock(record, card, actions) {
  const place = el("div", { class: "edit-place" });
  const head = card.records.length > 1 ? el("h4", { class: "record-name" }, record.name, " ", el("span", { class: "tag" }, kindName(record.kind))) : null;
  return el("section", { class: "record", aria: { label: `${kindName(record.kind)} ${record.name}` } },
    head,
    fieldList(record, card.address, actions),
    el("div", { class: "row" },
      openButton(record, actions),
      record.editable && el("button", { type: "button", onclick: () => actions.edit(record, place) }, "Edit", unseen(` ${record.name}`)),
    ),
    place,
    record.groups.map((group) => groupBlock(group, actions)),
  );
}

function openButton(record, actions) {
  return el("a", {
    class: "button", href: safeUrl(record.url), target: "_blank", rel: "noopener noreferrer",
    onclick: (event) => { event.preventDefault(); actions.open(record); },
  }, "Open in Salesforce", unseen(`: ${record.name} (new window)`));
}

/** Filled fields, less the address that heads the card; those that are empty and may be filled in are folded away. */
function fieldList(record, address, actions) {
  const rows = (fields) => el("dl", { class: "fields" }, fields.map((field) => fieldRow(record, field, actions)));
  const isRepeat = (field) => field.type === "email" && asText(field).toLowerCase() === address.toLowerCase();
  const filled = record.fields.filter((field) => asText(field) && !isRepeat(field));
  const empty = record.fields.filter((field) => !asText(field) && field.editable && record.editable);
  return [
    filled.length > 0 && rows(filled),
    empty.length > 0 && el("details", { class: "more" },
      el("summary", {}, empty.length === 1 ? "1 empty field" : `${empty.length} empty fields`), rows(empty)),
  ];
}

function fieldRow(record, field, actions) {
  const value = el("dd", {}, asText(field) ? asNode(field) : el("span", { class: "none" }, "Not set"));
  if (record.editable && field.editable) {
    value.append(el("button", {
      class: "pencil", type: "button", aria: { label: `Edit ${field.label} of ${record.name}` },
      onclick: () => actions.editField(record, field, value),
    }));
  }
  return el("div", { class: "field-row" }, el("dt", {}, field.label), value);
}

function groupBlock(group, actions) {
  const id = newId("group");
  const count = `${group.records.length}${group.more ? "+" : ""}`;
  if (!group.records.length) return null;
  return el("details", { class: "group", open: true },
    el("summary", {}, el("h4", { id }, group.label), el("span", { class: "count" }, count, unseen(group.more ? " or more" : ""))),
    el("ul", { aria: { labelledby: id } }, group.records.map((record) => el("li", {}, relatedLine(record, actions)))),
    group.more && el("p", { class: "quiet small" }, "There are more in Salesforce."),
  );
}

/** A related record or a search result: its name, which opens it, and its fields in one quiet line. */
export function relatedLine(record, actions, label = "") {
  const facts = record.fields.filter((field) => asText(field));
  return el("div", { class: "line" },
    el("a", {
      href: safeUrl(record.url), target: "_blank", rel: "noopener noreferrer",
      onclick: (event) => { event.preventDefault(); actions.open(record); },
    }, record.name || "Without a name", unseen(" (opens Salesforce in a new window)")),
    label && el("span", { class: "tag" }, label),
    facts.length > 0 && el("span", { class: "facts" }, facts.map((field) =>
      el("span", { class: "fact", title: field.label }, unseen(`${field.label}: `), asText(field), unseen(". ")))),
  );
}

function notes(texts) {
  return texts.length ? el("ul", { class: "notes" }, texts.map((text) => el("li", {}, text))) : null;
}

export function skeleton(count) {
  const one = () => el("li", { class: "person ghost" },
    el("span", { class: "disc" }), el("span", { class: "ghost-lines" }, el("i"), el("i")));
  return el("ul", { class: "people", aria: { hidden: "true" } }, Array.from({ length: Math.min(count, 5) }, one));
}
