"""Which fields we show and ask for, per object, in which order. Labels, types and rights come from describe."""

import re

#: The objects a card is made of; described in one call at connect.
OBJECTS = ("Contact", "Lead", "Account", "Opportunity", "Case", "Task", "Event")
SEARCHED = ("Account", "Contact", "Lead", "Opportunity", "Case")
CREATABLE = ("Contact", "Lead")
CUSTOM_SEARCHED = 12  # searchable custom objects kept at most; opening forms adds others
MOST_SEARCHED = 20  # what SOSL takes after RETURNING

#: What names a record, best first.
NAMES = {"Case": ("Subject", "CaseNumber"), "Task": ("Subject",), "Event": ("Subject",)}

CARD = {
    "Contact": (
        "Title",
        "Department",
        "Email",
        "Phone",
        "MobilePhone",
        "MailingCity",
        "MailingCountry",
        "LeadSource",
        "Birthdate",
    ),
    "Lead": ("Title", "Company", "Status", "Email", "Phone", "MobilePhone", "City", "Country", "LeadSource", "Rating"),
    "Account": ("Industry", "Type", "Phone", "Website", "BillingCity", "BillingCountry"),
    "Opportunity": ("StageName", "Amount", "CloseDate", "Probability"),
    "Case": ("CaseNumber", "Status", "Priority", "CreatedDate"),
    "Task": ("Status", "Priority", "ActivityDate"),
    "Event": ("StartDateTime", "EndDateTime", "Location"),
}

FORM = {
    "Contact": (
        "Salutation",
        "FirstName",
        "LastName",
        "Email",
        "Title",
        "Department",
        "Phone",
        "MobilePhone",
        "MailingCity",
        "MailingCountry",
        "LeadSource",
        "Birthdate",
        "Description",
    ),
    "Lead": (
        "Salutation",
        "FirstName",
        "LastName",
        "Email",
        "Company",
        "Title",
        "Phone",
        "MobilePhone",
        "Status",
        "LeadSource",
        "Rating",
        "City",
        "Country",
        "Description",
    ),
    "Account": ("Name", "Phone", "Website", "Industry", "Type", "BillingCity", "BillingCountry", "Description"),
    "Opportunity": ("Name", "StageName", "CloseDate", "Amount", "Probability", "NextStep", "Description"),
    "Case": ("Subject", "Status", "Priority", "Origin", "Type", "Reason", "Description"),
    "Task": ("Subject", "Status", "Priority", "ActivityDate", "Description"),
    "Event": ("Subject", "StartDateTime", "EndDateTime", "Location", "Description"),
}

#: A person account is edited as the Account it is; its contact fields have other names there.
PERSON_ACCOUNT_FORM = (
    "Salutation",
    "FirstName",
    "LastName",
    "PersonEmail",
    "PersonTitle",
    "Phone",
    "PersonMobilePhone",
    "PersonMailingCity",
    "PersonMailingCountry",
    "PersonBirthdate",
    "Description",
)
PERSON_ACCOUNT_NAMES = {
    "Title": "PersonTitle",
    "Department": "PersonDepartment",
    "Email": "PersonEmail",
    "MobilePhone": "PersonMobilePhone",
    "MailingCity": "PersonMailingCity",
    "MailingCountry": "PersonMailingCountry",
    "LeadSource": "PersonLeadSource",
    "Birthdate": "PersonBirthdate",
}

SEARCH = {
    "Account": ("Industry", "BillingCity"),
    "Contact": ("Title", "Email"),
    "Lead": ("Company", "Email"),
    "Opportunity": ("StageName", "CloseDate"),
    "Case": ("CaseNumber", "Status"),
}

#: Needed to filter, sort and attribute, though not shown.
_PLUMBING = {
    "Contact": ("Id", "Name", "Email", "AccountId", "IsPersonAccount", "LastModifiedDate"),
    "Lead": ("Id", "Name", "Email", "IsConverted", "LastModifiedDate"),
    "Account": ("Id", "Name", "IsPersonAccount", *PERSON_ACCOUNT_FORM, *PERSON_ACCOUNT_NAMES.values()),
    "Opportunity": ("Id", "Name", "IsClosed", "CloseDate"),
    "Case": ("Id", "IsClosed", "CreatedDate"),
    "Task": ("Id", "LastModifiedDate", "ActivityDate"),
    "Event": ("Id", "IsChild", "StartDateTime"),
}

#: The objects that filing a mail touches, with the fields it may name; described when they are first needed.
#: KEY_FIELD and LEDGER are an administrator's to add (docs/salesforce-setup.md).
KEY_FIELD = "Sync_Key__c"
LEDGER, LEDGER_KEY, LEDGER_RECORD = "Sync_Ledger__c", "Key__c", "Record_Id__c"
#: What recipients did with a mail; an administrator's to add, too.
OPENS, CLICKS, SEEN_AT = "Sync_Opens__c", "Sync_Clicks__c", "Sync_Seen_At__c"
SEEN = (OPENS, CLICKS, SEEN_AT)
FILING = {
    "EmailMessage": (
        "Id",
        "Subject",
        "TextBody",
        "HtmlBody",
        "Headers",
        "FromAddress",
        "FromName",
        "ToAddress",
        "CcAddress",
        "BccAddress",
        "Incoming",
        "Status",
        "MessageDate",
        "MessageIdentifier",
        "ThreadIdentifier",
        "RelatedToId",
        "ActivityId",
        KEY_FIELD,
        *SEEN,
    ),
    "EmailMessageRelation": ("Id", "EmailMessageId", "RelationId", "RelationType", "RelationAddress"),
    "Task": (
        "Id",
        "Subject",
        "Description",
        "Status",
        "ActivityDate",
        "TaskSubtype",
        "WhoId",
        "WhatId",
        KEY_FIELD,
        *SEEN,
    ),
    "TaskRelation": ("Id", "TaskId", "RelationId", "IsWhat"),
    LEDGER: ("Id", LEDGER_KEY, LEDGER_RECORD),
    "ContentVersion": ("Id", "Title", "PathOnClient", "Description", "FirstPublishLocationId", KEY_FIELD),
    "FeedItem": ("Id", "ParentId", "Type", "Title", "LinkUrl"),
}

#: For objects that are not visible, where describe gives no label.
PLURALS = {"Opportunity": "Opportunities"}


def kept(object_name: str) -> frozenset[str]:
    """Fields of which the kept describe remembers anything, besides those that creating requires."""
    tables = (CARD, FORM, SEARCH, _PLUMBING, NAMES, FILING)
    return frozenset(name for table in tables for name in table.get(object_name, ()))


def names_of(object_name: str) -> tuple[str, ...]:
    return NAMES.get(object_name, ("Name",))


def plural(object_name: str) -> str:
    return PLURALS.get(object_name, f"{object_name}s")


def words(field_name: str) -> str:
    """`MobilePhone` -> `Mobile phone`: for a field whose label we may not see either."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", field_name.removesuffix("__c")).replace("_", " ").capitalize()
