"""Tracking's lines of `manage.py doctor`: is it set up, does what answers pixels and links do so, does Valkey keep what
is handed to it, is anybody draining. Registered in ready(); leaves nothing behind, and names no message or person."""

import http.client
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import maxminddb
from django.conf import settings
from django.utils import timezone
from redis.exceptions import RedisError

from organizations.models import PolicyValue
from organizations.registries import Finding, Level, doctor_checks
from tracking import inflow
from tracking.hot.boxes import BatchBox, NotOurs
from tracking.hot.pages import GIF
from tracking.hot.stream import DAY
from tracking.hot.tokens import read_keys
from tracking.policies import CLICKS, OPENS
from tracking.valkey import valkey

#: Seconds that our own address has to answer; and after which a hit that still waits means that nobody drains.
_PATIENCE, _LATE = 3, 60
_DEPLOY = "docs/deploy.md, the row `tracking`."


def is_set_up() -> bool:
    """Halves of it are the system checks' business (checks.py)."""
    return bool(settings.TRACKING_KEY and settings.TRACKING_URL)


@doctor_checks.register("tracking.set_up")
def set_up() -> Iterator[Finding]:
    """Before all others of this room, which say nothing where there is nothing."""
    if is_set_up():
        yield Finding(Level.OK, f"Pixels and links of tracked mail lead to {settings.TRACKING_URL}.")
        return
    wanted = PolicyValue.objects.filter(member=None, key__in=(OPENS.key, CLICKS.key), value=True)
    count = wanted.values("organization_id").distinct().count()
    if count:
        advice = f"Set TRACKING_URL and TRACKING_KEY: {_DEPLOY}"
        yield Finding(Level.WARNING, f"Organizations that switched tracking on, which is not set up: {count}.", advice)
    else:
        yield Finding(Level.OK, "Opens and clicks are not tracked here (TRACKING_URL, TRACKING_KEY).")


@doctor_checks.register("tracking.answers")
def answers() -> Iterator[Finding]:
    """Whether a forged pixel gets its image, as every one does once the batch that it waits in is stored."""
    if not is_set_up():
        return
    if _answer() == GIF:
        yield Finding(Level.OK, "TRACKING_URL answers with the image.")
    else:
        advice = f"Does config.hot run, and does the proxy hand /t/ on to it? {_DEPLOY}"
        yield Finding(Level.ERROR, "TRACKING_URL does not answer with the image: no open arrives.", advice)


def _answer() -> bytes:
    parts = urlsplit(settings.TRACKING_URL)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_PATIENCE)
    try:
        connection.request("GET", "/t/o/doctor.gif")
        answer = connection.getresponse()
        return answer.read(1_000) if answer.status == 200 else b""
    except (OSError, http.client.HTTPException):
        return b""
    finally:
        connection.close()


@doctor_checks.register("tracking.stream")
def stream() -> Iterator[Finding]:
    """Whether Valkey keeps hits that were answered for, and forgets none of them to make room."""
    if not is_set_up():
        return
    try:
        told: Any = valkey().info("everything")
        yield from _kept(bool(told["aof_enabled"]), str(told["maxmemory_policy"]), _synced())
        yield from _waiting(inflow.backlog(time.time()))
    except RedisError as error:
        message = f"The stream of hits in REDIS_URL does not answer ({type(error).__name__})."
        yield Finding(Level.ERROR, message, "Hits wait on the disks of what answers them, up to TRACKING_SPOOL_BYTES.")


def _synced() -> str:
    """ "" where the service does not tell, as managed ones."""
    try:
        found: Any = valkey().config_get("appendfsync")
    except RedisError:
        return ""
    return str(found.get("appendfsync", ""))


def _kept(is_appending: bool, policy: str, sync: str) -> Iterator[Finding]:
    if not is_appending:
        advice = "Valkey: appendonly yes, and better appendfsync always."
        yield Finding(Level.ERROR, "Valkey keeps nothing on its disk: opens and clicks end with it.", advice)
    elif sync == "no":
        advice = "Valkey: appendfsync always, or everysec for up to a second's loss."
        yield Finding(Level.WARNING, "Valkey leaves it to its system when hits reach the disk.", advice)
    if policy != "noeviction":
        advice = "Valkey: maxmemory-policy noeviction; a full one then says so, and hits wait on disk."
        yield Finding(Level.ERROR, f"Valkey forgets hits and tasks when it is full ({policy}).", advice)
    if is_appending and policy == "noeviction" and sync != "no":
        yield Finding(Level.OK, f"Valkey keeps what is handed to it (appendfsync {sync or 'not told'}).")


def _waiting(backlog: inflow.Backlog) -> Iterator[Finding]:
    if backlog.oldest > _LATE:
        message = f"Hits wait to be drained for {backlog.oldest:.0f} s ({backlog.entries} batches)."
        yield Finding(Level.ERROR, message, "Do worker and beat run? The worker's log says why a batch comes back.")
    else:
        yield Finding(Level.OK, f"Batches of hits that wait: {backlog.entries}.")
    if backlog.spooled:
        message = f"Bytes of hits on the disks of what answers them: {backlog.spooled}."
        yield Finding(Level.WARNING, message, "They are taken in by themselves once Valkey answers there.")
    if backlog.lost:
        message = f"Hits that found no place since Valkey was last emptied: {backlog.lost}."
        yield Finding(Level.WARNING, message, "Make TRACKING_SPOOL_BYTES larger, or look at that disk.")


@doctor_checks.register("tracking.day")
def day() -> Iterator[Finding]:
    """Whether who asks can be closed under the day's key: without one nobody can tell people from machines."""
    if not is_set_up():
        return
    advice = "Beat and a worker publish it every few seconds; the worker's log says why not."
    try:
        name = _published()
    except RedisError:
        return  # `stream` has said so
    except NotOurs:
        advice = f"Is TRACKING_KEY the same for all processes, its newest first? {advice}"
        yield Finding(Level.ERROR, "The day's key in Valkey was not put there with this TRACKING_KEY.", advice)
        return
    if name < (timezone.now() - timedelta(minutes=5)).date().isoformat():
        yield Finding(Level.ERROR, "The day's key is missing or an old one: hits will say `unknown`.", advice)
    else:
        yield Finding(Level.OK, "The day's key is published.")


def _published() -> str:
    """The day's name, as "2026-11-22"; "" where there is none. Raises RedisError, NotOurs."""
    found: Any = valkey().get(DAY)
    return BatchBox(read_keys(settings.TRACKING_KEY)).open_day(found)[0].decode() if found else ""


@doctor_checks.register("tracking.files")
def files() -> Iterator[Finding]:
    """Whether places and networks can be looked up where the operator gave files of them."""
    for name in ("GEOIP_FILE", "ASN_FILE"):
        path = getattr(settings, name)
        try:
            if path:
                maxminddb.open_database(path).close()
        except (OSError, maxminddb.InvalidDatabaseError) as error:
            message = f"{name} cannot be read in MaxMind's format ({type(error).__name__}): what it says stays unknown."
            yield Finding(Level.WARNING, message, "Is it there for the worker's user, and whole?")
