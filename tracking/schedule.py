"""When tracking's background work is due; config/celery.py adds it to the beat schedule."""

from datetime import timedelta

BEAT = {
    "tracking-drain": {"task": "tracking.tasks.drain", "schedule": timedelta(seconds=3)},
    "tracking-publish": {"task": "tracking.tasks.publish", "schedule": timedelta(seconds=5)},
    "tracking-upkeep": {"task": "tracking.tasks.upkeep", "schedule": timedelta(hours=1)},
}
