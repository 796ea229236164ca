"""/_sim: what a test asks of the simulator itself. Not part of any Salesforce."""

from dataclasses import asdict
from typing import Any

from simulators.front import Result, add_faults, calls_since
from simulators.oauth.modes import Mode
from simulators.salesforce.oauth.apps import App
from simulators.salesforce.oauth.hosts import Host
from simulators.salesforce.org import Org
from simulators.salesforce.profiles import User
from simulators.salesforce.staff import Person


def handle(host: Host, method: str, path: list[str], query: dict[str, str], body: dict[str, Any]) -> Result:
    """`path` is what follows /_sim."""
    what = "/".join(path[:1])
    if method == "GET":
        return _read(host, what, query)
    return _write(host, what, path[1:], body)


def _read(host: Host, what: str, query: dict[str, str]) -> Result:
    if what == "calls":
        return calls_since(host.calls, query)
    if what == "faults":
        return 200, {"faults": [asdict(fault) for fault in host.faults.waiting]}
    if what == "state":
        own = _state(host.org, query.get("object")) if host.org else {}
        reports = [report for org in host.orgs for report in org.grants.reuse_reports]
        states = [_state(org, query.get("object")) for org in host.orgs]
        return 200, {"orgs": states, **own, "reuse_reports": reports}
    if what == "limits" and host.org:
        return 200, asdict(host.org.limits)
    if what == "ledger":
        return 200, _ledger(host)
    if what == "oauth":
        return 200, asdict(host.orgs[0].mode)
    return 404, {"error": "GET calls, faults, ledger, state, limits or oauth"}


def _ledger(host: Host) -> dict[str, Any]:
    """Of all orgs of the host: refresh tokens presented, uses of access tokens, living grants; digests only."""
    parts = [org.ledger.as_json(org.grants.living()) for org in host.orgs]
    return {name: [entry for part in parts for entry in part[name]] for name in ("refreshes", "uses", "grants")}


def _state(org: Org, only: str | None) -> dict[str, Any]:
    tables = {name: list(table.rows.values()) for name, table in org.store.tables.items() if only in (None, name)}
    users = [
        {"key": u.key, "id": u.id, "username": u.username, "active": u.active, "profile": u.profile.name}
        for u in org.users.values()
    ]
    grants = [
        {
            "user": org.by_id[g.user_id].key,
            "client_id": g.client_id,
            "scopes": g.scopes,
            "access_tokens": len(g.access),
            "refreshable": g.refresh is not None,
        }
        for g in org.grants.grants.values()
    ]
    return {
        "org": org.key,
        "organization_id": org.id,
        "records": tables,
        "users": users,
        "grants": grants,
    }


def _write(host: Host, what: str, rest: list[str], body: dict[str, Any]) -> Result:
    if what == "faults":
        return add_faults(host.faults, body)
    if what == "oauth":
        changed = [org.mode.change(body) for org in host.orgs]
        return 200, changed[0]
    if what == "clock":
        return 200, host.clock.change({"skew": body["skew"]})
    if what == "reset":
        return _reset(host, body)
    if what == "tokens" and rest == ["expire"]:
        return 200, {"expired": sum(org.grants.expire_access() for org in host.orgs)}
    if what in _OF_A_HOST:
        return _OF_A_HOST[what](host, body)
    if what in _OF_AN_ORG and host.org:
        return _OF_AN_ORG[what](host.org, body)
    if what == "users" and rest and host.org:
        user = host.org.user_named(rest[0])
        return _change_user(host.org, user, body) if user else (404, {"error": f"no user {rest[0]}"})
    others = ", ".join((*_OF_A_HOST, *_OF_AN_ORG))
    return 404, {"error": f"POST faults, oauth, clock, reset, {others}, users/<key> or tokens/expire"}


def _reset(host: Host, body: dict[str, Any]) -> Result:
    """Records, users, limits, faults and the log as at the start. Grants stay unless `grants` is true."""
    wanted = set(body.get("only", ("records", "calls", "faults", "limits")))
    if "calls" in wanted:
        host.calls.clear()
        for org in host.orgs:
            org.ledger.clear()
    if "faults" in wanted:
        host.faults.waiting.clear()
        host.upload_cuts.clear()
    host.clock.reset()
    for org in host.orgs if host.org else []:
        if "limits" in wanted:
            org.limits.used, org.limits.maximum, org.limits.idle_seconds = 0, org.plan.daily_calls, 7200.0
        if "records" in wanted:
            org.restore()
        org.mode = Mode(rotate=True, reuse_kills_family=True)
        org.grants.reuse_reports.clear()
        if body.get("grants"):
            for grant in list(org.grants.grants.values()):
                org.grants.revoke(grant)
            org.grants.approvals.clear()
    return 200, {"reset": sorted(wanted)}


