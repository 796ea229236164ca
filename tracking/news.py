"""What people did, likely, with one's own messages lately: for a word in the sidebar. Nothing a machine did is news,
and each copy is told once however often it was opened meanwhile; who asks each minute hears once a minute (BI-D9)."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from organizations import policy
from organizations.models import Member
from tracking import shown
from tracking.classify import BURST
from tracking.models import Content, Copy
from tracking.policies import NOTIFY
from vault import clock

MOST = 20
#: How far back is looked, and how far for somebody who has not looked yet.
LONGEST, LATELY = timedelta(days=1), timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class News:
    """`until`: what to ask with next time. Nothing is opened before somebody wants the `items`."""

    copies: list[Copy]
    until: datetime

    @property
    def etag(self) -> str:
        """The same for the same news, whenever they are asked for."""
        told = " ".join(f"{copy.pk} {copy.news_at}" for copy in self.copies)
        return f'"{hashlib.blake2b(told.encode(), digest_size=12).hexdigest()}"'

    def items(self) -> list[dict[str, Any]]:
        """Raises as Content.of."""
        return [_told(copy) for copy in self.copies]


def since(member: Member, after: datetime | None) -> News:
    """Not what came within BURST: a second link may yet show that nobody's fingers did it."""
    now = clock.now()
    until = now - BURST
    start = max(after or now - LATELY, now - LONGEST)
    if policy.value_of(NOTIFY.key, member) == "none":
        return News([], until)
    rows = Copy.objects.filter(message__organization_id=member.organization_id, message__member_id=member.pk)
    rows = rows.filter(news_at__gt=start, news_at__lte=until).select_related("message").order_by("-news_at", "pk")
    return News([row for row in rows[:MOST] if row.opens or row.clicks], until)


def _told(copy: Copy) -> dict[str, Any]:
    who = shown.who(copy, Content.of(copy.message))
    signal = "clicked" if copy.clicks else "opened"
    return {"id": str(copy.message_id), "who": who, "signal": signal, "at": copy.last_at}
