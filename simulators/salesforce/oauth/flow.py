"""authorize, login and consent: the browser's way to a code, and the browser session itself."""

import time
from urllib.parse import urlencode, urlsplit

from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from simulators.oauth.html import message
from simulators.salesforce.oauth import html
from simulators.salesforce.oauth.grants import Code
from simulators.salesforce.oauth.hosts import Host, Pending
from simulators.salesforce.org import Org
from simulators.salesforce.profiles import User

CONSENT = "/setup/secur/RemoteAccessAuthorizationPage.apexp"
_FAILED = "Please check your username and password. If you still can't log in, contact your Salesforce administrator."
Form = dict[str, str]


def authorize(host: Host, form: Form, sid: str | None) -> Response:
    """Checks the request. A wrong client or address is told to the person; all else goes back to the app."""
    app = host.app(form.get("client_id", ""))
    if app is None:
        return _refused("invalid_client_id", "client identifier invalid")
    redirect_uri = form.get("redirect_uri", "")
    if not redirect_uri and len(app.redirect_uris) == 1:
        redirect_uri = app.redirect_uris[0]
    if not app.accepts(redirect_uri):
        return _refused("redirect_uri_mismatch", "redirect_uri must match configuration")
    state = form.get("state")
    problem = _problem(form, app.pkce_required, app.blocked)
    scopes = app.scopes_for(form.get("scope", ""))
    if not problem and scopes is None:
        problem = ("invalid_scope", "the requested scope is not allowed")
    if problem:
        return _back(host, redirect_uri, state, error=problem[0], error_description=problem[1])
    pending = Pending(
        app.client_id,
        redirect_uri,
        state,
        scopes or (),
        form.get("code_challenge") or None,
        form.get("prompt", ""),
        form.get("login_hint", ""),
    )
    return _next_step(host, host.hold(pending), sid)


def _problem(form: Form, pkce_required: bool, blocked: bool) -> tuple[str, str] | None:
    if form.get("response_type") != "code":
        return "unsupported_response_type", "response type not supported"
    if blocked:
        return "OAUTH_APP_BLOCKED", "this app is blocked by admin"
    challenge, method = form.get("code_challenge"), form.get("code_challenge_method", "S256" if pkce_required else "")
    if pkce_required and not challenge:
        return "invalid_request", "missing required code challenge"
    if challenge and (len(challenge) != 43 or method not in ("", "S256")):
        return "invalid_request", "invalid code challenge"
    return None


def _refused(error: str, description: str) -> Response:
    body = urlencode({"error": error, "error_description": description}).replace("+", "%20")
    return PlainTextResponse(body, 400)


def _back(host: Host, redirect_uri: str, state: str | None, **answer: str) -> Response:
    """To the app, with the answer in the query; `state` comes back as it came."""
    if state is not None:
        answer["state"] = state
    if host.announces_issuer:
        answer["iss"] = host.issuer
    glue = "&" if urlsplit(redirect_uri).query else "?"
    return RedirectResponse(redirect_uri + glue + urlencode(answer), 302)


def _next_step(host: Host, key: str, sid: str | None) -> Response:
    """Login, consent, or straight back with a code where both were done before."""
    pending, signed_in = host.pending[key], host.signed_in(sid)
    must_log_in = {"login", "select_account"} & set(pending.prompt.split()) and not pending.signed_in_again
    if signed_in is None or must_log_in:
        if "none" in pending.prompt.split():
            return _finish(host, key, error="login_required", error_description="user is not signed in")
        return RedirectResponse(f"{host.prefix}/login?{urlencode({'request': key})}", 302)
    org, user = signed_in
    if pending.client_id not in org.apps:
        return _finish(host, key, error="OAUTH_EC_APP_NOT_FOUND", error_description="External client app not found")
    approved = org.grants.approvals.get((user.id, pending.client_id), set())
    if set(pending.scopes) <= approved and "consent" not in pending.prompt.split():
        return _grant(host, key, org, user)
    if "none" in pending.prompt.split():
        return _finish(host, key, error="consent_required", error_description="user has not approved this app")
    return RedirectResponse(f"{host.prefix}{CONSENT}?{urlencode({'request': key})}", 302)


def _finish(host: Host, key: str, **answer: str) -> Response:
    pending = host.pending.pop(key)
    return _back(host, pending.redirect_uri, pending.state, **answer)


def _grant(host: Host, key: str, org: Org, user: User) -> Response:
    pending = host.pending[key]
    code = Code(
        user.id,
        pending.client_id,
        pending.redirect_uri,
        pending.scopes,
        pending.challenge,
        host.is_site,
        time.time() + 900,
    )
    return _finish(host, key, code=org.grants.new_code(code))


