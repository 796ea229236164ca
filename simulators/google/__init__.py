"""The simulated Google: its OAuth, and Gmail."""
