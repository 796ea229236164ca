"""Who fetches mail's images and links on somebody's behalf: names in user agents, each with where it is known from.

Data only. Order matters: the first that is found counts. Kept small on purpose: what behaviour shows (several links at
once, at the moment of delivery, headers only) needs no list, and many filters do not name themselves at all."""

from enum import StrEnum
from functools import lru_cache


class Agent(StrEnum):
    """What kind of program asked."""

    IMAGE_PROXY = "image_proxy"  # loads images for its reader's screen, sometimes ahead of it
    WEB_VIEW = "web_view"  # WebKit without a browser's name: a mail program's window, or one of an app for a link
    PREFETCHER = "prefetcher"  # loads all images of all mails, read or not
    SCANNER = "scanner"  # looks for malware
    PREVIEW = "preview"  # draws a preview of a link
    PROGRAM = "program"  # a library or a crawler
    MAIL_PROGRAM = "mail_program"
    BROWSER = "browser"
    UNKNOWN = "unknown"


#: (part of the user agent in lower case, kind, its name for people)
AGENTS: tuple[tuple[str, Agent, str], ...] = (
    # sparkpost.com/blog/gmail-prefetching-images: this very ending, while Gmail is open anywhere.
    ("edge/12.246 mozilla/5.0", Agent.PREFETCHER, "Gmail"),
    # mssola/user_agent#71: follows links.
    ("gmail-content-sampling", Agent.SCANNER, "Gmail"),
    # browscap/browscap#1108, browscap/browscap#367: whatever the reader's browser is.
    ("googleimageproxy", Agent.IMAGE_PROXY, "Gmail"),
    ("via ggpht.com", Agent.IMAGE_PROXY, "Gmail"),
    # faisalman/ua-parser-js#494
    ("yahoomailproxy", Agent.IMAGE_PROXY, "Yahoo Mail"),
    # Previews. Messages by Apple calls itself Facebook and X at once (peter.upfold.org.uk/blog/2019/02); the others:
    # monperrus/crawler-user-agents, each with its maker's page.
    ("facebookexternalhit/1.1 facebot", Agent.PREVIEW, "Messages by Apple"),
    ("yahoo link preview", Agent.PREVIEW, "Yahoo Mail"),
    ("slackbot", Agent.PREVIEW, "Slack"),
    ("slack-imgproxy", Agent.PREVIEW, "Slack"),
    ("skypeuripreview", Agent.PREVIEW, "Skype or Teams"),
    ("bingpreview/", Agent.PREVIEW, "Microsoft"),
    ("microsoftpreview/", Agent.PREVIEW, "Microsoft"),
    ("facebookexternalhit", Agent.PREVIEW, "Facebook"),
    ("linkedinbot", Agent.PREVIEW, "LinkedIn"),
    ("whatsapp", Agent.PREVIEW, "WhatsApp"),
    ("telegrambot", Agent.PREVIEW, "Telegram"),
    ("twitterbot", Agent.PREVIEW, "X"),
    ("discordbot", Agent.PREVIEW, "Discord"),
    ("applebot", Agent.PREVIEW, "Apple"),
    # Mail security that names itself: JayBizzle/Crawler-Detect#552; suped.com, "understanding and reducing high
    # proofpoint click events"; check.live-direct-marketing.online, "bot clicks from security scanners";
    # developers.google.com, "overview of Google crawlers"; the "existence discovery" of Office:
    # learn.microsoft.com/archive/blogs/vsofficedeveloper.
    ("barracuda", Agent.SCANNER, "Barracuda"),
    ("proofpoint", Agent.SCANNER, "Proofpoint"),
    ("ciscosecureemail", Agent.SCANNER, "Cisco"),
    ("google-safety", Agent.SCANNER, "Google"),
    ("microsoft office existence discovery", Agent.SCANNER, "Microsoft Office"),
    ("microsoft office protocol discovery", Agent.SCANNER, "Microsoft Office"),
    # Programs: monperrus/crawler-user-agents.
    ("headlesschrome", Agent.PROGRAM, "a browser without a screen"),
    ("phantomjs", Agent.PROGRAM, "a browser without a screen"),
    ("python-", Agent.PROGRAM, "a program"),
    ("aiohttp", Agent.PROGRAM, "a program"),
    ("curl/", Agent.PROGRAM, "a program"),
    ("wget/", Agent.PROGRAM, "a program"),
    ("go-http-client", Agent.PROGRAM, "a program"),
    ("java/", Agent.PROGRAM, "a program"),
    ("okhttp", Agent.PROGRAM, "a program"),
    ("libwww-perl", Agent.PROGRAM, "a program"),
    ("axios/", Agent.PROGRAM, "a program"),
    ("node-fetch", Agent.PROGRAM, "a program"),
    ("apache-httpclient", Agent.PROGRAM, "a program"),
    ("bot/", Agent.PROGRAM, "a crawler"),
    ("bot;", Agent.PROGRAM, "a crawler"),
    ("crawler", Agent.PROGRAM, "a crawler"),
    ("spider", Agent.PROGRAM, "a crawler"),
    ("+http", Agent.PROGRAM, "a crawler"),  # the page on which it explains itself
    # Mail programs that load images when their reader looks: ua-parser/uap-core#132, tobie/ua-parser#122,
    # 3rd-Eden/useragent#146, browscap/browscap#1634; the rest: matomo-org/device-detector, fixtures/pim.yml, and
    # faisalman/ua-parser-js#237.
    ("ms-office", Agent.MAIL_PROGRAM, "Outlook"),
    ("msoffice ", Agent.MAIL_PROGRAM, "Outlook"),
    ("microsoft outlook", Agent.MAIL_PROGRAM, "Outlook"),
    ("outlook-ios", Agent.MAIL_PROGRAM, "Outlook"),
    ("outlook/", Agent.MAIL_PROGRAM, "Outlook"),
    ("windowsmail/", Agent.MAIL_PROGRAM, "Windows Mail"),
    ("thunderbird", Agent.MAIL_PROGRAM, "Thunderbird"),
    ("icedove/", Agent.MAIL_PROGRAM, "Thunderbird"),
    ("lotus-notes", Agent.MAIL_PROGRAM, "Notes"),
    ("yahoo%20mail", Agent.MAIL_PROGRAM, "Yahoo Mail"),
    ("mailspring", Agent.MAIL_PROGRAM, "Mailspring"),
    ("postbox", Agent.MAIL_PROGRAM, "Postbox"),
    ("em client/", Agent.MAIL_PROGRAM, "eM Client"),
    ("emclient/", Agent.MAIL_PROGRAM, "eM Client"),
    ("mailbird/", Agent.MAIL_PROGRAM, "Mailbird"),
    ("bluemail/", Agent.MAIL_PROGRAM, "BlueMail"),
    ("foxmail/", Agent.MAIL_PROGRAM, "Foxmail"),
    ("airmail", Agent.MAIL_PROGRAM, "Airmail"),
    ("spark/", Agent.MAIL_PROGRAM, "Spark"),
    ("superhuman", Agent.MAIL_PROGRAM, "Superhuman"),
    ("the bat!", Agent.MAIL_PROGRAM, "The Bat!"),
)
#: A person's own: what it asks for comes from where that person is.
OWN = (Agent.BROWSER, Agent.MAIL_PROGRAM, Agent.WEB_VIEW)
_ENGINES = ("applewebkit/", "gecko/", "trident/")
_COMPUTERS = ("windows", "macintosh", "mac os x", "x11", "linux", "ms-office", "msoffice")


