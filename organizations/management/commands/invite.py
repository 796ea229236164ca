"""`manage.py invite`: the operator's leave to join, for an existing organization or to found a new one."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from organizations import invitations, named
from organizations.models import Organization, Role


class Command(BaseCommand):
    help = "Invite a Salesforce username; without --organization the invitation may found a new organization."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="Salesforce username, such as jane@acme.example")
        parser.add_argument("--organization", default="", help="our id of it, or its Salesforce org id")
        parser.add_argument("--role", default=Role.USER.value, choices=[role.value for role in Role][1:])

    def handle(self, *args: Any, **options: Any) -> None:
        organization = self._organization(options["organization"])
        try:
            invitations.invite("operator", options["username"], Role(options["role"]), organization)
        except ValueError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Invited for {invitations.LIFETIME.days} days. The person signs in at Salesforce as usual.")

    def _organization(self, text: str) -> Organization | None:
        if not text:
            return None
        found = named.organization(text)
        if found is None:
            raise CommandError("There is no organization with this id.")
        return found
