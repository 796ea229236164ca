"""What the key service answers: /v1 as Vault and OpenBao do, /_sim for tests."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson
from starlette.requests import Request
from starlette.responses import Response

from simulators.faults import Faults
from simulators.front import Exchange, Form, Front, Result, add_faults, calls_since, json_response, new_calls
from simulators.transit.engine import Engine, Key, RefusedError

_PATH = re.compile(r"^/v1/transit/(?P<verb>keys|encrypt|decrypt)/(?P<name>[\w.-]+)(?:/(?P<act>rotate|config))?$")


class Unheard:
    """Nobody here wants to know how an exchange ended."""

    def answered(self, status: int, *, carried_out: bool) -> None:
        pass

    def done(self, *, delivered: bool) -> None:
        pass


@dataclass
class Asked:
    """One request to /v1."""

    web: "Web"
    request: Request
    body: bytes
    delay: float = 0.0
    witness: Unheard = field(default_factory=Unheard)

    def user_names(self) -> set[str]:
        return set()

    def facts(self) -> dict[str, Any]:
        return {"counted": True}

    def answer(self) -> Response:
        status, body = self.web.answer(self)
        return json_response(body, status)

    @property
    def token(self) -> str:
        """Either header will do: developer.hashicorp.com/vault/api-docs, Authentication."""
        bearer = self.request.headers.get("authorization", "")
        return self.request.headers.get("x-vault-token", "") or bearer.removeprefix("Bearer ")


class Web(Front):
    def __init__(self, engine: Engine, app: str, root: str, latency: float) -> None:
        super().__init__(Faults(), new_calls(), latency)
        self.engine, self.app, self.root = engine, app, root
        self.denies_app = False

    def exchange(self, request: Request, query: Form, body: bytes) -> Exchange:  # noqa: ARG002
        return Asked(self, request, body)

    def answer(self, asked: Asked) -> Result:
        if self.engine.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        path = _PATH.match(asked.request.url.path)
        if not path:
            return 404, {"errors": ["no handler for route. route entry not found."]}
        key = self.engine.keys.get(path["name"])
        if not self._allows(asked, path, key):
            return 403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]}
        try:
            body = orjson.loads(asked.body) if asked.body else {}
            return self._carry_out(asked.request.method, path, key, body)
        except (RefusedError, orjson.JSONDecodeError) as error:
            return 400, {"errors": [str(error)]}

    def _allows(self, asked: Asked, path: re.Match[str], key: Key | None) -> bool:
        """The app's policy: read on keys, update on encrypt and decrypt. To encrypt under a key that is not there would
        create it, which is another capability."""
        if asked.token == self.root:
            return True
        if asked.token != self.app or self.denies_app or path["act"]:
            return False
        reads = asked.request.method == "GET"
        return reads == (path["verb"] == "keys") and (key is not None or path["verb"] != "encrypt")

    def _carry_out(self, method: str, path: re.Match[str], key: Key | None, body: dict[str, Any]) -> Result:
        if path["verb"] == "keys" and method == "GET":
            return (200, _answer(key.description())) if key else (404, {"errors": []})
        if key is None:
            raise RefusedError("encryption key not found")
        if path["act"] == "rotate":
            key.rotate()
            return 200, _answer(key.description())
        if path["act"] == "config":
            key.configure(body)
            return 200, _answer(key.description())
        return 200, _answer(key.encrypt(body) if path["verb"] == "encrypt" else key.decrypt(body))

    def control(self, method: str, path: list[str], query: Form, body: Any) -> Result:
        if method == "GET" and path == ["calls"]:
            return calls_since(self.calls, query)
        acts: dict[str, Callable[[dict[str, Any]], Result]] = {
            "seal": self._seal,
            "token": self._token,
            "keys": self._keys,
            "reset": self._reset,
            "faults": lambda given: add_faults(self.faults, given),
        }
        act = acts.get(path[0]) if method == "POST" and path else None
        return act(body) if act else (404, {"error": "GET calls; POST seal, token, keys, faults or reset"})

    def _reset(self, body: dict[str, Any]) -> Result:
        """All but the port: `token` is the app's again, `key` the one key, new, at version 1."""
        self.engine.keys.clear()
        self.engine.create(str(body["key"]))
        self.engine.sealed = self.denies_app = False
        self.app = str(body["token"])
        self.faults.waiting.clear()
        self.calls.clear()
        return 200, {"keys": list(self.engine.keys)}

    def _seal(self, body: dict[str, Any]) -> Result:
        self.engine.sealed = bool(body["sealed"])
        return 200, {"sealed": self.engine.sealed}

    def _token(self, body: dict[str, Any]) -> Result:
        """`denied`: the app's token has run out. `new`: an agent has got it another one."""
        self.denies_app = bool(body.get("denied", self.denies_app))
        self.app = str(body.get("new", self.app))
        return 200, {"denied": self.denies_app}

    def _keys(self, body: dict[str, Any]) -> Result:
        """`create` (`type`, `derived`, `is_old`), `delete`, `rotate`; else min_decryption_version ... of `name`."""
        name = str(body["name"])
        if body.get("delete"):
            self.engine.keys.pop(name)
            return 200, {"deleted": name}
        if body.get("create"):
            options = {option: body[option] for option in ("type", "derived", "is_old") if option in body}
            return 201, self.engine.create(name, **options).description()
        key = self.engine.keys[name]
        if body.get("rotate"):
            key.rotate()
        key.configure(body)
        return 200, key.description()


def _answer(data: dict[str, Any]) -> dict[str, Any]:
    empty = {"lease_id": "", "renewable": False, "lease_duration": 0}
    return {"request_id": str(uuid4()), **empty, "data": data, "wrap_info": None, "warnings": None, "auth": None}
