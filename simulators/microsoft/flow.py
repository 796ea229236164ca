"""authorize, account picker, second factor, consent: the browser's way to a code at Microsoft."""

import time
from html import escape
from urllib.parse import urlencode, urlsplit

from starlette.responses import HTMLResponse, RedirectResponse, Response

from simulators.front import Form, Result
from simulators.microsoft import html
from simulators.microsoft.accounts import ADMIN_ONLY, CONSUMERS, Account, new_id, spelled
from simulators.microsoft.errors import error
from simulators.microsoft.provider import MANY, Microsoft
from simulators.oauth.browsing import CODE_SECONDS, Code, Pending
from simulators.oauth.html import hidden, message, page

COOKIE = "microsoft_sid"
LOGIN, FACTOR, CONSENT = "/common/login", "/common/SAS/ProcessAuth", "/common/Consent/Set"
_PROMPTS = {"none", "login", "consent", "select_account", ""}


def authorize(microsoft: Microsoft, tenant: str, form: Form, sid: str | None) -> Response:
    """A wrong tenant, client or address is told to the person; all else goes back to the app."""
    app = microsoft.apps.get(form.get("client_id", ""))
    if microsoft.tenant_named(tenant) is None and tenant not in MANY:
        return _shown(error(90002, microsoft.api_url, tenant=tenant))
    if app is None:
        return _shown(error(700016, microsoft.api_url, app=form.get("client_id", ""), tenant=tenant))
    uri = form.get("redirect_uri", "")
    if not app.accepts(uri):
        return _shown(error(50011, microsoft.api_url, uri=uri, app=app.client_id))
    pending = _pending(microsoft, tenant, form)
    if problem := _problem(microsoft, form, app.name):
        return _back(pending, _query_of(problem))
    return _next_step(microsoft, microsoft.browsing.hold(pending), sid)


def _pending(microsoft: Microsoft, tenant: str, form: Form) -> Pending:
    asked = form.get("scope", "")
    names = [spelled(scope, microsoft.prefixes) for scope in asked.split()]
    return Pending(
        form["client_id"],
        form["redirect_uri"],
        form.get("state"),
        tuple(dict.fromkeys(name for name in names if name)),
        form.get("code_challenge", ""),
        frozenset(form.get("prompt", "").split()),
        form.get("login_hint", ""),
        form.get("nonce", ""),
        realm=tenant,
        response_mode=form.get("response_mode", "query"),
        extra={
            "asked": asked,
            "marks": "mfa" if "mfa" in form.get("claims", "") else "",
            "client_info": form.get("client_info", ""),
            "domain_hint": form.get("domain_hint", ""),
        },
    )


def _problem(microsoft: Microsoft, form: Form, name: str) -> Result | None:
    base = microsoft.api_url
    for required in ("response_type", "scope"):
        if not form.get(required):
            return error(900144, base, name=required)
    unknown = [s for s in form["scope"].split() if not spelled(s, microsoft.prefixes) and not s.endswith("/.default")]
    if unknown:
        return error(650053, base, name=name, scope=unknown[0])
    if form["response_type"] != "code" or form.get("prompt", "") not in _PROMPTS:
        return error(9002313, base)
    challenge, method = form.get("code_challenge", ""), form.get("code_challenge_method", "plain")
    if challenge and (method != "S256" or len(challenge) != 43):
        return error(9002313, base)
    return None


def _query_of(problem: Result) -> dict[str, str]:
    body = problem[1]
    return {name: str(body[name]) for name in ("error", "error_description", "error_uri")}


def _shown(problem: Result) -> Response:
    """The platform's own error page; nothing is sent to the app."""
    return HTMLResponse(html.failed(problem[1]["error_description"]), 400)


