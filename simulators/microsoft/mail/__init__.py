"""The mail part of the simulated Graph: mailboxes, delta, batches, subscriptions and their notices."""
