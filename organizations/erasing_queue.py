"""Takes what names an organization out of the broker: messages that wait, and those a worker has not acknowledged.

A task that runs already finds the rows stopped or gone. Reads messages only to look for ids; keeps none."""

import base64
import binascii
import json
import re
from collections.abc import Collection, Iterator
from typing import Any

from celery import current_app

_PAGE = 1_000
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def purge(names: Collection[str]) -> int:
    """Delete every message that holds one of `names` (ids, as text). Returns how many."""
    if not names:
        return 0
    with current_app.connection_for_write() as broker:
        client: Any = getattr(broker.default_channel, "client")  # noqa: B009  the Redis transport's own
        return sum(_purge_key(client, key, set(names)) for key in client.scan_iter(count=_PAGE))


def _purge_key(client: Any, key: bytes, names: set[str]) -> int:
    kind = client.type(key)
    if kind == b"list":
        return sum(client.lrem(key, 0, message) for message in set(_matching(_listed(client, key), names)))
    if kind == b"hash":  # "unacked": delivery tag -> [message, exchange, routing key]
        tags = [tag for tag, message in client.hscan_iter(key) if _holds(message, names)]
        for tag in tags:
            client.hdel(key, tag)
            client.zrem(b"unacked_index", tag)
        return len(tags)
    return 0


def _listed(client: Any, key: bytes) -> Iterator[bytes]:
    """Newest first (the head), so a message that a worker takes meanwhile moves none that is still to be read."""
    start = 0
    while page := client.lrange(key, start, start + _PAGE - 1):
        yield from page
        start += len(page)


def _matching(messages: Iterator[bytes], names: set[str]) -> Iterator[bytes]:
    return (message for message in messages if _holds(message, names))


def _holds(message: bytes, names: set[str]) -> bool:
    text = message.decode("utf-8", "replace") + _body_of(message)
    return not names.isdisjoint(_ID.findall(text))


def _body_of(message: bytes) -> str:
    """Celery's arguments: the message's `body`, base64 of JSON."""
    try:
        parsed = json.loads(message)
        found = parsed[0] if isinstance(parsed, list) else parsed
        return base64.b64decode(found["body"]).decode("utf-8", "replace")
    except (ValueError, TypeError, KeyError, IndexError, binascii.Error):
        return ""
