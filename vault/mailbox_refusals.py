"""What Google and Microsoft mean when a person comes back without a code; the words are in causes.py. No I/O.

Sources: developers.google.com/identity/protocols/oauth2/web-server (authorization errors) and
learn.microsoft.com/entra/identity-platform/reference-error-codes; codes may change, so the rest is shown as it came."""

from vault import causes
from vault.errors import NotAllowedHere

#: (any of these words in the provider's answer, code of causes.py).
_GOOGLE = (
    (("org_internal",), "org_internal"),
    (("admin_policy_enforced", "policy_enforced"), "admin_policy"),
    (("test user", "has not completed", "verification process", "testing"), "app_in_testing"),
    (("redirect_uri_mismatch",), "redirect_uri"),
)
_MICROSOFT = (
    (
        ("aadsts90094", "aadsts65001", "aadsts90093", "consent_required", "admin permission", "admin consent"),
        "admin_approval",
    ),
    (("aadsts50105",), "not_assigned"),
    (("aadsts700016", "aadsts650052"), "client_unknown"),
    (("aadsts7000112",), "client_disabled"),
    (("aadsts50020", "aadsts50194", "aadsts9001023", "aadsts500212", "aadsts500021"), "tenant"),
    (("aadsts53000", "aadsts53001", "aadsts53003", "aadsts50158"), "conditional_access"),
)
_REFUSALS = {"google": _GOOGLE, "microsoft": _MICROSOFT}
#: Told before one goes there: the provider shows them on its own page, from which nobody comes back.
_AHEAD = {"google": ("org_internal", "admin_policy", "app_in_testing"), "microsoft": ("admin_approval", "not_assigned")}
_THEN = "Then connect again."
_CANCELLED = ("access_denied", "cancel")
_DECLINED = "aadsts65004"  # under several `error`s, consent_required among them


def refusal(provider: str, label: str, error: str, description: str) -> NotAllowedHere:
    """The sentence for an error that came back instead of a code. The provider's own text is shown escaped, and cut."""
    text = f"{error} {description}".lower()
    declined = NotAllowedHere(f"You did not allow the access at {label}, so nothing was connected.", status=403)
    if _DECLINED in text:
        return declined
    for words, code in _REFUSALS[provider]:
        if any(word in text for word in words):
            return causes.refusal(provider, label, code, _THEN)
    if any(word in text for word in _CANCELLED):
        return declined
    return NotAllowedHere(f"{label} did not complete the connection. It said: {(description or error)[:200]}")


def ahead(provider: str, label: str) -> tuple[tuple[str, str], ...]:
    """(why, what to do) of the refusals from which nobody comes back to us."""
    known = [causes.of(provider, code) for code in _AHEAD[provider]]
    return tuple((cause.words, causes.for_person(cause, label, _THEN)) for cause in known)
