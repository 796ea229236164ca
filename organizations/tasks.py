"""Housekeeping: what has expired is deleted, not kept for later."""

from celery import shared_task
from django.core.management import call_command

from organizations import audit_heads, devices


@shared_task
def clear_expired() -> None:
    """Expired browser sessions, and the tokens and codes of our OAuth server that nobody can use any more."""
    call_command("clearsessions")
    call_command("cleartokens")
    devices.forget_ended()


@shared_task
def sign_audit_heads() -> None:
    """What leaves the machine with its logs, so that nobody on it can write another history."""
    audit_heads.emit()
