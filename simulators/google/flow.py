"""authorize, account chooser, consent: the browser's way to a code at Google."""

import time
from urllib.parse import urlencode, urlsplit

from starlette.responses import HTMLResponse, RedirectResponse, Response

from simulators.front import Form
from simulators.google import html
from simulators.google.accounts import SIGN_IN_SCOPES, Account, App, canonical
from simulators.google.answers import known_scopes
from simulators.google.provider import Google
from simulators.oauth.browsing import CODE_SECONDS, Code, Pending
from simulators.oauth.html import message

COOKIE = "google_sid"
CHOOSER, CONSENT = "/v3/signin/identifier", "/signin/oauth/consent"
_EMBEDDED = ("; wv)", "WebView")


def authorize(google: Google, form: Form, sid: str | None, agent: str) -> Response:
    """Everything that is wrong with the request is told to the person; only his own no goes back to the app."""
    app = google.apps.get(form.get("client_id", ""))
    if app is None:
        return blocked(401, "invalid_client", "The OAuth client was not found.")
    if not app.accepts(form.get("redirect_uri", "")):
        return blocked(
            400, "redirect_uri_mismatch", "You can't sign in to this app because it sent an invalid request."
        )
    if any(mark in agent for mark in _EMBEDDED):
        return blocked(403, "disallowed_useragent", "This app doesn't comply with Google's secure browsers policy.")
    scopes = tuple(dict.fromkeys(canonical(scope) for scope in form.get("scope", "").split()))
    if problem := _problem(form, scopes):
        return blocked(400, *problem)
    return _next_step(google, google.browsing.hold(_pending(form, scopes)), sid)


def _problem(form: Form, scopes: tuple[str, ...]) -> tuple[str, str] | None:
    if form.get("response_type") != "code":
        return "invalid_request", f"Invalid response_type: {form.get('response_type', '')}"
    if not scopes:
        return "invalid_request", "Missing required parameter: scope"
    valid, invalid = known_scopes(scopes)
    if invalid:
        return "invalid_scope", f"Some requested scopes were invalid. {{valid={valid}, invalid={invalid}}}"
    challenge, method = form.get("code_challenge", ""), form.get("code_challenge_method", "plain")
    if challenge and (method not in ("S256", "plain") or not 43 <= len(challenge) <= 128):
        return "invalid_request", "Invalid code_challenge_method or code_challenge"
    prompts = set(form.get("prompt", "").split())
    if prompts - {"none", "consent", "select_account"} or ("none" in prompts and len(prompts) > 1):
        return "invalid_request", "Invalid parameter value for prompt: Invalid prompt"
    return None


def _pending(form: Form, scopes: tuple[str, ...]) -> Pending:
    prompts = frozenset(
        form.get("prompt", "").split() + form.get("approval_prompt", "").replace("force", "consent").split()
    )
    return Pending(
        form["client_id"],
        form["redirect_uri"],
        form.get("state"),
        scopes,
        form.get("code_challenge", ""),
        prompts,
        form.get("login_hint", ""),
        form.get("nonce", ""),
        realm=form.get("hd", ""),
        extra={
            "method": form.get("code_challenge_method", "plain"),
            "access_type": form.get("access_type", "online"),
            "include": form.get("include_granted_scopes", "false").lower(),
            "offline": "no",
        },
    )


def blocked(status: int, name: str, text: str) -> Response:
    """Google's own error page; nothing is sent to the app."""
    return HTMLResponse(html.blocked(status, name, text), status)


def _back(google: Google, pending: Pending, **answer: str) -> Response:
    if pending.state is not None:
        answer = {"state": pending.state, **answer}
    if google.announces_issuer:
        answer["iss"] = google.api_url
    glue = "&" if urlsplit(pending.redirect_uri).query else "?"
    return RedirectResponse(pending.redirect_uri + glue + urlencode(answer), 302)


def _finish(google: Google, key: str, **answer: str) -> Response:
    return _back(google, google.browsing.pending.pop(key), **answer)


def _next_step(google: Google, key: str, sid: str | None) -> Response:
    """Chooser, consent, or straight back with a code where nothing is left to ask."""
    pending = google.browsing.pending[key]
    silent = "none" in pending.prompts
    account = google.by_sub.get(pending.user) or _only_candidate(google, pending, sid)
    if account is None:
        if silent:
            return _finish(google, key, error_subtype="access_denied", error="interaction_required")
        return RedirectResponse(f"{CHOOSER}?{urlencode({'request': key})}", 302)
    pending.user = account.sub
    app = google.apps[pending.client_id]
    if refusal := _refused(google, pending, app, account):
        return refusal
    if "consent" not in pending.prompts and set(pending.scopes) <= _consented(google, pending):
        return _grant(google, key, pending.scopes, asked=False)
    if silent:
        return _finish(google, key, error_subtype="access_denied", error="interaction_required")
    return RedirectResponse(f"{CONSENT}?{urlencode({'request': key})}", 302)


