"""What TODAY, LAST_N_DAYS:3 and the like mean: half-open ranges of local days, and their moments in UTC."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from simulators.salesforce.soql.tree import Literal


def range_of(literal: Literal, today: date) -> tuple[date, date]:
    """First day and the day after the last. Weeks begin on Sunday, as in most of Salesforce's locales."""
    name = str(literal.value)
    if name in ("LAST_90_DAYS", "NEXT_90_DAYS"):
        return _days(name[:4], 90, today)
    if "_N_" in name:
        way, _, unit = name.partition("_N_")
        return _days(way, literal.count, today) if unit == "DAYS" else _span(way, unit, literal.count, today)
    if name.startswith("N_"):
        start = _start(name[2:-4].rstrip("S"), today, -literal.count)
        return start, _start(name[2:-4].rstrip("S"), today, -literal.count + 1)
    if name in ("TODAY", "YESTERDAY", "TOMORROW"):
        day = today + timedelta(days={"YESTERDAY": -1, "TODAY": 0, "TOMORROW": 1}[name])
        return day, day + timedelta(days=1)
    way, _, unit = name.partition("_")
    steps = {"LAST": -1, "THIS": 0, "NEXT": 1}[way]
    return _start(unit, today, steps), _start(unit, today, steps + 1)


def _days(way: str, count: int, today: date) -> tuple[date, date]:
    """LAST_N_DAYS ends with today; NEXT_N_DAYS begins tomorrow."""
    if way == "LAST":
        return today - timedelta(days=count), today + timedelta(days=1)
    return today + timedelta(days=1), today + timedelta(days=count + 1)


def _span(way: str, units: str, count: int, today: date) -> tuple[date, date]:
    unit = units.rstrip("S")
    if way == "LAST":
        return _start(unit, today, -count), _start(unit, today, 0)
    return _start(unit, today, 1), _start(unit, today, count + 1)


def _start(unit: str, today: date, steps: int) -> date:
    unit = unit.removeprefix("FISCAL_")
    if unit == "DAY":
        return today + timedelta(days=steps)
    if unit == "WEEK":
        return today - timedelta(days=(today.weekday() + 1) % 7) + timedelta(weeks=steps)
    size = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}[unit]
    months = ((today.year * 12 + today.month - 1) // size + steps) * size
    return date(months // 12, months % 12 + 1, 1)


def stamp(moment: datetime) -> str:
    """A moment as the API writes it; such strings sort as the moments do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"


def moment_of(text: str) -> datetime:
    """Parse a SOQL or JSON date-time; raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def midnight(day: date, zone: str) -> str:
    return stamp(datetime.combine(day, time(), ZoneInfo(zone)))
