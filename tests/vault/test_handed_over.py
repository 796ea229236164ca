"""A customer's own app that was set before anybody had signed in: it becomes the customer's, and goes with it (C37)."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from pytest_django import Settings

from organizations import audit
from organizations.models import AuditEntry, Organization
from providers.base import Secret
from providers.errors import Transient
from providers.salesforce import hosts
from tests.faults.oracle import Oracle
from tests.organizations import people
from tests.simulators.running import Running, salesforce_process  # noqa: F401  a fixture
from tests.vault import test_signing_in
from vault import erasing, keys, registrations, sealing
from vault.cipher import SealingKey
from vault.errors import AppUnusable
from vault.models import ClientGeneration, ClientRegistration, Connection, State

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)

HOST = "https://acme.my.salesforce.com"
sim = test_signing_in.sim


@pytest.fixture
def acme(transactional_db: None) -> Organization:
    keys.verify_kek()
    return people.everybody()[0].organization


@pytest.fixture(autouse=True)
def cold() -> Iterator[None]:
    keys.forget_all()
    yield
    keys.forget_all()


def registered(login_url: str = HOST) -> ClientRegistration:
    registrations.register(login_url, "theirs", Secret("the-customers-client-secret"), None)
    return ClientRegistration.objects.get(login_url=login_url)


@pytest.fixture
def own_app(sim: Running, settings: Settings) -> str:
    """Set for the simulated org's own login host, which is the only app there is."""
    org = sim.org()
    registrations.register(org["api_url"], org["client_id"], Secret(org["client_secret"]), None)
    settings.SALESFORCE_CLIENT_ID = settings.SALESFORCE_CLIENT_SECRET = ""
    return str(org["api_url"])


