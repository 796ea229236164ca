"""Microsoft's pages: picker, second factor, consent, admin approval, error. Plain HTML, no script; all escaped."""

from html import escape

from simulators.microsoft.accounts import LABELS, Account
from simulators.microsoft.provider import Microsoft
from simulators.oauth.browsing import Pending
from simulators.oauth.html import hidden, page

_TITLE = "Sign in to your account (simulated)"


def login(microsoft: Microsoft, key: str, pending: Pending, accounts: list[Account], problem: str) -> str:
    """One click for an account, or its address and password."""
    listed = "".join(
        f'<button name="as" value="{escape(a.key)}">{escape(a.name)} · {escape(a.email)} · '
        f"{escape(microsoft.tenants[a.tid].name)}</button>"
        for a in accounts
    )
    fields = hidden({"request": key})
    error = f'<p class="error" role="alert">{escape(problem)}</p>' if problem else ""
    return page(
        _TITLE,
        f'<h1>Pick an account</h1><p class="sub">to continue to {escape(microsoft.apps[pending.client_id].name)}. '
        f'A local, simulated Microsoft.</p>{error}<form method="post" action="/common/login">{fields}{listed}</form>'
        f'<hr><form method="post" action="/common/login">{fields}<label for="i0116">Email</label>'
        f'<input id="i0116" name="login" autocomplete="username" value="{escape(pending.login_hint)}">'
        '<label for="i0118">Password</label><input id="i0118" name="passwd" type="password" '
        'autocomplete="current-password"><button class="first" id="idSIButton9">Sign in</button></form>',
    )


def factor(key: str) -> str:
    return page(
        _TITLE,
        "<h1>Approve sign in request</h1><p>Open your Authenticator app, and enter the number shown to sign in.</p>"
        f'<form method="post" action="/common/SAS/ProcessAuth">{hidden({"request": key})}'
        '<button class="first" id="approve">I have approved it</button></form>',
    )


def consent(microsoft: Microsoft, key: str, pending: Pending) -> str:
    """All or nothing; an administrator may consent on behalf of his organization."""
    app, account = microsoft.apps[pending.client_id], microsoft.by_oid[pending.user]
    asked = "".join(f"<li>{escape(LABELS[scope])}</li>" for scope in pending.scopes)
    everybody = (
        '<label><input type="checkbox" name="for_all" value="yes">Consent on behalf of your organization</label>'
        if account.administrator
        else ""
    )
    return page(
        _TITLE,
        f'<h1>Permissions requested</h1><p class="sub">{escape(account.email)}</p><p>'
        f"<strong>{escape(app.name)}</strong></p><p>This app would like to:</p><ul>{asked}</ul>"
        f'<form method="post" action="/common/Consent/Set">'
        f'{hidden({"request": key})}{everybody}<div class="two"><button name="decision" value="deny" id="idBtn_Back">'
        'Cancel</button><button class="first" name="decision" value="allow" id="idBtn_Accept">Accept</button></div>'
        '</form><p class="sub">You can change these permissions at https://myapps.microsoft.com.</p>',
    )


def admin_needed(microsoft: Microsoft, key: str, pending: Pending) -> str:
    name = escape(microsoft.apps[pending.client_id].name)
    return page(
        _TITLE,
        f"<h1>Need admin approval</h1><p><strong>{name}</strong> needs permission to access resources in your "
        "organization that only an admin can grant. Please ask an admin to grant permission to this app before you can "
        f'use it.</p><form method="post" action="/common/Consent/Set">{hidden({"request": key})}'
        '<button name="decision" value="deny" id="return">Return to the application without granting consent</button>'
        "</form>",
    )


def failed(description: str) -> str:
    return page(
        _TITLE,
        "<h1>Sign in</h1><p>Sorry, but we're having trouble signing you in.</p>"
        f'<p class="error">{escape(description)}</p>',
    )
