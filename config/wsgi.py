"""The web process: `granian --interface wsgi config.wsgi:application`."""

import os
from typing import Any

from django.core.wsgi import get_wsgi_application
from granian.utils.proxies import wrap_wsgi_with_proxy_headers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application: Any = get_wsgi_application()

from django.conf import settings  # noqa: E402

from config import process  # noqa: E402
from config.pace import paced  # noqa: E402

process.start("web")
if settings.TRUSTED_PROXIES:
    application = wrap_wsgi_with_proxy_headers(application, trusted_hosts=settings.TRUSTED_PROXIES)
application = paced(application)
