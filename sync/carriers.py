"""Who carries jobs out in this process: named once, when it starts. Until then jobs wait."""

from sync.work import CarrierFor

_current: CarrierFor | None = None


def use(carrier_for: CarrierFor | None) -> None:
    global _current
    _current = carrier_for


def current() -> CarrierFor | None:
    return _current
