"""Runs a script or module under settings as a production host would have them: `python -m tests.production_settings
manage.py check`, `... -m mypy`. Nothing is connected to: the databases named here do not exist."""

import atexit
import base64
import os
import runpy
import secrets
import sys
import tempfile
from pathlib import Path


def key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def file_with(text: str) -> str:
    """As a production host keeps its key: in a file of the service user's, gone when this process ends."""
    handle, name = tempfile.mkstemp()  # readable by us only
    with os.fdopen(handle, "w") as file:
        file.write(text)
    atexit.register(Path(name).unlink, missing_ok=True)
    return name


def main() -> None:
    os.environ.update(
        {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SECRET_KEY": secrets.token_urlsafe(64),
            "VAULT_KEK_FILE": file_with(key()),
            "AUDIT_KEY": key(),
            "SIGNING_KEY": key(),
            "PUBLIC_URL": "https://sidebar.example.com",
            "DATABASE_URL": "postgres://sidebar:sidebar@db.example.com/sidebar?sslmode=verify-full",
            "KEY_STORE_URL": "postgres://keys:keys@keys.example.com/keys?sslmode=verify-full",
            "REDIS_URL": "rediss://queue.example.com:6379/0",
            "SALESFORCE_CLIENT_ID": "client",
            "SALESFORCE_CLIENT_SECRET": "secret",
        }
    )
    if sys.argv[1] == "-m":
        sys.argv = sys.argv[2:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = sys.argv[1:]
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
