"""`manage.py mail_app`: an organization's own app at Google or Microsoft. The secret is never an argument."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from vault import mailboxes, registrations
from vault.management.commands import _registering
from vault.management.commands._registering import organization_in, secret_in

_FIRST = "one of its people signs in with Salesforce first."


class Command(BaseCommand):
    help = "Sets, shows or removes the app with which an organization's members connect Google or Microsoft."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--provider", required=True, choices=mailboxes.PROVIDERS)
        _registering.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        provider, organization_id = options["provider"], organization_in(options, _FIRST)
        if organization_id is None:
            raise CommandError("Name the --organization; the app for everybody else is in the settings.")
        where = mailboxes.login_url(provider)
        if options["remove"]:
            removed = registrations.unregister(where, provider, organization_id)
            self.stdout.write("Removed." if removed else "There was none.")
        elif options["client_id"]:
            registrations.register(where, options["client_id"], secret_in(options), organization_id, provider)
            self.stdout.write("Stored.")
        self.stdout.write(f"Redirect URI to enter in the app: {mailboxes.redirect_uri(provider)}")
