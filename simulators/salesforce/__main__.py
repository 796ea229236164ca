"""`python -m simulators.salesforce --directory DIR`: serves the demo orgs until it is stopped."""

import sys

from simulators import serving
from simulators.salesforce.serving import DEFAULT_REDIRECTS, FIRST_PORT, Simulation

if __name__ == "__main__":
    sys.exit(serving.main("salesforce", Simulation, FIRST_PORT, DEFAULT_REDIRECTS))
