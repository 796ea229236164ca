"""`manage.py salesforce_app`: an organization's own client id for a login host. The secret is never an argument."""

import getpass
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from providers.base import Secret
from providers.errors import HostNotAllowed
from vault import connect, registrations, salesforce


class Command(BaseCommand):
    help = "Sets, shows or removes the client id that is used when people sign in at one Salesforce login host."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--login-url", required=True, help="https://acme.my.salesforce.com, or a site's address")
        parser.add_argument("--client-id", help="the consumer key of the app in that organization")
        parser.add_argument("--secret-file", help="file with the consumer secret; else it is read from stdin")
        parser.add_argument("--public", action="store_true", help="the app has no secret (PKCE alone)")
        parser.add_argument("--organization", help="the Salesforce organization id (18 characters) it belongs to")
        parser.add_argument("--remove", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            login_url = salesforce.login_url(options["login_url"])
        except HostNotAllowed as error:
            raise CommandError(str(error)) from None
        if options["remove"]:
            removed = registrations.unregister(login_url)
            self.stdout.write("Removed." if removed else "There was none.")
        elif options["client_id"]:
            registrations.register(login_url, options["client_id"], _secret(options), _organization_id(options))
            self.stdout.write("Stored.")
        self.stdout.write(f"Callback URL to enter in the app: {connect.redirect_uri(login_url)}")


def _secret(options: dict[str, Any]) -> Secret | None:
    if options["public"]:
        return None
    if options["secret_file"]:
        text = Path(options["secret_file"]).read_text(encoding="utf-8")
    elif sys.stdin.isatty():
        text = getpass.getpass("Consumer secret: ")
    else:
        text = sys.stdin.read()
    if not text.strip():
        raise CommandError("The secret is empty. Use --public for an app without one.")
    return Secret(text.strip())


def _organization_id(options: dict[str, Any]) -> Any:
    if not options["organization"]:
        return None
    organization = registrations.organization_named(options["organization"])
    if organization is None:
        raise CommandError("No such organization has signed in yet; leave --organization out.")
    return organization.pk
