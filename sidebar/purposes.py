"""What the sidebar uses a person's connection for, in words for that person. Text only."""

from vault import purposes

purposes.declare(
    {
        "sidebar.lookup": "Looking up the people of a message",
        "sidebar.search": "Searching Salesforce",
        "sidebar.form": "Showing a form",
        "sidebar.create": "Creating a record",
        "sidebar.update": "Changing a record",
        "sidebar.open": "Opening a record in Salesforce",
    }
)
