"""Seal and unseal with the right organization's key: the cipher and the key store put together.

Knows, too, which columns hold sealed values: what is not declared here would be lost when an old data key goes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Model

from vault import cipher, frames, keys
from vault.cipher import Place

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of sealed values, and where the value of a given row lives."""

    model: type[Model]
    name: str
    place_of: Callable[[Any], Place]


COLUMNS: list[Column] = []


def column(model: type[M], name: str) -> Callable[[Callable[[M], Place]], Callable[[M], Place]]:
    """Declares that `name` of `model` is sealed; decorates the function that says where a row's value lives."""

    def declare(place_of: Callable[[M], Place]) -> Callable[[M], Place]:
        COLUMNS.append(Column(model, name, place_of))
        return place_of

    return declare


@frames.emptied
def seal(plaintext: bytes, place: Place) -> bytes:
    return cipher.seal(plaintext, place, keys.primary_key(place.organization_id))


@frames.emptied
def unseal(blob: bytes, place: Place) -> bytes:
    """Raises TokenTampered (V19), KeyGone (V18), KekUnusable, and Transient while a key service is away."""
    return cipher.unseal(blob, place, keys.key_by_id(cipher.key_id_of(blob), place.organization_id))
