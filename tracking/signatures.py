"""Who fetches mail's images and links on somebody's behalf: names in user agents, each with where it is known from.

Data only. Order matters: the first that is found counts. Kept small on purpose: what behaviour shows (several links at
once, before the mail was sent, headers only) needs no list."""

from enum import StrEnum


class Agent(StrEnum):
    """What kind of program asked."""

    IMAGE_PROXY = "image_proxy"  # loads images for its reader's screen, sometimes ahead of it
    PREFETCHER = "prefetcher"  # loads all images of all mails, read or not
    SCANNER = "scanner"  # looks for malware
    PREVIEW = "preview"  # draws a preview of a link in a chat
    PROGRAM = "program"  # a library or a crawler
    MAIL_PROGRAM = "mail_program"
    BROWSER = "browser"
    UNKNOWN = "unknown"


#: (part of the user agent in lower case, kind, its name for people)
AGENTS: tuple[tuple[str, Agent, str], ...] = (
    # faisalman/ua-parser-js#494, browscap/browscap#1108: whatever the reader's browser is
    ("googleimageproxy", Agent.IMAGE_PROXY, "Gmail"),
    ("via ggpht.com", Agent.IMAGE_PROXY, "Gmail"),
    ("yahoomailproxy", Agent.IMAGE_PROXY, "Yahoo Mail"),
    # Link previews: each service's own page for webmasters.
    ("slackbot", Agent.PREVIEW, "Slack"),
    ("slack-imgproxy", Agent.PREVIEW, "Slack"),
    ("skypeuripreview", Agent.PREVIEW, "Skype and Teams"),
    ("twitterbot", Agent.PREVIEW, "X"),
    ("facebookexternalhit", Agent.PREVIEW, "Facebook"),
    ("linkedinbot", Agent.PREVIEW, "LinkedIn"),
    ("whatsapp/", Agent.PREVIEW, "WhatsApp"),
    ("telegrambot", Agent.PREVIEW, "Telegram"),
    ("discordbot", Agent.PREVIEW, "Discord"),
    # Mail security.
    ("barracuda", Agent.SCANNER, "Barracuda"),
    ("mimecast", Agent.SCANNER, "Mimecast"),
    ("proofpoint", Agent.SCANNER, "Proofpoint"),
    ("symantec", Agent.SCANNER, "Symantec"),
    ("trend micro", Agent.SCANNER, "Trend Micro"),
    ("forcepoint", Agent.SCANNER, "Forcepoint"),
    ("zscaler", Agent.SCANNER, "Zscaler"),
    ("bitdefender", Agent.SCANNER, "Bitdefender"),
    ("microsoft office existence discovery", Agent.SCANNER, "Microsoft Office"),
    ("ms-office; office existence", Agent.SCANNER, "Microsoft Office"),
    # Programs.
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
    # Mail programs that load images when their reader looks.
    ("ms-office", Agent.MAIL_PROGRAM, "Outlook"),
    ("microsoft outlook", Agent.MAIL_PROGRAM, "Outlook"),
    ("thunderbird", Agent.MAIL_PROGRAM, "Thunderbird"),
    ("lotus-notes", Agent.MAIL_PROGRAM, "Notes"),
    ("mailspring", Agent.MAIL_PROGRAM, "Mailspring"),
)


def agent_of(user_agent: str) -> tuple[Agent, str]:
    """Its kind and name; (UNKNOWN, "") where nothing is known of it."""
    text = user_agent.strip().lower()
    if text == "mozilla/5.0":  # help.socketlabs.com, "identifying Apple MPP opens": this and nothing behind it
        return Agent.PREFETCHER, "Apple Mail"
    for part, kind, name in AGENTS:
        if part in text:
            return kind, name
    is_browser = text.startswith("mozilla/5.0 (") and any(engine in text for engine in ("applewebkit/", "gecko/"))
    return (Agent.BROWSER, "") if is_browser else (Agent.UNKNOWN, "")


def device_of(user_agent: str) -> str:
    """ "phone", "tablet", "computer", or "" where the agent is not a person's own program."""
    kind, _ = agent_of(user_agent)
    if kind not in (Agent.BROWSER, Agent.MAIL_PROGRAM):
        return ""
    text = user_agent.lower()
    if "ipad" in text or ("android" in text and "mobile" not in text) or "tablet" in text:
        return "tablet"
    return "phone" if "iphone" in text or "mobile" in text else "computer"
