"""What Google and Microsoft say when a person comes back without a code, in plain words with who can help. No I/O.

Sources: developers.google.com/identity/protocols/oauth2/web-server (authorization errors) and
learn.microsoft.com/entra/identity-platform/reference-error-codes; codes may change, so the rest is shown as it came."""

from dataclasses import dataclass

from vault.errors import NotAllowedHere


@dataclass(frozen=True, slots=True)
class _Refusal:
    """`words`: any of them in the provider's answer means this."""

    words: tuple[str, ...]
    sentence: str
    advice: tuple[str, ...] = ()
    cause: str = ""  # for causes.py


_GOOGLE = (
    _Refusal(
        ("org_internal",),
        "This app is open only to people of the organization that set it up at Google.",
        (
            "Choose the account of that organization.",
            "Or the operator makes the app external: Google Cloud console, Google Auth Platform, Audience.",
        ),
        cause="org_internal",
    ),
    _Refusal(
        ("admin_policy_enforced", "policy_enforced"),
        "Your Google Workspace administrator does not allow this app.",
        (
            "The administrator opens the Google Admin console, Security, API controls, App access control.",
            "There he trusts this app, by its client id. Then connect again.",
        ),
        cause="admin_policy",
    ),
    _Refusal(
        ("test user", "has not completed", "verification process", "testing"),
        "The app is in testing mode at Google, and your account is not one of its test users.",
        (
            "The operator opens Google Auth Platform, Audience, in the Google Cloud console.",
            "There he adds your account as a test user, or publishes the app: while testing, access ends after 7 days.",
        ),
        cause="app_in_testing",
    ),
    _Refusal(
        ("redirect_uri_mismatch",),
        "The app at Google does not list this product's address.",
        ("The operator adds the redirect URI under Google Auth Platform, Clients.",),
        cause="redirect_uri",
    ),
)
_MICROSOFT = (
    _Refusal(
        ("aadsts90094", "aadsts65001", "aadsts90093", "consent_required", "admin permission", "admin consent"),
        "Your Microsoft 365 administrator has to approve this app first.",
        (
            "The administrator opens Microsoft Entra, Enterprise applications, this app, Permissions.",
            "There he grants admin consent for the organization. Then connect again.",
        ),
        cause="admin_approval",
    ),
    _Refusal(
        ("aadsts50105",),
        "Your Microsoft 365 administrator has not given you this app.",
        ("The administrator adds you in Microsoft Entra: Enterprise applications, this app, Users and groups.",),
        cause="not_assigned",
    ),
    _Refusal(
        ("aadsts700016", "aadsts650052", "aadsts7000112"),
        "This app is not known or switched off in your Microsoft 365 organization.",
        ("The operator checks the app's registration, and that it accepts accounts of other organizations.",),
        cause="client_unknown",
    ),
    _Refusal(
        ("aadsts50020", "aadsts50194", "aadsts9001023", "aadsts500212", "aadsts500021"),
        "This Microsoft account belongs to another organization than the app is open to, or is a private one.",
        ("Choose your work account. Private accounts (outlook.com, hotmail.com) cannot be connected.",),
        cause="tenant",
    ),
    _Refusal(
        ("aadsts53000", "aadsts53001", "aadsts53003", "aadsts50158"),
        "A rule of your Microsoft 365 organization (conditional access) did not let you in from here.",
        ("Ask your administrator which devices and places are allowed.",),
        cause="conditional_access",
    ),
)
_REFUSALS = {"google": _GOOGLE, "microsoft": _MICROSOFT}
_CANCELLED = ("access_denied", "cancel")
_DECLINED = "aadsts65004"  # under several `error`s, consent_required among them


def refusal(provider: str, label: str, error: str, description: str) -> NotAllowedHere:
    """The sentence for an error that came back instead of a code. The provider's own text is shown escaped, and cut."""
    text = f"{error} {description}".lower()
    declined = NotAllowedHere(f"You did not allow the access at {label}, so nothing was connected.", status=403)
    if _DECLINED in text:
        return declined
    for known in _REFUSALS[provider]:
        if any(word in text for word in known.words):
            return NotAllowedHere(known.sentence, advice=known.advice, status=403, cause=known.cause)
    if any(word in text for word in _CANCELLED):
        return declined
    return NotAllowedHere(f"{label} did not complete the connection. It said: {(description or error)[:200]}")


def ahead(provider: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Refusals that the provider shows on its own page, from which nobody comes back: told before one goes there."""
    known = {"google": _GOOGLE[:3], "microsoft": _MICROSOFT[:2]}[provider]
    return tuple((each.sentence, each.advice) for each in known)
