"""A message as the rest of sync sees it: shapes, no parsing, no I/O. Lives in RAM with one message; never stored."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Problem(StrEnum):
    """What was wrong with a message that could be read all the same. Codes, shown in words, never with content."""

    EMPTY = "empty"  # no header and no text
    BAD_HEADER = "bad_header"  # a line among the headers that is none: what follows was taken as text
    LONG_HEADER = "long_header"  # the rest of it was left out
    TOO_MANY_HEADERS = "too_many_headers"  # those after the limit were left out
    REPEATED_HEADER = "repeated_header"  # From, Date, Subject or Message-ID: the first counts, but no id does
    BAD_ADDRESS = "bad_address"  # in From, To, Cc, Bcc or Reply-To; left out
    TOO_MANY_ADDRESSES = "too_many_addresses"  # those after the limit were left out
    BAD_DATE = "bad_date"  # the time of receipt stands for it
    TOO_MANY_PARTS = "too_many_parts"  # those after the limit were left out
    BAD_STRUCTURE = "bad_structure"  # a multipart without its boundary, or whose boundary never comes
    BAD_ENCODING = "bad_encoding"  # unknown Content-Transfer-Encoding, or not what it says
    BAD_CHARSET = "bad_charset"  # unknown, read as UTF-8 or Windows-1252
    LONG_TEXT = "long_text"  # some of it was left out, quoted text first
    HTML_REFUSED = "html_refused"  # nested too deep, or too costly to clean: its bare text stands for it


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """`addr` is one addr-spec as `providers.addresses` makes them (domain in lower-case A-labels); compare folded."""

    name: str
    addr: str


@dataclass(frozen=True, slots=True, repr=False)
class AttachmentPart:
    """A part that is no text of the message, undecoded and unread. `path`: what `sync.mime.attachment` asks for.

    `name`: safe to give to a file, never "". `size`: bytes once decoded, reckoned from what is encoded.
    `is_inline`: the HTML shows it (an image in a signature, most often)."""

    path: str
    name: str
    media_type: str
    size: int
    is_inline: bool
    content_id: str  # without <>; "" where there is none


class CloudService(StrEnum):
    """Whose link it is. Known by the host alone."""

    GOOGLE_DRIVE = "google_drive"
    ONEDRIVE = "onedrive"
    SHAREPOINT = "sharepoint"


@dataclass(frozen=True, slots=True, repr=False)
class CloudLink:
    """A link to a file kept by Google or Microsoft, as the message has it. https, never fetched. `name`: "" if bare."""

    url: str
    name: str
    service: CloudService


@dataclass(frozen=True, slots=True, repr=False)
class Letter:
    """What a message says, bounded and safe to show. Ids carry their <>; "" or () where the message has none."""

    message_id: str  # "" too where there are two, or one that is malformed or over 255 characters
    in_reply_to: str
    references: tuple[str, ...]  # in order; of more than 40 the first 20 and the last 20
    sender: Address | None
    reply_to: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    subject: str  # one line
    sent_at: datetime | None  # aware; the time of receipt where Date is missing or cannot be
    text: str  # at most 32,000 code points, lines end in \n; made from the HTML where the message has no plain text
    html: str  # sanitised, without images, at most 32,000 code points; "" where there is none
    attachments: tuple[AttachmentPart, ...]
    links: tuple[CloudLink, ...]
    is_automatic: bool  # sent by a program: an answering machine, a bounce
    is_list: bool
    is_encrypted: bool
    problems: tuple[Problem, ...]
    #: As `providers.mail.Heading.headers` has them: (name in lower case, value undecoded, on one line), in their order.
    headers: tuple[tuple[str, str], ...]


class Undecipherable(Exception):
    """No Letter can be made of this message, ever. `code` for machines; `sentence` for people, without content."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
