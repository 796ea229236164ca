"""Every key of Valkey with its values as they were put in: in its files they may be compressed.

Repeats no key and no value; changes nothing."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import redis

from organizations.privacy.stores import NotChecked, Piece, Undo

_PLANTED = "prove_privacy:planted"
#: Seconds for one that stands still.
_PATIENCE = 3.0


class Keys:
    """Of the database that `url` names."""

    name = "keys of Valkey"

    def __init__(self, url: str) -> None:
        self._url = url

    def contents(self) -> Iterator[Piece | NotChecked]:
        try:
            for kind, key, values in everything_in(self._url):
                yield Piece(f"a {kind} below “{key.partition(b':')[0].decode(errors='replace')}”", [b"\n".join(values)])
        except redis.RedisError as error:
            yield NotChecked(self.name, type(error).__name__)

    def plant(self, text: str) -> Undo:
        client = redis.Redis.from_url(self._url)
        client.set(_PLANTED, text)
        return lambda: client.delete(_PLANTED)


def everything_in(url: str) -> Iterator[tuple[str, bytes, list[bytes]]]:
    """(type, key, key and values). In a DUMP values are compressed, and a text cut in pieces: it comes beside them."""
    client: Any = redis.Redis.from_url(url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE)
    for key in client.scan_iter():
        kind = client.type(key)
        yield kind.decode(), key, [key, *_flat(_READ[kind](client, key)), client.dump(key) or b""]


#: How each type is read; another one is a KeyError, so that it is not passed over.
_READ: dict[bytes, Callable[[Any, bytes], Any]] = {
    b"none": lambda *_: (),  # gone meanwhile
    b"string": lambda client, key: client.get(key),
    b"list": lambda client, key: client.lrange(key, 0, -1),
    b"hash": lambda client, key: client.hgetall(key),
    b"set": lambda client, key: client.smembers(key),
    b"zset": lambda client, key: client.zrange(key, 0, -1),
    b"stream": lambda client, key: client.xrange(key),
}


def _flat(value: Any) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, Mapping):
        yield from _flat(list(value.items()))
    elif isinstance(value, (list, tuple, set)):
        for each in value:
            yield from _flat(each)
