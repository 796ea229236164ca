"""A process of ours that opens the one grant for each line it reads: `python -m tests.vault.opening`.

Reads the row first and once, as one would who has a copy of the database: only the key can fail it."""

import sys


def main() -> None:
    import django

    django.setup()
    from organizations import epochs
    from vault import grants, sealing
    from vault.models import Credential

    epochs.start_polling()
    row = Credential.objects.select_related("connection").get()
    for _ in sys.stdin:
        try:
            sealing.unseal(bytes(row.sealed), grants.place_of(row))
        except Exception as error:  # noqa: BLE001  what it is, is the answer
            print(type(error).__name__, flush=True)  # noqa: T201
        else:
            print("opened", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