def _only_candidate(google: Google, pending: Pending, sid: str | None) -> Account | None:
    """Whom the browser is signed in as, where that leaves no choice."""
    if "select_account" in pending.prompts:
        return None
    users = [google.by_sub[sub] for sub in google.browsing.users(sid) if google.by_sub[sub].active]
    if pending.realm and pending.realm != "*":
        users = [user for user in users if user.domain == pending.realm]
    if pending.login_hint:
        users = [user for user in users if pending.login_hint.lower() in (user.email, user.sub)]
    return users[0] if len(users) == 1 else None


def _refused(google: Google, pending: Pending, app: App, account: Account) -> Response | None:
    """The app's publishing status, then the Workspace's administrator. The page ends it; the app hears nothing."""
    if app.publishing == "internal" and account.domain != app.domain:
        return blocked(403, "org_internal", f"{app.name} is restricted to users within its organization.")
    if app.publishing == "testing" and account.email not in app.test_users and account.key not in app.test_users:
        return blocked(
            403,
            "access_denied",
            f"{app.name} has not completed the Google verification process. The app is currently being tested, and can "
            "only be accessed by developer-approved testers.",
        )
    workspace = google.workspaces.get(account.domain)
    if workspace and (workspace.blocks or set(workspace.blocked_scopes) & set(pending.scopes)):
        return blocked(
            400, "admin_policy_enforced", f"Your institution's admin needs to review {app.name} ({workspace.name})."
        )
    return None


def _consented(google: Google, pending: Pending) -> set[str]:
    return google.families.consents.get((pending.user, pending.client_id), set())


def _grant(google: Google, key: str, scopes: tuple[str, ...], asked: bool) -> Response:
    """A code. A refresh token goes with it only where the person was asked just now (and access_type says offline)."""
    pending = google.browsing.pending[key]
    account = google.by_sub[pending.user]
    if pending.extra["include"] == "true":
        scopes = tuple(dict.fromkeys((*scopes, *sorted(_consented(google, pending)))))
    pending.extra["offline"] = "yes" if asked and pending.extra["access_type"] == "offline" else "no"
    code = Code(account.sub, pending, scopes, time.time() + CODE_SECONDS)
    answer = {"code": google.new_code(code), "scope": " ".join(scopes), "authuser": "0"}
    if account.domain:
        answer["hd"] = account.domain
    return _finish(google, key, **answer, prompt="consent" if asked else "none")


# -- pages --------------------------------------------------------------------------------------------------------


def _expired() -> Response:
    return HTMLResponse(message("Something went wrong", "Please start again from the app."), 400)


def chooser_page(google: Google, form: Form) -> Response:
    key = form.get("request", "")
    pending = google.browsing.held(key)
    if pending is None:
        return _expired()
    return HTMLResponse(html.chooser(google, key, pending, ""))


def choose(google: Google, form: Form, sid: str | None) -> Response:
    """One of the listed accounts, or an address with its password."""
    key = form.get("request", "")
    pending = google.browsing.held(key)
    if pending is None:
        return _expired()
    account = google.account_named(form.get("as", ""))
    if account is None:
        account = google.account_named(form.get("identifier", ""))
        if account is None or account.password != form.get("Passwd"):
            return HTMLResponse(html.chooser(google, key, pending, "Wrong password, or Couldn't find your account."))
    if not account.active:
        return HTMLResponse(html.chooser(google, key, pending, "This account has been suspended."))
    sid = google.browsing.sign_in(sid, account.sub)
    pending.user = account.sub
    response = _next_step(google, key, sid)
    response.set_cookie(COOKIE, sid, httponly=True, samesite="lax", path="/")
    return response


def consent_page(google: Google, form: Form) -> Response:
    key = form.get("request", "")
    pending = google.browsing.held(key)
    if pending is None or not pending.user:
        return _expired()
    return HTMLResponse(html.consent(google, key, pending, ticks(google, pending)))


def ticks(google: Google, pending: Pending) -> list[str]:
    """Scopes with a tick box of their own: where more than one beyond signing in is asked for
    (developers.google.com/identity/protocols/oauth2/resources/granular-permissions)."""
    known = set() if "consent" in pending.prompts else _consented(google, pending)
    new = [scope for scope in pending.scopes if scope not in SIGN_IN_SCOPES and scope not in known]
    return new if len(new) > 1 else []


def decide(google: Google, form: Form, ticked: list[str], sid: str | None) -> Response:
    """`ticked`: the values of the `scope` boxes; `all` stands for each of them. What is not ticked is not granted."""
    key = form.get("request", "")
    pending = google.browsing.held(key)
    if pending is None or pending.user not in google.browsing.users(sid):
        return _expired()
    if form.get("decision") != "allow":
        return _finish(google, key, error="access_denied")
    boxes = ticks(google, pending)
    refused = set() if "all" in ticked else set(boxes) - set(ticked)
    granted = tuple(scope for scope in pending.scopes if scope not in refused)
    google.families.consents.setdefault((pending.user, pending.client_id), set()).update(granted)
    google.families.save()
    return _grant(google, key, granted, asked=True)
