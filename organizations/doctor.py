"""What any installation of ours needs, looked at by `manage.py doctor`: settings, address, databases, queue.

Registered in ready(); what a provider or a key needs is the business of the rooms above."""

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
from celery import current_app
from django.conf import settings
from django.core.checks import run_checks
from django.core.checks.messages import ERROR
from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from kombu.exceptions import OperationalError

from organizations import postbox
from organizations.loopback import is_loopback
from organizations.registries import Finding, Level, doctor_checks

#: Seconds that a worker, our own address or a database has to answer.
_PATIENCE = 3


@doctor_checks.register("organizations.settings")
def configured() -> Iterator[Finding]:
    """The checks that keep a process from starting, and those of a deployment where it is one."""
    found = run_checks(include_deployment_checks=settings.IS_HTTPS)
    silenced = set(settings.SILENCED_SYSTEM_CHECKS)
    for message in (each for each in found if each.id not in silenced):
        level = Level.ERROR if message.level >= ERROR else Level.WARNING
        yield Finding(level, str(message.msg), str(message.hint or "README lists every setting."))
    if not found:
        yield Finding(Level.OK, "The settings are complete.")


@doctor_checks.register("organizations.address")
def address() -> Iterator[Finding]:
    """Whether people's browsers and add-ins can use PUBLIC_URL at all."""
    host = urlsplit(settings.PUBLIC_URL).hostname or ""
    if is_loopback(host):
        yield Finding(Level.OK, "PUBLIC_URL is on this machine: good for trying out; nobody else can reach it.")
    elif _answers(settings.PUBLIC_URL):
        yield Finding(Level.OK, f"{settings.PUBLIC_URL} answers; it must be exactly what people type.")
    else:
        advice = "Is the proxy up, its certificate good, and does it hand requests on to us (docs/deploy.md)?"
        yield Finding(Level.WARNING, f"{settings.PUBLIC_URL} cannot be reached from this machine.", advice)


def _answers(url: str) -> bool:
    """Whether our own /healthz is behind it, by a certificate that browsers trust."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_PATIENCE)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().read(10) == b"ok\n"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@doctor_checks.register("organizations.queue")
def queue() -> Iterator[Finding]:
    """Whether tasks can be handed over, and somebody takes them."""
    try:
        with current_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, timeout=_PATIENCE)
            answers = current_app.control.ping(timeout=_PATIENCE, connection=broker)
    except (OperationalError, OSError) as error:
        yield Finding(
            Level.ERROR, f"The queue in REDIS_URL does not answer ({type(error).__name__}).", "See REDIS_URL."
        )
        return
    if answers:
        yield Finding(Level.OK, f"The queue answers; workers: {len(answers)}.")
    else:
        advice = "Start one: celery -A config worker --pool threads (docs/deploy.md)."
        yield Finding(Level.ERROR, "The queue answers, but no worker does.", advice)


@doctor_checks.register("organizations.mail")
def mail() -> Iterator[Finding]:
    """Whether people can be told of trouble by mail; sends none."""
    if not postbox.is_set_up():
        yield Finding(Level.OK, "EMAIL_URL is not set: nobody is told by mail when a sync stands still.")
        return
    try:
        postbox.greet()
    except postbox.NotSent as error:
        advice = "Are host, port, name and password right, and does it offer TLS with a certificate for that host?"
        yield Finding(Level.ERROR, f"The mail server in EMAIL_URL is of no use ({error}).", advice)
    else:
        yield Finding(Level.OK, "The mail server in EMAIL_URL answers and lets us in.")


@doctor_checks.register("organizations.databases")
def databases() -> Iterator[Finding]:
    """After the queue, which needs none; all that is looked at later does."""
    silent = {alias: _silence(alias) for alias in ("default", "keys")}
    for alias, name in (("default", "DATABASE_URL"), ("keys", "KEY_STORE_URL")):
        yield _database(alias, name, silent[alias])
    if _server_of("default") == _server_of("keys"):
        advice = "Let KEY_STORE_URL name a database with backups of its own, kept for 7 days at most (docs/deploy.md)."
        yield Finding(Level.ERROR, "The key store is the same database as the data.", advice)
    if silent["default"]:
        yield Finding(Level.WARNING, "The rest needs the database and was not looked at.", "", is_last=True)


def _server_of(alias: str) -> tuple[object, ...]:
    found = connections[alias].settings_dict
    return found["ENGINE"], found["HOST"], found["PORT"], found["NAME"]


def _database(alias: str, name: str, silence: str) -> Finding:
    try:
        waiting = [] if silence else _waiting_migrations(alias)
    except DatabaseError as error:
        silence = type(error).__name__
    if silence:
        return Finding(Level.ERROR, f"The database in {name} does not answer ({silence}).", f"See {name}.")
    if waiting:
        advice = f"manage.py migrate --database {alias}"
        return Finding(Level.ERROR, f"The database in {name} lacks {len(waiting)} migrations.", advice)
    return Finding(Level.OK, f"The database in {name} answers and is up to date.")


def _waiting_migrations(alias: str) -> list[object]:
    executor = MigrationExecutor(connections[alias])
    return list(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _silence(alias: str) -> str:
    """The kind of failure of a database that takes no connection within seconds; "" where it does, or is a file.

    Past the pool, which would try again for long, and log each time."""
    database = connections[alias]
    if database.vendor != "postgresql":
        return ""
    try:
        with database.wrap_database_errors:
            psycopg.connect(**{**database.get_connection_params(), "connect_timeout": _PATIENCE}).close()
    except DatabaseError as error:
        return type(error).__name__
    return ""
