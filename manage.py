#!/usr/bin/env python
"""Django's command line. Every command of ours is listed by `python manage.py help`."""

import os
import sys

from django.core.management import execute_from_command_line

from config.embedded import state

if __name__ == "__main__":
    state.adopt_environment()  # beside a running `make run`: its servers, its keys
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    execute_from_command_line(sys.argv)
