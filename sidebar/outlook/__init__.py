"""The Outlook add-in: its task pane, the way back from signing in, and its place in our OAuth server. No rules."""
