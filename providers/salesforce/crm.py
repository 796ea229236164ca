"""Salesforce as the sidebar's CRM, as one person: the Crm protocol over Wire. Holds no token and no record."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

from providers.base import Form, PersonMatch, Priority, Record, Secret, Snapshot, TokenSource
from providers.errors import NotFound, PermissionMissing, Rejected, Transient
from providers.http import Session
from providers.salesforce import access as rights_of
from providers.salesforce import cards, failures, forms, hosts, ids, layout, lookup, soql
from providers.salesforce.access import AccessStore, ObjectAccess, ObjectRights
from providers.salesforce.budget import ApiBudget
from providers.salesforce.transport import Wire, sobject

T = TypeVar("T")

SHORTEST_SEARCH = 2
LONGEST_SEARCH = 200
MOST_HITS = 100


class StaleAccessError(Exception):
    """A query named a field or object that this person no longer sees; never leaves this module."""


class SalesforceCrm:
    """One person's Salesforce. `page_url`: origin of Salesforce's own pages where it is not the API's."""

    def __init__(
        self,
        tokens: TokenSource,
        access_store: AccessStore,
        budget: ApiBudget,
        http: Session,
        api_version: str,
        page_url: str = "",
    ) -> None:
        self._tokens = tokens
        self._store = access_store
        self._budget = budget
        self._http = http
        self._version = api_version
        self._page_url = page_url.rstrip("/")

    def find_people(
        self, addresses: Sequence[str], *, priority: Priority = Priority.INTERACTIVE
    ) -> Mapping[str, PersonMatch]:
        """All people behind `addresses` in one call (two or more only where a hundred very long addresses would not
        fit one, one address has hundreds of people, or the person's rights changed since describe)."""
        if len(addresses) > lookup.MOST_ADDRESSES:
            raise Rejected("Too many addresses at once.", provider="salesforce")
        if not addresses:
            return {}
        wire = self._wire(priority)
        return self._with_access(wire, lambda access, last: self._find(wire, access, addresses, last))

    def search(self, text: str, *, limit: int = 20) -> Sequence[Record]:
        """Free-text search over every searchable object this person may see, in one SOSL call (C16)."""
        words = _checked_words(text)
        wire = self._wire(Priority.INTERACTIVE)
        return self._with_access(wire, lambda access, _: self._search(wire, access, words, min(limit, MOST_HITS)))

    def form_for(self, object_name: str, record_id: str | None = None) -> Form:
        wire = self._wire(Priority.INTERACTIVE)
        name = ids.object_name(object_name)
        if record_id is None:
            return forms.create_form(self._rights(wire, name))
        return self._with_access(wire, lambda *_: self._edit_form(wire, name, record_id))

    def create(self, object_name: str, values: Mapping[str, Any]) -> Record:
        name, body = ids.object_name(object_name), forms.checked(values)
        wire = self._wire(Priority.INTERACTIVE)
        answer = wire.call(lambda client: sobject(client, name).create(body), is_write=True)
        record_id = wire.call(lambda _: ids.made(answer), is_write=True)
        return Record(name, record_id, _name_in(body), self.record_url(record_id))

    def update(self, object_name: str, record_id: str, values: Mapping[str, Any]) -> None:
        name, body = ids.object_name(object_name), forms.checked(values)
        whole_id = self._id_of(name, record_id)
        self._wire(Priority.INTERACTIVE).call(
            lambda client: sobject(client, name).update(whole_id, body), is_write=True
        )

    def snapshot(self, object_name: str, record_id: str, fields: Sequence[str]) -> Snapshot:
        name = ids.object_name(object_name)
        resource = f"sobjects/{name}/{self._id_of(name, record_id)}"
        wire = self._wire(Priority.INTERACTIVE)
        row = wire.call(lambda client: client.restful(resource), is_write=False)  # every field that he may see
        return wire.call(lambda _: _snapshot(row or {}, fields), is_write=False)

    def record_url(self, record_id: str) -> str:
        return f"{self._pages()}/{record_id}"

    def open_url(self, record_id: str) -> Secret:
        """A one-time link (C14), or the record's plain URL where the org or the grant does not offer one."""
        path = f"/{ids.record_id(record_id)}"
        session = self._wire(Priority.INTERACTIVE).session
        try:
            # https://help.salesforce.com/s/articleView?id=xcloud.frontdoor_singleaccess.htm
            form = f"redirect_uri={quote(path, safe='')}"
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = session.request("POST", "/services/oauth2/singleaccess", headers, is_write=False, data=form)
        except (Rejected, NotFound, PermissionMissing):
            return Secret(self._pages() + path)
        body = failures.parsed(answer.content)
        uri = body.get("frontdoor_uri") if isinstance(body, Mapping) else None
        return Secret(hosts.browser_url(str(uri), self._http.settings.origins))

    def _wire(self, priority: Priority) -> Wire:
        return Wire(self._tokens, self._http, self._budget, self._version, priority)

    def _pages(self) -> str:
        return self._page_url or hosts.api_url(self._tokens.access().api_url, self._http.settings.origins)

    def _access(self, wire: Wire) -> ObjectAccess:
        return self._store.load() or self._fetch_access(wire)

    def _fetch_access(self, wire: Wire) -> ObjectAccess:
        found = rights_of.fetch(wire)
        self._store.save(found)
        return found

    def _with_access(self, wire: Wire, use: Callable[[ObjectAccess, bool], T]) -> T:
        """Run `use`; where Salesforce no longer knows a field we named, describe once more and run it once more."""
        try:
            return use(self._access(wire), False)
        except StaleAccessError:
            pass
        try:
            return use(self._fetch_access(wire), True)
        except StaleAccessError:
            pass
        raise Transient("Salesforce's description of your rights contradicts itself.", provider="salesforce")

    def _rights(self, wire: Wire, name: str) -> ObjectRights:
        """Rights on any object, also one that no card shows; PermissionMissing where it is not visible."""
        access = self._access(wire)
        rights = access.get(name)
        if rights is None or not rights.fields.keys() - {"Name"}:
            rights = rights_of.fetch_one(wire, name)
            if rights is not None:
                self._store.add(rights)
        if rights is None:
            text = f"{layout.plural(name)} are not visible to you in Salesforce."
            raise PermissionMissing(text, provider="salesforce")
        return rights

    def _find(
        self, wire: Wire, access: ObjectAccess, addresses: Sequence[str], is_last: bool
    ) -> dict[str, PersonMatch]:
        asked = lookup.asked_for(addresses)
        plan = lookup.plan(access, asked)
        if not plan.fits() and len(addresses) > 1:
            half = len(addresses) // 2
            parts = (addresses[:half], addresses[half:])
            return {key: match for part in parts for key, match in self._find(wire, access, part, is_last).items()}
        answers, notes = self._ask(wire, plan, is_last)
        deck = wire.call(lambda _: cards.Deck(access, answers, self._pages(), notes), is_write=False)
        others = deck.to_ask_again(asked)
        if others:  # once: a crowd of crowds is said on the card
            answers, _ = self._ask(wire, lookup.plan(access, others), is_last)
            wire.call(lambda _: deck.read_again(answers, others), is_write=False)
        return {address: deck.match(address) for address in addresses}

    def _ask(self, wire: Wire, plan: lookup.Plan, is_last: bool) -> tuple[dict[str, Any], list[str]]:
        parts = [
            {"method": "GET", "url": wire.path(soql.query_resource(query)), "referenceId": name}
            for name, query in plan.queries.items()
        ]
        answers: dict[str, Any] = {}
        notes = list(plan.notes)
        for name, (status, body) in (wire.composite(parts) if parts else {}).items():
            if 200 <= status < 300:
                answers[name] = _query_answer(body)
            elif not failures.is_stale(status, body):
                raise failures.failure_of(status, body, is_write=False)
            elif not is_last:
                raise StaleAccessError
            else:
                notes.append(f"Salesforce did not let us read {name} just now.")
        return answers, notes

    def _search(self, wire: Wire, access: ObjectAccess, words: str, limit: int) -> list[Record]:
        returning = [
            (rights.name, rights.visible(["Id", *layout.names_of(rights.name), *layout.SEARCH.get(rights.name, ())]))
            for rights in lookup.searched(access)
        ]
        if not returning:
            return []
        statement = soql.find(words, [(name, _with_id(fields), limit) for name, fields in returning], limit)
        answer = self._or_stale(lambda: wire.call(lambda client: client.search(statement), is_write=False))
        pages = self._pages()
        return wire.call(lambda _: _hits(access, answer, pages), is_write=False)

    def _edit_form(self, wire: Wire, name: str, record_id: str) -> Form:
        rights = self._rights(wire, name)
        whole_id = ids.record_id(record_id, rights.key_prefix)
        names = [*forms.editable_names(rights), *rights.visible(["IsPersonAccount"])]
        resource = f"sobjects/{name}/{whole_id}"
        fields = {"fields": ",".join(names)}
        row = self._or_stale(lambda: wire.call(lambda client: client.restful(resource, params=fields), is_write=False))
        return forms.edit_form(rights, row or {})

    def _id_of(self, name: str, record_id: str) -> str:
        kept = self._store.load()
        rights = kept.get(name) if kept else None
        return ids.record_id(record_id, rights.key_prefix if rights else "")

    def _or_stale(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except Rejected as error:
            if not any(detail.code in failures.STALE_ACCESS_CODES for detail in error.details):
                raise
        raise StaleAccessError


def _checked_words(text: str) -> str:
    if len(text) > LONGEST_SEARCH:
        raise Rejected("The search text is too long.", provider="salesforce")
    if sum(char.isalnum() for char in text) < SHORTEST_SEARCH:
        raise Rejected("Type at least two letters or digits.", provider="salesforce")
    return soql.search_words(text)


def _query_answer(body: Any) -> Mapping[str, Any]:
    """A nonsense answer must not pass for "nobody found"."""
    if not isinstance(body, Mapping) or not isinstance(body.get("records"), list):
        raise Transient("Salesforce's answer was cut or garbled.", provider="salesforce")
    return body


def _with_id(fields: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(["Id", *fields]))


def _hits(access: ObjectAccess, answer: Any, pages: str) -> list[Record]:
    found = []
    for row in (answer or {}).get("searchRecords", ()):
        rights = access.objects[row["attributes"]["type"]]
        found.append(cards.found_record(rights, row, layout.SEARCH.get(rights.name, ()), pages))
    return found


def _snapshot(row: Mapping[str, Any], fields: Sequence[str]) -> Snapshot:
    changed_at, changed_by = row.get("LastModifiedDate"), row.get("LastModifiedById")
    moment = datetime.fromisoformat(changed_at) if changed_at else None
    return Snapshot({name: row[name] for name in fields if name in row}, moment, str(changed_by or ""))


def _name_in(values: Mapping[str, Any]) -> str:
    whole = values.get("Name") or values.get("Subject")
    return str(whole or " ".join(str(values[key]) for key in ("FirstName", "LastName") if values.get(key)))
