"""Somebody who signs in at a product of ours and at the simulated Salesforce, and an add-in of his.

Standard library only; for a product that is thrown away, with its people's known passwords."""

import base64
import hashlib
import html.parser
import http.client
import json
import secrets
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from organizations.privacy.visits import JourneyFailed

_CLIENT = "outlook-task-pane"
_SECONDS = 60
_MOST_PAGES = 6


@dataclass(frozen=True)
class Reply:
    url: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def origin(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


class _Stays(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Web:
    """Requests with cookies; certificates are checked against `ca`."""

    def __init__(self, ca: str, follows: bool = True) -> None:
        handlers: list[Any] = [
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca)),
            urllib.request.HTTPCookieProcessor(),
            urllib.request.ProxyHandler({}),
        ]
        self._opener = urllib.request.build_opener(*handlers, *(() if follows else (_Stays(),)))

    def send(self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Any status is an answer. Raises JourneyFailed where there is none."""
        request = urllib.request.Request(url, body, dict(headers or {}), method=method)  # noqa: S310  our own addresses
        try:
            with self._opener.open(request, timeout=_SECONDS) as answer:
                return Reply(answer.geturl(), answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as answer:
            return Reply(answer.geturl(), answer.code, dict(answer.headers), answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise JourneyFailed(f"{urlsplit(url).path} was not answered ({type(error).__name__})") from None

    def submit(self, page: Reply, form: "Form", values: Mapping[str, str]) -> Reply:
        data = urlencode({**form.fields, **values})
        url = urljoin(page.url, form.action)
        if form.method != "post":
            return self.send("GET", f"{url}?{data}")
        headers = {"Origin": page.origin, "Content-Type": "application/x-www-form-urlencoded"}
        return self.send("POST", url, data.encode(), headers)


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Forms(html.parser.HTMLParser):
    def __init__(self, page: Reply) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.feed(page.body.decode("utf-8", "replace"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif self.forms and tag in ("input", "button") and given.get("name"):
            self._field(self.forms[-1], tag, given)

    def _field(self, form: Form, tag: str, given: Mapping[str, str]) -> None:
        kind = given.get("type", "")
        if tag == "button" or kind == "submit":
            form.buttons.append((given["name"], given.get("value", "")))
        elif kind not in ("radio", "checkbox") or "checked" in given:
            form.fields[given["name"]] = given.get("value", "")


class Person:
    """`org`, `user`: as the simulated Salesforce names them in run.json."""

    def __init__(self, public_url: str, ca: str, org: Mapping[str, Any], user: Mapping[str, Any]) -> None:
        self.web, self.url = Web(ca), public_url
        self._org, self._user = org, user

    def sign_in(self, then: str) -> Reply:
        """Through /connect/salesforce/, Salesforce's pages, and on to `then`. Raises JourneyFailed."""
        query = urlencode({"login": self._org["api_url"], "next": then})
        page = self.web.send("GET", f"{self.url}/connect/salesforce/?{query}")
        chooser = next((form for form in _Forms(page).forms if "login" in form.fields and form.method == "post"), None)
        if chooser is None:
            raise JourneyFailed("the page for signing in was not there")
        page = self.web.submit(page, chooser, {"login": self._org["api_url"]})
        for _ in range(_MOST_PAGES):
            if page.origin == self.url:
                return page
            page = self._at_salesforce(page)
        raise JourneyFailed("signing in did not come to its end")

    def _at_salesforce(self, page: Reply) -> Reply:
        """Its forms ask for name and password, then for consent."""
        for form in _Forms(page).forms:
            names = {name.lower(): name for name in form.fields}
            user, password = names.get("username") or names.get("un"), names.get("password") or names.get("pw")
            if user and password:
                values = {user: self._user["username"], password: self._user["password"]}
                return self.web.submit(page, form, values)
            for name, value in form.buttons:
                if "allow" in f"{name} {value}".lower():
                    return self.web.submit(page, form, {name: value})
        raise JourneyFailed("the simulated Salesforce showed another page than was expected")

    def connect(self, provider: str, account: str) -> None:
        """A mailbox of his, from our page over the provider's and back; he is signed in. Raises JourneyFailed."""
        page = self.web.send("GET", f"{self.url}/connect/{provider}/")
        asked = next((form for form in _Forms(page).forms if "next" in form.fields), None)
        if asked is None:
            raise JourneyFailed(f"the page for connecting {provider} was not there")
        page = self.web.submit(page, asked, {})
        for _ in range(_MOST_PAGES):
            if page.origin == self.url:
                return
            page = self._at_mail_provider(page, account)
        raise JourneyFailed(f"connecting {provider} did not come to its end")

    def _at_mail_provider(self, page: Reply, account: str) -> Reply:
        """It asks which account, then what may be done with it."""
        form = next(iter(_Forms(page).forms), None)
        if form is None:
            raise JourneyFailed("the simulated provider showed another page than was expected")
        asks_for_consent = ("decision", "allow") in form.buttons
        given = {"decision": "allow", "scope": "all"} if asks_for_consent else {"as": account}
        return self.web.submit(page, form, given)


class SignedIn:
    """The task pane's add-in of a person: a public client with PKCE, a token in a header."""

    def __init__(self, person: Person) -> None:
        self.person, self._back = person, f"{person.url}/addins/outlook/callback/"
        verifier = secrets.token_urlsafe(48)
        code = self._code(base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode())
        grant = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
        data = urlencode({"client_id": _CLIENT, "redirect_uri": self._back, **grant}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = person.web.send("POST", f"{person.url}/o/token/", data, headers)
        if answer.status != 200:
            raise JourneyFailed(f"the add-in was given no token ({answer.status})")
        self._bearer = str(answer.json["access_token"])

    def _code(self, challenge: str) -> str:
        asked = {"response_type": "code", "client_id": _CLIENT, "redirect_uri": self._back, "scope": "sidebar"}
        proof = {"state": secrets.token_urlsafe(16), "code_challenge": challenge, "code_challenge_method": "S256"}
        path = f"/o/authorize/?{urlencode({**asked, **proof})}"
        page = self.person.sign_in(path)
        code = parse_qs(urlsplit(page.url).query).get("code")
        if not (page.url.startswith(self._back) and code):
            raise JourneyFailed(f"the add-in was not let in ({page.status})")
        return code[0]

    def call(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Reply:
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        ours = {"Authorization": f"Bearer {self._bearer}", "Content-Type": "application/json"}
        return self.person.web.send(method, f"{self.person.url}/api/v1/{path}", sent, {**ours, **(headers or {})})
