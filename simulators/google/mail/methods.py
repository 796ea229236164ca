"""What each method of the Gmail API does that reads. Source: the discovery document of gmail v1."""

from typing import Any

from simulators.google.mail import listing
from simulators.google.mail.call import Call
from simulators.google.mail.errors import invalid, not_found
from simulators.google.mail.forms import encoded, message_of, parts_of
from simulators.google.mail.search import Query

_KINDS = ("messageAdded", "messageDeleted", "labelAdded", "labelRemoved")


def profile(call: Call) -> Any:
    box = call.box
    threads = len({message.thread for message in box.messages.values()})
    counts = {"messagesTotal": len(box.messages), "threadsTotal": threads}
    return {"emailAddress": box.email, **counts, "historyId": str(box.history)}


def send_as(call: Call) -> Any:
    account = call.account
    own = {"sendAsEmail": account.email, "displayName": account.name, "isPrimary": True, "isDefault": True}
    more = [{"sendAsEmail": each, "treatAsAlias": True, "verificationStatus": "accepted"} for each in account.aliases]
    return {"sendAs": [own, *more]}


def labels(call: Call) -> Any:
    return {"labels": call.box.labels.all()}


def label(call: Call) -> Any:
    box, key = call.box, call.path[1]
    found = [message for message in box.messages.values() if key in message.labels]
    unread = [message for message in found if "UNREAD" in message.labels]
    counts = {
        "messagesTotal": len(found),
        "messagesUnread": len(unread),
        "threadsTotal": len({message.thread for message in found}),
        "threadsUnread": len({message.thread for message in unread}),
    }
    return box.labels.resource(key) | counts


def messages(call: Call) -> Any:
    if call.text("q"):
        call.check_content_allowed("'q' parameter")
    most = listing.most_of(call.text("maxResults"), 500)
    query, wanted = Query(call.box, call.text("q")), _known_labels(call)
    return listing.messages(call.box, query, wanted, call.flag("includeSpamTrash"), call.text("pageToken"), most)


def threads(call: Call) -> Any:
    page = messages(call)
    keys = dict.fromkeys(each["threadId"] for each in page.pop("messages", []))
    box = call.box
    found = [{"id": key, **_last(box.thread(key))} for key in keys]
    return {**({"threads": found} if found else {}), **page}


def _last(found: list[Any]) -> dict[str, str]:
    return {
        "snippet": found[-1].content.beginning,
        "historyId": str(max(message.history for message in found)),
    }


def message(call: Call) -> Any:
    form = _form(call, ("minimal", "full", "raw", "metadata"))
    return message_of(call.box.found(call.path[1]), form, call.texts("metadataHeaders"))


def thread(call: Call) -> Any:
    form = _form(call, ("minimal", "full", "metadata"))
    found = call.box.thread(call.path[1])
    shown = [message_of(each, form, call.texts("metadataHeaders")) for each in found]
    return {"id": call.path[1], "historyId": _last(found)["historyId"], "messages": shown}


def _form(call: Call, known: tuple[str, ...]) -> str:
    form = call.one_of("format", known, "full")
    if form in ("full", "raw"):
        call.check_content_allowed(f"format {form.upper()}")
    return form


def attachment(call: Call) -> Any:
    found = parts_of(call.box.found(call.path[1]).content).get(call.path[3])
    if found is None:
        raise invalid("Invalid attachment token")
    return {"attachmentId": call.path[3], "size": len(found), "data": encoded(found)}


def history(call: Call) -> Any:
    start, kinds, held = call.text("startHistoryId"), call.texts("historyTypes"), call.mail.standing(call.account)
    if not start:
        raise invalid("Missing or invalid startHistoryId")
    if not start.isdecimal() or len(start) > 20 or int(start) >= 2**64:
        raise invalid(f"Invalid value at 'start_history_id' (TYPE_UINT64), \"{start}\"")
    if unknown := set(kinds) - set(_KINDS):
        raise invalid(f"Invalid value at 'history_types', \"{min(unknown)}\"")
    most = listing.most_of(call.text("maxResults"), 500)
    replayed = held.repeats > 0
    held.repeats -= replayed
    label = call.text("labelId")
    return listing.history(call.box, int(start), call.text("pageToken"), kinds, label, most, replayed)


def watch(call: Call) -> Any:
    body = call.body()
    if not body.get("topicName"):
        raise invalid("Invalid topicName does not match projects/<project>/topics/*")
    behavior = body.get("labelFilterBehavior") or body.get("labelFilterAction") or "include"
    if behavior.lower() not in ("include", "exclude"):
        raise invalid("Invalid value at 'label_filter_behavior'")
    excludes = behavior.lower() == "exclude"
    made = call.mail.watch(call.account, call.client, body["topicName"], body.get("labelIds", ()), excludes)
    return {"historyId": str(call.box.history), "expiration": str(int(made.ends * 1000))}


def stop(call: Call) -> Any:
    call.mail.standing(call.account).watches.pop(call.client, None)
    return None


def _known_labels(call: Call) -> list[str]:
    found = call.texts("labelIds")
    if unknown := [label for label in found if not call.box.labels.known(label)]:
        raise invalid(f"Invalid label: {unknown[0]}") if unknown[0] else not_found()
    return found
