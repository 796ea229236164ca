"""Settings under which nothing starts, the OpenAPI description, and the registries."""

import base64
import secrets
from typing import Any

import pytest
from django.core import checks
from django.core.checks import run_checks
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from pytest_django import Settings

from organizations.registries import Finding, Level, Registry

LONG = "Zq3x8Vw1Kp5s7Tn2Rb6Yc4Md9Hf0Jg-1"
KEY, OTHER, THIRD = (base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(3))
AGAIN = KEY.rstrip("=").replace("+", "-").replace("/", "_")  # the same bytes, spelt otherwise


def found() -> set[str]:
    return {str(m.id) for m in run_checks() if str(m.id).startswith("organizations.") and m.level >= checks.ERROR}


def test_good_settings() -> None:
    assert found() == set()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"SECRET_KEY": "short"}, "E001"),
        ({"SECRET_KEY": "a" * 64}, "E001"),
        ({"SECRET_KEY": "changeme-" + LONG}, "E001"),
        ({"SECRET_KEY": "django-insecure-" + LONG}, "E001"),
        ({"AUDIT_KEY": ""}, "E002"),
        ({"AUDIT_KEY": "x" * 31}, "E002"),
        ({"SECRET_KEY": LONG, "AUDIT_KEY": LONG}, "E003"),
        ({"VAULT_KEK": LONG, "AUDIT_KEY": LONG}, "E003"),
        ({"SECRET_KEY": LONG, "VAULT_KEK": LONG}, "E003"),
        ({"VAULT_KEK": f"default:{KEY}", "AUDIT_KEY": KEY}, "E003"),
        ({"VAULT_KEK": f"default:{OTHER}, 2027:{KEY}", "AUDIT_KEY": KEY}, "E003"),
        ({"VAULT_KEK": f"2027:{OTHER},{KEY}", "SIGNING_KEY": KEY}, "E003"),
        ({"VAULT_KEK": f"2027:{OTHER},{KEY}", "SECRET_KEY": AGAIN}, "E003"),
        ({"AUDIT_KEY": AGAIN, "SIGNING_KEY": KEY}, "E003"),
        ({"SIGNING_KEY": LONG}, "E008"),
        ({"SIGNING_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}, "E008"),
        ({"SIGN_UP": "everybody"}, "E004"),
        ({"SIGN_UP": ""}, "E004"),
        ({"PUBLIC_URL": "localhost:8000"}, "E005"),
        ({"PUBLIC_URL": "https://x.example/path"}, "E005"),
        ({"PUBLIC_URL": "http://sidebar.example.com"}, "E006"),
        ({"PUBLIC_URL": "http://localhost.example.com"}, "E006"),
        ({"PUBLIC_URL": "http://10.0.0.1"}, "E006"),
        ({"PUBLIC_URL": "http://name.localhost"}, "E006"),
        ({"PUBLIC_URL": "http://127.0.0.2"}, "E006"),
        ({"PUBLIC_URL": "https://user@x.example"}, "E005"),
        ({"PUBLIC_URL": "https://sidebar.example.com", "DEBUG": True}, "E007"),
        ({"ALLOWED_HOSTS": ["sidebar.example.com"], "DEBUG": True}, "E007"),
        ({"ALLOWED_HOSTS": ["*"], "DEBUG": True}, "E007"),
    ],
)
def test_bad_settings_refuse_to_start(changes: dict[str, Any], expected: str, settings: Settings) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)
    assert f"organizations.{expected}" in found()


@pytest.mark.parametrize(
    "value",
    [
        KEY,
        f"default:{KEY}",
        f"default:{KEY}, 2027:{OTHER}",
        f"transit:https://x.example/v1/transit/keys/{THIRD},o:{KEY}",
    ],
)
def test_keys_of_their_own(value: str, settings: Settings) -> None:
    """An address is no key, and SECRET_KEY may hold a colon or a comma."""
    settings.VAULT_KEK, settings.AUDIT_KEY, settings.SECRET_KEY = value, THIRD, f"{LONG},2027:{KEY}"
    assert "organizations.E003" not in found()


@pytest.mark.parametrize("url", ["http://localhost:8000", "http://127.0.0.1:1", "http://[::1]:80", "https://x.example"])
def test_good_public_urls(url: str, settings: Settings) -> None:
    settings.PUBLIC_URL = url
    assert found() == set()


def test_the_openapi_has_no_warning_and_is_valid() -> None:
    GENERATOR_STATS.reset()
    schema = SchemaGenerator(urlconf="tests.organizations.urls").get_schema(public=True)  # type: ignore[no-untyped-call]
    assert not GENERATOR_STATS
    validate_schema(schema)  # type: ignore[no-untyped-call]
    operations = {(method, path) for path, item in schema["paths"].items() for method in item}
    assert len(operations) == 14
    assert schema["paths"]["/api/v1/me/"]["get"]["security"] == [{"bearer": ["sidebar"]}]
    change = schema["components"]["schemas"]["PatchedMemberChangeRequest"]
    assert change["additionalProperties"] is False
    assert not [name for name in str(schema).split("'") if "password" in name.lower()]


def test_registries() -> None:
    registry: Registry[Any] = Registry()

    @registry.register("one")
    def one() -> list[Finding]:
        return [Finding(Level.OK, "Fine.")]

    registry.register("one")(one)
    with pytest.raises(ValueError, match="registered already"):
        registry.register("one")(lambda: None)
    assert [(name, function()) for name, function in registry] == [("one", [Finding(Level.OK, "Fine.")])]
    assert len(registry) == 1