def _back(pending: Pending, answer: dict[str, str]) -> Response:
    """To the app: in the query, the fragment, or as a form that is posted."""
    if pending.state is not None:
        answer["state"] = pending.state
    if pending.response_mode == "form_post":
        action = escape(pending.redirect_uri)
        form = f'<form method="post" action="{action}">{hidden(answer)}<button class="first">Continue</button></form>'
        return HTMLResponse(page("Working...", form))
    mark = "#" if pending.response_mode == "fragment" else "&" if urlsplit(pending.redirect_uri).query else "?"
    return RedirectResponse(pending.redirect_uri + mark + urlencode(answer), 302)


def _refuse(microsoft: Microsoft, key: str, number: int, **words: str) -> Response:
    return _back(microsoft.browsing.pending.pop(key), _query_of(error(number, microsoft.api_url, **words)))


def _next_step(microsoft: Microsoft, key: str, sid: str | None) -> Response:
    """Picker, second factor, consent, or straight back with a code where nothing is left to ask."""
    pending = microsoft.browsing.pending[key]
    silent = "none" in pending.prompts
    account = microsoft.by_oid.get(pending.user) or _only_candidate(microsoft, pending, sid)
    if account is None:
        return _refuse(microsoft, key, 50058) if silent else _to(LOGIN, key)
    pending.user = account.oid
    app, tenant = microsoft.apps[pending.client_id], microsoft.tenants[account.tid]
    if app.tenants and account.tid not in app.tenants:
        return _shown(error(700016, microsoft.api_url, app=app.client_id, tenant=tenant.name))
    if tenant.conditional_access:
        return HTMLResponse(html.failed(error(53003)[1]["error_description"]), 403)
    if (tenant.mfa or account.challenge) and pending.extra["marks"] != "mfa done":
        return _refuse(microsoft, key, 50076) if silent else _to(FACTOR, key)
    if set(pending.scopes) <= microsoft.consented(account, app.client_id) and "consent" not in pending.prompts:
        return _grant(microsoft, key)
    if silent:
        return _refuse(microsoft, key, 65001, app=app.client_id, name=app.name)
    return _to(CONSENT, key)


def _to(path: str, key: str) -> Response:
    return RedirectResponse(f"{path}?{urlencode({'request': key})}", 302)


def may_sign_in(microsoft: Microsoft, pending: Pending, account: Account) -> bool:
    """`organizations` takes work accounts, `consumers` personal ones, `common` both, a tenant its own."""
    if pending.realm in MANY:
        personal = account.tid == CONSUMERS
        return pending.realm == "common" or personal is (pending.realm == "consumers")
    return microsoft.tenants[account.tid].is_called(pending.realm)


def _only_candidate(microsoft: Microsoft, pending: Pending, sid: str | None) -> Account | None:
    """Whom the browser is signed in as, where that leaves no choice."""
    if {"select_account", "login"} & pending.prompts:
        return None
    users = [microsoft.by_oid[oid] for oid in microsoft.browsing.users(sid)]
    users = [user for user in users if user.active and may_sign_in(microsoft, pending, user)]
    if pending.login_hint:
        users = [user for user in users if pending.login_hint.lower() == user.email]
    return users[0] if len(users) == 1 else None


def _grant(microsoft: Microsoft, key: str) -> Response:
    pending = microsoft.browsing.pending.pop(key)
    pending.extra["marks"] = "mfa" if "mfa" in pending.extra["marks"] else ""
    account = microsoft.by_oid[pending.user]
    answer = {"code": microsoft.new_code(Code(account.oid, pending, pending.scopes, time.time() + CODE_SECONDS))}
    if pending.extra["client_info"] == "1":
        answer["client_info"] = microsoft.client_info(account)
    return _back(pending, answer | {"session_state": new_id()})


# -- pages --------------------------------------------------------------------------------------------------------


def _expired() -> Response:
    return HTMLResponse(message("Sorry, but we're having trouble signing you in", "Start again from the app."), 400)


def login_page(microsoft: Microsoft, form: Form) -> Response:
    pending = microsoft.browsing.held(form.get("request", ""))
    if pending is None:
        return _expired()
    return HTMLResponse(html.login(microsoft, form["request"], pending, _listed(microsoft, pending), ""))


