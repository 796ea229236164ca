"""The dashboard's pages: who may open them, what they say, what their forms do. They work without JavaScript."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpResponse
from django.middleware.csrf import CsrfViewMiddleware, get_token
from django.test import Client, RequestFactory

from config import errors
from dashboard.problems import PROBLEMS
from organizations import audit, policy
from organizations.models import AuditEntry, Member
from sidebar import refusals
from tests.organizations import people
from tracking.models import Content, TrackedMessage

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
_OF_MEMBERS = "connections analytics analytics/withdrawn email-sync email-sync/try policy members audit"
PRIVATE = tuple(_OF_MEMBERS.split())
PAGES = ("", *(f"{name}/" for name in PRIVATE), "cookies/")
HOST = {"Host": "localhost:8000"}


@pytest.fixture
def everybody() -> tuple[Member, Member, Member]:
    return people.everybody()


def signed_in(member: Member, **kwargs: Any) -> Client:
    client = Client(headers=HOST, **kwargs)
    client.force_login(member, backend="organizations.authentication.MemberBackend")
    return client


def page(client: Client, path: str = "", status: int = 200) -> str:
    response = client.get(f"/dashboard/{path}")
    assert response.status_code == status
    return response.content.decode()


def test_the_address_works_without_its_slash() -> None:
    assert Client(headers=HOST).get("/dashboard")["Location"] == "/dashboard/"


def test_a_stranger_is_shown_the_way_in_and_nothing_else() -> None:
    stranger = Client(headers=HOST)
    assert 'href="/connect/salesforce/?next=/dashboard/"' in page(stranger)
    for name in PRIVATE:
        response = stranger.get(f"/dashboard/{name}/")
        assert (response.status_code, response["Location"]) == (302, f"/connect/salesforce/?next=/dashboard/{name}/")


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_a_title_one_heading_and_no_inline_script_or_style(everybody: Any, path: str) -> None:
    text = page(signed_in(everybody[0]), path)
    assert re.search(r"<title>[^<]+ · Sidebar</title>", text)
    assert text.count("<h1>") == 1
    assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=", text)


def test_only_administrators_read_the_audit_log(everybody: Any) -> None:
    alice, bob, _ = everybody
    assert "organization.founded" in page(signed_in(alice), "audit/")
    page(signed_in(bob), "audit/", status=403)
    assert "/dashboard/audit/" not in page(signed_in(bob))


def test_nobody_sees_another_organization(everybody: Any) -> None:
    """Charlie, the stranger: neither his name nor his doings are on a page of Acme, nor the other way round."""
    alice, _, charlie = everybody
    for path in PAGES:
        assert "Charlie" not in page(signed_in(alice), path)
        assert str(charlie.pk) not in page(signed_in(alice), path)
        assert "Alice" not in page(signed_in(charlie), path)


def test_everybody_reads_what_is_held_about_them(everybody: Any) -> None:
    """C23, C24: profile and Salesforce configuration, with what they are for, in the person's own time zone."""
    text = page(signed_in(everybody[0]))
    for held in (
        "Alice Adams",
        "alice@acme.example",
        "System Administrator",
        "Sales Console",
        "en_GB",
        "Europe/Berlin",
    ):
        assert held in text
    assert re.search(r"\d\d:\d\d (CET|CEST)", text)


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_tracked_messages_are_held_too(everybody: Any) -> None:
    """One's own only: a colleague's are no business of an administrator's."""
    alice, bob, _ = everybody
    for member, number in ((bob, 2), (alice, 1)):
        for _ in range(number):
            row = TrackedMessage(organization=member.organization, member=member, opens=True, clicks=False)
            Content(["jane@customer.example"], []).put(row)
            row.save()
    cells = re.sub(r"<[^>]+>|\s+", " ", page(signed_in(alice)))
    assert re.search(r"Tracked messages +1 +Recipients and links of each, sealed, .* after 365 days", cells)


def change(client: Client, key: str, value: str, **more: str) -> Any:
    return client.post("/dashboard/policy/change/", {"key": key, "value": value, "action": "save", **more})


