"""GET of folders, messages, delta and MIME: what Graph answers.

Source: learn.microsoft.com/graph/api, "Outlook mail"."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import Response, StreamingResponse

from simulators.front import json_response
from simulators.mail.messages import Content
from simulators.microsoft.mail import anew
from simulators.microsoft.mail.box import Folder, Message
from simulators.microsoft.mail.call import Call
from simulators.microsoft.mail.delta import Item, Page
from simulators.microsoft.mail.failures import Refusal, bad, denied, no_segment
from simulators.microsoft.mail.query import Options, options_of
from simulators.microsoft.mail.resources import FOLDER, MESSAGE, folder_json, message_json

_DELTA_PAGE = 10
_CONTENT = frozenset({"body", "bodyPreview", "uniqueBody"})


def read(call: Call, rest: Sequence[str]) -> Response:
    """`rest`: the segments after `me`. Raises Refusal."""
    if call.method != "GET":
        raise denied()
    match [rest[0].lower(), *rest[1:]]:
        case ["mailfolders"]:
            return _folders(call, "")
        case ["mailfolders", name]:
            call.check_reading()
            return json_response(_context(call, "mailFolders/$entity") | _folder(call, call.folder(name)))
        case ["mailfolders", name, last] if last.lower() == "childfolders":
            return _folders(call, call.folder(name).id)
        case ["mailfolders", name, middle, *tail] if middle.lower() == "messages":
            return _messages(call, call.folder(name), tail)
        case ["messages", *tail]:
            return _messages(call, None, tail)
        case _:
            raise no_segment(rest[0])


def _folder(call: Call, folder: Folder) -> dict[str, Any]:
    return folder_json(call.box, folder, options_of(call.query, FOLDER).select)


def _folders(call: Call, parent: str) -> Response:
    call.check_reading()
    options = options_of(call.query, FOLDER, ("includeHiddenFolders",))
    found = [folder_json(call.box, each, options.select) for each in call.box.children(parent)]
    return _collection(call, found, options, "mailFolders")


def _messages(call: Call, folder: Folder | None, tail: Sequence[str]) -> Response:
    match list(tail):
        case []:
            return _list(call, folder)
        case ["delta"]:
            return _delta(call, folder)
        case [name]:
            return json_response(_context(call, "messages/$entity") | _one(call, _there(call, folder, name)))
        case [name, "$value"]:
            call.check_reading(content=True)
            return _mime(_there(call, folder, name).content)
        case _:
            raise no_segment(tail[-1])


def _mime(content: Content) -> Response:
    """Large ones in pieces, as they are made, of a length that nobody announces."""
    if not content.attachment:
        return Response(b"".join(anew.pieces(content)), media_type="text/plain")
    return StreamingResponse(anew.pieces(content), media_type="text/plain")


def _there(call: Call, folder: Folder | None, name: str) -> Message:
    call.check_reading()
    message = call.message(name)
    if folder is not None and message.folder != folder.id:
        raise Refusal(404, "ErrorItemNotFound", "The specified object was not found in the store.")
    return message


def _one(call: Call, message: Message) -> dict[str, Any]:
    return message_json(message, call.name_of(message), *_shown(call, options_of(call.query, MESSAGE)))


def _shown(call: Call, options: Options) -> tuple[tuple[str, ...], tuple[str, ...]]:
    call.check_reading(content=bool(options.properties or _CONTENT & set(options.select)))
    return options.select, options.properties


def _list(call: Call, folder: Folder | None) -> Response:
    options = options_of(call.query, MESSAGE)
    shown = _shown(call, options)
    found = options.sorted(m for m in call.box.in_folder(folder.id if folder else "") if options.passes(m))
    total = [message_json(m, call.name_of(m), *shown) for m in found[options.skip : options.skip + options.top]]
    return _page(call, total, options, "messages", len(found))


def _collection(call: Call, found: Sequence[Mapping[str, Any]], options: Options, name: str) -> Response:
    return _page(call, found[options.skip : options.skip + options.top], options, name, len(found))


def _page(call: Call, shown: Sequence[Any], options: Options, name: str, total: int) -> Response:
    body = _context(call, name) | ({"@odata.count": total} if options.count else {}) | {"value": list(shown)}
    if options.skip + options.top < total:
        query = {**call.query, "$skip": str(options.skip + options.top)}
        body["@odata.nextLink"] = f"{call.microsoft.graph_url}/v1.0{_path(call)}?{urlencode(query, quote_via=quote)}"
    return json_response(body)


# -- delta --------------------------------------------------------------------------------------------------------


def _delta(call: Call, folder: Folder | None) -> Response:
    call.check_reading()
    if folder is None or folder.is_search:
        raise bad("Change tracking is not supported against 'microsoft.graph.message'.", "ErrorInvalidRequest")
    deltas, box = call.microsoft.boxes.deltas, call.box
    tokens = {
        name.lower(): value for name, value in call.query.items() if name.lower() in ("$deltatoken", "$skiptoken")
    }
    if tokens:
        place = deltas.of_token(box, folder.id, next(iter(tokens.values())), _link(call, folder, "$deltatoken", ""))
    else:
        options = options_of(call.query, MESSAGE, ("changeType",))
        _check_delta(options)
        _shown(call, options)
        place = deltas.first(box, folder.id, options, call.query.get("changeType", ""))
    page = deltas.page(box, place, call.page_size(_DELTA_PAGE), call.is_immutable)
    return json_response(_told(call, folder, page), headers={"Preference-Applied": call.prefer} if call.prefer else {})


def _check_delta(options: Options) -> None:
    """The only filter is a time received, from somewhere on."""
    if any(name != "receivedDateTime" or op not in ("ge", "gt") for name, op, _ in options.clauses):
        raise bad("The filter is not supported with change tracking.", "ErrorInvalidRequest")
    if options.order not in ("", "receivedDateTime desc"):
        raise bad("The order is not supported with change tracking.", "ErrorInvalidRequest")


def _told(call: Call, folder: Folder, page: Page) -> dict[str, Any]:
    body = {"@odata.context": f"{call.microsoft.graph_url}/v1.0/$metadata#Collection(message)"}
    link = "$deltatoken" if page.is_last else "$skiptoken"
    shown: dict[str, Any] = {**body, "value": [each for item in page.items if (each := _item(call, page, item))]}
    shown["@odata.deltaLink" if page.is_last else "@odata.nextLink"] = _link(call, folder, link, page.token)
    return shown


def _item(call: Call, page: Page, item: Item) -> dict[str, Any] | None:
    kind = {"@odata.type": "#microsoft.graph.message"}
    if item.is_removed:
        return kind | {"id": item.name, "@removed": {"reason": "deleted"}}
    message = call.box.messages.get(item.name)
    if message is None:  # went while the round was read
        return None
    return kind | message_json(message, call.name_of(message), page.options.select, page.options.properties)


def _link(call: Call, folder: Folder, name: str, token: str) -> str:
    """As Graph writes them: the key in brackets, the name in lower case."""
    return f"{call.microsoft.graph_url}/v1.0/me/mailfolders('{folder.id}')/messages/delta?{name}={token}"


def _context(call: Call, what: str) -> dict[str, Any]:
    return {"@odata.context": f"{call.microsoft.graph_url}/v1.0/$metadata#users('{call.account.oid}')/{what}"}


def _path(call: Call) -> str:
    return quote(call.path, safe="/()'$")
