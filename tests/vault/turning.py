"""A process that rotates keys in small batches, to be killed: `python -m tests.vault.turning BATCH`. Prints `begun`."""

import sys


def main(batch: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from vault import rotation

    rotation.BATCH, rotation.KEYS_AT_ONCE = batch, 3
    print("begun", flush=True)  # noqa: T201
    call_command("rotate_keys", data_keys=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
