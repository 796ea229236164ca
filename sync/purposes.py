"""What sync uses a person's connection for, in words for that person. Text only."""

from sync import appearing, asked, correcting, listing, noting, opening, pull, silence, subscriptions, work, writing
from vault import purposes

purposes.declare(
    {
        pull.PURPOSE: "Looking for new mail",
        listing.PURPOSE: "Listing mail of a span of time",
        silence.PURPOSE: "Comparing with your mailbox' own list, so that no mail is missed",
        appearing.PURPOSE: "Asking who is new in Salesforce, for mail that waits",
        subscriptions.PURPOSE: "Asking to be told of new mail",
        work.PURPOSE: "Reading mail, to save it in Salesforce",
        asked.PURPOSE: "Reading a mail that you asked to be saved",
        opening.PURPOSE: "Opening a mail or a record that you asked to see",
        correcting.PURPOSE: "Taking mail out of Salesforce again, or saving it with others, as somebody has asked",
        writing.PURPOSE: "Saving mail in Salesforce",
        noting.PURPOSE: "Noting opens and clicks on mail that is saved in Salesforce",
    }
)
