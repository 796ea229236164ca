"""The Celery application. Tasks live in the rooms' `tasks.py`; arguments are ids, never content.

Celery is the wake-up call, PostgreSQL the truth: a lost message costs delay, never work."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_init

from config.hardening import harden
from config.logging import configure
from organizations.schedule import BEAT as ORGANIZATIONS
from sidebar.schedule import BEAT as SIDEBAR
from sync.schedule import BEAT as SYNC
from tracking.schedule import BEAT as TRACKING
from vault.schedule import BEAT as VAULT

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
app = Celery("sidebar", set_as_current=True)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = {**ORGANIZATIONS, **VAULT, **SYNC, **TRACKING, **SIDEBAR}
app.autodiscover_tasks()


@setup_logging.connect
def log_as_ever(**kwargs: Any) -> None:
    """With a receiver here Celery adds no handlers and formats of its own."""
    configure()


@worker_init.connect
def start_worker(**kwargs: Any) -> None:
    from config import process

    process.start("worker")


@beat_init.connect
def start_beat(**kwargs: Any) -> None:
    harden()  # it asks for nothing, yet its settings hold every key
