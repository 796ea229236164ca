"""`manage.py withdraw_target <url>`: links that are out already lead there no more, but to a page that says so."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from organizations import named
from organizations.models import Organization
from tracking import withdrawing


class Command(BaseCommand):
    help = (
        "Withdraw where tracked links lead: within seconds whoever follows one gets a page that says so. Give a link "
        "as it stands in a message, which says itself whose it is; or where it leads, for one organization or for all "
        "that there are now."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("url", help="where the links lead, exactly; or one of the links themselves")
        parser.add_argument("--organization", default="", help="our id of it, or its Salesforce org id")
        parser.add_argument("--restore", action="store_true", help="let them lead there again")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            meant = withdrawing.meant(options["url"])
        except withdrawing.NotALink as error:
            raise CommandError(str(error)) from None
        act = withdrawing.restore if options["restore"] else withdrawing.withdraw
        whose = _whose(meant, options["organization"])
        changed = sum(act("operator", organization_id, meant.target) for organization_id in whose)
        self.stdout.write(f"{'Restored' if options['restore'] else 'Withdrawn'} for {changed} of {len(whose)}.")


def _whose(meant: withdrawing.Meant, text: str) -> Sequence[UUID]:
    """A link's own organization may be gone by now; its links are not."""
    if not text:
        everybody = Organization.objects.order_by("pk").values_list("pk", flat=True)
        return [meant.organization_id] if meant.organization_id else list(everybody)
    found = named.organization(text)
    if found is None:
        raise CommandError("There is no organization with this id.")
    if meant.organization_id not in (None, found.pk):
        raise CommandError("This link is another organization's.")
    return [found.pk]
