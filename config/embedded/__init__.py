"""PostgreSQL and Valkey out of wheels, and the processes around them, for a machine where nothing is installed.

Nothing here changes anything outside the state directory (`.local/`), and no other room imports it."""


class NotStartedError(Exception):
    """Something could not be started; the message is one line and says what to do."""
