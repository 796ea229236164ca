"""A process of ours on a restored database, with the keys of today: `python -m tests.organizations.opening`.

Prints, as JSON, of each organization how many sealed values it tried and how many opened."""

import json
import sys
from collections import Counter


def main() -> None:
    import django

    django.setup()
    from organizations.models import Organization
    from vault import grants, keys, registrations, revocation, sealing
    from vault.errors import KeyGone, TokenTampered
    from vault.models import ClientRegistration, Connection, DiscardedGrant

    found: dict[str, Counter[str]] = {str(row.pk): Counter() for row in Organization.objects.all()}

    def attempt(organization_id: object, open_it: object) -> None:
        found[str(organization_id)]["tried"] += 1
        try:
            open_it()  # type: ignore[operator]
        except (KeyGone, TokenTampered):
            return
        found[str(organization_id)]["opened"] += 1

    for row in Connection.objects.all():
        attempt(row.organization_id, lambda row=row: grants.load(row))
    for grant in DiscardedGrant.objects.select_related("connection"):
        place = revocation._place(grant, grant.connection)
        attempt(grant.connection.organization_id, lambda g=grant, p=place: sealing.unseal(bytes(g.sealed), p))
    for client in ClientRegistration.objects.filter(organization__isnull=False):
        attempt(client.organization_id, lambda client=client: registrations._opened(client))
    keys.forget_all()
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
