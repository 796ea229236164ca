"""The bytes that strangers get: an image of one transparent pixel, and two plain pages that say who can help."""

#: GIF89a, 1x1, transparent: the smallest that every mail program draws.
GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")


def _page(title: str, text: str) -> bytes:
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
    look = "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem}</style>"
    view = '<meta name="viewport" content="width=device-width">'
    return f"{head}{view}{look}<h1>{title}</h1><p>{text}</p></html>".encode()


NOT_FOUND = _page(
    "This link does not work",
    "It was changed on its way, or not copied whole. Open it from the e-mail again, or ask whoever sent it.",
)
WITHDRAWN = _page(
    "This link was withdrawn",
    "Whoever sent it, or the administrator of their mail, has withdrawn where it leads. Ask the sender.",
)
