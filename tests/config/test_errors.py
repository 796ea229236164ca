"""What people are told when it is our database that cannot: a 503 that says so, never a 500."""

from typing import Any

import pytest
from django.db import InterfaceError, OperationalError
from django.test import Client

from organizations import authentication


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_without_a_free_connection_is_a_503_page(error: type[Exception], monkeypatch: Any) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise error("no connection")

    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.load", fails)
    client = Client(headers={"Host": "localhost:8000"}, raise_request_exception=False)
    client.cookies["session"] = "a" * 32
    for path in ("/dashboard/", "/connect/salesforce/"):
        answer = client.get(path)
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert "Try again in a few seconds" in answer.content.decode()
    monkeypatch.setattr(authentication, "check", fails)
    answer = client.get("/api/v1/me/", headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")


def test_a_bug_is_still_a_500(monkeypatch: Any) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise RuntimeError("bug")

    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.load", fails)
    client = Client(headers={"Host": "localhost:8000"}, raise_request_exception=False)
    client.cookies["session"] = "a" * 32
    assert client.get("/dashboard/").status_code == 500
