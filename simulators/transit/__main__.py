"""`python -m simulators.transit --directory DIR`: a key service with one named key, until it is stopped."""

import sys

from simulators import serving
from simulators.transit.serving import FIRST_PORT, Simulation

if __name__ == "__main__":
    sys.exit(serving.main("transit", Simulation, FIRST_PORT, ()))
