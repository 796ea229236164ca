"""The ASGI applications of the simulated Google: paths to handlers."""

from urllib.parse import parse_qs

from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from simulators.front import json_response
from simulators.google import answers, flow
from simulators.google.mail import api, batch, spelling
from simulators.google.provider import Google
from simulators.oauth import home
from simulators.oauth.html import message
from simulators.oauth.web import Exchange, result

_HOME = "Third-party apps with access to your Google Account"


class Api(Exchange[Google]):
    """Over TLS: accounts.google.com, oauth2.googleapis.com, openidconnect.googleapis.com and gmail.googleapis.com."""

    def answer(self) -> Response:
        google, path, form = self.provider, self.path, self.form
        if path.startswith(("/gmail/", "/batch")):
            return self._gmail()
        if path == "/.well-known/openid-configuration":
            return json_response(answers.metadata(google))
        if path == "/oauth2/v3/certs":
            return json_response(google.signer.jwks())
        if path in ("/token", "/oauth2/v4/token", "/o/oauth2/token") and self.request.method == "POST":
            self.delay = google.mode.delay
            return result(answers.token(google, form, self.request.headers.get("authorization", "")))
        if path in ("/revoke", "/o/oauth2/revoke"):
            return result(answers.revoke(google, form))
        if path in ("/v1/userinfo", "/oauth2/v3/userinfo"):
            return result(answers.userinfo(google, self.bearer or form.get("access_token", "")))
        if path == "/tokeninfo":
            return result(answers.tokeninfo(google, form))
        if path == "/o/oauth2/v2/auth":
            return RedirectResponse(f"{google.pages_url}{path}?{self.request.url.query}", 302)
        return _not_found()

    def _gmail(self) -> Response:
        self.counted = True
        if self.path in ("/batch", "/batch/gmail/v1") and self.request.method == "POST":
            return batch.answer(self.provider, self.bearer, self.request.headers.get("content-type", ""), self.body)
        raw_path = self.request.scope["raw_path"].decode("latin-1").partition("?")[0]
        target = f"{raw_path}?{self.request.url.query}"
        status, body = api.answer(self.provider, self.bearer, self.request.method, target, self.body)
        return spelling.response(status, body)


class Pages(Exchange[Google]):
    """Over plain http: account chooser, consent."""

    def answer(self) -> Response:
        google, path, form = self.provider, self.path, self.form
        sid = self.request.cookies.get(flow.COOKIE)
        post = self.request.method == "POST"
        if path == "/":
            return home.remove(google, form, sid) if post else home.show(google, _HOME, sid)
        if path in ("/o/oauth2/v2/auth", "/o/oauth2/auth"):
            return flow.authorize(google, form, sid, self.request.headers.get("user-agent", ""))
        if path == flow.CHOOSER:
            return flow.choose(google, form, sid) if post else flow.chooser_page(google, form)
        if path == flow.CONSENT:
            ticked = parse_qs(self.body.decode("utf-8", "replace")).get("scope", [])
            return flow.decide(google, form, ticked, sid) if post else flow.consent_page(google, form)
        if path == "/Logout":
            google.browsing.sign_out(sid)
            response = PlainTextResponse("You have been signed out.")
            response.delete_cookie(flow.COOKIE)
            return response
        return _not_found()


def _not_found() -> Response:
    return HTMLResponse(message("404. That's an error.", "The requested URL was not found on this server."), 404)
