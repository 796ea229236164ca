"""Why a connection or a sign-in fails, in plain words, and the screen at the provider where somebody mends it.

The one home of these texts: `doctor` prints them, and docs/doctor.md is made from them (`manage.py doctor --screens`).
Sources of the screens: help.salesforce.com "Manage OAuth Access Policies for a Connected App", "Prepare for Connected
App Usage Restrictions Change" (005132365) and "Manage External Client Apps"; developers.google.com/identity/protocols/
oauth2 "#expiration" and "production-readiness"; learn.microsoft.com/entra "grant-admin-consent",
"reference-error-codes" and "assign-user-or-group-access-portal"."""

from dataclasses import dataclass


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
        "The app is not installed in the customer's org; Salesforce lets nobody in through an uninstalled app.",
        ADMINISTRATOR,
        "Setup, Connected Apps OAuth Usage, Install beside the app (an External Client App: Setup, External Client App "
        "Manager, install its package). For single testers: permission “Approve Uninstalled Connected Apps”.",
    ),
    "app_blocked": Cause(
        "An administrator has blocked the app.", ADMINISTRATOR, "Setup, Connected Apps OAuth Usage, Unblock."
    ),
    "admin_approval": Cause(
        "The app is open to admin-approved users only, and this person is none of them.",
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
        f"{_GOOGLE}, Audience: publish the app, or add the account to the test users.",
    ),
    "session_control": Cause(
        "The Workspace's session control asks for a new sign-in.",
        ADMINISTRATOR,
        "Google Admin console, Security, Google Cloud session control: exempt this app, or the person connects again.",
    ),
    "admin_policy": Cause(
        "The Workspace administrator does not allow the app.",
        ADMINISTRATOR,
        "Google Admin console, Security, API controls, App access control: trust this app, by its client id.",
    ),
    "org_internal": Cause(
        "The app is open to its own organization only.", OPERATOR, f"{_GOOGLE}, Audience: make the app external."
    ),
    "account_gone": Cause("The Google account does not exist any more.", PERSON, "Connect another account."),
    "client_disabled": Cause(
        "The app was disabled at Google.", OPERATOR, f"{_GOOGLE}, Overview and Verification Center."
    ),
    "client_unknown": Cause("The client was deleted at Google.", OPERATOR, f"{_GOOGLE}, Clients: make a new one."),
    "redirect_uri": Cause(
        "Google does not know our callback address.", OPERATOR, f"{_GOOGLE}, Clients: add the redirect URI named above."
    ),
}
_AT_MICROSOFT = {
    "admin_approval": Cause(
        "The directory wants an administrator's approval for this app.",
        ADMINISTRATOR,
        f"{_ENTRA}, Security, Permissions, Grant admin consent.",
    ),
    "consent": Cause(
        "The consent is missing or was withdrawn.",
        PERSON,
        f"{_RECONNECT} Where people may not consent themselves: {_ENTRA}, Security, Permissions, Grant admin consent.",
    ),
    "not_assigned": Cause(
        "The app is open to assigned people only, and this person is none of them.",
        ADMINISTRATOR,
        f"{_ENTRA}, Users and groups, Add user/group.",
    ),
    "conditional_access": Cause(
        "A Conditional Access policy does not let the sign-in through.",
        ADMINISTRATOR,
        "Microsoft Entra admin center, Protection, Conditional Access; which policy it was is in Sign-in logs.",
    ),
    "tenant": Cause(
        "The account is of a directory that may not use the app, or a private one.", PERSON, "Choose a work account."
    ),
    "sign_in_again": Cause("The directory asks for a new sign-in with all its checks.", PERSON, _RECONNECT),
    "signed_out": Cause("The password was changed or sessions were ended.", PERSON, _RECONNECT),
    "inactive": Cause("The connection was not used for 90 days.", PERSON, _RECONNECT),
    "password_expired": Cause("The password has expired.", PERSON, "Change it at Microsoft, then connect again."),
    "account_gone": Cause(
        "The account is switched off or gone.", ADMINISTRATOR, "Microsoft Entra admin center, Users, this user."
    ),
    "client_unknown": Cause(
        "The directory does not know the app.", OPERATOR, f"{_REGISTRATION}, Authentication: supported account types."
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
        f"{_REGISTRATION}, Authentication, Web: add the redirect URI named above.",
    ),
}
_BY_PROVIDER = {"salesforce": _SALESFORCE, "google": _AT_GOOGLE, "microsoft": _AT_MICROSOFT}


def of(provider: str, code: str) -> Cause:
    """The cause behind a code (ProviderError.code, Connection.cause); the unknown one where nobody knows it."""
    return _BY_PROVIDER[provider].get(code) or _ANYWHERE.get(code) or _ANYWHERE[""]


def advice(cause: Cause) -> str:
    """What `doctor` says to do, and by whom."""
    return f"{cause.screen} (by {cause.who}) {cause.hint}".strip()


def anywhere() -> dict[str, Cause]:
    return dict(_ANYWHERE)


def only_at(provider: str) -> dict[str, Cause]:
    return dict(_BY_PROVIDER[provider])
