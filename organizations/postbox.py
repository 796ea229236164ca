"""The one place that sends mail of our own, over the operator's SMTP server (EMAIL_URL). Plain text to one person.

Says nothing of a recipient to a log or in an error: a server's refusal quotes addresses."""

import smtplib
from email.utils import formatdate

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend

#: "Somebody's holiday answer is no answer to this" (RFC 3834, 5; MS-OXCMAIL 2.1.3.2.20).
_AUTOMATIC = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}


class NotSent(RuntimeError):
    """`is_final`: it will not be taken for this person, however often it is asked. `is_server`: no mail will be taken
    now, whomever it is for."""

    def __init__(self, cause: str, *, is_final: bool = False, is_server: bool = False) -> None:
        super().__init__(f"a mail was not sent: {cause}")
        self.is_final, self.is_server = is_final, is_server


def is_set_up() -> bool:
    return bool(settings.EMAIL_HOST)


def domain() -> str:
    """Ours, for names of mails."""
    return str(settings.EMAIL_FROM).rpartition("@")[2] or "localhost"


def send(address: str, subject: str, text: str, message_id: str) -> None:
    """Outside a transaction. `message_id`: without brackets; the same for the same mail, so that whoever gets it twice
    is shown it once. Raises NotSent."""
    headers = {**_AUTOMATIC, "Message-ID": f"<{message_id}>", "Date": formatdate(usegmt=True)}
    mail = EmailMessage(subject, text, settings.EMAIL_FROM, [address], headers=headers)
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise NotSent("refused", is_final=all(code >= 500 for code in codes)) from None
    except (ValueError, smtplib.SMTPDataError) as error:
        raise NotSent(type(error).__name__, is_final=getattr(error, "smtp_code", 500) >= 500) from None
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(type(error).__name__, is_server=True) from None


def greet() -> None:
    """Whether the server is there and takes our name and password. Raises NotSent."""
    connection: BaseEmailBackend = get_connection()
    try:
        connection.open()
        connection.close()
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(type(error).__name__, is_server=True) from None
