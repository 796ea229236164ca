"""Fixtures of the simulator's own tests: an org in this process, and the running one."""

from collections.abc import Callable
from typing import Any

import pytest

from simulators.salesforce.errors import ApiError
from simulators.salesforce.org import Org
from simulators.salesforce.rest.call import Answer, Call
from simulators.salesforce.rest.queries import run
from simulators.salesforce.rest.routes import dispatch
from simulators.salesforce.staff import ACME, GLOBEX
from tests.simulators.mail_providers import google, google_process, microsoft, microsoft_process
from tests.simulators.running import salesforce, salesforce_process

__all__ = ["google", "google_process", "microsoft", "microsoft_process", "salesforce", "salesforce_process"]


class InProcess:
    """An org without HTTP: REST calls and queries as one of its users."""

    def __init__(self, org: Org, user: str = "alice") -> None:
        self.org, self.user = org, user

    def as_user(self, key: str) -> "InProcess":
        return InProcess(self.org, key)

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Call:
        access = self.org.access_of(self.org.users[self.user])
        return Call(self.org, access, "60.0", method, path.split("/"), query, body)

    def rest(self, method: str, path: str, body: Any = None, **query: str) -> Answer:
        answer = dispatch(self.call(method, path, body, **query))
        self.org.store.commit()
        return answer

    def query(self, soql: str) -> list[dict[str, Any]]:
        return list(self.answer(soql)["records"])

    def answer(self, soql: str) -> dict[str, Any]:
        return run(self.call("GET", "query"), soql)

    def error(self, soql: str) -> ApiError:
        with pytest.raises(ApiError) as raised:
            self.answer(soql)
        return raised.value


@pytest.fixture(scope="session")
def _orgs() -> dict[str, Org]:
    return {plan.key: Org(plan, []) for plan in (ACME, GLOBEX)}


@pytest.fixture
def acme(_orgs: dict[str, Org]) -> InProcess:
    """Acme as alice; do not write to it."""
    return InProcess(_orgs["acme"])


@pytest.fixture
def globex(_orgs: dict[str, Org]) -> InProcess:
    return InProcess(_orgs["globex"], "charlie")


@pytest.fixture
def fresh() -> InProcess:
    """An Acme of one's own, to write to."""
    return InProcess(Org(ACME, []))


Column = Callable[[str], list[Any]]
