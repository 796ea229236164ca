"""Fills an org with records from a fixed seed: the people of `people.py` first, then many more. Dates hang on today."""

import random
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

from simulators.salesforce.automation import after_save, before_save
from simulators.salesforce.people import DEALS, PEOPLE, TICKETS, Someone
from simulators.salesforce.soql.dates import stamp
from simulators.salesforce.store import Row, Store
from simulators.salesforce.wordlists import (
    CHORES,
    COMPANY,
    DEPARTMENTS,
    FIRST,
    LAST,
    LEGAL,
    MEETINGS,
    PLACES,
    PRODUCTS,
    TITLES,
    TRADE,
    TROUBLES,
)

_OPEN = ["Prospecting", "Qualification", "Needs Analysis", "Value Proposition", "Id. Decision Makers",
         "Perception Analysis", "Proposal/Price Quote", "Negotiation/Review"]  # fmt: skip


class Seed:
    """One org's records. `size` scales the made-up ones: 1.0 is 300 accounts and 2,000 contacts."""

    def __init__(self, store: Store, key: str, owners: dict[str, str], number: int, size: float) -> None:
        self.store, self.key, self.owners, self.size = store, key, owners, size
        self.random = random.Random(number)
        self.now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        self.accounts: dict[str, Row] = {}
        self.by_email: dict[str, Row] = {}

    def fill(self) -> None:
        self._by_hand()
        made = self._companies()
        contacts = [c for account in made for c in self._staff(account)]
        self._leads()
        self._business(made, contacts)

    def add(self, name: str, values: dict[str, Any], days_ago: float = 400.0, owner: str | None = None) -> Row:
        when = stamp(self.now - timedelta(days=days_ago))
        owner_id = owner or self.random.choice(list(self.owners.values()))
        row: Row = {"Id": self.store.new_id(name), "IsDeleted": False, "OwnerId": owner_id}
        row |= {k: v for k, v in values.items() if v not in ("", None)}
        row |= {"CreatedDate": when, "LastModifiedDate": when, "SystemModstamp": when,
                "CreatedById": owner_id, "LastModifiedById": owner_id}  # fmt: skip
        if name in ("CampaignMember", "OpportunityContactRole"):
            del row["OwnerId"]
        before_save(self.store, name, row, None)
        self.store.put(name, row)
        after_save(self.store, name, row)
        return self.store.tables[name].rows[row["Id"]]

    # -- by hand ------------------------------------------------------------------------------------------------

    def _by_hand(self) -> None:
        for someone in PEOPLE:
            if self.key in someone.orgs:
                getattr(self, f"_{someone.kind.lower()}")(someone)
        for deal in DEALS:
            if deal.account in self.accounts:
                self._deal(deal)
        for ticket in TICKETS:
            if ticket.email in self.by_email:
                contact = self.by_email[ticket.email]
                self.add("Case", {"ContactId": contact["Id"], "Subject": ticket.subject, "Status": ticket.status,
                                  "Priority": ticket.priority, "Origin": "Email"},
                         ticket.days_ago, self._owner("alice"))  # fmt: skip

    def _owner(self, key: str) -> str:
        return self.owners.get(key) or next(iter(self.owners.values()))

    def _company_of(self, someone: Someone) -> Row:
        known = self.accounts.get(someone.account)
        if known is None:
            known = self.accounts[someone.account] = self.add(
                "Account",
                {"Name": someone.account, "BillingCity": someone.city, "BillingCountry": someone.country,
                 "Phone": someone.phone[:-1] + "0", "Type": "Customer - Direct", "Industry": "Other",
                 "Website": "https://www." + someone.email.partition("@")[2].lower(), "NumberOfEmployees": 250},
                900, self._owner(someone.owner),
            )  # fmt: skip
            if someone.private:
                self.store.private_accounts.add(known["Id"])
        return known

    def _contact(self, someone: Someone) -> None:
        account = self._company_of(someone)
        contact = self.add(
            "Contact",
            {"AccountId": account["Id"], "FirstName": someone.first, "LastName": someone.last, "Email": someone.email,
             "Title": someone.title, "Phone": someone.phone, "MobilePhone": someone.mobile,
             "MailingCity": someone.city, "MailingCountry": someone.country, **someone.fields},
            700, self._owner(someone.owner),
        )  # fmt: skip
        self.by_email.setdefault(someone.email, contact)
        self.add("Task", {"WhoId": contact["Id"], "WhatId": account["Id"], "Subject": "Call " + contact["Name"],
                          "Status": "Not Started", "Priority": "High",
                          "ActivityDate": self._day(4)}, 2, self._owner(someone.owner))  # fmt: skip
        self.add("Task", {"WhoId": contact["Id"], "WhatId": account["Id"], "Subject": "Email: thank you for the talk",
                          "Status": "Completed", "TaskSubtype": "Email", "Priority": "Normal",
                          "ActivityDate": self._day(-12)}, 12, self._owner(someone.owner))  # fmt: skip
        self.add("Event", {"WhoId": contact["Id"], "WhatId": account["Id"], "Subject": "Quarterly review",
                           "StartDateTime": stamp(self.now + timedelta(days=9)), "DurationInMinutes": 45,
                           "Location": someone.city}, 20, self._owner(someone.owner))  # fmt: skip

    def _lead(self, someone: Someone) -> None:
        values = {"FirstName": someone.first, "LastName": someone.last, "Email": someone.email, "Title": someone.title,
                  "Company": someone.account, "Phone": someone.phone, "City": someone.city, "Country": someone.country,
                  "Status": "Open - Not Contacted", **someone.fields}  # fmt: skip
        if values.get("IsConverted"):
            values["ConvertedDate"] = self._day(-60)
        lead = self.add("Lead", values, 90, self._owner(someone.owner))
        self.add("Task", {"WhoId": lead["Id"], "Subject": "First call", "Status": "Not Started", "Priority": "Normal",
                          "ActivityDate": self._day(2)}, 1, self._owner(someone.owner))  # fmt: skip

    def _personaccount(self, someone: Someone) -> None:
        account = self.add(
            "Account",
            {"FirstName": someone.first, "LastName": someone.last, "PersonEmail": someone.email, "Phone": someone.phone,
             "PersonTitle": someone.title, "PersonMobilePhone": someone.mobile, "PersonMailingCity": someone.city,
             "PersonMailingCountry": someone.country},
            500, self._owner(someone.owner),
        )  # fmt: skip
        self.by_email.setdefault(someone.email, self.store.tables["Contact"].rows[account["PersonContactId"]])

    def _deal(self, deal: Any) -> None:
        contact = self.by_email.get(deal.email)
        opportunity = self.add(
            "Opportunity",
            {"AccountId": self.accounts[deal.account]["Id"], "Name": deal.name, "StageName": deal.stage,
             "Amount": deal.amount, "CloseDate": self._day(deal.closes_in), "Type": "Existing Customer - Upgrade",
             "ContactId": contact["Id"] if contact else None},
            120, self._owner(deal.owner),
        )  # fmt: skip
        if contact:
            self.add("OpportunityContactRole", {"OpportunityId": opportunity["Id"], "ContactId": contact["Id"],
                                                "Role": "Decision Maker", "IsPrimary": True}, 100)  # fmt: skip

    # -- made up ------------------------------------------------------------------------------------------------

    def _day(self, offset: int) -> str:
        return (self.now + timedelta(days=offset)).date().isoformat()

    def _companies(self) -> list[Row]:
        made, used = [], set()
        while len(made) < int(300 * self.size):
            trade, industry = self.random.choice(TRADE)
            stem = f"{self.random.choice(COMPANY)} {trade}"
            if stem in used:
                continue
            used.add(stem)
            made.append(self._company(stem, industry))
        return made

    def _company(self, stem: str, industry: str) -> Row:
        pick = self.random
        city, country, dial = pick.choice(PLACES)
        return self.add(
            "Account",
            {"Name": f"{stem} {pick.choice(LEGAL)}".strip(), "Industry": industry, "BillingCity": city,
             "BillingCountry": country, "Phone": f"{dial}{pick.randrange(100, 999)}",
             "Website": f"https://www.{_slug(stem)}.example", "NumberOfEmployees": pick.choice([12, 40, 180, 900, 5200]),
             "AnnualRevenue": float(pick.randrange(1, 900) * 100_000), "Rating": pick.choice(["Hot", "Warm", "Cold"]),
             "Type": pick.choice(["Prospect", "Customer - Direct", "Customer - Channel", "Other"])},
            pick.uniform(200, 2000),
        )  # fmt: skip

    def _staff(self, account: Row) -> list[Row]:
        domain = account["Website"].removeprefix("https://www.")
        staff: list[Row] = []
        for _ in range(self.random.choice([2, 3, 5, 7, 9, 14])):
            staff.append(self._employee(account, domain, staff))
        return staff

    def _employee(self, account: Row, domain: str, colleagues: list[Row]) -> Row:
        pick = self.random
        first, last = pick.choice(FIRST), pick.choice(LAST)
        boss = pick.choice(colleagues)["Id"] if colleagues and pick.random() < 0.4 else None
        return self.add(
            "Contact",
            {"AccountId": account["Id"], "FirstName": first, "LastName": last, "Title": pick.choice(TITLES),
             "Email": f"{_slug(first)}.{_slug(last)}@{domain}", "Department": pick.choice(DEPARTMENTS),
             "Phone": account["Phone"][:-2] + f"{pick.randrange(10, 99)}", "ReportsToId": boss,
             "MailingCity": account["BillingCity"], "MailingCountry": account["BillingCountry"],
             "Newsletter__c": pick.random() < 0.3},
            pick.uniform(10, 1500), account["OwnerId"],
        )  # fmt: skip

    def _leads(self) -> None:
        pick = self.random
        for _ in range(int(500 * self.size)):
            first, last = pick.choice(FIRST), pick.choice(LAST)
            trade, industry = pick.choice(TRADE)
            company = f"{pick.choice(COMPANY)} {trade}"
            city, country, dial = pick.choice(PLACES)
            self.add(
                "Lead",
                {"FirstName": first, "LastName": last, "Company": company, "Industry": industry, "City": city,
                 "Country": country, "Phone": f"{dial}{pick.randrange(100, 999)}", "Title": pick.choice(TITLES),
                 "Email": f"{_slug(first)}.{_slug(last)}@{_slug(company)}-new.example",
                 "Status": pick.choice(["Open - Not Contacted", "Working - Contacted", "Closed - Not Converted"]),
                 "LeadSource": pick.choice(["Web", "Phone Inquiry", "Partner Referral", "Purchased List"])},
                pick.uniform(1, 300),
            )  # fmt: skip

    def _business(self, accounts: list[Row], contacts: list[Row]) -> None:
        by_account: dict[str, list[Row]] = {}
        for contact in contacts:
            by_account.setdefault(contact["AccountId"], []).append(contact)
        for account in accounts:
            staff = by_account.get(account["Id"], [])
            for _ in range(self.random.choice([0, 1, 2, 3])):
                self._opportunity(account, self.random.choice(staff))
            for _ in range(self.random.choice([0, 1, 2, 4])):
                self._case(self.random.choice(staff))
        for contact in contacts:
            if self.random.random() < 0.6:
                self._activity(contact)

    def _opportunity(self, account: Row, contact: Row) -> None:
        pick = self.random
        closed = pick.random() < 0.45
        stage = pick.choice(["Closed Won", "Closed Lost"]) if closed else pick.choice(_OPEN)
        offset = pick.randrange(-500, -5) if closed else pick.randrange(5, 300)
        self.add(
            "Opportunity",
            {"AccountId": account["Id"], "Name": f"{account['Name']}: {pick.choice(PRODUCTS)}", "StageName": stage,
             "Amount": float(pick.randrange(2, 400) * 1000), "CloseDate": self._day(offset), "ContactId": contact["Id"],
             "Type": pick.choice(["New Customer", "Existing Customer - Upgrade"])},
            pick.uniform(max(6, -offset), max(6, -offset) + 200), account["OwnerId"],
        )  # fmt: skip

    def _case(self, contact: Row) -> None:
        pick = self.random
        status = pick.choice(["New", "Working", "Escalated", "Closed", "Closed", "Closed"])
        self.add(
            "Case",
            {"ContactId": contact["Id"], "Subject": pick.choice(TROUBLES), "Status": status, "Origin": "Email",
             "Priority": pick.choice(["High", "Medium", "Low"])},
            pick.uniform(0, 300),
        )  # fmt: skip

    def _activity(self, contact: Row) -> None:
        pick = self.random
        links = {"WhoId": contact["Id"], "WhatId": contact["AccountId"]}
        for _ in range(pick.choice([1, 1, 2, 3])):
            done = pick.random() < 0.6
            self.add(
                "Task",
                {**links, "Subject": pick.choice(CHORES), "Status": "Completed" if done else "Not Started",
                 "Priority": pick.choice(["High", "Normal", "Low"]),
                 "ActivityDate": self._day(pick.randrange(-90, 0) if done else pick.randrange(0, 30))},
                pick.uniform(1, 100), contact["OwnerId"],
            )  # fmt: skip
        if pick.random() < 0.5:
            start = self.now + timedelta(days=pick.randrange(-60, 40), hours=pick.randrange(-4, 6))
            self.add("Event", {**links, "Subject": pick.choice(MEETINGS), "StartDateTime": stamp(start),
                               "DurationInMinutes": pick.choice([30, 45, 60, 90])}, 70, contact["OwnerId"])  # fmt: skip


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.replace("ø", "o").replace("ł", "l").replace("ı", "i"))
    return re.sub(r"[^a-z0-9]+", "-", plain.encode("ascii", "ignore").decode().lower()).strip("-")