def login_page(host: Host, form: Form) -> Response:
    pending = host.held(form.get("request", ""))
    if form.get("request") and pending is None:
        return HTMLResponse(message("This request has expired", "Please start again from the app."), 400)
    hint = form.get("un") or (pending.login_hint if pending else "")
    return HTMLResponse(html.login(host, _carried(form), "", hint))


def _carried(form: Form) -> Form:
    return {name: form[name] for name in ("request", "startURL") if form.get(name)}


def log_in(host: Host, form: Form) -> Response:
    found = _who(host, form)
    if found is None:
        return HTMLResponse(html.login(host, _carried(form), _FAILED, form.get("username", "")))
    sid = host.open_session(*found)
    key = form.get("request", "")
    pending = host.held(key)
    if pending:
        pending.signed_in_again = True
        response = _next_step(host, key, sid)
    else:
        start = form.get("startURL", "/")
        safe = start.startswith("/") and not start.startswith(("//", "/\\"))
        response = RedirectResponse(start if safe else "/", 302)
    keep_session(host, response, sid)
    return response


def keep_session(host: Host, response: Response, sid: str) -> None:
    response.set_cookie(host.cookie, sid, httponly=True, samesite="lax", path="/")


def _who(host: Host, form: Form) -> tuple[Org, User] | None:
    org_key, _, user_key = form.get("as", "").partition(":")
    username, password = form.get("username", "").strip().lower(), form.get("pw", "")
    for org, user in host.members():
        if user_key and (org.key, user.key) == (org_key, user_key):
            return org, user
        if not user_key and user.username.lower() == username and user.password == password:
            return org, user
    return None


def consent_page(host: Host, form: Form, sid: str | None) -> Response:
    key = form.get("request", "")
    pending, signed_in = host.held(key), host.signed_in(sid)
    app = host.app(pending.client_id) if pending else None
    if pending is None or signed_in is None or app is None:
        return HTMLResponse(message("This request has expired", "Please start again from the app."), 400)
    return HTMLResponse(html.consent(host, key, app, pending.scopes, *signed_in))


def decide(host: Host, form: Form, sid: str | None) -> Response:
    """Allow is remembered per user and app; the unguessable request key keeps other sites from deciding."""
    key = form.get("request", "")
    pending, signed_in = host.held(key), host.signed_in(sid)
    if pending is None or signed_in is None:
        return HTMLResponse(message("This request has expired", "Please start again from the app."), 400)
    if form.get("decision") != "allow":
        return _finish(host, key, error="access_denied", error_description="end-user denied authorization")
    org, user = signed_in
    org.grants.approvals.setdefault((user.id, pending.client_id), set()).update(pending.scopes)
    return _grant(host, key, org, user)


def front_door(host: Host, form: Form) -> Response:
    """Redeem a one-time link: a browser session, and on to the page."""
    org = host.org
    entry = org.single_access.pop(form.get("otp", ""), None) if org else None
    if org is None or entry is None or entry[2] < time.time():
        return HTMLResponse(message("This link has been used or has expired", "Open the record again."), 403)
    response = RedirectResponse(entry[1], 302)
    keep_session(host, response, host.open_session(org, org.by_id[entry[0]]))
    return response


def record_page(host: Host, path: str, sid: str | None) -> Response:
    """`/lightning/r/Contact/003.../view`, `/003...` or the home page, for the person who is signed in."""
    signed_in = host.signed_in(sid)
    if signed_in is None:
        return RedirectResponse(f"{host.prefix}/login?{urlencode({'startURL': path})}", 302)
    org, user = signed_in
    access = org.access_of(user)
    row = next((found for piece in path.split("/") if (found := org.store.get(_id(piece)))), None)
    if row is None and path.strip("/") in ("", "lightning", "lightning/page/home", "home/home.jsp"):
        return HTMLResponse(message(f"Welcome, {user.first}", f"You are signed in to {org.name}."))
    kind = org.store.schema.of_id(row["Id"]) if row else None
    if row is None or kind is None or row.get("IsDeleted"):
        return HTMLResponse(message("This record does not exist", "It may have been deleted."), 404)
    if not access.reads(kind) or not access.sees(kind, row):
        return HTMLResponse(message("Insufficient Privileges", "Ask your administrator for access."), 403)
    return HTMLResponse(html.record(kind, row, access, org))


def _id(piece: str) -> str | None:
    from simulators.salesforce.ids import full_id

    return full_id(piece)
