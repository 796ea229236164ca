"""A mail client to try the task pane in. It reads a folder of .eml files; it stores nothing and asks no provider."""
