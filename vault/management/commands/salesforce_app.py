"""`manage.py salesforce_app`: an organization's own client id for a login host. The secret is never an argument."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from providers.errors import HostNotAllowed
from vault import connect, registrations, salesforce
from vault.management.commands import _registering
from vault.management.commands._registering import organization_in, secret_in

_WITHOUT = "leave --organization out: the login host says whose app it is."


class Command(BaseCommand):
    help = "Sets, shows or removes the client id that is used when people sign in at one Salesforce login host."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--login-url", required=True, help="https://acme.my.salesforce.com, or a site's address")
        _registering.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            login_url = salesforce.login_url(options["login_url"])
        except HostNotAllowed as error:
            raise CommandError(str(error)) from None
        if options["remove"]:
            removed = registrations.unregister(login_url)
            self.stdout.write("Removed." if removed else "There was none.")
        elif options["client_id"]:
            organization_id = organization_in(options, _WITHOUT)
            registrations.register(login_url, options["client_id"], secret_in(options), organization_id)
            self.stdout.write("Stored.")
        self.stdout.write(f"Callback URL to enter in the app: {connect.redirect_uri(login_url)}")
