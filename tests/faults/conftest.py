"""Every fault test is judged by the oracle; its connection and provider are those of the vault's tests."""

from tests.faults.oracle import judged, oracle
from tests.vault.conftest import alice, cold, polled, provider

__all__ = ["alice", "cold", "judged", "oracle", "polled", "provider"]
