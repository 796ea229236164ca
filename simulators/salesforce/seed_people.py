"""Puts the people, deals and cases of `people.py` into an org."""

from datetime import timedelta
from typing import Any

from simulators.salesforce.people import DEALS, PEOPLE, TICKETS, Someone
from simulators.salesforce.seed import Seed
from simulators.salesforce.soql.dates import stamp
from simulators.salesforce.store import Row


class PeopleSeed(Seed):
    """`fill` once; an account is made for the first person who works there."""

    def fill(self) -> None:
        for someone in PEOPLE:
            if self.key in someone.orgs:
                getattr(self, f"_{someone.kind.lower()}")(someone)
        self._join_converted_leads()
        for deal in DEALS:
            if deal.account in self.accounts:
                self._deal(deal)
        for ticket in TICKETS:
            if ticket.email in self.by_email:
                contact = self.by_email[ticket.email]
                self.add(
                    "Case",
                    {
                        "ContactId": contact["Id"],
                        "Subject": ticket.subject,
                        "Status": ticket.status,
                        "Priority": ticket.priority,
                        "Origin": "Email",
                    },
                    ticket.days_ago,
                    self._owner("alice"),
                )

    def _join_converted_leads(self) -> None:
        """A converted lead points to the contact and account that it became."""
        for lead in [row for row in self.store.alive("Lead") if row.get("IsConverted")]:
            contact = self.by_email[lead["Email"]]
            became = {"ConvertedContactId": contact["Id"], "ConvertedAccountId": contact["AccountId"]}
            self.store.put("Lead", {**lead, **became})

    def _owner(self, key: str) -> str:
        return self.owners.get(key) or next(iter(self.owners.values()))

    def _company_of(self, someone: Someone) -> Row:
        known = self.accounts.get(someone.account)
        if known is None:
            known = self.accounts[someone.account] = self.add(
                "Account",
                {
                    "Name": someone.account,
                    "BillingCity": someone.city,
                    "BillingCountry": someone.country,
                    "Phone": someone.phone[:-1] + "0",
                    "Type": "Customer - Direct",
                    "Industry": "Other",
                    "Website": "https://www." + someone.email.partition("@")[2].lower(),
                    "NumberOfEmployees": 250,
                },
                900,
                self._owner(someone.owner),
            )
            if someone.private:
                self.store.private_accounts.add(known["Id"])
        return known

    def _contact(self, someone: Someone) -> None:
        account = self._company_of(someone)
        contact = self.add(
            "Contact",
            {
                "AccountId": account["Id"],
                "FirstName": someone.first,
                "LastName": someone.last,
                "Email": someone.email,
                "Title": someone.title,
                "Phone": someone.phone,
                "MobilePhone": someone.mobile,
                "MailingCity": someone.city,
                "MailingCountry": someone.country,
                **someone.fields,
            },
            700,
            self._owner(someone.owner),
        )
        self.by_email.setdefault(someone.email, contact)
        self._activities(someone, contact)

    def _activities(self, someone: Someone, contact: Row) -> None:
        """A call to come, an e-mail that was sent, and a meeting."""
        about = {"WhoId": contact["Id"], "WhatId": contact["AccountId"]}
        call = {"Subject": "Call " + contact["Name"], "Status": "Not Started", "Priority": "High"}
        mail = {"Subject": "Email: thank you for the talk", "Status": "Completed", "TaskSubtype": "Email"}
        review = {"Subject": "Quarterly review", "DurationInMinutes": 45, "Location": someone.city}
        starts = stamp(self.now + timedelta(days=9))
        for name, values, days_ago in (
            ("Task", {**call, "ActivityDate": self._day(4)}, 2),
            ("Task", {**mail, "Priority": "Normal", "ActivityDate": self._day(-12)}, 12),
            ("Event", {**review, "StartDateTime": starts}, 20),
        ):
            self.add(name, about | values, days_ago, self._owner(someone.owner))

    def _lead(self, someone: Someone) -> None:
        values = {
            "FirstName": someone.first,
            "LastName": someone.last,
            "Email": someone.email,
            "Title": someone.title,
            "Company": someone.account,
            "Phone": someone.phone,
            "City": someone.city,
            "Country": someone.country,
            "Status": "Open - Not Contacted",
            **someone.fields,
        }
        if values.get("IsConverted"):
            values["ConvertedDate"] = self._day(-60)
        lead = self.add("Lead", values, 90, self._owner(someone.owner))
        self.add(
            "Task",
            {
                "WhoId": lead["Id"],
                "Subject": "First call",
                "Status": "Not Started",
                "Priority": "Normal",
                "ActivityDate": self._day(2),
            },
            1,
            self._owner(someone.owner),
        )

    def _personaccount(self, someone: Someone) -> None:
        account = self.add(
            "Account",
            {
                "FirstName": someone.first,
                "LastName": someone.last,
                "PersonEmail": someone.email,
                "Phone": someone.phone,
                "PersonTitle": someone.title,
                "PersonMobilePhone": someone.mobile,
                "PersonMailingCity": someone.city,
                "PersonMailingCountry": someone.country,
            },
            500,
            self._owner(someone.owner),
        )
        self.by_email.setdefault(someone.email, self.store.tables["Contact"].rows[account["PersonContactId"]])

    def _deal(self, deal: Any) -> None:
        contact = self.by_email.get(deal.email)
        opportunity = self.add(
            "Opportunity",
            {
                "AccountId": self.accounts[deal.account]["Id"],
                "Name": deal.name,
                "StageName": deal.stage,
                "Amount": deal.amount,
                "CloseDate": self._day(deal.closes_in),
                "Type": "Existing Customer - Upgrade",
                "ContactId": contact["Id"] if contact else None,
            },
            120,
            self._owner(deal.owner),
        )
        if contact:
            self.add(
                "OpportunityContactRole",
                {
                    "OpportunityId": opportunity["Id"],
                    "ContactId": contact["Id"],
                    "Role": "Decision Maker",
                    "IsPrimary": True,
                },
                100,
            )
