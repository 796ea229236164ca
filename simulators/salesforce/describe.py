"""Describe answers, as one user may see them: hidden fields and unreadable objects are simply not there."""

from typing import Any

from simulators.salesforce.profiles import Access
from simulators.salesforce.schema import TEXTUAL, FieldType, ObjectType

_SOAP = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "int": "xsd:int",
    "double": "xsd:double",
    "currency": "xsd:double",
    "percent": "xsd:double",
    "address": "urn:address",
}
_MASTER = "012000000000000AAA"
_CASCADED = frozenset(
    {"OpportunityContactRole", "CampaignMember", "EmailMessageRelation", "ContentDocumentLink", "FeedItem"}
)
_ALWAYS_FALSE = (
    "activateable",
    "customSetting",
    "deprecatedAndHidden",
    "hasSubtypes",
    "isInterface",
    "isSubtype",
)


def brief(kind: ObjectType, access: Access, base: str) -> dict[str, Any]:
    """An object's entry in the global describe, and the head of its own describe."""
    rights = access.rights(kind.name)
    root = f"{base}/sobjects/{kind.name}"
    flags = {
        "createable": kind.has("c") and "c" in rights,
        "updateable": kind.has("u") and "u" in rights,
        "deletable": kind.has("d") and "d" in rights,
        "undeletable": kind.has("d") and "d" in rights,
        "queryable": kind.has("q"),
        "searchable": kind.has("s"),
        "mergeable": kind.has("m") and "d" in rights,
        "layoutable": kind.has("l"),
        "replicateable": kind.has("r"),
        "retrieveable": kind.has("q"),
        "custom": kind.custom,
        "triggerable": kind.has("c"),
        "mruEnabled": kind.has("l"),
        "feedEnabled": kind.has("m"),
        "deepCloneable": False,
    }
    urls = {"rowTemplate": root + "/{ID}", "describe": f"{root}/describe", "sobject": root}
    if kind.has("l"):
        urls |= {
            "layouts": f"{root}/describe/layouts",
            "compactLayouts": f"{root}/describe/compactLayouts",
            "listviews": f"{root}/listviews",
            "quickActions": f"{root}/quickActions",
            "approvalLayouts": f"{root}/describe/approvalLayouts",
        }
    return {
        **dict.fromkeys(_ALWAYS_FALSE, False),
        **flags,
        "associateEntityType": None,
        "associateParentEntity": None,
        "keyPrefix": kind.prefix,
        "label": kind.label,
        "labelPlural": kind.plural,
        "name": kind.name,
        "urls": urls,
    }


def full(kind: ObjectType, access: Access, base: str, pages_url: str) -> dict[str, Any]:
    out = brief(kind, access, base)
    out["urls"] |= {
        "uiDetailTemplate": f"{pages_url}/{{ID}}",
        "uiEditTemplate": f"{pages_url}/{{ID}}/e",
        "uiNewRecord": f"{pages_url}/{kind.prefix}/e",
    }
    return {
        **out,
        "actionOverrides": [],
        "childRelationships": _children(kind, access),
        "compactLayoutable": kind.has("l"),
        "defaultImplementation": None,
        "extendedBy": None,
        "extendsInterfaces": None,
        "fields": [_field(kind, each, access) for each in kind.fields.values() if access.shows(kind, each)],
        "implementedBy": None,
        "implementsInterfaces": None,
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": _record_types(kind, access, base),
        "searchLayoutable": kind.has("s"),
        "sobjectDescribeOption": "FULL",
        "supportedScopes": _scopes(kind),
    }


def _scopes(kind: ObjectType) -> list[dict[str, str]]:
    plural = kind.plural.lower()
    return [{"label": f"All {plural}", "name": "everything"}, {"label": f"My {plural}", "name": "mine"}]


def _record_types(kind: ObjectType, access: Access, base: str) -> list[dict[str, Any]]:
    out = []
    if kind.name == "Account" and access.store.schema.person_accounts:
        out = [
            _record_type(kind, base, row["Id"], row["DeveloperName"], row["Name"], not row.get("IsPersonType"))
            for row in access.store.alive("RecordType")
        ]
    if kind.has("c"):
        out.append(_record_type(kind, base, _MASTER, "Master", "Master", not out))
    return out


