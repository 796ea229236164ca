"""KEKs for tests: random, as an operator would make them."""

import base64
import os


def new_kek() -> str:
    return base64.b64encode(os.urandom(32)).decode()
