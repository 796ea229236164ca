"""When sync's background work is due; config/celery.py adds it to the beat schedule."""

from datetime import timedelta
from typing import Any

#: A worker that was away need not do it once for each time that was missed.
_NO_LATER = {"expires": 25}
BEAT: dict[str, dict[str, Any]] = {
    "sync-look-around": {
        "task": "sync.tasks.look_around",
        "schedule": timedelta(seconds=30),
        "options": _NO_LATER,
    },
    "sync-follow-settings": {
        "task": "sync.tasks.follow_settings",
        "schedule": timedelta(seconds=30),
        "options": _NO_LATER,
    },
    "sync-note-seen": {
        "task": "sync.tasks.note_seen",
        "schedule": timedelta(seconds=60),
        "options": {"expires": 55},
    },
    "sync-tell-of-trouble": {
        "task": "sync.tasks.tell_of_trouble",
        "schedule": timedelta(minutes=5),
        "options": {"expires": 240},
    },
    "sync-forget-old": {"task": "sync.tasks.forget_old", "schedule": timedelta(hours=6)},
}
