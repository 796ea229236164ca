"""Why a connection or a sign-in fails, in plain words, and the screen at the provider where somebody mends it.

The one home of these texts: `doctor` prints them, pages tell them to the person, and docs/doctor.md is made from them
(`manage.py doctor --screens`). So they are written for whoever reads, and name nobody.
Sources of the screens: help.salesforce.com "Manage OAuth Access Policies for a Connected App", "Prepare for Connected
App Usage Restrictions Change" (005132365) and "Manage External Client Apps"; developers.google.com/identity/protocols/
oauth2 "#expiration" and "production-readiness"; learn.microsoft.com/entra "grant-admin-consent",
"reference-error-codes" and "assign-user-or-group-access-portal"."""

from dataclasses import dataclass

from vault.errors import NotAllowedHere


@dataclass(frozen=True, slots=True)
class Cause:
    """`who` mends it: the person, an administrator of the customer, the operator of this product, or it passes.
    `hint`: what else the operator may look at; told by `doctor`, never to the person."""

    words: str
    who: str
    screen: str
    hint: str = ""


PERSON, ADMINISTRATOR, OPERATOR = "the person", "the customer's administrator", "the operator"
ITSELF = "itself"
#: Codes of what passes: no answer, and any other trouble whose code nobody knows.
UNREACHABLE, PASSING = "unreachable", "passing"
#: Of what is stored, and not of the provider.
SEAL_BROKEN = "seal_broken"
_RECONNECT = "Dashboard, Connections, Connect again."
_SF_APP = "Setup, External Client App Manager (or Manage Connected Apps), this app, Policies"
_ENTRA = "Microsoft Entra admin center, Entra ID, Enterprise apps, this app"
_REGISTRATION = "Microsoft Entra admin center, Entra ID, App registrations, this app"
_GOOGLE = "Google Cloud console, Google Auth Platform"

