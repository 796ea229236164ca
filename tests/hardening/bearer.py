"""Schemathesis hooks: every call carries the access token of the person named in the environment, who signs in again
before the ten minutes of a token are over; and what networks and domains look like, for which JSON Schema has no
format. Loaded by SCHEMATHESIS_HOOKS, not by pytest."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import strategies as st

from tests.journeys.people import sign_in_anew
from tests.running import Stack

#: Single addresses too, and none wider than an organization's own may be.
NETWORKS = st.one_of(
    st.ip_addresses().map(str), st.integers(0, 2**24 - 1).map(lambda n: f"{n >> 16}.{n >> 8 & 255}.{n & 255}.0/24")
)
schemathesis.openapi.format("ip-network", NETWORKS)
schemathesis.openapi.format("mail-domain", st.from_regex(r"\A@?[a-z]{1,20}\.[a-z]{2,20}\.example\Z"))


@schemathesis.auth(refresh_interval=300)
class Bearer:
    def get(self, case: Any, context: Any) -> str:
        state = Path(os.environ["STACK_STATE"])
        stack = Stack(subprocess.Popen("true"), state, json.loads((state / "run.json").read_text()), 0, state)
        org, key = os.environ["STACK_PERSON"].split("/")
        return str(sign_in_anew(stack, org, key).tokens["access_token"])

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers["Authorization"] = f"Bearer {data}"
