#!/usr/bin/env python
"""Django's command line. Every command of ours is listed by `python manage.py help`."""

import os
import sys

from django.core.management import execute_from_command_line

from config.embedded import NotStartedError, state
from config.env import ConfigurationError
from config.hardening import harden
from config.privacy import throw_away

if __name__ == "__main__":
    harden()  # a command may hold keys and tokens as a web process does
    state.adopt_environment()  # beside a running `make run`: its servers, its keys
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        with throw_away.around(sys.argv):
            execute_from_command_line(sys.argv)
    except (ConfigurationError, NotStartedError) as fault:
        sys.exit(f"Not started: {fault}")
