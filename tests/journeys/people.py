"""People who use a running product: a browser that follows forms, and an add-in that holds a bearer token."""

import base64
import hashlib
import html.parser
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import requests

from tests.running import Stack

CLIENT_ID = "outlook-task-pane"
#: Seconds in which every process has heard of a change, on a busy machine too.
HEARD = 3.0


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Forms(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif self.forms and tag == "input" and given.get("name"):
            if given.get("type") in ("radio", "checkbox") and "checked" not in given:
                return
            if given.get("type") == "submit":
                self.forms[-1].buttons.append((given["name"], given.get("value", "")))
            else:
                self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif self.forms and tag == "button" and given.get("name"):
            self.forms[-1].buttons.append((given["name"], given.get("value", "")))


def forms_in(page: requests.Response) -> list[Form]:
    parser = _Forms()
    parser.feed(page.text)
    return parser.forms


def submit(browser: requests.Session, page: requests.Response, form: Form, **values: str) -> requests.Response:
    url = urljoin(page.url, form.action)
    data = {**form.fields, **values}
    if form.method == "post":
        return browser.post(url, data=data, headers={"Origin": origin_of(page.url)}, timeout=30)
    return browser.get(url, params=data, timeout=30)


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class Browser:
    """A person's browser, signed in at Salesforce and at our pages."""

    def __init__(self, stack: Stack, org: str, username: str, password: str = "demo") -> None:
        self.stack = stack
        self.org = stack.org(org)
        self.username = username
        self.password = password
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = stack.ca

    def sign_in(self, next_path: str = "/dashboard/") -> requests.Response:
        """Through /connect/salesforce/, Salesforce's login and consent pages, and back."""
        query = urlencode({"login": self.org["api_url"], "next": next_path})
        page = self.session.get(f"{self.stack.public_url}/connect/salesforce/?{query}", timeout=30)
        page = submit(self.session, page, self._form_with(page, "login"), login=self.org["api_url"])
        return self.through_salesforce(page)

    def through_salesforce(self, page: requests.Response) -> requests.Response:
        """Answer Salesforce's pages until the browser is back with us."""
        for _ in range(4):
            if origin_of(page.url) != self.org["pages_url"] and origin_of(page.url) == self.stack.public_url:
                return page
            page = self._answer_salesforce(page)
        raise AssertionError(f"still at Salesforce: {page.status_code}")

    def _answer_salesforce(self, page: requests.Response) -> requests.Response:
        forms = forms_in(page)
        for form in forms:
            names = {name.lower(): name for name in form.fields}
            user = names.get("username") or names.get("un")
            secret = names.get("password") or names.get("pw")
            if user and secret:
                return submit(self.session, page, form, **{user: self.username, secret: self.password})
        for form in forms:
            for name, value in form.buttons:
                if "allow" in f"{name} {value}".lower():
                    return submit(self.session, page, form, **{name: value})
        raise AssertionError(f"no form to answer at {urlsplit(page.url).path}: {page.status_code}")

    @staticmethod
    def _form_with(page: requests.Response, name: str) -> Form:
        for form in forms_in(page):
            if name in form.fields and form.method == "post":
                return form
        raise AssertionError(f"no form with {name} at {urlsplit(page.url).path}: {page.status_code}")


#: Every token that somebody was given in this run; none may be found in a log.
given_out: set[str] = set()


class AddIn:
    """A task pane: public PKCE client, bearer token, no cookies of its own."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.url = browser.stack.public_url
        self.redirect_uri = f"{self.url}/addins/outlook/callback/"
        self.http = requests.Session()
        self.http.trust_env = False
        self.tokens: dict[str, Any] = {}

    def sign_in(self) -> "AddIn":
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        state = secrets.token_urlsafe(16)
        answer = self._authorize(challenge, state)
        assert answer["state"] == [state]
        assert answer["iss"] == [self.url]
        self.tokens = self.token(
            grant_type="authorization_code",
            code=answer["code"][0],
            code_verifier=verifier,
            redirect_uri=self.redirect_uri,
        )
        return self

    def _authorize(self, challenge: str, state: str) -> dict[str, list[str]]:
        query = urlencode(
            {
                "response_type": "code",
                "client_id": CLIENT_ID,
                "redirect_uri": self.redirect_uri,
                "scope": "sidebar",
                "state": state,
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            }
        )
        browser = self.browser
        page = browser.session.get(f"{self.url}/o/authorize/?{query}", timeout=30)
        if "/connect/salesforce" in page.url:
            page = browser.sign_in(f"/o/authorize/?{query}")
        assert page.url.startswith(self.redirect_uri), page.url
        return parse_qs(urlsplit(page.url).query)

    def token(self, **parameters: str) -> dict[str, Any]:
        answer = self.http.post(f"{self.url}/o/token/", data={"client_id": CLIENT_ID, **parameters}, timeout=30)
        assert answer.status_code == 200, answer.text
        tokens = dict(answer.json())
        given_out.update({tokens["access_token"], tokens["refresh_token"]})
        return tokens

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    def call(self, method: str, path: str, *, fresh: bool = False, **kwargs: Any) -> requests.Response:
        """One API call; `fresh` on a connection of its own, which any web process may take."""
        headers = {**self.headers, **kwargs.pop("headers", {})}
        send = requests.request if fresh else self.http.request
        return send(method, f"{self.url}/api/v1/{path}", headers=headers, timeout=30, **kwargs)

    def people(self, addresses: list[str], *, fresh: bool = False, **extra: Any) -> requests.Response:
        return self.call("POST", "sidebar/people/", fresh=fresh, json={"addresses": addresses, **extra})


def sign_in_anew(stack: Stack, org: str, key: str) -> AddIn:
    user = next(user for user in stack.org(org)["users"] if user["key"] == key)
    return AddIn(Browser(stack, org, user["username"], user["password"])).sign_in()


class Salesforce:
    """The simulator's control desk for one org."""

    def __init__(self, stack: Stack, org: str) -> None:
        self.url = stack.org(org)["api_url"]
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = stack.ca

    def counted_calls(self, *users: str) -> list[dict[str, Any]]:
        """Requests that count towards the org's API limit, oldest first; of these people alone where some are named,
        since others' mail may be synced meanwhile. "" is whoever has a grant that has ended."""
        return [call for call in self.calls() if call["counted"] and (not users or call["user"] in users)]

    def calls(self) -> list[dict[str, Any]]:
        answer = self.session.get(f"{self.url}/_sim/calls", timeout=30).json()
        return list(answer["calls"] if isinstance(answer, dict) else answer)

    def desk(self, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self.session.post(f"{self.url}/_sim/{path}", json=body or {}, timeout=30)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None
