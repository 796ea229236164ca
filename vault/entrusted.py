"""What rooms above entrust to the vault: values of their own, sealed under their organization's key. No credential.

They choose the columns; which key opens them, and that data keys are rotated under them, is the vault's business."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import Model

from vault import frames, keys, sealing
from vault.cipher import Place

M = TypeVar("M", bound=Model)


class Entrusted(Generic[M]):
    """A column named `sealed...` of a model whose primary key is a UUID; declared once, beside the model.

    A value opens in its own row, table and organization only. An older value of the same row opens too: for what must
    not be put back, this is no place."""

    def __init__(self, model: type[M], name: str, organization_of: Callable[[M], UUID]) -> None:
        self._table, self._name, self._organization_of = model._meta.db_table, name, organization_of  # noqa: SLF001
        keys.SEALED.append((model, name))
        sealing.column(model, name)(self._place_of)

    def _place_of(self, row: M) -> Place:
        return Place(self._organization_of(row), self._table, UUID(str(row.pk)), self._name, "", 0)

    @frames.emptied
    def put(self, row: M, plain: bytes) -> None:
        """Seal into the row; to save it is the caller's part. Outside a transaction: a key service may be asked. Raises
        KeyGone (the organization is being destroyed), KekUnusable, Transient."""
        setattr(row, self._name, sealing.seal(plain, self._place_of(row)))

    @frames.emptied
    def get(self, row: M) -> bytes:
        """Raises TokenTampered where the value was not sealed for this row, KeyGone, KekUnusable, Transient."""
        value: Any = getattr(row, self._name)
        return sealing.unseal(bytes(value), self._place_of(row))
