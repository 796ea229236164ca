"""What Salesforce itself does around a save: names, stages, person accounts, activity dates. Asks no rights."""

from datetime import UTC, date, datetime, timedelta

from simulators.salesforce.soql.dates import moment_of, stamp
from simulators.salesforce.store import Row, Store

#: stage: (probability, forecast category, closed, won)
STAGES = {
    "Prospecting": (10, "Pipeline", False, False),
    "Qualification": (10, "Pipeline", False, False),
    "Needs Analysis": (20, "Pipeline", False, False),
    "Value Proposition": (50, "Pipeline", False, False),
    "Id. Decision Makers": (60, "Pipeline", False, False),
    "Perception Analysis": (70, "Pipeline", False, False),
    "Proposal/Price Quote": (75, "Pipeline", False, False),
    "Negotiation/Review": (90, "Pipeline", False, False),
    "Closed Won": (100, "Closed", True, True),
    "Closed Lost": (0, "Omitted", True, False),
}
#: fields of a person account and of the contact behind it
PERSON = {
    "FirstName": "FirstName",
    "LastName": "LastName",
    "Salutation": "Salutation",
    "PersonEmail": "Email",
    "PersonMobilePhone": "MobilePhone",
    "PersonHomePhone": "HomePhone",
    "PersonTitle": "Title",
    "PersonDepartment": "Department",
    "PersonLeadSource": "LeadSource",
    "PersonBirthdate": "Birthdate",
    "PersonMailingStreet": "MailingStreet",
    "PersonMailingCity": "MailingCity",
    "PersonMailingState": "MailingState",
    "PersonMailingPostalCode": "MailingPostalCode",
    "PersonMailingCountry": "MailingCountry",
    "Phone": "Phone",
    "OwnerId": "OwnerId",
}


def before_save(store: Store, name: str, row: Row, old: Row | None) -> None:
    """Set what follows from other fields, on the row about to be stored."""
    rule = {
        "Contact": _person_name,
        "Lead": _person_name,
        "User": _person_name,
        "Opportunity": _opportunity,
        "Task": _task,
        "Event": _event,
    }.get(name)
    if rule:
        rule(row)
    if name in ("Task", "Event"):
        _activity_account(store, row)
    if name == "Account":
        _account(store, row)
    if name == "Case":
        _case(store, row, old)


def after_save(store: Store, name: str, row: Row) -> None:
    """Carry the change to the records that mirror it."""
    if name == "Account" and row.get("IsPersonAccount"):
        _store_person_contact(store, row)
    elif name == "Contact" and row.get("IsPersonAccount"):
        _store_person_account(store, row)
    elif name in ("Task", "Event"):
        _touch_last_activity(store, row)


def _person_name(row: Row) -> None:
    row["Name"] = " ".join(filter(None, (row.get("FirstName"), row.get("LastName"))))


def _account(store: Store, row: Row) -> None:
    if row.get("LastName"):
        row["IsPersonAccount"] = True
        _person_name(row)
    for record_type in store.alive("RecordType"):
        if bool(record_type.get("IsPersonType")) == bool(row.get("IsPersonAccount")):
            row["RecordTypeId"] = record_type["Id"]


def _opportunity(row: Row) -> None:
    known = STAGES.get(str(row.get("StageName")), (50, "Pipeline", False, False))
    if row.get("Probability") is None or row.pop("_stage", None) != row["StageName"]:
        row["Probability"] = known[0]
    row["_stage"] = row["StageName"]
    row["ForecastCategory"] = row["ForecastCategoryName"] = known[1]
    row["IsClosed"], row["IsWon"] = known[2], known[3]
    if row.get("Amount") is not None:
        row["ExpectedRevenue"] = round(row["Amount"] * row["Probability"] / 100, 2)
    close = date.fromisoformat(row["CloseDate"])
    row["FiscalYear"], row["FiscalQuarter"] = close.year, (close.month + 2) // 3
    row["Fiscal"] = f"{close.year} {row['FiscalQuarter']}"


def _case(store: Store, row: Row, old: Row | None) -> None:
    row["IsClosed"] = row.get("Status") == "Closed"
    if row["IsClosed"] and not row.get("ClosedDate"):
        row["ClosedDate"] = stamp(datetime.now(UTC))
    elif not row["IsClosed"]:
        row["ClosedDate"] = None
    if not row.get("CaseNumber"):
        row["CaseNumber"] = f"{1000 + len(store.tables['Case'].rows) + 1:08d}"
    if row.get("ContactId") and not row.get("AccountId") and (old is None or old.get("ContactId") != row["ContactId"]):
        row["AccountId"] = (store.get(row["ContactId"]) or {}).get("AccountId")


def _task(row: Row) -> None:
    row["IsClosed"] = row.get("Status") == "Completed"
    row["IsHighPriority"] = row.get("Priority") == "High"
    if row["IsClosed"] and not row.get("CompletedDateTime"):
        row["CompletedDateTime"] = stamp(datetime.now(UTC))


def _event(row: Row) -> None:
    start = row.get("StartDateTime") or row.get("ActivityDateTime")
    if not start:
        return
    row["StartDateTime"] = row["ActivityDateTime"] = start
    begin = moment_of(start)
    if row.get("EndDateTime"):
        row["DurationInMinutes"] = int((moment_of(row["EndDateTime"]) - begin).total_seconds() // 60)
    row["EndDateTime"] = stamp(begin + timedelta(minutes=row.get("DurationInMinutes") or 60))
    row["ActivityDate"], row["EndDate"] = start[:10], row["EndDateTime"][:10]


def _activity_account(store: Store, row: Row) -> None:
    what, who = store.get(row.get("WhatId")) or {}, store.get(row.get("WhoId")) or {}
    if str(row.get("WhatId") or "").startswith("001"):
        row["AccountId"] = row["WhatId"]
    else:
        row["AccountId"] = what.get("AccountId") or who.get("AccountId")


def _touch_last_activity(store: Store, row: Row) -> None:
    """Only past and closed activities count, as in Salesforce."""
    day = row.get("ActivityDate")
    if not day or day > datetime.now(UTC).date().isoformat() or row.get("IsClosed") is False:
        return
    for link in {row.get("WhoId"), row.get("WhatId"), row.get("AccountId")} - {None}:
        target = store.get(link)
        kind = store.schema.of_id(str(link))
        if target and kind and kind.field("LastActivityDate") and (target.get("LastActivityDate") or "") < day:
            store.put(kind.name, {**target, "LastActivityDate": day})


def _store_person_contact(store: Store, account: Row) -> None:
    contact = store.get(account.get("PersonContactId")) or {
        "Id": store.new_id("Contact"),
        "AccountId": account["Id"],
        "IsPersonAccount": True,
        "CreatedDate": account["CreatedDate"],
        "CreatedById": account["CreatedById"],
    }
    changed = {**contact, **{c: account.get(a) for a, c in PERSON.items()}}
    for name in ("LastModifiedDate", "LastModifiedById", "SystemModstamp", "IsDeleted"):
        changed[name] = account.get(name)
    _person_name(changed)
    store.put("Contact", changed)
    if account.get("PersonContactId") != changed["Id"]:
        store.put("Account", {**account, "PersonContactId": changed["Id"]})


def _store_person_account(store: Store, contact: Row) -> None:
    account = store.get(contact.get("AccountId"))
    if account is None:
        return
    changed = {**account, **{a: contact.get(c) for a, c in PERSON.items()}}
    for name in ("LastModifiedDate", "LastModifiedById", "SystemModstamp"):
        changed[name] = contact.get(name)
    _person_name(changed)
    store.put("Account", changed)
