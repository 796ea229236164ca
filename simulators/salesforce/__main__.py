"""`python -m simulators.salesforce --directory DIR`: serves the demo orgs until it is stopped."""

import argparse
import asyncio
import sys
from pathlib import Path

from simulators.salesforce.serving import DEFAULT_REDIRECTS, Options, RefusedError, Simulation


def options_from(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="simulators.salesforce", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="where ca.pem and orgs.json are written")
    parser.add_argument("--ports-from", type=int, default=8100, help="first port; 0 takes free ones")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--redirect-uri", action="append", help="of the default app, exact; may be repeated")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="added to every API answer")
    given = parser.parse_args(arguments)
    redirects = tuple(given.redirect_uri or DEFAULT_REDIRECTS)
    return Options(given.directory, given.ports_from, given.host, redirects, given.latency_ms / 1000)


def main() -> int:
    options = options_from(sys.argv[1:])
    try:
        options.directory.mkdir(parents=True, exist_ok=True)
        simulation = Simulation(options)
        simulation.open_ports()
    except RefusedError as reason:
        print(f"simulators.salesforce: {reason}", file=sys.stderr)
        return 2
    asyncio.run(simulation.run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
