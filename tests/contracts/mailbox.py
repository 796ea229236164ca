"""The one suite for `providers.mail.Mailbox`: every adapter passes it against its simulator. Knows no provider's wire.

A provider's own file says

    class TestGmail(MailboxContract):
        provider, scope, too_little, api, address = "google", GMAIL, "openid email", "api_url", TOPIC

and adds what only that provider does. Both simulators understand the same words at `/_sim/mail/<user>/`: see `Post` in
tests/contracts/mailbox_standing.py, and simulators/README.md. `GET /_sim/mail/<user>` is {"folders": [{"id", "name",
"kind"}], "messages": [{"id", "thread_id", "folders", "received_at", "size", "sha256", "message_id"}]}, and
`GET /_sim/state` has all of them under "mail". A call that reached the mailbox is `counted` in `GET /_sim/calls`."""

from tests.contracts.mailbox_changes import Changes
from tests.contracts.mailbox_failures import Failures
from tests.contracts.mailbox_messages import Messages


class MailboxContract(Changes, Messages, Failures):
    """Run whole for each provider."""
