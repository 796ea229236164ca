"""Our describes against recorded ones: every standard field we have is there, with the same type, length and flags."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from simulators.salesforce.org import Org
from simulators.salesforce.rest.call import Call
from simulators.salesforce.rest.routes import dispatch
from simulators.salesforce.staff import GLOBEX

RECORDED = Path(__file__).resolve().parents[3] / "shared/corpora/salesforce/cumulusci/cumulusci/tests/shared_cassettes"
COMPARED = (
    "type",
    "length",
    "precision",
    "scale",
    "digits",
    "nillable",
    "createable",
    "updateable",
    "defaultedOnCreate",
    "sortable",
    "groupable",
    "aggregatable",
    "filterable",
    "idLookup",
    "nameField",
    "permissionable",
    "label",
    "soapType",
    "restrictedPicklist",
    "polymorphicForeignKey",
    "relationshipName",
    "compoundFieldName",
    "caseSensitive",
    "autoNumber",
)

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="../shared/corpora is not here: nothing to compare with")


@pytest.fixture(scope="module")
def org() -> Org:
    """Globex: the recorded orgs have no person accounts either."""
    return Org(GLOBEX, [])


def ours(org: Org, name: str) -> dict[str, Any]:
    call = Call(org, org.access_of(org.users["charlie"]), "59.0", "GET", ["sobjects", name, "describe"], {})
    return dict(dispatch(call).body)


def recorded(name: str) -> dict[str, Any]:
    text = (RECORDED / f"GET_sobjects_{name}_describe.yaml").read_text(encoding="utf-8")
    return dict(json.loads(yaml.safe_load(text)["response"]["body"]["string"]))


@pytest.mark.parametrize("name", ["Account", "Contact", "Lead", "Case", "Event", "Opportunity"])
def test_our_fields_are_a_true_subset(org: Org, name: str) -> None:
    theirs = {field["name"]: field for field in recorded(name)["fields"]}
    standard = [field for field in ours(org, name)["fields"] if not field["custom"]]
    assert len(standard) > 25
    wrong = [
        (field["name"], key, field[key], theirs[field["name"]][key])
        for field in standard
        for key in COMPARED
        if field[key] != theirs[field["name"]][key]
    ]
    assert wrong == []


@pytest.mark.parametrize("name", ["Account", "Contact", "Lead", "Case", "Event", "Opportunity"])
def test_references_and_picklists_are_theirs(org: Org, name: str) -> None:
    theirs = {field["name"]: field for field in recorded(name)["fields"]}
    for field in ours(org, name)["fields"]:
        if field["custom"]:
            continue
        known = set(theirs[field["name"]]["referenceTo"])
        assert set(field["referenceTo"]) - {"Project__c"} <= known, field["name"]
        values = [pick["value"] for pick in theirs[field["name"]]["picklistValues"] if pick["active"]]
        assert [pick["value"] for pick in field["picklistValues"]] == values


@pytest.mark.parametrize("name", ["Account", "Contact", "Lead", "Case", "Event", "Opportunity"])
def test_the_describe_has_every_member_theirs_has(org: Org, name: str) -> None:
    described, real = ours(org, name), recorded(name)
    assert set(real) - set(described) <= {"isInterface"}
    assert set(real["fields"][0]) == set(described["fields"][0])
    assert described["keyPrefix"] == real["keyPrefix"]
    children = {(c["childSObject"], c["field"], c["relationshipName"]) for c in real["childRelationships"]}
    mine = {(c["childSObject"], c["field"], c["relationshipName"]) for c in described["childRelationships"]}
    assert {c for c in mine - children if not c[0].endswith("__c")} == set()
    shapes = [set(child) for child in described["childRelationships"]]
    assert all(shape == set(real["childRelationships"][0]) for shape in shapes)


def test_the_global_describe(org: Org) -> None:
    text = (RECORDED / "GET_sobjects_Global_describe.yaml").read_text(encoding="utf-8")
    real = json.loads(yaml.safe_load(text)["response"]["body"]["string"])
    call = Call(org, org.access_of(org.users["charlie"]), "52.0", "GET", ["sobjects"], {})
    body = dispatch(call).body
    assert {k: body[k] for k in ("encoding", "maxBatchSize")} == {k: real[k] for k in ("encoding", "maxBatchSize")}
    theirs = {each["name"]: each for each in real["sobjects"]}
    for each in body["sobjects"]:
        if each["name"] in theirs:
            assert theirs[each["name"]]["keyPrefix"] in (each["keyPrefix"], None)  # the recording lacks Event's
            assert set(each) == set(theirs[each["name"]])
