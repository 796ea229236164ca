"""When the sidebar's background work is due; config/celery.py adds it to the beat schedule."""

BEAT = {
    "sidebar.purge_idempotency_keys": {
        "task": "sidebar.tasks.purge_idempotency_keys",
        "schedule": 3600.0,  # seconds
    },
}
