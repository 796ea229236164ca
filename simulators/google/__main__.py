"""`python -m simulators.google --directory DIR`: serves the simulated Google until it is stopped."""

import sys

from simulators import serving
from simulators.google.serving import DEFAULT_REDIRECTS, FIRST_PORT, Simulation

if __name__ == "__main__":
    sys.exit(serving.main("google", Simulation, FIRST_PORT, DEFAULT_REDIRECTS))
