"""A Schemathesis hook: every call carries the access token of the person named in the environment, who signs in again
before the ten minutes of a token are over. Loaded by SCHEMATHESIS_HOOKS, not by pytest."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import schemathesis

from tests.journeys.people import sign_in_anew
from tests.running import Stack


@schemathesis.auth(refresh_interval=300)
class Bearer:
    def get(self, case: Any, context: Any) -> str:
        state = Path(os.environ["STACK_STATE"])
        stack = Stack(subprocess.Popen("true"), state, json.loads((state / "run.json").read_text()), 0, state)
        org, key = os.environ["STACK_PERSON"].split("/")
        return str(sign_in_anew(stack, org, key).tokens["access_token"])

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers["Authorization"] = f"Bearer {data}"
