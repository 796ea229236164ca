"""Log lines keep types and places, never texts: those quote data (PostgreSQL's DETAIL, a KeyError's key)."""

import io
import logging
from typing import Any

import pytest
from celery import Celery

from config.logging import Line

CANARY = "canary@customer.example"


@pytest.fixture
def lines() -> Any:
    """What our formatter writes of everything that is logged."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(Line())
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


def fail() -> None:
    raise ValueError(f"DETAIL: Key (email)=({CANARY}) already exists.")


def test_an_exceptions_text_is_left_out(lines: io.StringIO) -> None:
    try:
        fail()
    except ValueError:
        logging.getLogger("sidebar.any").exception("it failed")
    assert "it failed" in lines.getvalue()
    assert "builtins.ValueError at test_logging.py:" in lines.getvalue()
    assert CANARY not in lines.getvalue()


def test_a_failing_task_says_which_and_where_and_nothing_else(lines: io.StringIO) -> None:
    app = Celery("failing", broker="memory://", backend="cache+memory://", set_as_current=False)
    boom = app.task(name="sidebar.boom", shared=False)(fail)
    assert boom.apply().failed()
    assert "task sidebar.boom[" in lines.getvalue()
    assert "builtins.ValueError at test_logging.py:" in lines.getvalue()
    assert CANARY not in lines.getvalue()
