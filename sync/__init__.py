"""Email and calendar into Salesforce. Empty until the first sync feature is built; the name is the owner's."""
