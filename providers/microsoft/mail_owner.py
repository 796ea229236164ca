"""Whose mailbox it is: the addresses of the person who consented. Needs `User.Read`, which every connection has.

Source: learn.microsoft.com/graph/api/resources/user#properties (mail; proxyAddresses: "SMTP:" before the main address,
"smtp:" before each other; null for personal accounts)."""

from providers.microsoft.mail_failures import nonsense
from providers.microsoft.mail_wire import ROOT, Wire, text

_SMTP = "smtp:"


def read(wire: Wire) -> tuple[str, ...]:
    found = wire.read(f"{ROOT}/me?$select=mail,userPrincipalName,proxyAddresses")
    proxies = [str(each) for each in found.get("proxyAddresses") or () if str(each).lower().startswith(_SMTP)]
    named = [text(found, "mail"), text(found, "userPrincipalName"), *(each[len(_SMTP) :] for each in proxies)]
    addresses = tuple(dict.fromkeys(each for each in named if "@" in each))
    if not addresses:
        raise nonsense()
    return addresses
