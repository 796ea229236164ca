"""Faults asked for through /_sim: the next N answers fail, hang, crawl or break off. Holds no records."""

import random
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass
class Fault:
    """With `status` this answer is given and the request is not carried out (`is_late`: it is, all the same); without,
    the real answer is delayed (`delay` seconds), crawls (`bytes_per_second`) or breaks off after `cut_after` bytes of
    its body. `share`: of the requests that fit, by chance."""

    times: int = 1
    path: str = ""  # prefix; empty: any path
    method: str = ""
    user: str = ""  # key or username; empty: anybody
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut_after: int | None = None
    bytes_per_second: float | None = None
    skip: int = 0  # let this many matching requests pass first
    is_late: bool = False
    share: float = 1.0

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> "Fault":
        known = {f.name for f in fields(cls)}
        unknown = set(body) - known
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}")
        return cls(**body)

    def fits(self, method: str, path: str, user: set[str]) -> bool:
        return (
            path.startswith(self.path)
            and (not self.method or self.method.upper() == method)
            and (not self.user or self.user.lower() in user)
            and (self.share >= 1.0 or random.random() < self.share)
        )


class Faults:
    def __init__(self) -> None:
        self.waiting: list[Fault] = []

    def next_for(self, method: str, path: str, user: set[str]) -> Fault | None:
        """The first fault that fits, used up by one."""
        for fault in self.waiting:
            if fault.fits(method, path, user):
                if fault.skip > 0:
                    fault.skip -= 1
                    return None
                fault.times -= 1
                if fault.times <= 0:
                    self.waiting.remove(fault)
                return fault
        return None
