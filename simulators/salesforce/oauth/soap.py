"""The one SOAP call that some clients still sign in with: login of the partner API. A session like any access token."""

import re
import time
from html import escape, unescape

from simulators.salesforce.oauth.grants import Code
from simulators.salesforce.oauth.hosts import Host
from simulators.salesforce.org import Org
from simulators.salesforce.profiles import User

_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns="urn:partner.soap.sforce.com" xmlns:sf="urn:fault.partner.soap.sforce.com" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>{}</soapenv:Body></soapenv:Envelope>'
)
_FAULT = (
    "<soapenv:Fault><faultcode>sf:{0}</faultcode><faultstring>{0}: {1}</faultstring><detail>"
    '<sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>{0}</sf:exceptionCode>'
    "<sf:exceptionMessage>{1}</sf:exceptionMessage></sf:LoginFault></detail></soapenv:Fault>"
)
_WRONG = "Invalid username, password, security token; or user locked out."


def login(host: Host, path: str, body: str) -> tuple[int, str]:
    """Status and XML. `path` is `/services/Soap/u/60.0`."""
    username, password = _element(body, "username"), _element(body, "password")
    found = next(
        ((o, u) for o, u in host.members() if u.username.lower() == username.lower() and u.password == password), None
    )
    if found is None:
        return 500, _ENVELOPE.format(_FAULT.format("INVALID_LOGIN", _WRONG))
    org, user = found
    if not user.may("ApiEnabled"):
        return 500, _ENVELOPE.format(_FAULT.format("API_CURRENTLY_DISABLED", "API is disabled for this User"))
    return 200, _ENVELOPE.format(_result(org, user, path.rstrip("/").rpartition("/")[2]))


def _element(body: str, name: str) -> str:
    match = re.search(rf"<(?:\w+:)?{name}>([^<]*)</(?:\w+:)?{name}>", body)
    return unescape(match[1]) if match else ""


def _result(org: Org, user: User, version: str) -> str:
    code = Code(user.id, "", "", ("full",), None, site=False, expires=time.time())
    session, _ = org.grants.open(code, org.id, most=100)
    row = org.store.tables["User"].rows[user.id]
    info = {
        "organizationId": org.id,
        "organizationName": org.name,
        "profileId": user.profile.id,
        "sessionSecondsValid": "7200",
        "userEmail": user.email,
        "userFullName": user.name,
        "userId": user.id,
        "userLanguage": row["LanguageLocaleKey"],
        "userLocale": row["LocaleSidKey"],
        "userName": user.username,
        "userTimeZone": row["TimeZoneSidKey"],
        "userType": user.profile.user_type,
    }
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in info.items())
    server = f"{org.api_url}/services/Soap/u/{escape(version)}/{org.id[:15]}"
    return (
        "<loginResponse><result><metadataServerUrl>"
        f"{server.replace('/u/', '/m/')}</metadataServerUrl><passwordExpired>false</passwordExpired>"
        f"<sandbox>{str(org.plan.is_sandbox).lower()}</sandbox><serverUrl>{server}</serverUrl>"
        f"<sessionId>{escape(session)}</sessionId><userId>{user.id}</userId><userInfo>{inner}</userInfo>"
        "</result></loginResponse>"
    )
