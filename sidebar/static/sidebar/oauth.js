// Signs the person in: a public client with PKCE (RFC 7636) in a pop-up. Tokens live in memory; only the refresh token
// is also in this frame's sessionStorage, so that a reload does not ask again. No cookie is read or sent (C43).

const { clientId, scope, callback } = document.body.dataset;
const METADATA = "/.well-known/oauth-authorization-server";
const REDIRECT_URI = location.origin + callback;
const STORE = "outlook-task-pane";
const EARLY = 30_000; // renew this long before the end, in ms
const CLOSED_GRACE = 600; // the answer may still be on its way when the window is already gone

export class SignedOut extends Error {}
export class SignInFailed extends Error {}
export class Offline extends Error {}

let access = "";
let accessEnds = 0;
let refreshToken = recall();
let renewing = null;

export const isSignedIn = () => Boolean(access || refreshToken);

/** The access token. `rejected` is one the server just refused. Throws SignedOut, Offline. */
export async function accessToken(rejected = "") {
  if (access && access !== rejected && Date.now() < accessEnds - EARLY) return access;
  renewing ??= renew().finally(() => { renewing = null; }); // one flight: a rotated token used twice ends the session
  return renewing;
}

/** Call from a click: the window must open before anything is awaited. `another`: let a different person sign in. */
export function signIn({ another = false } = {}) {
  const popup = window.open("about:blank", "sidebar-sign-in", "popup,width=520,height=720");
  if (!popup) {
    return Promise.reject(new SignInFailed("Your browser blocked the sign-in window. Allow pop-ups for this page, then try again."));
  }
  return authorise(popup, another).catch((error) => {
    popup.close();
    throw error;
  });
}

/** Ends the session at our server too; forgets it here whatever the server says. */
export async function signOut() {
  const token = refreshToken || access;
  forget();
  if (!token) return;
  const body = new URLSearchParams({ token, client_id: clientId });
  await fetch("/o/revoke_token/", { method: "POST", body, credentials: "omit", keepalive: true }).catch(() => {});
}

async function authorise(popup, another) {
  const [state, verifier] = [randomText(), randomText()];
  const server = await metadata();
  const url = new URL(server.authorization_endpoint);
  url.search = new URLSearchParams({
    response_type: "code", client_id: clientId, redirect_uri: REDIRECT_URI, scope, state,
    code_challenge: await challengeOf(verifier), code_challenge_method: "S256",
    ...(another ? { prompt: "login" } : {}),
  });
  const waiting = answerFrom(popup);
  popup.location.replace(url);
  const code = readAnswer(await waiting, state, server.issuer);
  keep(await askToken(server.token_endpoint, {
    grant_type: "authorization_code", code, redirect_uri: REDIRECT_URI, code_verifier: verifier,
  }));
}

async function metadata() {
  const response = await fetch(METADATA, { credentials: "omit" }).catch(() => { throw new Offline(); });
  if (!response.ok) throw new Offline();
  return response.json();
}

function answerFrom(popup) {
  return new Promise((resolve, reject) => {
    const finish = (settle, value) => {
      window.removeEventListener("message", listen);
      clearInterval(watch);
      settle(value);
    };
    const listen = (event) => {
      if (event.origin !== location.origin || event.source !== popup) return;
      if (event.data?.type === "oauth-answer") finish(resolve, new URLSearchParams(event.data.answer));
    };
    const gone = () => finish(reject, new SignInFailed("The sign-in window was closed before you were signed in."));
    const watch = setInterval(() => {
      if (popup.closed) { clearInterval(watch); setTimeout(gone, CLOSED_GRACE); }
    }, 300);
    window.addEventListener("message", listen);
  });
}

function readAnswer(answer, state, issuer) {
  if (answer.get("state") !== state) throw new SignInFailed("The answer does not belong to this sign-in. Please try again.");
  if (answer.get("iss") !== issuer) throw new SignInFailed("The answer came from another server. Please try again."); // RFC 9207
  if (answer.get("error") === "access_denied") throw new SignInFailed("You did not allow the sidebar to sign you in.");
  if (!answer.get("code")) throw new SignInFailed("Signing in did not work. Please try again.");
  return answer.get("code");
}

async function renew() {
  const token = refreshToken;
  if (!token) throw new SignedOut();
  try {
    keep(await askToken("/o/token/", { grant_type: "refresh_token", refresh_token: token }), token);
  } catch (error) {
    if (!(error instanceof SignInFailed)) throw error;
    if (refreshToken !== token) return access; // a copy of this tab was faster, and told us
    forget();
    throw new SignedOut();
  }
  return access;
}

async function askToken(endpoint, fields) {
  const body = new URLSearchParams({ ...fields, client_id: clientId });
  const response = await fetch(endpoint, { method: "POST", body, credentials: "omit" }).catch(() => { throw new Offline(); });
  if (response.status >= 500 || response.status === 429) throw new Offline();
  if (!response.ok) throw new SignInFailed("Signing in did not work. Please try again.");
  return response.json();
}

function keep(tokens, spent = "") {
  access = tokens.access_token;
  accessEnds = Date.now() + tokens.expires_in * 1000;
  refreshToken = tokens.refresh_token ?? refreshToken;
  remember();
  if (spent) siblings?.postMessage({ spent, access, accessEnds, refreshToken });
}

function forget() {
  access = refreshToken = "";
  remember();
}

// A duplicated tab has a copy of our refresh token. Whoever renews first tells the copy, as re-use would end both.
const siblings = "BroadcastChannel" in window ? new BroadcastChannel(STORE) : null;
siblings?.addEventListener("message", ({ data }) => {
  if (!refreshToken || data?.spent !== refreshToken) return;
  ({ access, accessEnds, refreshToken } = data);
  remember();
});

function recall() {
  try {
    return sessionStorage.getItem(STORE) ?? "";
  } catch {
    return ""; // storage is off in some embedded browsers: then a reload asks to sign in again
  }
}

function remember() {
  try {
    if (refreshToken) sessionStorage.setItem(STORE, refreshToken);
    else sessionStorage.removeItem(STORE);
  } catch { /* see recall() */ }
}

const randomText = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
const challengeOf = async (verifier) =>
  base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