def _record_type(kind: ObjectType, base: str, record_id: str, name: str, label: str, default: bool) -> dict[str, Any]:
    return {
        "active": True,
        "available": True,
        "defaultRecordTypeMapping": default,
        "developerName": name,
        "master": record_id == _MASTER,
        "name": label,
        "recordTypeId": record_id,
        "urls": {"layout": f"{base}/sobjects/{kind.name}/describe/layouts/{record_id}"},
    }


def _children(kind: ObjectType, access: Access) -> list[dict[str, Any]]:
    out = []
    for child in kind.children.values():
        target = access.store.schema.get(child.object)
        link = target.field(child.field) if target else None
        if target and link and access.reads(target) and access.shows(target, link):
            out.append(
                {
                    "cascadeDelete": child.object in _CASCADED,
                    "childSObject": child.object,
                    "deprecatedAndHidden": False,
                    "field": child.field,
                    "junctionIdListNames": list(child.lists),
                    "junctionReferenceTo": list(child.listed),
                    "relationshipName": child.name,
                    "restrictedDelete": False,
                }
            )
    return out


def _field(kind: ObjectType, each: FieldType, access: Access) -> dict[str, Any]:
    rights = access.rights(kind.name)
    textual = each.type in TEXTUAL
    known = [target for target in each.refers_to if access.store.schema.get(target)] or list(each.refers_to)
    return {
        "aggregatable": each.has("a"),
        "aiPredictionField": False,
        "autoNumber": each.has("A"),
        "byteLength": _bytes(each),
        "calculated": False,
        "calculatedFormula": None,
        "cascadeDelete": False,
        "caseSensitive": each.has("C"),
        "compoundFieldName": each.compound,
        "controllerName": None,
        "createable": "c" in rights and access.edits(kind, each, creating=True),
        "custom": each.custom,
        "defaultValue": _default(each),
        "defaultValueFormula": None,
        "defaultedOnCreate": each.has("d"),
        "dependentPicklist": False,
        "deprecatedAndHidden": False,
        "digits": each.digits,
        "displayLocationInDecimal": each.name.endswith(("Latitude", "Longitude")),
        "encrypted": False,
        "externalId": each.has("x"),
        "extraTypeInfo": _extra(each),
        "filterable": each.has("f"),
        "filteredLookupInfo": None,
        "formulaTreatNullNumberAsZero": False,
        "groupable": each.has("g"),
        "highScaleNumber": False,
        "htmlFormatted": False,
        "idLookup": each.has("i"),
        "inlineHelpText": None,
        "label": each.label,
        "length": each.length if textual else 0,
        "mask": None,
        "maskType": None,
        "name": each.name,
        "nameField": each.has("N"),
        "namePointing": each.has("P"),
        "nillable": each.has("n"),
        "permissionable": each.has("p"),
        "picklistValues": _picklist(each),
        "polymorphicForeignKey": each.has("P"),
        "precision": each.precision,
        "queryByDistance": False,
        "referenceTargetField": None,
        "referenceTo": known,
        "relationshipName": each.relationship,
        "relationshipOrder": None,
        "restrictedDelete": False,
        "restrictedPicklist": each.has("R"),
        "scale": each.scale,
        "searchPrefilterable": False,
        "soapType": _SOAP.get(each.type, "xsd:string"),
        "sortable": each.has("s"),
        "type": each.type,
        "unique": each.has("q"),
        "updateable": "u" in rights and access.edits(kind, each, creating=False),
        "writeRequiresMasterRead": False,
    }


def _bytes(each: FieldType) -> int:
    if each.type in ("id", "reference"):
        return 18
    return each.length * 3 if each.type in TEXTUAL else 0


def _default(each: FieldType) -> Any:
    if each.type == "boolean":
        return False
    return next((pick.value for pick in each.picks if pick.default), None)


def _extra(each: FieldType) -> str | None:
    if each.type == "textarea":
        return "plaintextarea"
    if each.compound == "Name" and each.has("N"):
        return "switchablepersonname"  # an account's name: a company's, or made of a person's parts
    return "personname" if each.compound == "Name" else None


def _picklist(each: FieldType) -> list[dict[str, Any]]:
    return [
        {"active": True, "defaultValue": pick.default, "label": pick.label, "validFor": None, "value": pick.value}
        for pick in each.picks
    ]
