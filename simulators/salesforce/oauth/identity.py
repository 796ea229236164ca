"""Who a token belongs to: userinfo and the identity URL, with Salesforce's own plain-text refusals."""

from typing import Any

from simulators.front import Result
from simulators.salesforce.oauth.answers import grant_of
from simulators.salesforce.oauth.hosts import Host
from simulators.salesforce.org import Org
from simulators.salesforce.profiles import User

_IDENTITY_SCOPES = {"id", "openid", "profile", "full", "api", "web"}
#: What the identity URL says of everybody here.
_ALWAYS_SO = {
    "asserted_user": True,
    "email_verified": True,
    "addr_street": None,
    "addr_city": None,
    "addr_state": None,
    "addr_zip": None,
    "mobile_phone": None,
    "mobile_phone_verified": False,
    "is_lightning_login_user": False,
    "status": {"created_date": None, "body": None},
    "utcOffset": 0,
    "is_app_installed": True,
}


def userinfo(host: Host, bearer: str) -> Result:
    found = grant_of(host, bearer)
    if found is None:
        return 403, "Bad_OAuth_Token" if bearer else "Missing_OAuth_Token"
    org, user, grant = found
    if not _IDENTITY_SCOPES & set(grant.scopes):
        return 403, "Bad_OAuth_Token"
    row = org.store.tables["User"].rows[user.id]
    return 200, {
        "sub": org.identity_url(user.id),
        "user_id": user.id,
        "organization_id": org.id,
        "preferred_username": user.username,
        "nickname": row["CommunityNickname"],
        "name": user.name,
        "email": user.email,
        "email_verified": True,
        "given_name": user.first,
        "family_name": user.last,
        "zoneinfo": row["TimeZoneSidKey"],
        "photos": _photos(org),
        "profile": f"{org.pages_url}/{user.id}",
        "picture": _photos(org)["picture"],
        "address": {},
        "is_salesforce_integration_user": False,
        "urls": _urls(org, user),
        "active": user.active,
        "user_type": _user_type(user),
        "language": row["LanguageLocaleKey"],
        "locale": row["LocaleSidKey"],
        "utcOffset": 0,
        "updated_at": row["LastModifiedDate"],
    }


def identity(host: Host, org_id: str, user_id: str, bearer: str, version: str) -> Result:
    if not bearer:
        return 403, "Missing_OAuth_Token"
    found = grant_of(host, bearer)
    if found is None:
        return 403, "Bad_OAuth_Token"
    org, user, _ = found
    if org.id[:15] != org_id[:15]:
        return 403, "Wrong_Org"
    if user.id[:15] != user_id[:15]:
        return 403, "Bad_Id"
    urls = _urls(org, user)
    if version:
        number = "65.0" if version == "latest" else version
        urls = {name: url.replace("{version}", number) for name, url in urls.items()}
    return 200, {**_person(org, user), **_ALWAYS_SO, "urls": urls, "active": user.active}


def _person(org: Org, user: User) -> dict[str, Any]:
    row = org.store.tables["User"].rows[user.id]
    return {
        "id": org.identity_url(user.id),
        "user_id": user.id,
        "organization_id": org.id,
        "username": user.username,
        "nick_name": row["CommunityNickname"],
        "display_name": user.name,
        "email": user.email,
        "first_name": user.first,
        "last_name": user.last,
        "timezone": row["TimeZoneSidKey"],
        "photos": _photos(org),
        "addr_country": row.get("Country"),
        "user_type": _user_type(user),
        "language": row["LanguageLocaleKey"],
        "locale": row["LocaleSidKey"],
        "last_modified_date": row["LastModifiedDate"],
    }


def _user_type(user: User) -> str:
    return {"Standard": "STANDARD", "PowerPartner": "POWER_PARTNER"}[user.profile.user_type]


def _photos(org: Org) -> dict[str, str]:
    return {"picture": f"{org.api_url}/profilephoto/005/F", "thumbnail": f"{org.api_url}/profilephoto/005/T"}


def _urls(org: Org, user: User) -> dict[str, str]:
    root, soap = f"{org.api_url}/services/data/v{{version}}", f"{org.api_url}/services/Soap"
    return {
        "enterprise": f"{soap}/c/{{version}}/{org.id[:15]}",
        "metadata": f"{soap}/m/{{version}}/{org.id[:15]}",
        "partner": f"{soap}/u/{{version}}/{org.id[:15]}",
        "rest": f"{root}/",
        "sobjects": f"{root}/sobjects/",
        "search": f"{root}/search/",
        "query": f"{root}/query/",
        "recent": f"{root}/recent/",
        "tooling_soap": f"{soap}/T/{{version}}/{org.id[:15]}",
        "tooling_rest": f"{root}/tooling/",
        "profile": f"{org.pages_url}/{user.id}",
        "custom_domain": org.api_url,
    }