def _listed(microsoft: Microsoft, pending: Pending) -> list[Account]:
    """All of them: that a personal account does not fit is said once it was picked."""
    accounts = [account for account in microsoft.accounts.values() if account.active]
    return sorted(accounts, key=lambda a: (a.email != pending.login_hint.lower(), a.tid == CONSUMERS))


def log_in(microsoft: Microsoft, form: Form, sid: str | None) -> Response:
    """One of the listed accounts, or an address with its password."""
    key = form.get("request", "")
    pending = microsoft.browsing.held(key)
    if pending is None:
        return _expired()
    account, problem = _who(microsoft, pending, form)
    if account is None:
        return HTMLResponse(html.login(microsoft, key, pending, _listed(microsoft, pending), problem))
    sid = microsoft.browsing.sign_in(sid, account.oid)
    pending.user = account.oid
    response = _next_step(microsoft, key, sid)
    response.set_cookie(COOKIE, sid, httponly=True, samesite="lax", path="/")
    return response


def _who(microsoft: Microsoft, pending: Pending, form: Form) -> tuple[Account | None, str]:
    account = microsoft.account_named(form.get("as", "") or form.get("login", ""))
    if account is None:
        return None, "We couldn't find an account with that username."
    if not form.get("as") and account.password != form.get("passwd"):
        return None, "Your account or password is incorrect."
    if not account.active:
        return None, "Your account has been locked. Contact your support person to unlock it, then try again."
    if not may_sign_in(microsoft, pending, account):
        if pending.realm == "organizations":
            return None, "You can't sign in here with a personal account. Use your work or school account instead."
        words = {"user": account.email, "issuer": account.tid, "tenant": pending.realm, "app": pending.client_id}
        return None, str(error(50020, **words)[1]["error_description"])
    return account, ""


def factor_page(microsoft: Microsoft, form: Form) -> Response:
    pending = microsoft.browsing.held(form.get("request", ""))
    return HTMLResponse(html.factor(form["request"])) if pending and pending.user else _expired()


def pass_factor(microsoft: Microsoft, form: Form, sid: str | None) -> Response:
    key = form.get("request", "")
    pending = microsoft.browsing.held(key)
    if pending is None or pending.user not in microsoft.browsing.users(sid):
        return _expired()
    pending.extra["marks"] = "mfa done"
    microsoft.by_oid[pending.user].challenge = False
    return _next_step(microsoft, key, sid)


def needs_admin(microsoft: Microsoft, pending: Pending) -> bool:
    """The tenant lets nobody else consent, or a scope is not for people to give."""
    account = microsoft.by_oid[pending.user]
    new = set(pending.scopes) - microsoft.consented(account, pending.client_id)
    if account.administrator or not new:
        return False
    return not microsoft.tenants[account.tid].user_consent or bool(new & ADMIN_ONLY)


def consent_page(microsoft: Microsoft, form: Form) -> Response:
    pending = microsoft.browsing.held(form.get("request", ""))
    if pending is None or not pending.user:
        return _expired()
    shown = html.admin_needed if needs_admin(microsoft, pending) else html.consent
    return HTMLResponse(shown(microsoft, form["request"], pending))


def decide(microsoft: Microsoft, form: Form, sid: str | None) -> Response:
    """All scopes or none. An administrator may consent for everybody (`for_all`)."""
    key = form.get("request", "")
    pending = microsoft.browsing.held(key)
    if pending is None or pending.user not in microsoft.browsing.users(sid):
        return _expired()
    account = microsoft.by_oid[pending.user]
    if needs_admin(microsoft, pending):
        name = microsoft.apps[pending.client_id].name
        return _refuse(microsoft, key, 90094, tenant=microsoft.tenants[account.tid].name, name=name)
    if form.get("decision") != "allow":
        return _refuse(microsoft, key, 65004)
    whole = account.administrator and form.get("for_all") == "yes"
    microsoft.consent(account.tid if whole else account.oid, pending.client_id, pending.scopes)
    return _grant(microsoft, key)
