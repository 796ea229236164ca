"""Reads settings from the environment, each as NAME or, for a mounted secret, as NAME_FILE. Standard library only."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

#: granian's --blocking-threads; far more than throughput wants, so that one slow Salesforce never takes all of them.
BLOCKING_THREADS = 64


#: A database that a cable was pulled from keeps a thread, and a place in the pool, for half a minute instead of a
#: quarter of an hour (PostgreSQL, libpq, "Parameter Key Words"; not on Unix sockets). One that stands still is no such
#: case, since its machine still answers: see vault/patience.py.
_CUT_OFF = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}


class ConfigurationError(Exception):
    """A setting is missing or wrong; the message is one line and says what to do."""


def read(name: str, default: str | None = None) -> str:
    """Return NAME, else the content of the file named by NAME_FILE, else `default`.

    Raises ConfigurationError when it is set twice, unreadable, or missing without a default."""
    value, path = os.environ.get(name), os.environ.get(f"{name}_FILE")
    if value is not None and path is not None:
        raise ConfigurationError(f"Both {name} and {name}_FILE are set. Remove one of them.")
    if path is not None:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{name}_FILE cannot be read: {type(error).__name__}.") from None
    if value is not None:
        return value
    if default is None:
        raise ConfigurationError(f"{name} is not set. Set {name} or {name}_FILE; README lists every setting.")
    return default


def read_number(name: str, default: int) -> int:
    """A whole number above 0. Raises ConfigurationError."""
    text = read(name, str(default))
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise ConfigurationError(f"{name} must be a whole number above 0.")
    return int(text)


def is_set(name: str) -> bool:
    return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))


def file_of(name: str) -> str:
    """The path in NAME_FILE; "" where the value stands in NAME itself, or nowhere."""
    return os.environ.get(f"{name}_FILE", "")


def read_list(name: str) -> list[str]:
    """Comma- or space-separated values; empty when unset."""
    return [part for part in read(name, "").replace(",", " ").split() if part]


def read_named(name: str) -> dict[str, str]:
    """Comma-separated `Label=value` as value -> label, in the order given; empty when unset."""
    pairs = [part.partition("=") for part in read(name, "").split(",") if part.strip()]
    if any(not label.strip() or not value.strip() for label, _, value in pairs):
        raise ConfigurationError(f"{name} must be a comma-separated list of Label=address.")
    return {value.strip(): label.strip() for label, _, value in pairs}


@dataclass(frozen=True, slots=True, repr=False)
class MailServer:
    """`is_tls`: from the first byte. `host` is "" where there is none."""

    host: str
    port: int
    user: str
    password: str
    is_tls: bool


def mail_server(url: str, name: str) -> MailServer:
    """From `smtp://user:password@host:587` or `smtps://user:password@host:465`; "" for none. Raises
    ConfigurationError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its text may quote the password
        raise ConfigurationError(f"{name} is no address.") from None
    if url and (parts.scheme not in ("smtp", "smtps") or not parts.hostname):
        raise ConfigurationError(f"{name} must look like smtp://user:password@host:587, or smtps://...:465.")
    is_tls = parts.scheme == "smtps"
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return MailServer(parts.hostname or "", port or (465 if is_tls else 587), user, password, is_tls)


def database(url: str, name: str) -> dict[str, object]:
    """A Django DATABASES entry from `postgres://user:password@host:port/db?sslmode=...` or `sqlite:////path`."""
    try:
        parts = urlsplit(url)
    except ValueError:  # its text may quote the password
        raise ConfigurationError(f"{name} is no address.") from None
    if parts.scheme == "sqlite":
        # `secure_delete`: a dropped data key must not linger in free pages.
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": parts.path[1:] if parts.path.startswith("//") else parts.path,
            "OPTIONS": {
                "timeout": 10,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=DELETE; PRAGMA secure_delete=ON; PRAGMA synchronous=FULL;",
            },
        }
    if parts.scheme not in ("postgres", "postgresql"):
        raise ConfigurationError(f"{name} must start with postgres:// (or sqlite:// for the key store).")
    query = dict(parse_qsl(parts.query))
    host = query.pop("host", "") or unquote(parts.hostname or "")
    try:
        port = parts.port
    except ValueError:
        raise ConfigurationError(f"{name} has a port that is no number.") from None
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(port or query.pop("port", "")),
        "CONN_HEALTH_CHECKS": True,
        # Bounded: a process has many threads, most of which wait for Salesforce and hold no connection meanwhile.
        "OPTIONS": {
            "connect_timeout": 5,
            "pool": {"min_size": 1, "max_size": 16, "timeout": 5},
            **_CUT_OFF,
            **query,
        },
    }
