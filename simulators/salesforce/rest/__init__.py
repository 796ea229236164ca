"""The REST API below /services/data, free of any web framework so that Composite can call it too."""