def test_an_administrator_sets_the_organizations_value(everybody: Any) -> None:
    alice, bob, charlie = everybody
    response = change(signed_in(alice), "search.ttl", "420", level="organization")
    assert response.status_code == 302
    assert policy.value_of("search.ttl", bob) == 420
    assert policy.value_of("search.ttl", charlie) == 300
    assert "Saved." in page(signed_in(alice), "policy/?saved=search.ttl")
    signed_in(alice).post(
        "/dashboard/policy/change/", {"key": "search.ttl", "level": "organization", "action": "reset"}
    )
    assert policy.value_of("search.ttl", bob) == 300


@pytest.mark.parametrize("value", ["0", "1000000000", "-1", "three", "", "\u0664\u0662\u0660", "420.5"])
def test_a_value_out_of_range_is_refused_in_words_beside_its_setting(everybody: Any, value: str) -> None:
    """BI-G7."""
    response = change(signed_in(everybody[0]), "search.ttl", value, level="organization")
    assert response.status_code == 422
    assert "Give a whole number" in response.content.decode()
    assert policy.value_of("search.ttl", everybody[0]) == 300


def test_a_user_changes_nothing_for_everybody(everybody: Any) -> None:
    """BI-G5: what the form does not offer is refused when it is sent all the same."""
    _, bob, _ = everybody
    assert "For everybody" not in page(signed_in(bob), "policy/")
    response = change(signed_in(bob), "search.ttl", "420", level="organization")
    assert response.status_code == 422
    assert "Only an administrator" in response.content.decode()
    assert change(signed_in(bob), "search.ttl", "420", level="member").status_code == 422
    assert policy.value_of("search.ttl", bob) == 300


def test_who_is_refused_finds_what_he_typed_and_which_of_it_is_wrong(everybody: Any) -> None:
    typed = "2001:db8::/48\r\n192.0.2.7/24"
    response = change(signed_in(everybody[0]), "track.own_networks", typed, level="organization")
    assert response.status_code == 422
    text = response.content.decode()
    assert "“192.0.2.7/24” is no network. For all of it give 192.0.2.0/24, for the one address 192.0.2.7." in text
    box = re.search(r"<textarea id=\"track.own_networks-organization\"[^>]*>([^<]*)<", text)
    assert box is not None
    assert box[1].split() == typed.split()
    assert 'aria-invalid="true"' in box[0]
    assert text.count("<details open>") == 1
    named = change(signed_in(everybody[0]), "track.own_networks", "our office", level="organization")
    assert "“our” is no network. Give networks such as 192.0.2.0/24" in named.content.decode()


def test_choices_are_said_in_words(everybody: Any) -> None:
    bob = everybody[1]
    text = page(signed_in(bob), "policy/")
    assert "<strong>In the sidebar</strong>" in text
    assert ">in_app<" not in text
    assert change(signed_in(bob), "track.notify", "none", level="member").status_code == 302
    assert "<strong>Not at all</strong>" in page(signed_in(bob), "policy/")


def test_a_setting_that_does_not_exist_is_refused(everybody: Any) -> None:
    assert change(signed_in(everybody[0]), "<script>", "1", level="organization").status_code == 422


def test_a_whitelist_is_written_one_name_a_line_and_switched_off_by_emptying_it(everybody: Any) -> None:
    alice = everybody[0]
    names = "alice@acme.example\r\nbob@acme.example\r\n"
    assert change(signed_in(alice), "access.whitelist", names, level="organization").status_code == 302
    assert policy.value_of("access.whitelist", alice) == ["alice@acme.example", "bob@acme.example"]
    assert change(signed_in(alice), "access.whitelist", "", level="organization").status_code == 302
    assert policy.value_of("access.whitelist", alice) is None


@pytest.mark.parametrize("key", ["email.filter.folders", "email.filter.keep_private"])
def test_what_people_name_is_written_one_a_line(everybody: Any, key: str) -> None:
    """A folder's name or a phrase has blanks in it."""
    bob = everybody[1]
    assert (
        change(
            signed_in(bob), key, "sent\r\n Our clients/M\u00fcller & S\u00f6hne \r\n\r\n", level="member"
        ).status_code
        == 302
    )
    assert policy.value_of(key, bob) == ["Our clients/M\u00fcller & S\u00f6hne", "sent"]
    assert "Our clients/M\u00fcller &amp; S\u00f6hne, sent" in page(signed_in(bob), "policy/")
    too_long = change(signed_in(bob), key, "x" * 201, level="member")
    assert "Give entries of one line" in too_long.content.decode()


