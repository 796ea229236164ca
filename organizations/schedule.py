"""When the organizations' housekeeping is due; config/celery.py adds it to the beat schedule."""

BEAT = {
    "organizations-clear-expired": {"task": "organizations.tasks.clear_expired", "schedule": 6 * 3600.0},  # seconds
    "organizations-sign-audit-heads": {"task": "organizations.tasks.sign_audit_heads", "schedule": 3600.0},
}
