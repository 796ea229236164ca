"""The Celery application. Tasks live in the rooms' `tasks.py`; arguments are ids, never content.

Celery is the wake-up call, PostgreSQL the truth: a lost message costs delay, never work."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_init

from organizations.schedule import BEAT as ORGANIZATIONS
from sidebar.schedule import BEAT as SIDEBAR
from vault.schedule import BEAT as VAULT

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
app = Celery("sidebar", set_as_current=True)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = {**ORGANIZATIONS, **VAULT, **SIDEBAR}
app.autodiscover_tasks()


@worker_init.connect
def start_worker(**kwargs: Any) -> None:
    from config import process

    process.start()
