"""/_sim of a provider of mail accounts: what a test asks of the simulator itself. Not part of any provider."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from simulators.front import Form, Result, add_faults, calls_since
from simulators.oauth.provider import Provider

Body = dict[str, Any]


def handle(provider: Provider, method: str, path: list[str], query: Form, body: Body) -> Result:
    """`path` is what follows /_sim."""
    what, rest = (path[0] if path else ""), "/".join(path[1:])
    if what == "mail" and rest:
        return provider.mail(method, path[1], path[2] if path[2:] else "", body)
    if method == "GET":
        if what not in _READS:
            return 404, {"error": f"GET {', '.join(_READS)}"}
        return _READS[what](provider, query)
    if what in (provider.places, "users") and rest:
        change = provider.change_user if what == "users" else provider.change_place
        return 200, change(rest, body)
    if what == "push":
        return provider.push(body)
    name = f"{what}/{rest}" if rest else what
    if name not in _WRITES:
        return 404, {"error": f"POST {', '.join(_WRITES)}, users/<key> or {provider.places}/<name>"}
    return _WRITES[name](provider, body)


def _limits(provider: Provider, body: Body) -> Result:
    provider.fixed_seconds = int(body["expires_in"])
    return 200, {"expires_in": provider.fixed_seconds}


def _metadata(provider: Provider, body: Body) -> Result:
    provider.announces_issuer = bool(body["iss"])
    return 200, {"iss": provider.announces_issuer}


def _reset(provider: Provider, body: Body) -> Result:
    """All as at the start but grants, which end with `{"grants": true}`; `only` (calls, faults, settings, mail)."""
    wanted = set(body.get("only", ("calls", "faults", "settings", "mail")))
    if "calls" in wanted:
        provider.calls.clear()
        provider.ledger.clear()
    if "faults" in wanted:
        provider.faults.waiting.clear()
    if "settings" in wanted:
        provider.restore()
    if "mail" in wanted:
        provider.restore_mail()
    if body.get("grants"):
        provider.families.clear()
        provider.browsing.sessions.clear()
    return 200, {"reset": sorted(wanted)}


_READS: dict[str, Callable[[Provider, Form], Result]] = {
    "calls": lambda provider, query: calls_since(provider.calls, query),
    "faults": lambda provider, _: (200, {"faults": [asdict(fault) for fault in provider.faults.waiting]}),
    "ledger": lambda provider, _: (200, provider.ledger.as_json(provider.families.living())),
    "oauth": lambda provider, _: (200, asdict(provider.mode)),
    "state": lambda provider, _: (200, provider.state()),
}
_WRITES: dict[str, Callable[[Provider, Body], Result]] = {
    "people": lambda provider, body: (201, {"ids": [provider.hire(each) for each in body["people"]]}),
    "faults": lambda provider, body: add_faults(provider.faults, body),
    "oauth": lambda provider, body: (200, provider.mode.change(body)),
    "apps": lambda provider, body: (201, {"client_id": provider.change_app(body)}),
    "tokens/expire": lambda provider, _: (200, {"expired": provider.families.expire_access()}),
    "clock": lambda provider, body: (200, provider.clock.change(body)),
    "limits": _limits,
    "metadata": _metadata,
    "reset": _reset,
}
