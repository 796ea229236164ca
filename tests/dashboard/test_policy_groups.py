"""The policy page's headings: every setting stands under one, and is shown whatever it is called."""

import re

import pytest

from dashboard.policy_groups import GROUPS, OTHERS, group_of, grouped
from organizations import policy
from tests.dashboard.test_pages import page, signed_in
from tests.organizations import people


def test_every_setting_has_a_heading() -> None:
    assert {toggle.key for toggle in policy.declared() if group_of(toggle.key)[0] is OTHERS} == set()
    used = {group_of(toggle.key) for toggle in policy.declared()}
    assert {group.name for group, _ in used} == {group.name for group in GROUPS}


def test_settings_of_a_group_stand_in_its_order_and_unknown_ones_at_the_end() -> None:
    keys = ["new.thing", "sync.interval", "track.own_networks", "email.sync.enabled", "track.opens", "sync.backfill"]
    found = {group.title: [row["key"] for row in rows] for group, rows in grouped([{"key": key} for key in keys])}
    assert list(found) == ["Email sync", "Opens and clicks", "Other settings"]
    assert found["Email sync"] == ["email.sync.enabled", "sync.backfill", "sync.interval"]
    assert found["Opens and clicks"] == ["track.opens", "track.own_networks"]


@pytest.mark.django_db
def test_the_page_leads_to_each_group() -> None:
    for member in people.everybody()[:2]:
        text = page(signed_in(member), "policy/")
        names = re.findall(r'<li><a href="#([a-z-]+)">', text)
        assert names[:3] == ["sidebar", "email-sync", "which-emails"]
        assert all(text.count(f'<h2 id="{name}">') == 1 for name in names)
        shown = [toggle["key"] for toggle in policy.describe_for(member)]
        assert sorted(re.findall(r'<tr id="([a-z._]+)"', text)) == sorted(shown)
