"""What the commands that register an app have in common: its arguments. The secret is never one of them."""

import getpass
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from organizations import named
from providers.base import Secret


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--client-id", help="the client id (consumer key, application id) of the app")
    parser.add_argument("--secret-file", help="file with the client secret; else it is read from stdin")
    parser.add_argument("--public", action="store_true", help="the app has no secret (PKCE alone)")
    parser.add_argument("--organization", help="whose it is: our id of the organization, or its Salesforce org id")
    parser.add_argument("--remove", action="store_true")


def secret_in(options: dict[str, Any]) -> Secret | None:
    if options["public"]:
        return None
    if options["secret_file"]:
        text = Path(options["secret_file"]).read_text(encoding="utf-8")
    elif sys.stdin.isatty():
        text = getpass.getpass("Client secret: ")
    else:
        text = sys.stdin.read()
    if not text.strip():
        raise CommandError("The secret is empty. Use --public for an app without one.")
    return Secret(text.strip())


def organization_in(options: dict[str, Any], otherwise: str) -> UUID | None:
    """None where none is named. Raises CommandError, with what to do `otherwise`, where nobody of it is here yet."""
    if not options["organization"]:
        return None
    organization = named.organization(options["organization"])
    if organization is None:
        raise CommandError(f"Nobody of such an organization has signed in yet; {otherwise}")
    return organization.pk
