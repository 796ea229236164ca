"""A process of ours on a restored database, with the keys of today: `python -m tests.organizations.opening`.

Prints, as JSON, of each organization how many sealed values of each column it tried and how many opened. What belongs
to the installation counts for the organization whose login host or member it names, else for "installation"."""

import json
import sys
from collections import Counter
from typing import Any


def main() -> None:
    import django

    django.setup()
    from organizations.models import Organization
    from tests.faults import evidence
    from vault import keys

    keys.forget_all()
    found: dict[str, Counter[str]] = {str(row.pk): Counter() for row in Organization.objects.all()}
    for column, read in evidence.READERS.items():
        for each in read():
            counts = found.setdefault(_whose(column, each), Counter())
            counts["tried"] += 1
            counts[f"tried {column}"] += 1
            counts["opened"] += _opens(each)
    sys.stdout.write(json.dumps(found))


def _opens(each: tuple[str, Any, Any, bool]) -> bool:
    from vault import sealing
    from vault.errors import KeyGone, TokenTampered

    try:
        sealing.unseal(bytes(each[2]), each[1])
    except (KeyGone, TokenTampered):
        return False
    return True


def _whose(column: str, each: tuple[str, Any, Any, bool]) -> str:
    """By its place, and where that is the installation's, by the connections made at its login host."""
    from vault import keys
    from vault.models import ClientRegistration, Connection

    if column == "vault_daykey.sealed_private":
        return "installation"  # its data key is named for its day
    if each[1].organization_id != keys.INSTANCE:
        return str(each[1].organization_id)
    if column == "vault_clientregistration.sealed_secret":
        login_url = ClientRegistration.objects.get(pk=each[1].row_id).login_url
        mine = Connection.objects.filter(login_url=login_url).values_list("organization_id", flat=True)
        if len(set(mine)) == 1:
            return str(mine[0])
    return "installation"


if __name__ == "__main__":
    main()
