"""A process of ours that lives until it is killed: `python -m tests.vault.living`. Its keys are in its environment."""

import time


def main() -> None:
    import django

    django.setup()
    from config import process

    process.start("worker")
    time.sleep(120)


if __name__ == "__main__":
    main()
