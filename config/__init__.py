"""Wiring only: settings, urls, processes, failures as answers. No models, no rules."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
