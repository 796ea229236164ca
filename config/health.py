"""For machines that watch us: alive, ready, counters. No login, no data of anyone."""

import os
import time
from contextlib import suppress
from dataclasses import asdict

from django.db import connections
from django.db.utils import Error as DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from organizations import epochs
from organizations.registries import readiness
from sidebar import cache
from tracking import inflow
from vault import clock


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """This process can do its work: both databases answer, the epoch poll runs, every room says yes (V16)."""
    state = {alias: _answers(alias) for alias in ("default", "keys")}
    state["epochs"] = epochs.is_fresh()
    state |= {name: check() for name, check in readiness}
    return JsonResponse(state, status=200 if all(state.values()) else 503)


def _answers(alias: str) -> bool:
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text format: figures of the one process that answers, which `pid` names. Keep it off the internet."""
    figures = asdict(cache.cards.counters())
    lines = [f'sidebar_card_cache_{name}{{pid="{os.getpid()}"}} {value}' for name, value in figures.items()]
    with suppress(DatabaseError):
        lines.append(f'sidebar_clock_skew_seconds{{pid="{os.getpid()}"}} {clock.skew():.3f}')
    with suppress(RedisError):
        backlog = asdict(inflow.backlog(time.time()))
        lines += [f"sidebar_tracking_backlog_{name} {value}" for name, value in backlog.items()]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4")


@csrf_exempt
def no_such_api(request: HttpRequest, unknown: str) -> HttpResponse:
    """404 for every method: no cookie counts on the API, so there is nothing to forge."""
    raise Http404


urlpatterns = [
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
]
