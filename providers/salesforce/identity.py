"""Who signed in: the identity URL says whose token it is (C11), one composite call says the rest (C23, C24).

Tolerates what the person may not see: a partner user's profile or the organization's name stay empty."""

from collections.abc import Mapping
from typing import Any

from providers.base import Access, Identity, Priority, TokenSet
from providers.errors import Rejected
from providers.http import Session
from providers.salesforce import failures, hosts, soql
from providers.salesforce.budget import ApiBudget
from providers.salesforce.oauth import identity_ids
from providers.salesforce.transport import FixedToken, Wire

_USER = (
    "Id", "Username", "Name", "Email", "UserType", "LanguageLocaleKey", "LocaleSidKey", "TimeZoneSidKey",
    "Profile.Name",
)  # fmt: skip
_ADMINISTERS = ("PermissionsModifyAllData", "PermissionsCustomizeApplication")

Row = Mapping[str, Any]


def identify(tokens: TokenSet, http: Session, *, api_version: str, login_url: str = "") -> Identity:
    """The person behind freshly exchanged tokens. Raises Rejected where the identity is not the token's own."""
    org_id, user_id = identity_ids(tokens.identity, http.settings.origins, login_url=login_url or None)
    fixed = FixedToken(Access(tokens.access_token, tokens.api_url))
    wire = Wire(fixed, http, ApiBudget(), api_version, Priority.INTERACTIVE)
    claims = _claims(wire, org_id, user_id)
    rows = _rows(wire, user_id)
    return _identity(org_id, user_id, claims, rows, _looks_like_sandbox(login_url, tokens.api_url))


def _claims(wire: Wire, org_id: str, user_id: str) -> Row:
    """Ask the org's own API host, not the host that the answer names: a token goes nowhere else."""
    response = wire.session.request("GET", f"/id/{org_id}/{user_id}", {"Accept": "application/json"}, is_write=False)
    claims = failures.parsed(response.content)
    if not isinstance(claims, Mapping):
        raise Rejected("Salesforce did not say who signed in.", provider="salesforce")
    said = (str(claims.get("organization_id", ""))[:15], str(claims.get("user_id", ""))[:15])
    if said != (org_id[:15], user_id[:15]):
        raise Rejected("Salesforce named another person than the token's.", provider="salesforce")
    return claims


def _rows(wire: Wire, user_id: str) -> dict[str, list[Row]]:
    me = soql.literal(user_id)
    queries = {
        "user": soql.select("User", _USER, where=f"Id = {me}"),
        "rights": soql.select("UserPermissionAccess", _ADMINISTERS, limit=1),
        "sets": soql.select(
            "PermissionSetAssignment",
            ["PermissionSet.Label"],
            where=f"AssigneeId = {me} AND PermissionSet.IsOwnedByProfile = false",
            limit=200,
        ),
        "organization": soql.select("Organization", ["Id", "Name", "IsSandbox"], limit=1),
    }
    parts = [
        {"method": "GET", "url": wire.path(soql.query_resource(query)), "referenceId": name}
        for name, query in queries.items()
    ]
    return {name: _records(status, body) for name, (status, body) in wire.composite(parts).items()}


def _records(status: int, body: Any) -> list[Row]:
    """Rows of one part; none where the person may not see them. A passing fault is raised, not taken for a no."""
    if 200 <= status < 300:
        return [row for row in body.get("records", ()) if isinstance(row, Mapping)]
    if status in {400, 403, 404}:
        return []
    raise failures.failure_of(status, body, is_write=False)


def _identity(org_id: str, user_id: str, claims: Row, rows: Mapping[str, list[Row]], sandbox: bool) -> Identity:
    user, rights, organization = (_first(rows, name) for name in ("user", "rights", "organization"))
    is_sandbox = organization.get("IsSandbox")
    return Identity(
        salesforce_org_id=org_id,
        salesforce_user_id=user_id,
        username=_text(user, "Username") or _text(claims, "username", "preferred_username"),
        name=_text(user, "Name") or _text(claims, "display_name", "name"),
        email=_text(user, "Email") or _text(claims, "email"),
        organization_name=_text(organization, "Name"),
        is_sandbox=is_sandbox if isinstance(is_sandbox, bool) else sandbox,
        is_administrator=any(rights.get(name) is True for name in _ADMINISTERS),
        user_type=_text(user, "UserType") or _text(claims, "user_type"),
        profile=_text(_related(user, "Profile"), "Name"),
        permission_sets=_labels(rows.get("sets", [])),
        language=_text(user, "LanguageLocaleKey") or _text(claims, "language"),
        locale=_text(user, "LocaleSidKey") or _text(claims, "locale"),
        time_zone=_text(user, "TimeZoneSidKey") or _text(claims, "timezone", "zoneinfo"),
    )


def _labels(rows: list[Row]) -> tuple[str, ...]:
    return tuple(label for label in (_text(_related(row, "PermissionSet"), "Label") for row in rows) if label)


def _first(rows: Mapping[str, list[Row]], name: str) -> Row:
    return next(iter(rows.get(name, [])), {})


def _related(row: Row, name: str) -> Row:
    parent = row.get(name)
    return parent if isinstance(parent, Mapping) else {}


def _text(row: Row, *names: str) -> str:
    return next((str(row[name]) for name in names if row.get(name)), "")


def _looks_like_sandbox(login_url: str, api_url: str) -> bool:
    return hosts.is_sandbox_login(login_url) or ".sandbox." in api_url
