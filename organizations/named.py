"""Which organization an operator means by what he typed. Reads; decides nothing."""

from uuid import UUID

from organizations.models import Organization


def organization(text: str) -> Organization | None:
    """By our id or its Salesforce org id (15 or 18 characters); None where nobody of it has signed in yet."""
    return Organization.objects.filter(**lookup(text, "id")).first()


def lookup(text: str, key: str) -> dict[str, str]:
    """The filter that finds it, in a table whose column `key` holds our id."""
    try:
        return {key: str(UUID(text))}
    except ValueError:
        return {"salesforce_org_id": text} if len(text) != 15 else {"salesforce_org_id__startswith": text}
