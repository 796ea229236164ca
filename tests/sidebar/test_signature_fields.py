"""From a signature's lines to a contact's fields."""

import pytest

from sidebar.signature.fields import field_values
from sidebar.signature.phones import region_of
from sidebar.signature.reading import read
from sidebar.signature.sender import read_sender
from sidebar.signature.shapes import Kind, Signature
from tests.sidebar.signature_mails import marked_mails

TEXTS = {mail.name: mail for mail in marked_mails()}


def of(name: str) -> Signature:
    return read(TEXTS[name].text, TEXTS[name].sender)


def signed(*lines: str, sender: str = "Jane Doe <jane.doe@acme.example>") -> Signature:
    return read("\n".join(["Please find the offer attached.", "", "Kind regards,", "Jane Doe", *lines]), sender)


def numbers(found: Signature) -> list[tuple[str, Kind]]:
    return [(phone.number, phone.kind) for phone in found.phones]


@pytest.mark.parametrize(
    ("mail", "first", "last", "title", "company"),
    [
        ("corporate", "Sarah", "Palmer", "Manager, Field Operations", "Northwind Energy Corp."),
        ("with disclaimer", "Tom", "Becker", "Partner", "Becker & Stone LLP"),
        ("german", "Jürgen", "Müller", "Vertriebsleiter", "Werkzeugbau Süd GmbH & Co. KG"),
        ("french", "Amélie", "Laurent", "Responsable commerciale", ""),
        ("spanish", "Carlos", "Gómez Ruiz", "Director Comercial", "Bodegas del Sur, S.L."),
        ("dutch", "Jan", "de Vries", "", "De Vries Bouw B.V."),
        ("outlook reply", "Maria", "Rossi", "Ufficio Acquisti", "Impresa Rossi S.r.l."),
        ("top posting", "Lisa", "Wong", "Account Executive", "Trade Partners Ltd."),
        ("social", "Zoë", "Martin", "Designer", "Studio Example"),
        ("thanks and name", "Steven", "Kean", "", ""),
        ("russian", "Иван", "Петров", "Менеджер по продажам", "ООО «Завод»"),  # noqa: RUF001
        ("team", "", "", "", "SaaS Example Inc."),
        ("consultancy", "Rahul", "Patel", "Senior Consultant", "Consult Example LLP"),
        ("town hall", "Beatriz", "Fernández Ortiz", "Técnica de Cultura", "Ayuntamiento de Villaejemplo"),
        ("growth", "Chloe", "Kim", "Growth", "Startup"),
        ("utility", "Thomas", "Brandt", "", "Stadtwerke Musterstadt AöR"),
        ("nothing at all", "", "", "", ""),
    ],
)
def test_name_title_and_company(mail: str, first: str, last: str, title: str, company: str) -> None:
    found = of(mail)
    assert (found.name.first, found.name.last, found.title, found.company) == (first, last, title, company)


class TestNumbers:
    def test_kinds_are_told_by_the_words_before_or_after(self) -> None:
        found = signed("(713) 555-0142 (office)", "Fax: (713) 555-0188", "M +1 917 555 0134 | T +1 212 555 0199")
        assert numbers(found) == [
            ("+1 713-555-0142", Kind.PHONE),
            ("+1 713-555-0188", Kind.FAX),
            ("+1 917-555-0134", Kind.MOBILE),
            ("+1 212-555-0199", Kind.PHONE),
        ]

    def test_the_country_is_the_addresss(self) -> None:
        found = signed("Tel. 0821 555123", "0171 5551234", sender="Jane Doe <jane@acme.de>")
        assert numbers(found) == [("+49 821 555123", Kind.PHONE), ("+49 171 5551234", Kind.MOBILE)]
        assert numbers(signed("Tel. 0821 555123")) == [("0821 555123", Kind.PHONE)]

    def test_extensions(self) -> None:
        assert numbers(signed("Office: 570.555.0100 x23")) == [("+1 570-555-0100 ext. 23", Kind.PHONE)]

    @pytest.mark.parametrize(
        "line", ["2024-01-15 14:30", "Total: $1,234,567.00", "Order 1002345678901234567", "12.05.2021"]
    )
    def test_dates_sums_and_orders_are_no_numbers(self, line: str) -> None:
        assert not signed(line, "Sales Manager").phones

    @pytest.mark.parametrize(
        ("domains", "region"),
        [
            (["x.de"], "DE"),
            (["x.co.uk"], "GB"),
            (["x.com", "y.fr"], "FR"),
            (["x.io"], ""),
            (["x.example"], ""),
            ([], ""),
        ],
    )
    def test_regions(self, domains: list[str], region: str) -> None:
        assert region_of(domains) == region


class TestTheRest:
    def test_address(self) -> None:
        assert of("corporate").address == "1400 Smith Street, Suite 4512, Houston, TX 77002"
        assert of("outlook reply").address == "Via Garibaldi 7, 20121 Milano"
        assert of("french").address == "12, rue de la République, 69002 Lyon"

    def test_links_and_emails(self) -> None:
        found = signed("https://www.linkedin.com/in/jane, www.acme.example", "Jane.Doe@acme.example")
        assert found.links == ("https://www.linkedin.com/in/jane", "www.acme.example")
        assert found.emails == ("jane.doe@acme.example",)

    def test_values_of_a_new_record(self) -> None:
        values = field_values(
            signed("CEO at Acme Inc.", "+44 20 7946 0123", "linkedin.com/in/jane", "www.acme.example")
        )
        assert {name: value for name, value in values.items() if value} == {
            "FirstName": "Jane",
            "LastName": "Doe",
            "Title": "CEO",
            "Company": "Acme Inc.",
            "Phone": "+44 20 7946 0123",
            "Website": "www.acme.example",
        }

    def test_what_a_lawyer_wrote_gives_no_field(self) -> None:
        assert of("with disclaimer").emails == ()
        assert "confidential" not in of("with disclaimer").company

    def test_nothing_of_it_shows_in_a_log(self) -> None:
        assert "Jane" not in f"{signed('CEO')!r} {read_sender('Jane Doe <jane@acme.example>')!r}"


@pytest.mark.parametrize(
    ("header", "words", "company"),
    [
        ('"Doe, Jane" <jane@acme-tools.co.uk>', ("jane", "doe"), "acme tools"),
        ("jane@gmail.com (Jane Doe)", ("jane", "doe"), ""),
        ("Jane Doe (Sales) <jane@mail.acme.example>", ("jane", "doe"), "acme"),
        ("jane@t-online.de", (), ""),
        ("", (), ""),
        ("Jane Doe", ("jane", "doe"), ""),
    ],
)
def test_who_sent_it(header: str, words: tuple[str, ...], company: str) -> None:
    sender = read_sender(header)
    assert (sender.words, sender.company) == (words, company)
