"""The ASGI applications of the simulated Microsoft: paths to handlers."""

import base64
from collections.abc import Callable

from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from simulators.front import Form, json_response
from simulators.microsoft import answers, flow
from simulators.microsoft.provider import Microsoft
from simulators.oauth import home
from simulators.oauth.html import message
from simulators.oauth.web import Exchange, result


class Api(Exchange[Microsoft]):
    """login.microsoftonline.com over TLS: whatever is not for people. There is no revocation endpoint."""

    def answer(self) -> Response:
        microsoft = self.provider
        tenant, _, rest = self.path.strip("/").partition("/")
        if rest == "v2.0/.well-known/openid-configuration":
            return result(answers.metadata(microsoft, tenant))
        if rest == "discovery/v2.0/keys":
            return json_response(microsoft.signer.jwks())
        if rest == "discovery/instance":
            return json_response(answers.instance_discovery(microsoft)[1])
        if rest == "oauth2/v2.0/token" and self.request.method == "POST":
            self.delay = microsoft.mode.delay
            return result(answers.token(microsoft, tenant, self.form, self._basic()))
        if rest in ("oauth2/v2.0/authorize", "oauth2/v2.0/logout"):
            return RedirectResponse(f"{microsoft.pages_url}{self.path}?{self.request.url.query}", 302)
        return _not_found()

    def _basic(self) -> tuple[str, str] | None:
        kind, _, text = self.request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic":
            return None
        try:
            client_id, _, secret = base64.b64decode(text).decode().partition(":")
        except ValueError:
            return None
        return client_id, secret


class Pages(Exchange[Microsoft]):
    """Over plain http: picker, second factor, consent."""

    def answer(self) -> Response:
        microsoft, form, path = self.provider, self.form, self.path
        sid = self.request.cookies.get(flow.COOKIE)
        if self.request.method == "POST" and path in _POSTS:
            return _POSTS[path](microsoft, form, sid)
        if path == "/":
            return home.show(microsoft, _HOME, sid)
        if path in _PAGES:
            return _PAGES[path](microsoft, form)
        tenant, _, rest = path.strip("/").partition("/")
        if rest == "oauth2/v2.0/authorize":
            return flow.authorize(microsoft, tenant, form, sid)
        if rest == "oauth2/v2.0/logout":
            return self._log_out(sid)
        return _not_found()

    def _log_out(self, sid: str | None) -> Response:
        self.provider.browsing.sign_out(sid)
        after = self.form.get("post_logout_redirect_uri", "")
        known = any(app.accepts(after) for app in self.provider.apps.values())
        response: Response = RedirectResponse(after, 302) if known else PlainTextResponse("You signed out.")
        response.delete_cookie(flow.COOKIE)
        return response


_HOME = "My Apps"
_POSTS: dict[str, Callable[[Microsoft, Form, str | None], Response]] = {
    "/": home.remove,
    flow.LOGIN: flow.log_in,
    flow.FACTOR: flow.pass_factor,
    flow.CONSENT: flow.decide,
}
_PAGES = {flow.LOGIN: flow.login_page, flow.FACTOR: flow.factor_page, flow.CONSENT: flow.consent_page}


def _not_found() -> Response:
    return HTMLResponse(message("404 - File or directory not found", "The resource might have been removed."), 404)
