"""Whatever a token endpoint, a login host or a probe answers: a known failure or tokens, and nothing of it repeated."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import oauth
from providers.base import Secret, TokenSet
from providers.errors import NeedsReconnect, PermissionMissing, ProviderError
from providers.google import oauth as google
from providers.microsoft import oauth as microsoft
from providers.openid import claims_of, is_for_us
from providers.protocol import OAuth
from providers.registry import ADAPTERS
from providers.salesforce import oauth as salesforce
from providers.token_answers import json_object
from tests.providers.tokens import id_token
from vault import causes

NAMES = ("salesforce", "google", "microsoft")
CANARY = "canary7f3a"
FIELDS = st.sampled_from(
    ["access_token", "refresh_token", "id_token", "expires_in", "scope", "error", "error_description", "error_subtype",
     "error_codes", "instance_url", "id", "refresh_token_expires_in", "claims"]
)  # fmt: skip
ERRORS = st.sampled_from(
    ["invalid_grant", "invalid_client", "interaction_required", "admin_policy_enforced", "slow_down"]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.just(CANARY), ERRORS,
    st.integers(0, 99999999).map(lambda number: f"AADSTS{number}: {CANARY}"),
)  # fmt: skip
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=3))
BODIES = st.one_of(
    st.dictionaries(FIELDS, VALUES, max_size=6).map(json.dumps),
    VALUES.map(json.dumps),
    st.text(max_size=60),
    st.just("[" * 100_000),
    st.just('{"access_token": ' + "9" * 5_000 + "}"),
    st.just('{"access_token": "\\ud800", "refresh_token": "b"}'),
    st.just('{"access_token": "a", "access_token": {"access_token": 1}}'),
)


@pytest.mark.parametrize("name", NAMES)
@given(status=st.integers(100, 599), body=BODIES)
def test_every_answer_is_tokens_or_a_known_failure(name: str, status: int, body: str) -> None:
    """V9, FT: never an unexpected exception, and never the provider's words."""
    found = outcome(ADAPTERS[name].oauth, oauth.RawAnswer(status, Secret(body)))
    if isinstance(found, TokenSet):
        check(found, status)
    else:
        assert CANARY not in str(found) + repr(found) + found.code
        assert (found.provider, found.__cause__, found.__context__) == (name, None, None)


def outcome(spoken: OAuth, raw: oauth.RawAnswer) -> TokenSet | ProviderError:
    try:
        return spoken.parse(raw, ())
    except ProviderError as error:
        return error


def check(tokens: TokenSet, status: int) -> None:
    """Tokens come with 200 only, and can be sent back as they are."""
    assert status == 200
    sent = [tokens.access_token, tokens.refresh_token]
    assert all(token.reveal().isascii() and token.reveal().isprintable() for token in sent if token)
    assert tokens.access_token
    assert tokens.lifetime is None or tokens.lifetime > 0


CLAIMS = st.dictionaries(
    st.sampled_from(["iss", "aud", "exp", "nonce", "sub", "tid", "oid", "email", "email_verified", "name", "hd"]),
    VALUES,
)


@given(claims=CLAIMS, cut=st.integers(0, 400))
def test_every_id_token_is_read_or_not(claims: dict[str, Any], cut: int) -> None:
    whole = id_token(claims)
    for token in (whole, whole[:cut], whole.replace(".", "", 1), whole[::-1]):
        found = claims_of(json_object(json.dumps({"id_token": token})))
        assert isinstance(found, dict)
        assert isinstance(is_for_us(found, "client", "nonce"), bool)
        for name in ("google", "microsoft"):
            parsed = ADAPTERS[name].oauth.parse(
                oauth.RawAnswer(200, Secret(json.dumps({"access_token": "a", "id_token": token}))), ()
            )
            assert isinstance(parsed.identity, str)


@pytest.mark.parametrize("name", NAMES)
@given(wanted=st.lists(st.text(max_size=20)), granted=st.lists(st.text(max_size=20)))
def test_what_is_missing_was_wanted_and_not_granted(name: str, wanted: list[str], granted: list[str]) -> None:
    """C10."""
    spoken = ADAPTERS[name].oauth
    missing = spoken.missing(wanted, granted)
    assert set(missing) <= set(wanted) - set(granted)
    assert spoken.missing(wanted, [*granted, *missing]) == ()
    assert all(spoken.purpose_of(scope) for scope in wanted)
    mail = spoken.scopes_for({"email", "calendar", *wanted})
    assert spoken.missing(mail, mail) == ()
    assert not any("drive" in scope.lower() or "files" in scope.lower() for scope in mail)


WORDS = st.sampled_from(
    [
        *(mark for module in (google, salesforce) for mark, *_ in module._REASONS),
        *(mark for mark, *_ in salesforce._APP_REASONS),
        *(f"aadsts{number}:" for number in (*microsoft._REASONS, *microsoft._CLIENT_REASONS)),
        "",
    ]
)
VERDICTS = st.sampled_from(
    sorted({"invalid_grant", "interaction_required", "invalid_client", *google._NOT_ALLOWED, *salesforce._DEAD})
)


@pytest.mark.parametrize("name", NAMES)
@given(error=VERDICTS, said=WORDS, status=st.sampled_from([400, 401, 403]))
def test_doctor_knows_every_cause(name: str, error: str, said: str, status: int) -> None:
    """Each verdict has a code, and each code a screen where somebody mends it."""
    body = json.dumps({"error": error, "error_description": said})
    found = outcome(ADAPTERS[name].oauth, oauth.RawAnswer(status, Secret(body)))
    if isinstance(found, NeedsReconnect | PermissionMissing):
        assert found.code in causes.anywhere() | causes.only_at(name)
        assert found.code != ""


@pytest.mark.parametrize("name", NAMES)
def test_each_provider_is_whole(name: str) -> None:
    spoken = ADAPTERS[name].oauth
    assert (spoken.name, spoken.label) == (name, name.capitalize())
    assert bool(spoken.ending_advice) is not spoken.revokes
    assert spoken.sends_unknown_again is (name != "salesforce")
