"""Google's pages: account chooser, consent, blocked. Plain HTML that needs no script; everything escaped."""

from html import escape

from simulators.google.accounts import LABELS, SIGN_IN_SCOPES
from simulators.google.provider import Google
from simulators.oauth.browsing import Pending
from simulators.oauth.html import hidden, page


def chooser(google: Google, key: str, pending: Pending, problem: str) -> str:
    """One click for an account, or its address and password."""
    app = google.apps[pending.client_id]
    accounts = [a for a in google.accounts.values() if a.active and pending.realm in ("", "*", a.domain)]
    accounts.sort(key=lambda a: a.email != pending.login_hint.lower())
    listed = "".join(
        f'<button name="as" value="{escape(a.key)}">{escape(a.name)} · {escape(a.email)}</button>' for a in accounts
    )
    fields = hidden({"request": key})
    error = f'<p class="error" role="alert">{escape(problem)}</p>' if problem else ""
    return page(
        "Sign in - Google Accounts (simulated)",
        f'<h1>Choose an account</h1><p class="sub">to continue to {escape(app.name)}. A local, simulated Google.</p>'
        f'{error}<form method="post" action="/v3/signin/identifier">{fields}{listed}</form><hr>'
        f'<form method="post" action="/v3/signin/identifier">{fields}<label for="identifierId">Email</label>'
        f'<input id="identifierId" name="identifier" autocomplete="username" value="{escape(pending.login_hint)}">'
        '<label for="password">Password</label><input id="password" name="Passwd" type="password" '
        'autocomplete="current-password"><button class="first">Next</button></form>',
    )


def consent(google: Google, key: str, pending: Pending, boxes: list[str]) -> str:
    app, account = google.apps[pending.client_id], google.by_sub[pending.user]
    plain = "".join(f"<li>{escape(LABELS[s])}</li>" for s in pending.scopes if s not in boxes)
    ticked = "".join(
        f'<label><input type="checkbox" name="scope" value="{escape(s)}">{escape(LABELS[s])}</label>' for s in boxes
    )
    every = '<label><input type="checkbox" name="scope" value="all" id="select-all">Select all</label>' if boxes else ""
    more = "wants additional access to" if set(pending.scopes) - SIGN_IN_SCOPES else "wants to sign you in to"
    testing = '<p class="error">Google hasn\'t verified this app</p>' if app.publishing == "testing" else ""
    return page(
        "Sign in - Google Accounts (simulated)",
        f"{testing}<h1>{escape(app.name)} {more} your Google Account</h1>"
        f'<p class="sub">{escape(account.email)}</p>'
        f'<form method="post" action="/signin/oauth/consent">{hidden({"request": key})}'
        f"<ul>{plain}</ul>{every}{ticked}"
        '<div class="two"><button name="decision" value="deny" id="cancel">Cancel</button>'
        '<button class="first" name="decision" value="allow" id="submit_approve_access">Continue</button></div></form>',
    )


def blocked(status: int, name: str, text: str) -> str:
    return page(
        "Error - Google Accounts (simulated)",
        f'<h1>Access blocked</h1><p class="error">{escape(text)}</p><p class="sub">Error {status}: {escape(name)}</p>',
    )
