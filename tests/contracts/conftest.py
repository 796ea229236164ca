"""The simulated Salesforce for clients that are not ours."""

from tests.simulators.running import salesforce, salesforce_process

__all__ = ["salesforce", "salesforce_process"]
