// The end of signing in: hands the answer of our OAuth server to the pane that opened this window, and closes it.
// It judges nothing: state and iss are checked by the pane, which alone knows what it asked for.

const answer = location.search;
history.replaceState(null, "", location.pathname);

if (window.opener) {
  window.opener.postMessage({ type: "oauth-answer", answer }, location.origin);
  window.close();
} else {
  document.getElementById("callback-text").textContent =
    "You are signed in, but this window has lost its way back. Close it, then press Sign in again beside your mail.";
}
