"""Reading the signature of a mail for the create form, for members who have it switched on. Keeps nothing (C69)."""

from organizations.models import Member
from sidebar import extractors, policies
from sidebar.payloads import Mail
from sidebar.refusals import SignaturesOff
from sidebar.signature import reading
from sidebar.signature.shapes import Signature


def read_signature(member: Member, mail: Mail) -> Signature:
    """Raises SignaturesOff, before anything is read, unless organization and member want it (C70)."""
    if not policies.may_read_signatures(member):
        raise SignaturesOff
    found = reading.read(mail.text, mail.sender, html=mail.html)
    return extractors.read_outside(member, found, mail.sender)
