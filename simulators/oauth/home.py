"""The page where a person sees which apps have access to his account, and takes it away again."""

from html import escape

from starlette.responses import HTMLResponse, RedirectResponse, Response

from simulators.front import Form
from simulators.oauth.html import hidden, page
from simulators.oauth.provider import Provider


def show(provider: Provider, title: str, sid: str | None) -> Response:
    """For every account that this browser is signed in with."""
    parts = [_account(provider, user) for user in provider.browsing.users(sid)]
    nobody = '<p class="sub">Nobody is signed in here yet. Connect an app, and come back.</p>'
    return HTMLResponse(page(f"{title} (simulated)", f"<h1>{escape(title)}</h1>{''.join(parts) or nobody}"))


def _account(provider: Provider, user: str) -> str:
    account = provider.account_of(user)
    clients = sorted(client_id for who, client_id in provider.families.consents if who == user)
    listed = "".join(_client(provider, user, client_id) for client_id in clients)
    return f"<hr><p>{escape(account.email if account else user)}</p>{listed or '<p>No app has access.</p>'}"


def _client(provider: Provider, user: str, client_id: str) -> str:
    scopes = "".join(f"<li>{escape(scope)}</li>" for scope in sorted(provider.families.consents[(user, client_id)]))
    return (
        f'<form method="post" action="/">{hidden({"user": user, "client_id": client_id})}<p>{escape(client_id)}</p>'
        f"<ul>{scopes}</ul><button>Remove access</button></form>"
    )


def remove(provider: Provider, form: Form, sid: str | None) -> Response:
    """Only of an account that this browser is signed in with."""
    user, client_id = form.get("user", ""), form.get("client_id", "")
    if user in provider.browsing.users(sid):
        provider.withdraw(user, client_id)
    return RedirectResponse("/", 303)
