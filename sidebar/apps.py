from django.apps import AppConfig


class SidebarConfig(AppConfig):
    name = "sidebar"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from sidebar import epochs, policies  # noqa: F401
