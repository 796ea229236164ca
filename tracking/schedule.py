"""When tracking's background work is due; config/celery.py adds it to the beat schedule."""

from datetime import timedelta
from typing import Any

#: A worker that was away need not do it once for each time that was missed.
_NO_LATER = {"expires": 15}
BEAT: dict[str, dict[str, Any]] = {
    "tracking-drain": {"task": "tracking.tasks.drain", "schedule": timedelta(seconds=3), "options": _NO_LATER},
    "tracking-publish": {"task": "tracking.tasks.publish", "schedule": timedelta(seconds=5), "options": _NO_LATER},
    "tracking-days": {"task": "tracking.tasks.end_days", "schedule": timedelta(minutes=10)},
    "tracking-upkeep": {"task": "tracking.tasks.upkeep", "schedule": timedelta(hours=1)},
}
