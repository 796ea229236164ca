"""Keeps wrapped data keys in the key store and everything else out of it (docs/vault.md 2). Queries nothing."""

from typing import Any

from django.db.models import Model

KEY_STORE = "keys"
_KEPT_APART = frozenset({"datakey", "kekcanary", "keystoremark"})


def _is_kept_apart(app_label: str, model_name: str | None) -> bool:
    return app_label == "vault" and model_name in _KEPT_APART


def _lives_apart(model: Model | type[Model]) -> bool:
    options = model._meta  # noqa: SLF001  Django's documented way to a model's names
    return _is_kept_apart(options.app_label, options.model_name)


class KeyStoreRouter:
    """Sends DataKey, KekCanary and KeyStoreMark to the `keys` database, and no other model there."""

    def db_for_read(self, model: type[Model], **_hints: Any) -> str | None:
        return KEY_STORE if _lives_apart(model) else None

    db_for_write = db_for_read

    def allow_relation(self, obj1: Model, obj2: Model, **_hints: Any) -> bool | None:
        apart = [_lives_apart(obj1), _lives_apart(obj2)]
        return None if apart == [False, False] else all(apart)

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **_hints: Any) -> bool:
        return (db == KEY_STORE) == _is_kept_apart(app_label, model_name)
