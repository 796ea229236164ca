"""What connections are used for, in words. Each room declares the purposes under which it asks for clients."""

from collections.abc import Mapping

_WORDS: dict[str, str] = {}
#: Who uses a grant where neither its person does nor a product in his name (audit log).
_ACTORS = {
    "vault.probe": "task:probe",
    "vault.profile": "task:profile",
    "vault.renewal": "task:renewal",
    "vault.doctor": "operator:doctor",
}


def declare(words: Mapping[str, str]) -> None:
    """Purpose (`sidebar.lookup`) -> what a person reads of it. Raises ValueError where one is taken."""
    for purpose, text in words.items():
        if _WORDS.setdefault(purpose, text) != text:
            raise ValueError(f"the purpose {purpose} has words already")


def in_words(purpose: str) -> str:
    """ "" for no purpose; the purpose itself, made readable, where nobody has declared it (an older release's)."""
    return _WORDS.get(purpose) or purpose.replace(".", ": ").replace("_", " ")


def is_use(purpose: str) -> bool:
    """That somebody looks whether a grant works is no use of it."""
    return purpose != "vault.probe"


def actor(purpose: str) -> str:
    """As audit.record takes it; "" where it is the person."""
    return _ACTORS.get(purpose, "")


declare(
    {
        "vault.renewal": "Renewing it before anybody needs it",
        "vault.profile": "Refreshing your profile, once a day",
        "vault.probe": "Checking that it still works, once a day",
        "vault.doctor": "Looking for what is wrong, asked for by the operator",
    }
)
