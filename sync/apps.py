from django.apps import AppConfig


class SyncConfig(AppConfig):
    name = "sync"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from sync import carriers, doctor, erasing, intervals, policies, purposes  # noqa: F401
        from sync.carrier import MailCarrier

        carriers.use(MailCarrier)
