"""Mails for `prove_privacy`: whatever somebody wrote in them is a canary. Reads none."""

import base64
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import formatdate

_NESTED = "Content-Type: multipart/mixed; boundary=b{}\r\n\r\n--b{}\r\n"


class Mail:
    """One with text, HTML and an attachment. `canary`: a word for what it stands for."""

    def __init__(self, canary: Callable[[str], str], to: str, subject: str = "") -> None:
        self._to, self._name = to, canary("the name of who sent a mail")
        self.sender = f"{canary('the address of who sent a mail')}@customer.example"
        self._copied = f"{canary('the address of who got a copy')}@customer.example"
        self.subject = f"{subject} {canary('the subject of a mail')}".strip()
        self._text, self._html = canary("the text of a mail"), canary("the HTML of a mail")
        self._key = canary("the Message-ID of a mail")
        self.file_name, self._file = f"{canary('the name of a file')}.txt", canary("what a file holds")

    def headers(self) -> dict[str, str]:
        return {
            "From": f"{self._name} <{self.sender}>",
            "To": self._to,
            "Cc": self._copied,
            "Subject": self.subject,
            "Date": formatdate(),
            "Message-ID": f"<{self._key}@mail.customer.example>",
        }

    def raw(self) -> bytes:
        mail = EmailMessage()
        for name, value in self.headers().items():
            mail[name] = value
        mail.set_content(f"Hello,\n{self._text}\n")
        mail.add_alternative(f"<p>Hello, {self._html}</p>", subtype="html")
        mail.add_attachment(f"{self._file}\n" * 600, filename=self.file_name)
        return bytes(mail)

    def encoded(self) -> str:
        """As a simulator's desk takes it."""
        return base64.b64encode(self.raw()).decode()


def nested(mail: Mail, depth: int) -> str:
    """The same headers over parts within parts, so many that nobody reads them."""
    head = "".join(f"{name}: {value}\r\n" for name, value in mail.headers().items())
    body = "".join(_NESTED.format(number, number) for number in range(depth))
    return base64.b64encode(f"{head}MIME-Version: 1.0\r\n{body}\r\n{mail.subject}\r\n".encode()).decode()
