"""The environment for a process of ours that works on this test's databases and keys."""

import os
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db import connections


def environment(**changes: str) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": _url("default"),
        "KEY_STORE_URL": _url("keys"),
        "VAULT_KEK": settings.VAULT_KEK,
        **changes,
    }


def _url(alias: str) -> str:
    """Of the test database, which has another name than the one in the environment."""
    facts: dict[str, Any] = connections[alias].settings_dict
    who, where = (quote(str(facts[name]), safe="") for name in ("USER", "HOST"))
    secret = f":{quote(str(facts['PASSWORD']), safe='')}" if facts["PASSWORD"] else ""
    return f"postgres://{who}{secret}@/{facts['NAME']}?host={where}&port={facts['PORT']}"