_ANYWHERE = {
    "": Cause("The reason is not known; the provider said no more.", PERSON, _RECONNECT),
    "ended": Cause("The access was withdrawn, has expired, or the password was changed.", PERSON, _RECONNECT),
    "code_refused": Cause("A sign-in took too long, or its code was used twice.", PERSON, "Start the sign-in again."),
    "no_refresh_token": Cause("No lasting access was granted.", PERSON, f"{_RECONNECT} Allow what is asked for."),
    "scope_missing": Cause(
        "A feature is on, and the scope that it needs was not granted.", PERSON, f"{_RECONNECT} Leave every box ticked."
    ),
    "cancelled": Cause("The person did not allow the access.", PERSON, "Start again, and choose Allow."),
    "host_not_allowed": Cause(
        "The provider named a host that is not on the allow-list; nothing was sent there.",
        OPERATOR,
        "If the host is yours, name it in the provider's settings (README); if not, find out who answered.",
    ),
    SEAL_BROKEN: Cause(
        "What is stored does not open any more: its row was changed or put back, or its key is gone.",
        PERSON,
        _RECONNECT,
        "The audit log (incident.recorded) says since when. More than one: was a database or the key store restored?",
    ),
    "token_refused": Cause(
        "The provider renews the connection, and its API refuses the renewed token all the same; we keep trying.",
        ITSELF,
        "If it lasts: disconnect and connect again. Salesforce: an administrator looks at the session and IP settings "
        "of the person's profile.",
    ),
    "clock": Cause(
        "The clock of one of our machines is wrong, so sign-in tokens look expired or not yet valid.",
        OPERATOR,
        "Let the machine take its time from the network (chrony, systemd-timesyncd).",
    ),
    "client_refused": Cause(
        "The provider does not accept our client id or its secret.",
        OPERATOR,
        "Compare the _CLIENT_ID and _CLIENT_SECRET settings (or the organization's own app) with the app's page there.",
    ),
    UNREACHABLE: Cause(
        "The provider does not answer, or not properly; we keep trying.",
        OPERATOR,
        "If it lasts: try the address from this machine; look at OUTBOUND_PROXY and DNS.",
    ),
    PASSING: Cause("Passing trouble; we keep trying.", ITSELF, "Nothing to do. If it lasts, the log says more."),
}
_SALESFORCE = {
    "app_not_installed": Cause(
        "The app is not installed in the Salesforce org, and Salesforce lets nobody in through one that is not.",
        ADMINISTRATOR,
        "Setup, Connected Apps OAuth Usage, Install beside the app (an External Client App: Setup, External Client App "
        "Manager, install its package). For single testers: permission “Approve Uninstalled Connected Apps”.",
    ),
    "app_blocked": Cause(
        "A Salesforce administrator has blocked the app.", ADMINISTRATOR, "Setup, Connected Apps OAuth Usage, Unblock."
    ),
    "admin_approval": Cause(
        "The app is open to admin-approved users only, and this user is none of them.",
        ADMINISTRATOR,
        f"{_SF_APP}, “Admin approved users are pre-authorized”: add the person's profile or a permission set there.",
    ),
    "approval": Cause(
        "Salesforce asks for approval again.", PERSON, "Dashboard, Connections, Connect again, and choose Allow."
    ),
    "ip_restricted": Cause(
        "The org or the profile lets this app in from certain addresses only, and ours is none of them.",
        ADMINISTRATOR,
        f"{_SF_APP}, IP Relaxation; or add our address in Setup, Network Access, or the profile's Login IP Ranges.",
    ),
    "user_inactive": Cause(
        "The user is switched off or frozen in Salesforce.", ADMINISTRATOR, "Setup, Users, this user: Active, Unfreeze."
    ),
    "org_inactive": Cause("The Salesforce org is switched off.", ADMINISTRATOR, "Ask Salesforce about the org."),
    "api_disabled": Cause(
        "The person may not use the API (edition, profile or permission set).",
        ADMINISTRATOR,
        "Setup, Permission Sets (or the profile), System Permissions, “API Enabled”.",
    ),
}
_AT_GOOGLE = {
    "ended": Cause(
        "The access was withdrawn or unused for six months, the password changed, or the app is in testing at Google, "
        "where access ends after seven days.",
        PERSON,
        _RECONNECT,
        hint=f"If it ends after seven days each time: {_GOOGLE}, Audience, status “Testing”: the operator publishes "
        "the app.",
    ),
    "app_in_testing": Cause(
        "The app is in testing at Google, and the account is none of its test users.",
        OPERATOR,
        f"{_GOOGLE}, Audience: publish the app, or add the account to the test users, for whom access ends after seven "
        "days.",
    ),
    "session_control": Cause(
        "The Workspace's session control asks for a new sign-in.",
        ADMINISTRATOR,
        "Google Admin console, Security, Google Cloud session control: exempt this app, or the person connects again.",
    ),
    "admin_policy": Cause(
        "The Google Workspace administrator does not allow the app.",
        ADMINISTRATOR,
        "Google Admin console, Security, API controls, App access control: trust this app, by its client id.",
    ),
    "org_internal": Cause(
        "The app is open only to people of the organization that set it up at Google.",
        OPERATOR,
        f"{_GOOGLE}, Audience: make the app external. Or choose an account of that organization.",
    ),
    "account_gone": Cause("The Google account does not exist any more.", PERSON, "Connect another account."),
    "client_disabled": Cause(
        "The app was disabled at Google.", OPERATOR, f"{_GOOGLE}, Overview and Verification Center."
    ),
    "client_unknown": Cause("The client was deleted at Google.", OPERATOR, f"{_GOOGLE}, Clients: make a new one."),
    "redirect_uri": Cause(
        "Google does not know our callback address.",
        OPERATOR,
        f"{_GOOGLE}, Clients: add the redirect URI that `manage.py doctor` names.",
    ),
}
_AT_MICROSOFT = {
    "admin_approval": Cause(
        "An administrator of the Microsoft 365 organization has to approve the app first.",
        ADMINISTRATOR,
        f"{_ENTRA}, Security, Permissions, Grant admin consent.",
    ),
    "consent": Cause(
        "The consent is missing or was withdrawn.",
        PERSON,
        f"{_RECONNECT} Where people may not consent themselves: {_ENTRA}, Security, Permissions, Grant admin consent.",
    ),
    "not_assigned": Cause(
        "The app is open only to people to whom it was assigned, and this account is none of them.",
        ADMINISTRATOR,
        f"{_ENTRA}, Users and groups, Add user/group.",
    ),
    "conditional_access": Cause(
        "A Conditional Access policy does not let the sign-in through.",
        ADMINISTRATOR,
        "Microsoft Entra admin center, Protection, Conditional Access; which policy it was is in Sign-in logs.",
    ),
    "tenant": Cause(
        "The account belongs to another organization than the app is open to, or is a private one.",
        PERSON,
        "Choose a work account; private ones (outlook.com, hotmail.com) cannot be connected.",
    ),
    "sign_in_again": Cause("The directory asks for a new sign-in with all its checks.", PERSON, _RECONNECT),
    "signed_out": Cause("The password was changed or sessions were ended.", PERSON, _RECONNECT),
    "inactive": Cause("The connection was not used for 90 days.", PERSON, _RECONNECT),
    "password_expired": Cause("The password has expired.", PERSON, "Change it at Microsoft, then connect again."),
    "account_gone": Cause(
        "The account is switched off or gone.", ADMINISTRATOR, "Microsoft Entra admin center, Users, this user."
    ),
    "client_unknown": Cause(
        "The Microsoft 365 organization does not know the app.",
        OPERATOR,
        f"{_REGISTRATION}, Authentication: supported account types.",
    ),
    "client_secret": Cause(
        "Microsoft does not accept our client secret.", OPERATOR, f"{_REGISTRATION}, Certificates & secrets."
    ),
    "client_secret_expired": Cause(
        "Our client secret has expired.", OPERATOR, f"{_REGISTRATION}, Certificates & secrets: make a new one."
    ),
    "client_disabled": Cause(
        "The app was disabled.", ADMINISTRATOR, f"{_ENTRA}, Properties, Enabled for users to sign-in."
    ),
    "client_single_tenant": Cause(
        "The app is open to its own directory only.", OPERATOR, f"{_REGISTRATION}, Authentication: any organization."
    ),
    "redirect_uri": Cause(
        "Microsoft does not know our callback address.",
        OPERATOR,
        f"{_REGISTRATION}, Authentication, Web: add the redirect URI that `manage.py doctor` names.",
    ),
}
_BY_PROVIDER = {"salesforce": _SALESFORCE, "google": _AT_GOOGLE, "microsoft": _AT_MICROSOFT}


