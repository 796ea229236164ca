"""People written by hand, whom the demo mailbox writes about and tests may rely on. Data only.

`orgs` says where a person is on record: "acme", "globex", "sandbox" (of Acme). Fields are those of the
Salesforce object.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["Contact", "Lead", "PersonAccount"]


@dataclass(frozen=True)
class Someone:
    """`account` names the company (created when no other person brought it); `owner` is the key of a user."""

    kind: Kind
    first: str
    last: str
    email: str
    account: str = ""
    title: str = ""
    phone: str = ""
    mobile: str = ""
    city: str = ""
    country: str = ""
    orgs: tuple[str, ...] = ("acme",)
    owner: str = "alice"
    fields: dict[str, Any] = field(default_factory=dict)
    private: bool = False  # the account is private to its owner: others do not see it nor its contacts


PEOPLE: tuple[Someone, ...] = (
    # Northwind Shipping: a customer with open opportunities and cases; the busiest thread of the mailbox.
    Someone("Contact", "Jane", "Doe", "jane.doe@northwind.example", "Northwind Shipping", "Head of Procurement",
            "+44 20 7946 0111", "+44 7700 900111", "London", "United Kingdom",
            fields={"Department": "Procurement", "Birthdate": "1984-03-09", "HomePhone": "+44 20 7946 0999",
                    "Description": "Prefers a call before ten. Knows our roadmap."}),
    Someone("Contact", "Liam", "O'Connor", "liam.oconnor@northwind.example", "Northwind Shipping", "Fleet Manager",
            "+353 1 496 0112", "+353 85 012 0112", "Dublin", "Ireland", owner="bob"),
    Someone("Contact", "Zoë", "van der Berg", "zoe.vanderberg@northwind.example", "Northwind Shipping", "CFO",
            "+31 20 555 0113", "", "Amsterdam", "Netherlands"),
    Someone("Contact", "Tomasz", "Łukasiewicz", "t.lukasiewicz@northwind.example", "Northwind Shipping",
            "IT Operations", "+48 22 555 01 14", "", "Gdańsk", "Poland", owner="bob"),
    # Kestrel Labs: in Acme and in Globex, with other titles and numbers in each.
    Someone("Contact", "Priya", "Raman", "priya.raman@kestrel-labs.example", "Kestrel Labs", "VP Engineering",
            "+91 80 5550 0121", "+91 98450 00121", "Bengaluru", "India", orgs=("acme",)),
    Someone("Contact", "Priya", "Raman", "priya.raman@kestrel-labs.example", "Kestrel Labs (Globex)", "Advisor",
            "+91 80 5550 0777", "", "Bengaluru", "India", orgs=("globex",), owner="charlie",
            fields={"Description": "Met at the Globex partner day."}),
    Someone("Contact", "Kenji", "Watanabe", "kenji.watanabe@kestrel-labs.example", "Kestrel Labs", "Platform Lead",
            "+81 3 5550 0122", "", "Tokyo", "Japan"),
    Someone("Contact", "渡辺", "健二", "k.watanabe@kestrel-labs.example", "Kestrel Labs", "プラットフォーム責任者",
            "+81 3 5550 0123", "", "東京", "Japan"),
    # An IDN domain: the address is on record in its A-label form, as most mail systems store it.
    Someone("Contact", "Jürgen", "Müller", "juergen.mueller@xn--mller-shne-kcb9d.example", "Müller & Söhne GmbH",
            "Geschäftsführer", "+49 89 5550 131", "+49 171 555 0131", "München", "Germany", owner="bob"),
    Someone("Contact", "Élodie", "Lefèvre", "elodie.lefevre@atelier-lumiere.example", "Atelier Lumière",
            "Directrice artistique", "+33 1 55 50 01 41", "", "Paris", "France"),
    Someone("Contact", "José", "Ñíguez Ibáñez", "jose.niguez@puertas-del-sol.example", "Puertas del Sol S.A.",
            "Director Comercial", "+34 91 555 01 51", "", "Madrid", "Spain", owner="bob"),
    Someone("Contact", "Ngozi", "Okafor", "ngozi.okafor@savannah-foods.example", "Savannah Foods", "Supply Chain Lead",
            "+234 1 555 0161", "+234 803 555 0161", "Lagos", "Nigeria"),
    Someone("Contact", "Mary-Anne", "St. Clair", "mary-anne.stclair@savannah-foods.example", "Savannah Foods",
            "Quality, Safety & Compliance", "+1 912 555 0162", "", "Savannah", "United States"),
    # The same person twice, as happens: two contacts, one address, different spelling and account.
    Someone("Contact", "Robert", "Fischer", "robert.fischer@helvetia-bau.example", "Helvetia Bau AG", "Einkaufsleiter",
            "+41 44 555 01 71", "", "Zürich", "Switzerland"),
    Someone("Contact", "Rob", "Fischer", "robert.fischer@helvetia-bau.example", "Helvetia Immobilien AG", "Purchasing",
            "+41 44 555 01 72", "", "Zürich", "Switzerland", owner="bob"),
    # One address that is both a contact and an open lead.
    Someone("Contact", "Sofia", "Rossi", "sofia.rossi@rossi-vini.example", "Rossi Vini S.r.l.", "Export Manager",
            "+39 055 555 0181", "", "Firenze", "Italy"),
    Someone("Lead", "Sofia", "Rossi", "sofia.rossi@rossi-vini.example", "Rossi Vini S.r.l. (USA)", "Export Manager",
            "+39 055 555 0181", "", "Firenze", "Italy", fields={"Status": "Working - Contacted", "Rating": "Hot"}),
    # Leads.
    Someone("Lead", "Dmitri", "Volkov", "d.volkov@aurora-hydro.example", "Aurora Hydro", "Plant Director",
            "+47 22 55 01 91", "", "Tromsø", "Norway", fields={"Rating": "Warm", "LeadSource": "Web"}),
    Someone("Lead", "Aisha", "Rahman", "aisha.rahman@delta-textiles.example", "Delta Textiles", "Sourcing Manager",
            "+880 2 555 0192", "", "Dhaka", "Bangladesh", owner="bob", fields={"LeadSource": "Partner Referral"}),
    Someone("Lead", "Charlotte", "Brontë-Nguyen", "charlotte@bronte-nguyen.example", "Brontë-Nguyen Legal", "Partner",
            "+61 2 5550 0193", "", "Sydney", "Australia"),
    Someone("Lead", "Max", "Mustermann", "max+newsletter@mustermann.example", "Mustermann Consulting", "Inhaber",
            "+49 30 5550 194", "", "Berlin", "Germany"),
    # A lead that was converted: the lead is still there, the contact is the living record.
    Someone("Lead", "Hannah", "Goldberg", "hannah.goldberg@lighthouse-media.example", "Lighthouse Media", "COO",
            "+1 617 555 0195", "", "Boston", "United States",
            fields={"Status": "Closed - Converted", "IsConverted": True}),
    Someone("Contact", "Hannah", "Goldberg", "hannah.goldberg@lighthouse-media.example", "Lighthouse Media", "COO",
            "+1 617 555 0195", "+1 617 555 0196", "Boston", "United States"),
    # Person accounts.
    Someone("PersonAccount", "Ines", "Carvalho", "ines.carvalho@postbox.example", "", "Architect",
            "+351 21 555 0201", "+351 91 555 0201", "Lisboa", "Portugal"),
    Someone("PersonAccount", "Oliver", "Twist-Hardy", "oliver.twist.hardy@postbox.example", "", "Collector",
            "+44 161 496 0202", "", "Manchester", "United Kingdom", owner="bob"),
    # Private to Alice: Bob must not find them.
    Someone("Contact", "Veronika", "Havlíčková", "veronika@project-nightingale.example", "Project Nightingale",
            "Managing Director", "+420 2 5550 0211", "", "Praha", "Czechia", private=True),
    Someone("Contact", "Samuel", "Adeyemi", "samuel@project-nightingale.example", "Project Nightingale", "Counsel",
            "+234 1 555 0212", "", "Lagos", "Nigeria", private=True),
    # Odd but legal names and addresses.
    Someone("Contact", "", "Prince", "prince@paisley.example", "Paisley Park Records", "Artist",
            "+1 952 555 0221", "", "Chanhassen", "United States"),
    Someone("Contact", "Anne", "O’Brien <Ops> & Sons", "anne.obrien@obrien-haulage.example",  # noqa: RUF001
            'O’Brien Haulage "1921" Ltd', "Owner",  # noqa: RUF001
             "+353 21 555 0222", "", "Cork", "Ireland"),
    Someone("Contact", "Björk", "Guðmundsdóttir", "bjork.gudmundsdottir@fjord-studios.example", "Fjord Studios",
            "Producer", "+354 555 0223", "", "Reykjavík", "Iceland"),
    Someone("Contact", "Fatima", "Al-Sayed", "Fatima.AlSayed@Oasis-Travel.example", "Oasis Travel", "Group Bookings",
            "+971 4 555 0224", "", "Dubai", "United Arab Emirates"),
    # The partner community user's own account.
    Someone("Contact", "Pat", "Partridge", "pat@partner-co.example", "Partner Co", "Channel Manager",
            "+1 415 555 0231", "", "San Francisco", "United States"),
    Someone("Contact", "Quentin", "Quill", "quentin.quill@partner-co.example", "Partner Co", "Solutions Consultant",
            "+1 415 555 0232", "", "San Francisco", "United States"),
    # Globex' own, unknown to Acme; Jane Doe is known there too, as somebody's lead.
    Someone("Contact", "Hank", "Scorpio", "hank.scorpio@cypress-creek.example", "Cypress Creek", "President",
            "+1 541 555 0241", "", "Eugene", "United States", orgs=("globex",), owner="charlie"),
    Someone("Contact", "Mei-Ling", "Chen", "meiling.chen@jade-mountain.example", "Jade Mountain", "Buyer",
            "+886 2 5550 0242", "", "Taipei", "Taiwan", orgs=("globex",), owner="charlie"),
    Someone("Lead", "Jane", "Doe", "jane.doe@northwind.example", "Northwind (Globex prospect)", "Procurement",
            "+44 20 7946 0111", "", "London", "United Kingdom", orgs=("globex",), owner="charlie"),
    # Acme's sandbox: the same address as in production, other data.
    Someone("Contact", "Jane", "Doe-Sandbox", "jane.doe@northwind.example", "Northwind Shipping (UAT)", "Test record",
            "+44 20 7946 0000", "", "London", "United Kingdom", orgs=("sandbox",)),
    Someone("Contact", "Test", "Person", "test.person@uat.example", "UAT Company", "Tester",
            "+44 20 7946 0001", "", "Leeds", "United Kingdom", orgs=("sandbox",)),
)  # fmt: skip


@dataclass(frozen=True)
class Deal:
    """An opportunity written by hand: `closes_in` days from the start, `email` of the contact it goes with."""

    account: str
    name: str
    stage: str
    amount: float
    closes_in: int
    email: str = ""
    owner: str = "alice"


DEALS: tuple[Deal, ...] = (
    Deal("Northwind Shipping", "Northwind: fleet tracking, 240 vessels", "Negotiation/Review", 480_000, 21,
         "jane.doe@northwind.example"),
    Deal("Northwind Shipping", "Northwind: harbour sensors pilot", "Proposal/Price Quote", 36_500, 45,
         "liam.oconnor@northwind.example"),
    Deal("Northwind Shipping", "Northwind: support renewal last year", "Closed Won", 52_000, -140,
         "jane.doe@northwind.example"),
    Deal("Kestrel Labs", "Kestrel: data platform", "Value Proposition", 125_000, 60,
         "priya.raman@kestrel-labs.example"),
    Deal("Müller & Söhne GmbH", "Müller: Ersatzteil-Portal", "Qualification", 18_900, 90,
         "juergen.mueller@xn--mller-shne-kcb9d.example"),
    Deal("Savannah Foods", "Savannah: cold chain phase 2", "Id. Decision Makers", 210_000, 35,
         "ngozi.okafor@savannah-foods.example"),
    Deal("Atelier Lumière", "Atelier: exposition d'automne", "Prospecting", 9_800, 120,
         "elodie.lefevre@atelier-lumiere.example"),
    Deal("Project Nightingale", "Nightingale", "Needs Analysis", 2_400_000, 75, "veronika@project-nightingale.example"),
    Deal("Helvetia Bau AG", "Helvetia: Kranflotte", "Closed Lost", 88_000, -30, "robert.fischer@helvetia-bau.example"),
)  # fmt: skip


@dataclass(frozen=True)
class Ticket:
    """A case written by hand."""

    email: str
    subject: str
    status: str = "New"
    priority: str = "Medium"
    days_ago: int = 3


TICKETS: tuple[Ticket, ...] = (
    Ticket("jane.doe@northwind.example", "Position reports arrive an hour late", "Working", "High", 2),
    Ticket("jane.doe@northwind.example", "Invoice 2291 shows the wrong VAT number", "New", "Medium", 1),
    Ticket("jane.doe@northwind.example", "Password reset for the depot in Hull", "Closed", "Low", 48),
    Ticket("t.lukasiewicz@northwind.example", "API certificate expires next month", "Escalated", "High", 5),
    Ticket("priya.raman@kestrel-labs.example", "Nightly export stops at 2 GB", "Working", "High", 4),
    Ticket("ngozi.okafor@savannah-foods.example", "Sensor 14 reads 80 degrees in the freezer", "New", "High", 0),
    Ticket("ines.carvalho@postbox.example", "Wrong delivery address on the last order", "New", "Medium", 6),
)
