"""What sync uses a person's connection for, in words for that person. Text only."""

from sync import asked, listing, pull, subscriptions, work, writing
from vault import purposes

purposes.declare(
    {
        pull.PURPOSE: "Looking for new mail",
        listing.PURPOSE: "Listing mail of a span of time",
        subscriptions.PURPOSE: "Asking to be told of new mail",
        work.PURPOSE: "Reading mail, to save it in Salesforce",
        asked.PURPOSE: "Reading a mail that you asked to be saved",
        writing.PURPOSE: "Saving mail in Salesforce",
    }
)
