"""The simulated providers for clients that are not ours."""

import pytest

from tests.contracts.receiving import hook
from tests.simulators.mail_providers import google, google_process, microsoft, microsoft_process
from tests.simulators.running import salesforce, salesforce_process

__all__ = ["google", "google_process", "hook", "microsoft", "microsoft_process", "salesforce", "salesforce_process"]

pytest.register_assert_rewrite(*(f"tests.contracts.mailbox_{part}" for part in ("changes", "messages", "failures")))
