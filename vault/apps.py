from django.apps import AppConfig


class VaultConfig(AppConfig):
    name = "vault"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from vault import (  # noqa: F401
            checks,
            days,
            doctor,
            erasing,
            examination,
            findings,
            heartbeat,
            policies,
            privacy,
            receivers,
        )
