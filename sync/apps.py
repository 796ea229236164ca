from django.apps import AppConfig


class SyncConfig(AppConfig):
    name = "sync"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from sync import (  # noqa: F401
            backfill,
            carriers,
            doctor,
            erasing,
            intervals,
            noted,
            notices,
            policies,
            privacy,
            purposes,
        )
        from sync.carrier import MailCarrier

        carriers.use(MailCarrier)