def test_the_first_sign_in_takes_the_app_over(
    sim: Running, own_app: str, oracle: Oracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at a My Domain; the simulated org has an address on this machine instead, which is the operator's."""
    monkeypatch.setattr(hosts, "is_one_orgs", lambda url, origins: url == own_app and own_app in origins)
    _, row = test_signing_in.sign_in(sim)
    app = ClientRegistration.objects.get()
    assert app.organization_id == row.organization_id
    assert registrations._place(app).organization_id == row.organization_id
    test_signing_in.sign_in(sim, "bob")  # with the app that is the organization's now


def test_at_an_origin_of_the_operators_the_first_to_come_takes_nothing(
    sim: Running, own_app: str, oracle: Oracle
) -> None:
    """Another organization's people may sign in there tomorrow, and must not lose the app when the first one goes."""
    _, row = test_signing_in.sign_in(sim)
    assert row.login_url == own_app
    app = ClientRegistration.objects.get()
    assert (app.organization_id, ClientGeneration.objects.get().organization_id) == (None, None)
    erasing.erase(row.organization_id)
    assert registrations.client_of(own_app, app.client_id, "salesforce") is not None


def test_at_an_origin_of_the_operators_he_says_whose_it_is(acme: Organization, settings: Settings) -> None:
    settings.SALESFORCE_ORIGINS = [HOST]
    registered()
    assert registrations.hand_over(HOST, acme.pk) is False
    registrations.register(HOST, "theirs", Secret("the-customers-client-secret"), acme.pk)
    assert_goes_with(acme, ClientRegistration.objects.get())


def test_a_sign_in_does_not_fail_where_it_cannot_be_handed_over(
    sim: Running, settings: Settings, oracle: Oracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> bool:
        raise Transient("The key service could not be reached.")

    monkeypatch.setattr(registrations, "hand_over", away)
    assert test_signing_in.sign_in(sim)[1].state == State.HEALTHY


def test_it_goes_with_its_organization(acme: Organization) -> None:
    """The row, and what a backup holds of it: the key that opens it is the organization's."""
    before = registered()
    assert registrations.hand_over(HOST, acme.pk) is True
    backup = ClientRegistration.objects.get()
    assert before.pk != backup.pk
    assert_goes_with(acme, backup)


def test_set_anew_it_stays_its_organizations(acme: Organization) -> None:
    """The operator need not say again whose it is, nor where it was removed in between."""
    registered()
    registrations.hand_over(HOST, acme.pk)
    row = registered()
    assert row.organization_id == acme.pk
    registrations.unregister(HOST)
    row = registered()
    assert row.organization_id == acme.pk
    assert_goes_with(acme, row)


def test_set_anew_at_the_moment_it_is_handed_over(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose it is was read before the keys were opened."""
    registered()
    primary_key, meanwhile = keys.primary_key, [acme.pk]

    def handed_over(organization_id: UUID) -> SealingKey:
        if organization_id == keys.INSTANCE and meanwhile:
            assert registrations.hand_over(HOST, meanwhile.pop()) is True
        return primary_key(organization_id)

    monkeypatch.setattr(keys, "primary_key", handed_over)
    row = registered()
    monkeypatch.undo()
    assert not meanwhile
    assert_goes_with(acme, row)


def test_one_that_was_removed_before_anybody_signed_in_leaves_nothing_either(acme: Organization) -> None:
    """What remembers its generation names the login host."""
    registered()
    assert registrations.unregister(HOST) is True
    assert registrations.hand_over(HOST, acme.pk) is True
    assert registrations.hand_over(HOST, acme.pk) is False
    erasing.erase(acme.pk)
    assert not ClientGeneration.objects.exists()


def test_the_installations_chain_names_no_customers_host(acme: Organization) -> None:
    """That chain outlives the customer (C37). One host has one fingerprint there; the customer's has the address."""
    registered()
    registrations.unregister(HOST)
    registered("https://globex.my.salesforce.com")
    rows = AuditEntry.objects.filter(organization_id=audit.INSTALLATION, action__startswith="client.")
    first, removed, other = rows.order_by("sequence").values_list("target", flat=True)
    assert first == removed != other
    assert not {text for text in (first, other) if "acme" in text or "globex" in text or len(text) != 16}
    registrations.register(HOST, "theirs", None, acme.pk)
    assert AuditEntry.objects.get(organization_id=acme.pk, action="client.registered").target == HOST


def assert_goes_with(acme: Organization, backup: ClientRegistration) -> None:
    client = registrations.client_at(HOST)
    assert client is not None
    assert client.client_secret is not None
    assert client.client_secret.reveal() == "the-customers-client-secret"
    assert erasing.count(acme.pk)["client registrations"] == 1
    Organization.objects.filter(pk=acme.pk).update(ending_since="2026-01-01T00:00:00Z")
    erasing.erase(acme.pk)
    assert not ClientRegistration.objects.exists()
    assert not ClientGeneration.objects.exists()
    with pytest.raises(Exception, match="gone"):
        sealing.unseal(bytes(backup.sealed_secret or b""), registrations._place(backup))


def test_it_is_handed_over_once(acme: Organization) -> None:
    registered()
    assert registrations.hand_over(HOST, acme.pk) is True
    row = ClientRegistration.objects.get()
    assert registrations.hand_over(HOST, acme.pk) is False
    assert registrations.hand_over(HOST, people.everybody()[2].organization_id) is False
    assert ClientRegistration.objects.get().pk == row.pk


@pytest.mark.parametrize("login_url", [hosts.PRODUCTION, hosts.SANDBOX])
def test_where_everybody_signs_in_it_stays_the_operators(acme: Organization, login_url: str) -> None:
    row = registered(login_url)
    assert registrations.hand_over(login_url, acme.pk) is False
    assert ClientRegistration.objects.get().pk == row.pk


def test_a_door_of_several_organizations_stays_the_operators(acme: Organization) -> None:
    registered()
    other = people.everybody()[2]
    assert other.organization_id != acme.pk
    Connection.objects.create(
        organization=other.organization, member=other, provider="salesforce", subject="x", login_url=HOST
    )
    assert registrations.hand_over(HOST, acme.pk) is False
    assert registrations.hand_over(HOST, uuid4()) is False


def test_one_that_does_not_open_is_left_alone(acme: Organization) -> None:
    row = registered()
    damaged = bytes(row.sealed_secret or b"")
    ClientRegistration.objects.update(sealed_secret=damaged[:-1] + bytes([damaged[-1] ^ 1]))
    with pytest.raises(AppUnusable):
        registrations.hand_over(HOST, acme.pk)
    assert ClientRegistration.objects.get().organization_id is None
