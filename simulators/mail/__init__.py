"""What the simulated mailboxes of Google and Microsoft have in common: messages, and what is in a box at first."""
