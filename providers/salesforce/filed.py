"""Filing mails, many at once: sent as graphs, and what became of each. Asks once more for what was there already."""

from collections.abc import Sequence
from dataclasses import replace

from providers.activities import Keyed, KeyForm, Logged
from providers.errors import NotFound, ProviderError
from providers.salesforce import failures, graphs, layout, lookups, relations
from providers.salesforce.email_nodes import ACTIVITY, LEDGER, OTHER, SENDER, Plan
from providers.salesforce.filing import Ways
from providers.salesforce.graphs import MOST_CHARACTERS, MOST_GRAPHS, MOST_NODES, Outcome
from providers.salesforce.transport import Wire

Result = Logged | ProviderError


def is_stale(result: object) -> bool:
    """Refused since it named what this person does not see (any more)."""
    details = result.details if isinstance(result, ProviderError) else ()
    return any(each.code in failures.STALE_ACCESS_CODES for each in details)


class Filing:
    """One way of filing, for mails of one person."""

    def __init__(self, wire: Wire, ways: Ways) -> None:
        self._wire, self._ways = wire, ways

    def carry_out(self, mails: Sequence[Keyed]) -> list[Result]:
        """Raises what the first call fails with; what a later one fails with is the outcome of all that were left."""
        plans = {mail.key: Plan(self._wire, self._ways, mail) for mail in mails}
        results: dict[str, Result] = {}
        for part in _parts(list(plans.values())):
            try:
                results |= self._part(part)
            except ProviderError as error:
                if not results:
                    raise
                results |= {key: error for key in plans if key not in results}
                break
        return [results[mail.key] for mail in mails]

    @property
    def _is_looked_up(self) -> bool:
        return self._ways.key_form is KeyForm.LOOKUP

    def _part(self, part: Sequence[Plan]) -> dict[str, Result]:
        repeats = [plan for plan in part if plan.is_repeat] if self._is_looked_up else []
        there = self._looked_up(repeats) if repeats else {}
        new = [plan for plan in part if plan.key not in there]
        outcomes = dict(zip((plan.key for plan in new), self._sent(new), strict=True))
        there |= self._ids_of([plan for plan in new if self._is_there(outcomes[plan.key])], outcomes)
        results = {plan.key: self._result(plan, there, outcomes) for plan in part}
        return self._single(new, results) if self._is_looked_up and new else results

    def _sent(self, plans: Sequence[Plan]) -> list[Outcome]:
        return graphs.carry_out(self._wire, [plan.nodes for plan in plans]) if plans else []

    def _is_there(self, outcome: Outcome) -> bool:
        """Refused as a duplicate where a key stands, which may still be a unique field of the customer's own."""
        is_in_ledger = self._ways.key_form is KeyForm.LEDGER
        is_keyed = outcome.failed.startswith(LEDGER) if is_in_ledger else outcome.failed != SENDER
        return not self._is_looked_up and is_keyed and outcome.is_duplicate()

    def _ids_of(self, plans: Sequence[Plan], outcomes: dict[str, Outcome]) -> dict[str, str]:
        """{key: id of its activity}; "" for one that this person may not see. Missing: it was another duplicate."""
        if not plans:
            return {}
        if self._ways.key_form is KeyForm.LEDGER:
            keys = [plan.key for plan in plans]
            rows = lookups.by_key(self._wire, layout.LEDGER, layout.LEDGER_KEY, keys, layout.LEDGER_RECORD)
            return {key: rows.get(key, "") for key in keys}
        named = {plan.key: outcomes[plan.key].duplicated(layout.KEY_FIELD) for plan in plans}
        unnamed = [key for key, found in named.items() if not found]
        found = lookups.by_key(self._wire, self._ways.record, layout.KEY_FIELD, unnamed) if unnamed else {}
        unseen = {key: "" for key in unnamed if outcomes[key].names(layout.KEY_FIELD)}
        return unseen | {key: record for key, record in named.items() if record} | found

    def _result(self, plan: Plan, there: dict[str, str], outcomes: dict[str, Outcome]) -> Result:
        logged = Logged(self._ways.record, "", left_out=plan.left_out)
        if plan.key in there:
            return replace(logged, id=there[plan.key], was_there=True)
        outcome = outcomes[plan.key]
        if outcome.error is not None:
            return outcome.error
        made = outcome.made()
        others = tuple(record for name, record in made.items() if name.startswith(OTHER))
        return replace(logged, id=made[ACTIVITY], others=others)

    # -- where Salesforce keeps no second one away ------------------------------------------------------------------

    def _looked_up(self, part: Sequence[Plan]) -> dict[str, str]:
        return {key: found[0] for key, found in self._copies(part).items() if found}

    def _copies(self, part: Sequence[Plan]) -> dict[str, list[str]]:
        named = {f"q{n}": plan for n, plan in enumerate(part)}
        queries = {name: lookups.query_of(self._ways, each.record, each.stands_under()) for name, each in named.items()}
        rows = lookups.rows_of(self._wire, queries)
        return {plan.key: lookups.matching(self._ways, rows[name], plan.key) for name, plan in named.items()}

    def _single(self, new: Sequence[Plan], results: dict[str, Result]) -> dict[str, Result]:
        """What was there all the same stays, as it is the older, and whoever made the younger takes it back."""
        made = [plan for plan in new if isinstance(results[plan.key], Logged)]
        copies = self._copies(made) if made else {}
        for key, found in copies.items():
            result = results[key]
            if isinstance(result, Logged) and found and found[0] != result.id:
                relations.delete(self._wire, self._ways, result, key="")
                results[key] = replace(result, id=found[0], others=(), was_there=True)
        return results


def _parts(plans: Sequence[Plan]) -> list[list[Plan]]:
    """In their order, each part small enough for one call."""
    parts: list[list[Plan]] = [[]]
    size = nodes = 0
    for plan in plans:
        size, nodes = size + plan.size, nodes + len(plan.nodes)
        if parts[-1] and (len(parts[-1]) >= MOST_GRAPHS or size > MOST_CHARACTERS or nodes > MOST_NODES):
            parts.append([])
            size, nodes = plan.size, len(plan.nodes)
        parts[-1].append(plan)
    return parts if plans else []


def only(results: Sequence[Result]) -> Logged:
    """Raises where the one mail was refused."""
    (result,) = results
    if isinstance(result, ProviderError):
        raise result
    if not isinstance(result, Logged):
        raise NotFound("No such mail.", provider="salesforce")
    return result
