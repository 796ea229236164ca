"""When the vault's periodic tasks run; config/celery.py merges this into the beat schedule."""

from datetime import timedelta
from typing import Any

BEAT: dict[str, dict[str, Any]] = {
    "vault-finish-revocations": {"task": "vault.tasks.finish_revocations", "schedule": timedelta(minutes=1)},
    "vault-sweep": {"task": "vault.tasks.sweep", "schedule": timedelta(minutes=5)},
    "vault-refresh-object-access": {"task": "vault.tasks.refresh_object_access", "schedule": timedelta(hours=1)},
    "vault-keep-grants-alive": {"task": "vault.tasks.keep_grants_alive", "schedule": timedelta(hours=6)},
    "vault-look-after-grants": {
        "task": "vault.tasks.look_after_grants",
        "schedule": timedelta(seconds=15),
        "options": {"expires": 15},  # a worker that was away need not do it once for each time that was missed
    },
    "vault-keep-marks": {"task": "vault.tasks.keep_marks", "schedule": timedelta(minutes=1)},
}
