"""/_sim/mail/<user>: what happens in a mailbox without a client. The same words as at the simulated Microsoft."""

import base64
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from simulators.front import Result
from simulators.google.accounts import Account
from simulators.google.mail.errors import GmailError
from simulators.google.mail.service import Mail
from simulators.mail.messages import content_of
from simulators.oauth.changes import change

Body = dict[str, Any]


def handle(mail: Mail, account: Account, method: str, word: str, body: Body) -> Result:
    """Raises KeyError, ValueError; a refusal of Gmail's own is told as it is."""
    if method == "GET":
        return 200, mail.of(account).told()
    if word not in _WORDS:
        return 404, {"error": f"POST {', '.join(_WORDS)}"}
    try:
        return 200, _WORDS[word](mail, account, body)
    except GmailError as error:
        return error.result


def endpoint(mail: Mail, body: Body) -> dict[str, Any]:
    """POST /_sim/push: fields of `Endpoint`, and `refused_topics`. GET: what was sent, too."""
    if "refused_topics" in body:
        mail.pusher.refused_topics = set(body["refused_topics"])
    change(mail.pusher.endpoint, {key: value for key, value in body.items() if key != "refused_topics"})
    return asdict(mail.pusher.endpoint) | {"refused_topics": sorted(mail.pusher.refused_topics)}


def _deliver(mail: Mail, account: Account, body: Body) -> Body:
    """{"messages": [{"raw": base64 or "attachment": {"size", "seed"}, "folder", "received_at", "labels"}]}"""
    box, ids = mail.of(account), []
    for each in body["messages"]:
        place = box.labels.place(each.get("folder", "inbox"))
        marks = ["UNREAD", "IMPORTANT", "CATEGORY_PERSONAL"] if place == "INBOX" else []
        labels = [*marks, *([place] if place else []), *each.get("labels", [])]
        ids.append(box.add(content_of(each), labels, float(each.get("received_at", mail.clock.now()))).id)
    return {"ids": ids}


def _move(mail: Mail, account: Account, body: Body) -> Body:
    box = mail.of(account)
    return {"folders": box.file(body["id"], box.labels.place(body["folder"])).labels}


def _delete(mail: Mail, account: Account, body: Body) -> Body:
    mail.of(account).delete(body["id"])
    return {}


def _mark(mail: Mail, account: Account, body: Body) -> Body:
    """Reading, starring: {"id", "add": [...], "remove": [...]}."""
    return {"folders": mail.of(account).relabel(body["id"], body.get("add", ()), body.get("remove", ())).labels}


def _folders(mail: Mail, account: Account, body: Body) -> Body:
    """{"name", "parent"} makes one; {"id", "name"} renames it."""
    labels = mail.of(account).labels
    if "id" in body:
        labels.rename(body["id"], body["name"])
        return {"id": body["id"]}
    above = f"{labels.own[body['parent']]}/" if body.get("parent") else ""
    return {"id": labels.create(above + body["name"])}


def _expire(mail: Mail, account: Account, body: Body) -> Body:  # noqa: ARG001
    mail.of(account).expire()
    return {}


def _repeat(mail: Mail, account: Account, body: Body) -> Body:
    mail.standing(account).repeats = int(body.get("times", 1))
    return {}


def _throttle(mail: Mail, account: Account, body: Body) -> Body:
    held = mail.standing(account)
    held.throttled, held.seconds = int(body.get("times", 1)), float(body.get("seconds", 30))
    return {}


def _quota(mail: Mail, account: Account, body: Body) -> Body:
    """{"units"}: a minute; 0: as many as wanted."""
    mail.standing(account).units = int(body["units"])
    return {}


def _read(mail: Mail, account: Account, body: Body) -> Body:
    """The MIME of one message."""
    content = mail.of(account).found(body["id"]).content
    return {"raw": base64.b64encode(content.raw()).decode()}


_WORDS: dict[str, Callable[[Mail, Account, Body], Body]] = {
    "deliver": _deliver,
    "move": _move,
    "delete": _delete,
    "mark": _mark,
    "folders": _folders,
    "expire": _expire,
    "repeat": _repeat,
    "throttle": _throttle,
    "quota": _quota,
    "read": _read,
}