def test_forms_need_our_own_page(everybody: Any) -> None:
    """BI-G1: without the CSRF token nothing changes."""
    alice = signed_in(everybody[0], enforce_csrf_checks=True)
    assert change(alice, "search.ttl", "420", level="organization").status_code == 403
    assert alice.post("/dashboard/sign-out/").status_code == 403
    assert policy.value_of("search.ttl", everybody[0]) == 300


def test_signing_out_ends_the_session(everybody: Any) -> None:
    alice = signed_in(everybody[0])
    assert alice.get("/dashboard/sign-out/").status_code == 405
    assert alice.post("/dashboard/sign-out/")["Location"] == "/dashboard/"
    assert "Sign in with Salesforce" in page(alice)


def test_the_chain_is_checked_and_the_first_bad_entry_named(everybody: Any) -> None:
    alice = signed_in(everybody[0])
    assert "The chain is whole" in alice.post("/dashboard/audit/").content.decode()
    AuditEntry.objects.filter(organization_id=everybody[0].organization_id, sequence=2).update(action="member.invented")
    assert "Entry 2 is not as it was written" in alice.post("/dashboard/audit/").content.decode()


def test_the_audit_log_is_read_page_by_page(everybody: Any) -> None:
    alice = everybody[0]
    for number in range(120):
        audit.record(alice.organization_id, alice, "test.counted", number)
    first = page(signed_in(alice), "audit/")
    older = re.search(r'href="\?before=(\d+)"', first)
    assert older
    assert "organization.founded" not in first
    assert "organization.founded" in page(signed_in(alice), f"audit/?before={older[1]}")
    for nonsense in ("-1", "x", "9" * 40, "\u0664"):
        page(signed_in(alice), f"audit/?before={nonsense}")


def test_the_audit_log_names_everybody_in_one_query(everybody: Any, django_assert_max_num_queries: Any) -> None:
    """Those of the organization by name, those who have gone as former members, tasks as they are called."""
    alice, bob, charlie = everybody
    for number in range(30):
        for actor in (alice, bob, charlie, "task:counting", "member:nonsense"):
            audit.record(alice.organization_id, actor, "test.counted", number)
    client = signed_in(alice)
    with django_assert_max_num_queries(6):
        shown = page(client, "audit/")
    for name in ("Alice Adams", "Bob Brown", "A former member", "task:counting"):
        assert f"<td>{name}</td>" in shown
    assert "Charlie" not in shown
    assert "nonsense" not in shown


def test_the_cookies_we_set_are_those_we_list(everybody: Any) -> None:
    """C43: every cookie is HttpOnly and SameSite=Lax, and named on the page."""
    listed = page(signed_in(everybody[0]), "cookies/")
    request = RequestFactory().get("/dashboard/")
    request.user, request.session = everybody[0], SessionStore()
    request.session["anything"] = 1
    get_token(request)
    answer = HttpResponse()
    CsrfViewMiddleware(lambda _: answer).process_response(request, answer)
    SessionMiddleware(lambda _: answer).process_response(request, answer)
    assert set(answer.cookies) == {"session", "csrf"}
    for name, cookie in answer.cookies.items():
        assert f"<code>{name}</code>" in listed
        assert cookie["samesite"] == "Lax"
        assert cookie["httponly"]


def answered() -> set[str]:
    """Every problem type that the source answers with."""
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "config").glob("*.py"))
    named = set(re.findall(r'problem\(\s*"([a-z-]+)"', source))
    refused = {str(kind.slug) for kind in vars(refusals).values() if hasattr(kind, "slug")}
    assert {"too-large", "needs-reconnect"} <= named
    return named | refused | set(errors._SLUGS.values()) | {"server-error"}  # the last: what has no type of its own


def test_every_problem_page_is_of_a_type_that_is_answered() -> None:
    assert set(PROBLEMS) == answered()


def test_every_problem_type_has_a_page() -> None:
    """RFC 9457: `type` leads to a page that explains it in words, under the title of the answer."""
    for slug in answered():
        response = Client(headers=HOST).get(f"/problems/{slug}")
        assert response.status_code == 200, slug
        title = json.loads(errors.problem(slug, 400, "").content)["title"]
        assert f"<h1>{title}</h1>" in response.content.decode()
    assert Client(headers=HOST).get("/problems/invented").status_code == 404
