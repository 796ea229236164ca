"""The table of hits, with a partition for each month (tracking/partitions.py makes and drops them)."""

from typing import ClassVar

from django.db import migrations

_TABLE = """
CREATE TABLE tracking_event (
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    organization_id uuid NOT NULL,
    message_id uuid NOT NULL,
    copy_id uuid NOT NULL,
    kind smallint NOT NULL,
    link smallint NOT NULL,
    verdict varchar(16) NOT NULL,
    reason varchar(160) NOT NULL,
    device varchar(10) NOT NULL,
    place varchar(80) NOT NULL,
    PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);
CREATE INDEX tracking_event_of_copy ON tracking_event (copy_id, at);
CREATE INDEX tracking_event_of_message ON tracking_event (message_id, at);
CREATE INDEX tracking_event_of_organization ON tracking_event (organization_id, at);
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("tracking", "0001_initial")]
    operations: ClassVar = [migrations.RunSQL(_TABLE, "DROP TABLE tracking_event")]
