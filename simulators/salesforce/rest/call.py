"""One REST call and its answer, as the routes and Composite pass them about. Plain data."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulators.salesforce.errors import ApiError

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


def mapping(value: Any, what: str = "The request body") -> dict[str, Any]:
    """A JSON object, or the refusal of anything else."""
    if not isinstance(value, dict):
        raise ApiError(400, "JSON_PARSER_ERROR", f"{what} must be a JSON object")
    return value


def names_in(value: Any, what: str) -> list[str]:
    """A list of strings, also written as one string with commas; the refusal of anything else."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ApiError(400, "JSON_PARSER_ERROR", f"{what} must be a list of strings")
    return [name.strip() for name in names if name.strip()]


def whole_number(text: Any) -> int | None:
    """The number that ASCII digits spell, None for any other text."""
    return int(text) if isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) < 10 else None
