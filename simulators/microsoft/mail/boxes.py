"""All mailboxes of the simulated Microsoft, and what goes on in them by /_sim/mail. Knows no HTTP framework."""

import time
from collections.abc import Callable
from typing import Any

from simulators.front import Result
from simulators.mail.messages import content_of
from simulators.mail.seeds import seeds_of
from simulators.microsoft.accounts import Account
from simulators.microsoft.mail.box import Box, Message
from simulators.microsoft.mail.calling import Caller
from simulators.microsoft.mail.delta import Deltas
from simulators.microsoft.mail.gate import Gate
from simulators.microsoft.mail.notices import Notices
from simulators.microsoft.mail.subscriptions import Subscriptions

Json = dict[str, Any]
#: Nested folders that are there at first.
_TREE = {"Customers": ("Northwind", "Kestrel Labs"), "Newsletters": ()}


class Boxes:
    """Mailboxes are made when first looked at."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now, self.caller = now, Caller()
        self.restore()

    def restore(self) -> None:
        """As at the start."""
        self.boxes: dict[str, Box] = {}
        self.deltas, self.gate = Deltas(), Gate(self.now)
        self.subscriptions = Subscriptions(self.now)
        self.notices = Notices(self.subscriptions, self.now, self.caller)

    def of(self, account: Account) -> Box:
        if account.key not in self.boxes:
            self.boxes[account.key] = self._furnished(account)
        return self.boxes[account.key]

    def _furnished(self, account: Account) -> Box:
        box = Box(account.key, lambda *_: None)
        inbox = box.folder("inbox").id
        for name, below in _TREE.items():
            folder = box.make_folder(name, inbox)
            for each in below:
                box.make_folder(each, folder.id)
        for seed in seeds_of(account.name, account.email):
            box.deliver(seed.content, seed.folder, seed.received_at, is_read=True)
        box.listener = lambda what, message, folder: self.notices.tell(account, what, message, folder)
        return box

    # -- /_sim/mail ---------------------------------------------------------------------------------------------------

    def handle(self, method: str, account: Account, word: str, body: Json) -> Result:
        if method == "GET":
            return 200, self.told(self.of(account))
        if word not in _WORDS:
            return 404, {"error": f"POST {', '.join(_WORDS)}"}
        return 200, _WORDS[word](self, self.of(account), account, body)

    def told(self, box: Box) -> Json:
        folders = [{"id": f.id, "name": box.path(f), "kind": f.kind} for f in box.folders.values()]
        return {
            "folders": folders,
            "messages": [_message(message) for message in box.in_folder()],
            "subscriptions": self.subscriptions.told(box.owner),
        }

    def deliver(self, box: Box, _: Account, body: Json) -> Json:
        ids = []
        for each in body["messages"]:
            at = float(each.get("received_at", time.time()))
            ids.append(box.deliver(content_of(each), each.get("folder", "inbox"), at).id)
        return {"ids": ids}

    def folders(self, box: Box, _: Account, body: Json) -> Json:
        if folder_id := body.get("id"):
            if body.get("delete"):
                box.remove_folder(box.folder(folder_id).id)
            else:
                box.folder(folder_id).name = body["name"]
            return {"id": folder_id}
        return {"id": box.make_folder(body["name"], body.get("parent", ""), body.get("search", False)).id}

    def delete(self, box: Box, _: Account, body: Json) -> Json:
        box.delete(body["id"])
        return {}

    def expire(self, box: Box, _: Account, body: Json) -> Json:
        self.deltas.ends_with = body.get("as", "lost")
        if "kept" in body:
            self.deltas.kept = int(body["kept"])
            return {"kept": self.deltas.kept}
        return {"expired": self.deltas.expire(box.owner)}

    def repeat(self, box: Box, _: Account, body: Json) -> Json:
        self.deltas.repeats[box.owner] = int(body.get("times", 1))
        return {}

    def throttle(self, _: Box, account: Account, body: Json) -> Json:
        self.gate.asked[account.key].extend([int(body["seconds"])] * int(body.get("times", 1)))
        return {}


def _message(message: Message) -> Json:
    return {
        "id": message.id,
        "thread_id": message.conversation,
        "folders": [message.folder],
        "received_at": message.received_at,
        "size": message.content.size,
        "sha256": message.content.sha256,
        "message_id": message.content.header("message-id"),
    }


_WORDS: dict[str, Callable[[Boxes, Box, Account, Json], Json]] = {
    "deliver": Boxes.deliver,
    "move": lambda _, box, __, body: {"id": box.move(body["id"], body["folder"]).id},
    "send": lambda _, box, __, body: {"id": box.send(body["id"], time.time()).id},
    "touch": lambda _, box, __, body: {"id": box.touch(body["id"]).id},
    "delete": Boxes.delete,
    "folders": Boxes.folders,
    "expire": Boxes.expire,
    "repeat": Boxes.repeat,
    "throttle": Boxes.throttle,
    "spend": lambda boxes, _, account, body: boxes.gate.spend(account.key, int(body["requests"])),
    "lifecycle": lambda boxes, _, account, body: boxes.notices.lifecycle(account, body["event"]),
}
