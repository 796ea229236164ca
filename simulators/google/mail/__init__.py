"""The simulated Gmail: mailboxes with history, its REST API v1, watching and Pub/Sub."""