def _set_limits(org: Org, body: dict[str, Any]) -> Result:
    names = {"used": "used", "max": "maximum", "maximum": "maximum", "idle_seconds": "idle_seconds"}
    for name, value in body.items():
        setattr(org.limits, names[name], type(getattr(org.limits, names[name]))(value))
    return 200, asdict(org.limits)


def _set_features(org: Org, body: dict[str, Any]) -> Result:
    """`absent`: objects and fields that this org is without from now on: ["EmailMessage", "Task.Sync_Key__c"]."""
    org.store.absent = {str(name) for name in body["absent"]}
    org.rights_changed()
    return 200, {"absent": sorted(org.store.absent)}


def _set_metadata(host: Host, body: dict[str, Any]) -> Result:
    host.announces_issuer = bool(body["iss"])
    return 200, {"iss": host.announces_issuer}


def _cut_uploads(host: Host, body: dict[str, Any]) -> Result:
    """The connections of the next `times` uploads are torn down after `cut_after` bytes."""
    host.upload_cuts += [int(body["cut_after"])] * int(body.get("times", 1))
    return 201, {"waiting": len(host.upload_cuts)}


def _add_app(host: Host, body: dict[str, Any]) -> Result:
    """Register a client, or change one: fields of `App`; `scopes` and `redirect_uris` are lists."""
    changes = dict(body)
    if "scopes" in changes:
        changes["scopes"] = tuple(changes["scopes"])
    for org in host.orgs:
        known = org.apps.get(changes["client_id"])
        org.apps[changes["client_id"]] = App(**({**asdict(known), **changes} if known else changes))
    return 201, {"client_id": changes["client_id"], "orgs": [org.key for org in host.orgs]}


def _change_user(org: Org, user: User, body: dict[str, Any]) -> Result:
    """Keys: active, revoke (all grants), hide, show and read_only (["Contact.Email"]), objects ({"Lead": "r"}),
    profile (its name), password."""
    unknown = set(body) - {"active", "revoke", "hide", "show", "read_only", "objects", "profile", "password"}
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    if "active" in body:
        user.active = bool(body["active"])
        row = org.store.tables["User"].rows[user.id]
        org.store.put("User", {**row, "IsActive": user.active})
    if "profile" in body:
        _set_profile(org, user, str(body["profile"]))
    user.hidden |= set(body.get("hide", ()))
    user.hidden -= set(body.get("show", ()))
    user.read_only |= set(body.get("read_only", ()))
    user.objects |= body.get("objects", {})
    user.password = body.get("password", user.password)
    org.rights_changed()
    revoked = org.grants.revoke_user(user.id) if body.get("revoke") else 0
    return 200, {
        "key": user.key,
        "active": user.active,
        "profile": user.profile.name,
        "hidden": sorted(user.hidden),
        "revoked": revoked,
    }


def _set_profile(org: Org, user: User, name: str) -> None:
    from simulators.salesforce.staff import PROFILES

    row = next(row for row in org.store.alive("Profile") if row["Name"] == name)
    user.profile = type(user.profile)(**{**PROFILES[name].__dict__, "id": row["Id"]})
    org.store.put("User", {**org.store.tables["User"].rows[user.id], "ProfileId": row["Id"]})
    for access in list(org.store.alive("UserPermissionAccess")):
        if access.get("_user") == user.id:
            granted = {f: user.may(f.removeprefix("Permissions")) for f in access if f.startswith("Permissions")}
            org.store.put("UserPermissionAccess", {**access, **granted})


def _hire(org: Org, body: dict[str, Any]) -> Result:
    """{"people": [{"key", "first", "last", "email", and "profile" if not Standard User}]}: users until a reset."""
    return 201, {"ids": [org.hire(Person(**{"profile": "Standard User", **each})) for each in body["people"]]}


_OF_A_HOST = {"metadata": _set_metadata, "apps": _add_app, "uploads": _cut_uploads}
_OF_AN_ORG = {"limits": _set_limits, "features": _set_features, "people": _hire}