@lru_cache(1_000)
def agent_of(user_agent: str) -> tuple[Agent, str]:
    """Its kind and name; (UNKNOWN, "") where nothing is known of it. Whoever drains forgets them after each batch."""
    text = user_agent.strip().lower().replace("cubot", "")  # makes phones: omrilotan/isbot#29
    if text == "mozilla/5.0":  # ua-parser/uap-core#509: Mail Privacy Protection sends this and nothing behind it
        return Agent.PREFETCHER, "Apple Mail"
    for part, kind, name in AGENTS:
        if part in text:
            return kind, name
    if not text.startswith("mozilla/5.0 (") or not any(engine in text for engine in _ENGINES):
        return Agent.UNKNOWN, ""
    return (Agent.WEB_VIEW, "Apple Mail or Outlook") if _is_nameless_webkit(text) else (Agent.BROWSER, "")


def _is_nameless_webkit(text: str) -> bool:
    """medama-io/go-useragent#10: Apple Mail; warmbly/warmbly#569: Outlook as well, and both now and then ahead."""
    return "applewebkit/" in text and "safari/" not in text and "chrome/" not in text


def device_of(user_agent: str) -> str:
    """ "phone", "tablet", "computer", or "" where the agent is not a person's own program or does not say. An iPad that
    asks for desktop pages says that it is a Mac, and nothing can be done about it."""
    kind, _ = agent_of(user_agent)
    text = user_agent.lower()
    if kind not in OWN:
        return ""
    if "ipad" in text or ("android" in text and "mobile" not in text):
        return "tablet"
    if "iphone" in text or "mobile" in text:
        return "phone"
    says_so = kind is not Agent.WEB_VIEW and any(word in text for word in _COMPUTERS)
    return "computer" if says_so else ""  # warmbly/warmbly#569: a nameless "Macintosh" may be any device