def of(provider: str, code: str) -> Cause:
    """The cause behind a code (ProviderError.code, Connection.cause); the unknown one where nobody knows it."""
    return _BY_PROVIDER[provider].get(code) or _ANYWHERE.get(code) or _ANYWHERE[""]


def advice(cause: Cause) -> str:
    """What `doctor` says to do, and by whom."""
    return f"{cause.screen} (by {cause.who}) {cause.hint}".strip()


_MENDERS = {ADMINISTRATOR: "Your administrator", OPERATOR: "Whoever runs this product"}


def for_person(cause: Cause, label: str, then: str = "") -> str:
    """The same for whom it concerns: whom to ask and for which screen at `label`, and what to do `then`."""
    mender = _MENDERS.get(cause.who)
    return f"{mender} can mend this at {label}: {cause.screen} {then}".strip() if mender else cause.screen


def is_for_others(cause: Cause) -> bool:
    """Whether somebody else than the person has to mend it."""
    return cause.who in _MENDERS


def refusal(provider: str, label: str, code: str, then: str) -> NotAllowedHere:
    """A provider has sent the person back without a code, and this is why."""
    cause = of(provider, code)
    return NotAllowedHere(cause.words, advice=(for_person(cause, label, then),), status=403, cause=code)


def anywhere() -> dict[str, Cause]:
    return dict(_ANYWHERE)


def only_at(provider: str) -> dict[str, Cause]:
    return dict(_BY_PROVIDER[provider])
