"""The pages a person sees: login, consent, record, message. Plain HTML that needs no script; everything escaped."""

from html import escape
from typing import Any

from simulators.oauth.html import hidden as hidden_fields
from simulators.oauth.html import page
from simulators.salesforce.oauth.apps import LABELS, App
from simulators.salesforce.oauth.hosts import Host
from simulators.salesforce.org import Org
from simulators.salesforce.profiles import Access, User
from simulators.salesforce.schema import ObjectType
from simulators.salesforce.soql.values import reader
from simulators.salesforce.store import Row


def login(host: Host, hidden: dict[str, str], error: str, hint: str) -> str:
    """User name and password, or one click for a demo user."""
    fields = hidden_fields(hidden)
    action = f"{host.prefix}/login"
    quick = "".join(
        f'<button name="as" value="{escape(org.key)}:{escape(user.key)}">{escape(user.name)} · {escape(org.name)}'
        f"{' sandbox' if org.plan.is_sandbox else ''} · {escape(user.profile.name)}</button>"
        for org, user in host.members()
    )
    problem = f'<p class="error" role="alert">{escape(error)}</p>' if error else ""
    return page(
        "Login | Salesforce (simulated)",
        f'<h1>Log in to {escape(host.name)}</h1><p class="sub">A local, simulated Salesforce.</p>{problem}'
        f'<form method="post" action="{action}">{fields}<label for="username">Username</label>'
        f'<input id="username" name="username" autocomplete="username" value="{escape(hint)}">'
        f'<label for="password">Password</label><input id="password" name="pw" type="password" '
        f'autocomplete="current-password"><button class="first" id="Login">Log In</button></form><hr>'
        f'<form method="post" action="{action}">{fields}<p class="sub">Or continue as a demo user:</p>{quick}</form>',
    )


def consent(host: Host, key: str, app: App, scopes: tuple[str, ...], org: Org, user: User) -> str:
    asked = "".join(f"<li>{escape(LABELS.get(scope, scope))}</li>" for scope in scopes)
    return page(
        "Allow Access? | Salesforce (simulated)",
        f"<h1>Allow Access?</h1><p><strong>{escape(app.name)}</strong> is asking to:</p><ul>{asked}</ul>"
        f'<p class="sub">Do you want to allow access for {escape(user.username)} at {escape(org.name)}?</p>'
        f'<form method="post" action="{host.prefix}/setup/secur/RemoteAccessAuthorizationPage.apexp" class="two">'
        f'<input type="hidden" name="request" value="{escape(key)}">'
        f'<button name="decision" value="deny" id="oadeny">Deny</button>'
        f'<button class="first" name="decision" value="allow" id="oaapprove">Allow</button></form>',
    )


def record(kind: ObjectType, row: Row, access: Access, org: Org) -> str:
    """All fields this user may see."""
    name = row.get(kind.name_field.name if kind.name_field else "Id") or row["Id"]
    lines = "".join(
        f"<dt>{escape(each.label)}</dt><dd>{_value(reader(kind, each, access)(row), access)}</dd>"
        for each in kind.fields.values()
        if access.shows(kind, each) and each.type != "address" and reader(kind, each, access)(row) not in (None, "")
    )
    return page(
        f"{name} | {kind.label} | Salesforce (simulated)",
        f'<p class="sub">{escape(kind.label)} in {escape(org.name)}, seen by {escape(access.user.name)}</p>'
        f"<h1>{escape(str(name))}</h1><dl>{lines}</dl>",
        wide=True,
    )


def _value(value: Any, access: Access) -> str:
    linked = access.store.get(value) if isinstance(value, str) and len(value) == 18 else None
    kind = access.store.schema.of_id(linked["Id"]) if linked else None
    if linked and kind and access.reads(kind) and access.sees(kind, linked):
        return f'<a href="/{escape(linked["Id"])}">{escape(str(linked.get("Name") or linked["Id"]))}</a>'
    return escape(str(value))
