from django.apps import AppConfig


class SidebarConfig(AppConfig):
    name = "sidebar"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from sidebar import epochs, erasing, policies, privacy, purposes  # noqa: F401
        from sidebar.outlook import application

        post_migrate.connect(application.register, sender=self)
