"""One REST call and its answer, as the routes and Composite pass them about. Plain data."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulators.salesforce.org import Org
    from simulators.salesforce.profiles import Access


@dataclass
class Call:
    """`path` is below `/services/data/vXX.0`, without the slash at its end; `body` is parsed JSON."""

    org: "Org"
    access: "Access"
    version: str
    method: str
    path: list[str]
    query: dict[str, str]
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return f"/services/data/v{self.version}"


@dataclass
class Answer:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
