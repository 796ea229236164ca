"""Which names are this machine itself, where plain http is no risk. Exact: other names may resolve elsewhere."""

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")


def is_loopback(host: str | None) -> bool:
    """Whether `host`, as urlsplit gives it or in brackets as in a Host header, is loopback."""
    return (host or "").removeprefix("[").removesuffix("]") in LOOPBACK_HOSTS
