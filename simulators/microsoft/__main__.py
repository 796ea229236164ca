"""`python -m simulators.microsoft --directory DIR`: serves the simulated Microsoft until it is stopped."""

import sys

from simulators import serving
from simulators.microsoft.serving import DEFAULT_REDIRECTS, FIRST_PORT, Simulation

if __name__ == "__main__":
    sys.exit(serving.main("microsoft", Simulation, FIRST_PORT, DEFAULT_REDIRECTS))
