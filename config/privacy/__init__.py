"""`manage.py prove_privacy`: a product to throw away, somebody who visits it, where to look, what to sign.

The journeys and what they leave belong to the rooms; how to search belongs to `organizations.privacy`."""
