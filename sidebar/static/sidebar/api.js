// Talks to /api/v1/ with a bearer token, and turns every failure into a Problem that can be shown. Keeps nothing.

import { accessToken, Offline, SignedOut } from "./oauth.js";

const BASE = "/api/v1/";
const TIMEOUT = 20_000;
const UPLOAD_TIMEOUT = 120_000; // a mail with its attachments, which takes as long as the line does

/** A failure in words: RFC 9457 problem details, or the same shape for a connection that failed. */
export class Problem extends Error {
  constructor({ status = 0, slug = "offline", detail = "", errors = [], retryAfter = 0, reconnectUrl = "" }) {
    super(detail || wordsFor(slug, status));
    Object.assign(this, { status, slug, errors, retryAfter, reconnectUrl });
  }

  /** Trying again later, unchanged, may help. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }

  get needsConnection() {
    return this.status === 409 && Boolean(this.reconnectUrl);
  }
}

/** The parsed answer, or null for none. `key`: the Idempotency-Key of a write. Throws Problem, SignedOut, AbortError. */
export function call(method, path, { body, key, signal } = {}) {
  return answerTo(method, path, { body, key, signal }, (response) => (response.status === 204 ? null : response.json()));
}

/** The same for a whole mail (a Blob), as it is. */
export function upload(path, mail, { key, signal } = {}) {
  return answerTo("POST", path, { mail, key, signal }, (response) => response.json());
}

/** {body, etag} of what stands at `path`; null where it is still what `etag` names. Throws as `call` does. */
export function changed(path, etag, signal) {
  return answerTo("GET", path, { etag, signal }, async (response) =>
    (response.status === 304 ? null : { body: await response.json(), etag: response.headers.get("ETag") ?? "" }));
}

async function answerTo(method, path, options, read) {
  try {
    const token = await accessToken();
    let response = await send(method, path, { ...options, token });
    if (response.status === 401) {
      response = await send(method, path, { ...options, token: await accessToken(token) });
    }
    if (response.status === 401) throw new SignedOut();
    if (!response.ok && response.status !== 304) throw await problemOf(response);
    return await read(response);
  } catch (error) {
    if (error instanceof Offline || error instanceof TypeError) throw new Problem({});
    if (error.name === "TimeoutError") throw new Problem({ slug: "slow" });
    throw error;
  }
}

function send(method, path, { body, mail, key, etag, signal, token }) {
  const headers = { Accept: "application/json", Authorization: `Bearer ${token}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (mail) headers["Content-Type"] = "message/rfc822";
  if (key) headers["Idempotency-Key"] = key;
  if (etag) headers["If-None-Match"] = etag;
  const ends = AbortSignal.timeout(mail ? UPLOAD_TIMEOUT : TIMEOUT);
  return fetch(BASE + path, {
    method, headers, credentials: "omit", cache: "no-store",
    body: mail ?? (body === undefined ? undefined : JSON.stringify(body)),
    signal: signal ? AbortSignal.any([signal, ends]) : ends,
  });
}

async function problemOf(response) {
  const body = await response.json().catch(() => ({}));
  return new Problem({
    status: response.status,
    slug: String(body.type ?? "").split("/").pop() || "server-error",
    detail: body.detail,
    errors: Array.isArray(body.errors) ? body.errors : [],
    retryAfter: Number(response.headers.get("Retry-After")) || 0,
    reconnectUrl: body.reconnect_url ?? "",
  });
}

function wordsFor(slug, status) {
  if (slug === "offline") return "The sidebar cannot reach its server. Check your connection.";
  if (slug === "slow") return "The answer is taking too long. Salesforce may be slow right now.";
  if (status >= 500) return "Something went wrong on our side. Please try again.";
  return "That did not work.";
}

export const path = (...parts) => `${parts.map(encodeURIComponent).join("/")}/`;
