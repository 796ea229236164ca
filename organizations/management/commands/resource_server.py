"""`manage.py resource_server <name>`: a client that may introspect our tokens. Its secret is shown once, never kept."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from organizations.oauth import applications


class Command(BaseCommand):
    help = "Make credentials for a service that checks our access tokens at /o/introspect/."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        client_id, secret = applications.new_resource_server(options["name"])
        self.stdout.write(f"client_id {client_id}\nclient_secret {secret}")
