"""How much of a message is looked at (BI-E). Every limit of `sync.mime` is here, and no code."""

#: Multiparts within multiparts. Mail programs stay below 10; what is deeper was made to hurt.
DEEPEST = 30
MOST_PARTS = 500
MOST_HEADERS = 500  # of one part
#: Bytes of one header, and how many of its end are kept behind them (References: the newest ids stand last).
LONGEST_HEADER = 64 * 1024
HEADER_TAIL = 16 * 1024
#: Of all parts together; behind them headers are passed over.
MOST_HEADER_LINES = 100_000
MOST_HEADER_BYTES = 256 * 1024  # kept of one part's headers
#: RFC 2046 5.1.1 allows 70.
LONGEST_BOUNDARY = 1_000
#: Lines that begin as a delimiter does and are none. Each costs a look; a message with more of them is an attack.
MOST_NEAR_DELIMITERS = 100_000

MOST_ADDRESSES = 500  # of one header; Exchange and Gmail send to 500 and 2,000 at most
MOST_REFERENCES = 20  # at either end
LONGEST_ID = 255  # of EmailMessage.MessageIdentifier
LONGEST_SUBJECT = 3_000  # code points, of EmailMessage.Subject
LONGEST_NAME = 200  # code points, of an attachment; ContentVersion.Title takes 255

#: Code points kept of the plain text and of the HTML while reading: of the beginning and of the end.
KEPT_HEAD = 256 * 1024
KEPT_TAIL = 64 * 1024
#: Of all texts of a message together: code points kept, and bytes as encoded that are decoded. The rest is passed over.
KEPT_IN_ALL = 1024 * 1024
MOST_DECODED = 12 * 1024 * 1024
#: Lines of uuencode that may be shorter than this on average: programs write 61 letters, only the last line has fewer.
#: Each costs as much as a whole one; behind them nothing is decoded.
MOST_SHORT_LINES = 100_000
SHORT_LINE = 32
#: Code points of EmailMessage.TextBody, EmailMessage.HtmlBody and Task.Description.
LONGEST_TEXT = 32_000

#: HTML elements within each other, and tags in all. Beyond them an HTML5 parser's time grows with the square.
DEEPEST_HTML = 256
MOST_TAGS = 20_000
#: Seconds of processor for one message's HTML, and MiB above what the idle process has.
HTML_SECONDS = 0.7
HTML_MEBIBYTES = 32

MOST_LINKS = 50
LONGEST_LINK = 2_000
