"""Makes up companies, their staff, leads, opportunities, cases and activities from word lists."""

import re
import unicodedata
from datetime import timedelta

from simulators.salesforce.seed import Seed
from simulators.salesforce.soql.dates import stamp
from simulators.salesforce.store import Row
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

_OPEN = [
    "Prospecting",
    "Qualification",
    "Needs Analysis",
    "Value Proposition",
    "Id. Decision Makers",
    "Perception Analysis",
    "Proposal/Price Quote",
    "Negotiation/Review",
]


class BusinessSeed(Seed):
    """`size` scales it: 1.0 is 300 accounts and 2,000 contacts."""

    def fill(self) -> None:
        made = self._companies()
        contacts = [c for account in made for c in self._staff(account)]
        self._leads()
        self._business(made, contacts)
        self._projects(made, contacts)

    def _companies(self) -> list[Row]:
        made: list[Row] = []
        used: set[str] = set()
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
            {
                "Name": f"{stem} {pick.choice(LEGAL)}".strip(),
                "Industry": industry,
                "BillingCity": city,
                "BillingCountry": country,
                "Phone": f"{dial}{pick.randrange(100, 999)}",
                "Website": f"https://www.{_slug(stem)}.example",
                "NumberOfEmployees": pick.choice([12, 40, 180, 900, 5200]),
                "AnnualRevenue": float(pick.randrange(1, 900) * 100_000),
                "Rating": pick.choice(["Hot", "Warm", "Cold"]),
                "Type": pick.choice(["Prospect", "Customer - Direct", "Customer - Channel", "Other"]),
            },
            pick.uniform(200, 2000),
        )

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
            {
                "AccountId": account["Id"],
                "FirstName": first,
                "LastName": last,
                "Title": pick.choice(TITLES),
                "Email": f"{_slug(first)}.{_slug(last)}@{domain}",
                "Department": pick.choice(DEPARTMENTS),
                "Phone": account["Phone"][:-2] + f"{pick.randrange(10, 99)}",
                "ReportsToId": boss,
                "MailingCity": account["BillingCity"],
                "MailingCountry": account["BillingCountry"],
                "Newsletter__c": pick.random() < 0.3,
            },
            pick.uniform(10, 1500),
            account["OwnerId"],
        )

    def _leads(self) -> None:
        pick = self.random
        for _ in range(int(500 * self.size)):
            first, last = pick.choice(FIRST), pick.choice(LAST)
            trade, industry = pick.choice(TRADE)
            company = f"{pick.choice(COMPANY)} {trade}"
            city, country, dial = pick.choice(PLACES)
            self.add(
                "Lead",
                {
                    "FirstName": first,
                    "LastName": last,
                    "Company": company,
                    "Industry": industry,
                    "City": city,
                    "Country": country,
                    "Phone": f"{dial}{pick.randrange(100, 999)}",
                    "Title": pick.choice(TITLES),
                    "Email": f"{_slug(first)}.{_slug(last)}@{_slug(company)}-new.example",
                    "Status": pick.choice(["Open - Not Contacted", "Working - Contacted", "Closed - Not Converted"]),
                    "LeadSource": pick.choice(["Web", "Phone Inquiry", "Partner Referral", "Purchased List"]),
                },
                pick.uniform(1, 300),
            )

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
            {
                "AccountId": account["Id"],
                "Name": f"{account['Name']}: {pick.choice(PRODUCTS)}",
                "StageName": stage,
                "Amount": float(pick.randrange(2, 400) * 1000),
                "CloseDate": self._day(offset),
                "ContactId": contact["Id"],
                "Type": pick.choice(["New Customer", "Existing Customer - Upgrade"]),
            },
            pick.uniform(max(6, -offset), max(6, -offset) + 200),
            account["OwnerId"],
        )

    def _case(self, contact: Row) -> None:
        pick = self.random
        status = pick.choice(["New", "Working", "Escalated", "Closed", "Closed", "Closed"])
        self.add(
            "Case",
            {
                "ContactId": contact["Id"],
                "Subject": pick.choice(TROUBLES),
                "Status": status,
                "Origin": "Email",
                "Priority": pick.choice(["High", "Medium", "Low"]),
            },
            pick.uniform(0, 300),
        )

    def _activity(self, contact: Row) -> None:
        pick = self.random
        links = {"WhoId": contact["Id"], "WhatId": contact["AccountId"]}
        for _ in range(pick.choice([1, 1, 2, 3])):
            done = pick.random() < 0.6
            self.add(
                "Task",
                {
                    **links,
                    "Subject": pick.choice(CHORES),
                    "Status": "Completed" if done else "Not Started",
                    "Priority": pick.choice(["High", "Normal", "Low"]),
                    "ActivityDate": self._day(pick.randrange(-90, 0) if done else pick.randrange(0, 30)),
                },
                pick.uniform(1, 100),
                contact["OwnerId"],
            )
        if pick.random() < 0.5:
            start = self.now + timedelta(days=pick.randrange(-60, 40), hours=pick.randrange(-4, 6))
            self.add(
                "Event",
                {
                    **links,
                    "Subject": pick.choice(MEETINGS),
                    "StartDateTime": stamp(start),
                    "DurationInMinutes": pick.choice([30, 45, 60, 90]),
                },
                70,
                contact["OwnerId"],
            )

    def _projects(self, accounts: list[Row], contacts: list[Row]) -> None:
        """A custom object of these orgs."""
        sponsors = {contact["AccountId"]: contact for contact in contacts}
        for account in accounts[::6]:
            sponsor = sponsors[account["Id"]]
            values = {
                "Name": f"{self.random.choice(PRODUCTS)} for {account['Name']}"[:80],
                "Account__c": account["Id"],
                "Sponsor__c": sponsor["Id"],
                "Sponsor_Email__c": sponsor["Email"],
                "Stage__c": self.random.choice(["Discovery", "Build", "Live", "On hold"]),
                "Budget__c": float(self.random.randrange(5, 90) * 1000),
                "Go_Live__c": self._day(self.random.randrange(-100, 200)),
            }
            self.add("Project__c", values, self.random.uniform(5, 200))


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.replace("ø", "o").replace("ł", "l").replace("\u0131", "i"))
    return re.sub(r"[^a-z0-9]+", "-", plain.encode("ascii", "ignore").decode().lower()).strip("-")
