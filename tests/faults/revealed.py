"""What a running product holds, opened: `python -m tests.faults.revealed` in its environment prints one token a line.

For the scan that looks for them elsewhere. Reads the tables that the vault seals; calls nobody."""

import os
import sys


def main() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from tests.faults import evidence

    for each in evidence.stored():
        for name in ("refresh_token", "access_token", "code_verifier"):
            if token := each.token(name):
                sys.stdout.write(f"{token}\n")


if __name__ == "__main__":
    main()
