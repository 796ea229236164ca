"""Empties the frames that a failure leaves behind, so that a traceback shown with its locals holds no token and no key
(I4). A Secret hides itself; bytes in clear, of which a cipher is made, cannot."""

import traceback
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def emptied(function: Callable[P, T]) -> Callable[P, T]:
    """For a function that has plaintext or a key in its hands: should it fail, all its frames and those below forget
    what they held. File names, lines and functions stay."""

    @wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            del args, kwargs
            _empty(error)
            raise

    return guarded


def _empty(error: BaseException) -> None:
    """Also those of what it arose from, which a page may show beside it. What still runs is not touched."""
    seen = list[BaseException]()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and not any(each is known for known in seen):
            seen.append(each)
            traceback.clear_frames(each.__traceback__)
            waiting += [each.__context__, each.__cause__]
