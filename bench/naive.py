"""The yardsticks that others keep: a view of a project as `startproject` makes it, which creates one row for each hit,
and the view of `pytracking` (PyPI) doing the same. No room of ours is used. From DATABASE_URL and PYTRACKING_KEY."""

import os
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings

_url = urlsplit(os.environ.get("DATABASE_URL", "postgres://nobody@localhost/none"))
if not settings.configured:
    settings.configure(
        SECRET_KEY="not a secret: the yardstick signs nothing that matters",
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        PYTRACKING_CONFIGURATION={"encryption_bytestring_key": os.environb.get(b"PYTRACKING_KEY")},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
        ],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": _url.path.lstrip("/"),
                "USER": unquote(_url.username or ""),
                "PASSWORD": unquote(_url.password or ""),
                "HOST": _url.hostname,
                "PORT": _url.port,
                "CONN_MAX_AGE": None,
            }
        },
    )

from django.core.signing import BadSignature, Signer  # noqa: E402  after the settings
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import models  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from pytracking.django import OpenTrackingView  # noqa: E402

application = get_wsgi_application()
GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")


class NaiveHit(models.Model):
    at = models.DateTimeField(auto_now_add=True)
    message = models.TextField()
    address = models.TextField()
    agent = models.TextField()

    class Meta:
        app_label = "naive"
        db_table = "naive_hit"

    def __str__(self) -> str:
        return self.message


def open_(request: HttpRequest, token: str) -> HttpResponse:
    try:
        message = Signer().unsign(token)
    except BadSignature:
        return HttpResponse(GIF, content_type="image/gif")
    _write(message, request.META["REMOTE_ADDR"], request.headers.get("User-Agent", ""))
    return HttpResponse(GIF, content_type="image/gif")


class Pytracking(OpenTrackingView):  # type: ignore[misc]  # it has no types
    def notify_tracking_event(self, tracking_result: Any) -> None:
        asked = tracking_result.request_data
        _write(tracking_result.metadata["message"], asked["user_ip"], asked["user_agent"])


def _write(message: str, address: str, agent: str) -> None:
    NaiveHit._default_manager.create(message=message, address=address, agent=agent)


urlpatterns = [path("open/<str:token>", open_), path("pytracking/<path:path>", Pytracking.as_view())]
