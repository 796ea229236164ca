"""Records that Salesforce makes by itself, and refusals of a save. Asks no rights."""

from datetime import UTC, datetime

from simulators.salesforce.errors import ApiError
from simulators.salesforce.profiles import Access
from simulators.salesforce.soql.dates import stamp
from simulators.salesforce.store import Row


def add_record(access: Access, name: str, values: Row) -> Row:
    now = stamp(datetime.now(UTC))
    row = {
        "Id": access.store.new_id(name),
        "IsDeleted": False,
        "CreatedDate": now,
        "CreatedById": access.user.id,
        "LastModifiedDate": now,
        "LastModifiedById": access.user.id,
        "SystemModstamp": now,
        **values,
    }
    access.store.put(name, row)
    return row


def refuse(code: str, message: str, *fields: str) -> ApiError:
    return ApiError(400, code, message, list(fields))
