"""From a mail's body to its sender's signature and its fields. Pure: no network, no database, nothing kept (C69)."""
