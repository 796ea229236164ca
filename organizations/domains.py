"""The organization's own e-mail domains: whose addresses are colleagues, not customers. Exact names, no wildcards."""

from uuid import UUID

import idna
from django.db import transaction

from organizations import audit, epochs
from organizations.models import Domain, Member
from organizations.ramcache import RamCache

#: Anyone may have an address there, so such a domain never belongs to one organization.
_PUBLIC = (
    "gmail.com googlemail.com outlook.com hotmail.com live.com msn.com yahoo.com yahoo.co.uk yahoo.de yahoo.fr "
    "icloud.com me.com mac.com aol.com gmx.com gmx.de gmx.net web.de t-online.de mail.com mail.ru yandex.ru yandex.com "
    "proton.me protonmail.com pm.me zoho.com fastmail.com hey.com tutanota.com qq.com 163.com 126.com naver.com "
    "orange.fr free.fr laposte.net libero.it comcast.net verizon.net att.net btinternet.com hotmail.co.uk hotmail.fr "
    "outlook.fr outlook.de live.co.uk ymail.com rocketmail.com rediffmail.com bluewin.ch"
)
PUBLIC_MAIL_DOMAINS = frozenset(_PUBLIC.split())
_cache: RamCache[str, frozenset[str]] = RamCache(maxsize=10_000, ttl=300)
_cache.forget_on("organization", lambda organization_id, _: organization_id)


class DomainRefused(ValueError):
    """The text is no domain that may be added; the message is a plain sentence."""


def normalise(text: str) -> str:
    """`text` as a lower-case A-label name ("müller.de" -> "xn--mller-kva.de"). Raises DomainRefused."""
    name = text.strip().removeprefix("@").rstrip(".")
    try:
        ascii_name = idna.encode(name, uts46=True, transitional=False).decode()
    except (idna.IDNAError, UnicodeError):
        raise DomainRefused("This is not a domain name.") from None
    labels = ascii_name.split(".")
    if len(ascii_name) > 253 or len(labels) < 2 or labels[-1].isdigit():
        raise DomainRefused("This is not a full domain name such as example.com.")
    return ascii_name


def own_domains(organization_id: object) -> frozenset[str]:
    """Lower-case A-label names; from RAM when warm."""
    key = str(organization_id)

    def load() -> frozenset[str]:
        return frozenset(Domain.objects.filter(organization_id=key).values_list("name", flat=True))

    return _cache.get_or_load(key, load)


def add_domain(actor: Member | str, organization_id: UUID | str, text: str) -> tuple[Domain, bool]:
    """Add a domain; returns it and whether it is new. Raises DomainRefused."""
    name = normalise(text)
    if name in PUBLIC_MAIL_DOMAINS:
        raise DomainRefused("This is a public mail service; its addresses belong to anybody.")
    with transaction.atomic():
        domain, is_new = Domain.objects.get_or_create(organization_id=organization_id, name=name)
        if is_new:
            _changed(actor, domain, "domain.added")
    return domain, is_new


def remove_domain(actor: Member | str, domain: Domain) -> None:
    with transaction.atomic():
        _changed(actor, domain, "domain.removed")
        domain.delete()


def _changed(actor: Member | str, domain: Domain, action: str) -> None:
    audit.record(domain.organization_id, actor, action, domain.name)
    epochs.bump("organization", domain.organization_id)
