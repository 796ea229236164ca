"""Looking for what must not be left of a mail, for `manage.py prove_privacy`: shapes, stores, the search, the report.

Changes nothing that it looks at, and repeats nothing that it finds."""
