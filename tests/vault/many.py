"""Many sealed tokens, for rotation at size: `python -m tests.vault.many COUNT ORGANIZATIONS`. Talks to no provider."""

import sys
from uuid import UUID, uuid4

TOKEN = "00D000000000001!AQEAQ." + "x" * 90


def seed(count: int, organizations: int) -> None:
    """`count` healthy connections, evenly in `organizations`, each with a credential of about 1 kB."""
    from vault import keys

    keys.verify_kek()
    each = count // organizations
    for number in range(organizations):
        _one_organization(number, each)


def _one_organization(number: int, each: int) -> None:
    from organizations.models import Member, Organization
    from vault import grants, sealing
    from vault.models import Connection, Credential, State

    organization = Organization.objects.create(salesforce_org_id=f"00D{number:012d}AAA"[:18], name=f"Org {number}")
    member = Member.objects.create(
        organization=organization, salesforce_user_id=f"005{number:012d}AAA"[:18], username=f"u{number}@org.example"
    )
    rows = [
        Connection(
            organization=organization,
            member=member,
            provider="salesforce",
            subject=f"{number}-{index}",
            login_url="https://login.salesforce.com",
            state=State.HEALTHY,
            generation=1,
        )
        for index in range(each)
    ]
    sealed = [Credential(connection=row, generation=1) for row in rows]
    for credential in sealed:
        grant = a_grant().renewed(member=member.pk)
        credential.grant_id = grant.id
        credential.sealed = sealing.seal(grant.to_json(), grants.place_of(credential))
    Connection.objects.bulk_create(rows, batch_size=2_000)
    Credential.objects.bulk_create(sealed, batch_size=2_000)


def a_grant(grant_id: UUID | None = None) -> "Grant":  # type: ignore[name-defined]  # noqa: F821
    from providers.base import Secret
    from vault.grants import Grant

    url = "https://acme.my.salesforce.com"
    return Grant(
        access_token=Secret(TOKEN),
        refresh_token=Secret(TOKEN),
        client_id="client",
        login_url=url,
        issuer=url,
        token_endpoint=f"{url}/services/oauth2/token",
        revocation_endpoint=f"{url}/services/oauth2/revoke",
        api_url=url,
        page_url=url,
        identity=f"{url}/id/00D000000000001AAA/005000000000001AAA",
        scopes=("id", "api", "refresh_token", "web"),
        id=grant_id or uuid4(),
    )


if __name__ == "__main__":
    import django

    django.setup()
    seed(int(sys.argv[1]), int(sys.argv[2]))
