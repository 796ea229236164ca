"""Why a use case was not done. The text is a plain sentence for the person who asked."""


class NotAllowed(Exception):
    """This actor may not."""


class NotPossible(Exception):
    """Nobody may, as things stand."""
