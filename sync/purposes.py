"""What sync uses a person's connection for, in words for that person. Text only."""

from sync import listing, pull, work
from vault import purposes

purposes.declare(
    {
        pull.PURPOSE: "Looking for new mail",
        listing.PURPOSE: "Listing mail of a span of time",
        work.PURPOSE: "Reading mail, to save it in Salesforce",
    }
)
