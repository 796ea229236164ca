"""What asked for a pixel or a link, as others recorded it, and what we are to make of it. `source`: where the behaviour
is recorded (a thread on GitHub as owner/name#number, shortened where it comes again); the agent's own is in
recorded_agents.py. Addresses are those of the record, or from ranges that stand for nobody (RFC 5737, RFC 3849)."""

import ipaddress
from dataclasses import dataclass, field

from tests.tracking import recorded_agents as ua
from tracking.classify import Around, Verdict
from tracking.hot.hits import Flag
from tracking.hot.tokens import Kind

OPEN, CLICK = Kind.OPEN, Kind.CLICK
HUMAN, PREFETCH, SCANNER = Verdict.HUMAN_LIKELY, Verdict.PROXY_PREFETCH, Verdict.SCANNER
SELF, UNKNOWN = Verdict.SELF, Verdict.UNKNOWN
MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
SOMEWHERE, SOMEWHERE_6 = "198.51.100.7", "2001:db8::7"
OFFICE = (ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("2001:db8:1::/48"))

WARMBLY, NETWORKS = "warmbly/warmbly#412", "warmbly/warmbly, tracking/scanner-networks.txt"
CRAWLERS, PIM = "monperrus/crawler-user-agents", "matomo-org/device-detector, fixtures/pim.yml"
GUIDE = "check.live-direct-marketing.online, bot clicks from security scanners"
ORDINARY = "validity.com, knowledge 4406957796251: desktop and mobile are real opens"
OURS = "product.md D: our own rule"


@dataclass(frozen=True)
class Case:
    name: str
    kind: Kind
    agent: str
    after: float | None  # seconds since it was sent
    verdict: Verdict
    source: str
    address: str = SOMEWHERE
    flags: int = 0
    around: Around = field(default_factory=Around)


def hosted(by: str) -> Around:
    return Around(hosting=by)


AT_OFFICE, LOOKING = Around(own_networks=OFFICE), Around(sender_is_looking=True)

# fmt: off
CASES = (
    # Apple Mail Privacy Protection
    Case("Apple's privacy, at delivery", OPEN, ua.APPLE_PRIVACY, 8, PREFETCH, "ua-parser/uap-core#509"),
    Case("Apple's privacy, hours later", OPEN, ua.APPLE_PRIVACY, 5 * HOUR, PREFETCH, "help.socketlabs.com, MPP opens"),
    Case("Apple's privacy, with a space behind", OPEN, ua.APPLE_PRIVACY + " ", HOUR, PREFETCH, "help.socketlabs.com"),
    Case("a link by nothing but Mozilla/5.0", CLICK, ua.APPLE_PRIVACY, HOUR, SCANNER, "ua-parser/uap-core#509"),
    # Gmail
    Case("Gmail's proxy at delivery", OPEN, ua.GMAIL_PROXY, 2, PREFETCH, "gophish/gophish#1390"),
    Case("Gmail's proxy seconds later", OPEN, ua.GMAIL_PROXY, 12, UNKNOWN, "gophish/gophish#1390"),
    Case("Gmail's proxy for its reader", OPEN, ua.GMAIL_PROXY, 4 * MINUTE, HUMAN, "matomo-org/device-detector#5359"),
    Case("Gmail's proxy of 2014", OPEN, ua.GMAIL_PROXY_2014, HOUR, HUMAN, "browscap/browscap#367"),
    Case("Gmail's proxy in a data centre", OPEN, ua.GMAIL_PROXY, HOUR, HUMAN, WARMBLY, around=hosted("Google Cloud")),
    Case("Gmail's proxy on a link", CLICK, ua.GMAIL_PROXY, HOUR, SCANNER, "browscap/browscap#1108: images only"),
    Case("Gmail ahead of its reader", OPEN, ua.GMAIL_AHEAD, 25, PREFETCH, "sparkpost.com, Gmail prefetching"),
    Case("Gmail ahead, much later", OPEN, ua.GMAIL_AHEAD, 3 * HOUR, PREFETCH, "bird.com, Gmail prefetching"),
    Case("Gmail samples a link", CLICK, ua.GMAIL_SAMPLING, 40, SCANNER, "mssola/user_agent#71"),
    # Yahoo
    Case("Yahoo's proxy for its reader", OPEN, ua.YAHOO_PROXY, HOUR, HUMAN, "validity.com: caching happens at open"),
    Case("Yahoo's proxy, escaped", OPEN, ua.YAHOO_PROXY_ESCAPED, HOUR, HUMAN, "faisalman/ua-parser-js#494"),
    Case("Yahoo's proxy at delivery", OPEN, ua.YAHOO_PROXY, 1, PREFETCH, "validity.com, Yahoo's image caching"),
    Case("Yahoo looks a link up", CLICK, ua.YAHOO_PROXY, HOUR, SCANNER, "botcrawl.com/bots/yahoomailproxy"),
    Case("Yahoo's link preview", CLICK, ua.YAHOO_PREVIEW, HOUR, SCANNER, CRAWLERS),
    # Outlook
    Case("Outlook 2007", OPEN, ua.OUTLOOK_2007, HOUR, HUMAN, "tobie/ua-parser#122"),
    Case("Outlook 2010", OPEN, ua.OUTLOOK_2010, HOUR, HUMAN, PIM),
    Case("Outlook 2016", OPEN, ua.OUTLOOK_2016, HOUR, HUMAN, "ua-parser/uap-core#132"),
    Case("Outlook 365", OPEN, ua.OUTLOOK_365, 5 * MINUTE, HUMAN, "ua-parser/uap-core#405"),
    Case("the new Outlook", OPEN, ua.OUTLOOK_NEW, HOUR, HUMAN, "nextauthjs/next-auth#1840"),
    Case("Outlook on a Mac", OPEN, ua.OUTLOOK_MAC, HOUR, HUMAN, PIM),
    Case("Outlook on an iPhone", OPEN, ua.OUTLOOK_IPHONE, HOUR, HUMAN, "3rd-Eden/useragent#146"),
    Case("Outlook a second after sending", OPEN, ua.OUTLOOK_365, 1, UNKNOWN, OURS),
    Case("Outlook's images 24 minutes later", OPEN, ua.APPLE_MAIL, 24 * MINUTE, HUMAN, "warmbly/warmbly#569"),
    Case("Outlook's or Apple's, at delivery", OPEN, ua.APPLE_MAIL, 2, PREFETCH, "warmbly/warmbly#569"),
    Case("Outlook.com's own addresses", OPEN, ua.CHROME_WINDOWS, HOUR, UNKNOWN, WARMBLY, "40.107.218.12"),
    Case("Outlook.com out of Microsoft", OPEN, ua.APPLE_MAIL, HOUR, UNKNOWN, WARMBLY, around=hosted("Microsoft")),
    Case("the new Outlook tries a link", CLICK, ua.OUTLOOK_NEW, HOUR, UNKNOWN, "nextauthjs/next-auth#1840"),
    Case("Office tries a link first", CLICK, ua.OUTLOOK_365, HOUR, UNKNOWN, "webmasters.stackexchange 71112"),
    Case("then the browser has it", CLICK, ua.IE_11, HOUR, HUMAN, "webmasters.stackexchange 71112"),
    Case("Office asks what a link is", CLICK, ua.OFFICE_DISCOVERY, HOUR, SCANNER, "vsofficedeveloper", flags=Flag.HEAD),
    # Safe Links and Defender: Microsoft's own browsers, without a name
    Case("Safe Links in 2018", CLICK, ua.SAFE_LINKS_2018, 5, SCANNER, "gophish/gophish#973", "40.107.218.12"),
    Case("Safe Links in 2020", CLICK, ua.SAFE_LINKS_2020, 60, SCANNER, "opencollective#3656", "40.94.16.9"),
    Case("Safe Links' other network", CLICK, ua.SAFE_LINKS_2020, DAY, SCANNER, "opencollective#3656", "40.107.235.1"),
    Case("Safe Links and double opt-in", CLICK, ua.SAFE_LINKS_2021, 90, SCANNER, "mautic/mautic#9400", "40.94.29.84"),
    Case("Safe Links without a name", CLICK, "", 20, SCANNER, "passwordless-login#79", "104.47.1.254"),
    Case("Defender hours later", CLICK, ua.DEFENDER_2022, 9 * HOUR, SCANNER, "gophish/gophish#2646", "40.94.89.23"),
    Case("Safe Links by IPv6", CLICK, ua.SAFE_LINKS_2022, HOUR, SCANNER, NETWORKS, "2a01:111:f403::1"),
    Case("Safe Links, IPv4 in IPv6", CLICK, ua.SAFE_LINKS_2022, HOUR, SCANNER, NETWORKS, "::ffff:104.47.30.126"),
    Case("Safe Links asks for the head", CLICK, ua.GO, HOUR, SCANNER, "authelia/authelia#2994", flags=Flag.HEAD),
    Case("Safe Links out of Azure", CLICK, ua.SAFE_LINKS_2022, 20, UNKNOWN, "passwordless-login#79", "20.72.100.79"),
    Case("the same, with a file of networks", CLICK, ua.SAFE_LINKS_2022, 5 * MINUTE, SCANNER, "warmbly/warmbly#410",
         "20.72.100.79", around=hosted("MICROSOFT-CORP-MSN-AS-BLOCK")),
    Case("its reader's browser, sent on by Safe Links", CLICK, ua.CHROME_WINDOWS, HOUR, HUMAN, WARMBLY),
    # Other mail protection
    Case("Barracuda by its name", CLICK, ua.BARRACUDA, HOUR, SCANNER, "JayBizzle/Crawler-Detect#552"),
    Case("Proofpoint by its name", CLICK, ua.PROOFPOINT, HOUR, SCANNER, "suped.com, high Proofpoint click events"),
    Case("Proofpoint by its network", CLICK, ua.CHROME_MAC, 5 * MINUTE, SCANNER, NETWORKS, around=hosted("Proofpoint")),
    Case("Proofpoint's isolated browser", CLICK, ua.CHROME_MAC, HOUR, UNKNOWN, NETWORKS, around=hosted("Proofpoint")),
    Case("Mimecast, which says it follows none", CLICK, ua.CHROME_WINDOWS, HOUR, UNKNOWN,
         "mimecastsupport.zendesk.com, 34000734585107", around=hosted("Mimecast")),
    Case("Mimecast at delivery", CLICK, ua.CHROME_WINDOWS, 5 * MINUTE, SCANNER, NETWORKS, around=hosted("Mimecast")),
    Case("Cisco by its name", CLICK, ua.CISCO, HOUR, SCANNER, GUIDE),
    Case("Cisco by its network", CLICK, ua.CHROME_MAC, 5 * MINUTE, SCANNER, NETWORKS, around=hosted("IronPort")),
    Case("Trend Micro beside Microsoft 365", CLICK, ua.CHROME_WINDOWS, 4, UNKNOWN, "gophish/gophish#2115"),
    Case("Trend Micro's sandbox", CLICK, ua.CHROME_WINDOWS, 3 * MINUTE, SCANNER, "docs.trendmicro.com, web reputation",
         around=hosted("Amazon")),
    Case("Google looks for harm", CLICK, ua.GOOGLE_SAFETY, HOUR, SCANNER, CRAWLERS),
    Case("a nameless filter, a second after sending", CLICK, ua.CHROME_WINDOWS, 1.5, SCANNER, "gophish/gophish#1555"),
    Case("a nameless filter on the pixel", OPEN, ua.CHROME_WINDOWS, 2, SCANNER, "gophish/gophish#1555"),
    Case("a nameless filter after twelve seconds", CLICK, ua.CHROME_WINDOWS, 12, UNKNOWN, "resend/resend-node#901"),
    Case("no screen, 22 seconds after sending", CLICK, ua.HEADLESS, 22, SCANNER, "emdash-cms/emdash#3298"),
    # Previews in chats
    Case("Slack", CLICK, ua.SLACK, HOUR, SCANNER, CRAWLERS),
    Case("Slack's images", OPEN, ua.SLACK_IMAGES, HOUR, SCANNER, CRAWLERS),
    Case("Teams and Skype", CLICK, ua.TEAMS, HOUR, SCANNER, CRAWLERS),
    Case("WhatsApp", CLICK, ua.WHATSAPP, HOUR, SCANNER, CRAWLERS),
    Case("Telegram", CLICK, ua.TELEGRAM, HOUR, SCANNER, CRAWLERS),
    Case("LinkedIn", CLICK, ua.LINKEDIN, HOUR, SCANNER, CRAWLERS),
    Case("Facebook", CLICK, ua.FACEBOOK, HOUR, SCANNER, CRAWLERS),
    Case("X", CLICK, ua.X, HOUR, SCANNER, CRAWLERS),
    Case("Discord", CLICK, ua.DISCORD, HOUR, SCANNER, CRAWLERS),
    Case("Bing", CLICK, ua.BING_PREVIEW, HOUR, SCANNER, CRAWLERS),
    Case("Messages by Apple", CLICK, ua.APPLE_MESSAGES, HOUR, SCANNER, "peter.upfold.org.uk/blog/2019/02"),
    # Programs
    Case("a script", CLICK, ua.PYTHON, HOUR, SCANNER, "putyourlightson/craft-campaign#546"),
    Case("another script", CLICK, ua.AIOHTTP, HOUR, SCANNER, CRAWLERS),
    Case("curl", OPEN, ua.CURL, HOUR, SCANNER, CRAWLERS),
    Case("a library of Android", CLICK, ua.OKHTTP, HOUR, SCANNER, CRAWLERS),
    Case("a crawler", CLICK, ua.GOOGLEBOT, DAY, SCANNER, CRAWLERS),
    # Headers
    Case("only the head", CLICK, ua.CHROME_WINDOWS, HOUR, SCANNER, "cobudget/cobudget#1274", flags=Flag.HEAD),
    Case("only the head of a pixel", OPEN, ua.CHROME_WINDOWS, HOUR, SCANNER, "promises.md C51", flags=Flag.HEAD),
    Case("Sec-Purpose: prefetch", CLICK, ua.FIREFOX_WINDOWS, HOUR, PREFETCH, "MDN, Sec-Purpose", flags=Flag.PREFETCH),
    Case("Purpose: prefetch", CLICK, ua.CHROME_MAC, HOUR, PREFETCH, "crbug.com/1358419", flags=Flag.PREFETCH),
    Case("a part of a pixel", OPEN, ua.CHROME_WINDOWS, HOUR, SCANNER, "hardening.md BI-D7", flags=Flag.PARTIAL),
    Case("a link, if it has changed", CLICK, ua.CHROME_MAC, HOUR, SCANNER, "hardening.md BI-D7", flags=Flag.PARTIAL),
    # Networks of servers
    Case("a link out of a data centre", CLICK, ua.CHROME_WINDOWS, 10 * MINUTE, SCANNER, "paminga.com, bot filtering",
         around=hosted("Amazon")),
    Case("the same a day later", CLICK, ua.CHROME_WINDOWS, DAY, UNKNOWN, NETWORKS, around=hosted("Amazon")),
    Case("a pixel out of a data centre", OPEN, ua.CHROME_WINDOWS, HOUR, UNKNOWN, WARMBLY, around=hosted("Hetzner")),
    # The sender's own
    Case("a draft", OPEN, ua.CHROME_WINDOWS, None, SELF, OURS),
    Case("a link in the preview", CLICK, ua.CHROME_WINDOWS, None, SELF, OURS),
    Case("before it was sent", OPEN, ua.GMAIL_PROXY, -3, SELF, OURS),
    Case("at the sender's office", OPEN, ua.OUTLOOK_365, HOUR, SELF, OURS, "192.0.2.55", around=AT_OFFICE),
    Case("at the office by IPv6", CLICK, ua.CHROME_MAC, HOUR, SELF, OURS, "2001:db8:1::9", around=AT_OFFICE),
    Case("at another office", OPEN, ua.OUTLOOK_365, HOUR, HUMAN, OURS, around=AT_OFFICE),
    Case("while the sender looks", OPEN, ua.GMAIL_PROXY, HOUR, SELF, OURS, around=LOOKING),
    Case("a link while the sender looks", CLICK, ua.CHROME_MAC, HOUR, UNKNOWN, OURS, around=LOOKING),
    # People
    Case("Chrome on Windows", OPEN, ua.CHROME_WINDOWS, 2 * MINUTE, HUMAN, ORDINARY),
    Case("Chrome on a Mac", CLICK, ua.CHROME_MAC, 2 * MINUTE, HUMAN, ORDINARY),
    Case("Chrome on Android", CLICK, ua.CHROME_ANDROID, HOUR, HUMAN, ORDINARY),
    Case("Chrome on a tablet", OPEN, ua.CHROME_ANDROID_TABLET, HOUR, HUMAN, ORDINARY),
    Case("Safari on an iPhone", CLICK, ua.SAFARI_IPHONE, 31, HUMAN, ORDINARY),
    Case("Safari on an iPad", CLICK, ua.SAFARI_IPAD, HOUR, HUMAN, ORDINARY),
    Case("Safari on a Mac, by IPv6", CLICK, ua.SAFARI_MAC, HOUR, HUMAN, ORDINARY, SOMEWHERE_6),
    Case("Firefox", CLICK, ua.FIREFOX_WINDOWS, HOUR, HUMAN, ORDINARY),
    Case("Firefox on Android", CLICK, ua.FIREFOX_ANDROID, HOUR, HUMAN, ORDINARY),
    Case("Opera on Android", CLICK, ua.OPERA_ANDROID, HOUR, HUMAN, ORDINARY),
    Case("an app's own window", CLICK, ua.IOS_APP, HOUR, HUMAN, "HaraldWalker/user-agent-utils#133"),
    Case("a phone called CUBOT", CLICK, ua.INSTAGRAM_CUBOT, HOUR, HUMAN, "omrilotan/isbot#29"),
    Case("Thunderbird", OPEN, ua.THUNDERBIRD, HOUR, HUMAN, "donatj/PhpUserAgent#53"),
    Case("Apple Mail without its privacy", OPEN, ua.APPLE_MAIL, HOUR, HUMAN, "medama-io/go-useragent#10"),
    Case("Mail on Windows", OPEN, ua.WINDOWS_MAIL, HOUR, HUMAN, PIM),
    Case("Notes", OPEN, ua.NOTES, HOUR, HUMAN, PIM),
    Case("eM Client", OPEN, ua.EM_CLIENT, HOUR, HUMAN, PIM),
    Case("Spark", OPEN, ua.SPARK, HOUR, HUMAN, "faisalman/ua-parser-js#237"),
    # Quick, or nobody
    Case("a quick reader, perhaps", OPEN, ua.SAFARI_IPHONE, 20, UNKNOWN, "jdavidbakr/mail-tracker#228"),
    Case("a quick click, perhaps", CLICK, ua.CHROME_MAC, 30, UNKNOWN, "jdavidbakr/mail-tracker#228"),
    # Nothing to go by
    Case("no agent", OPEN, "", HOUR, UNKNOWN, "edalzell/laravel-passwordless-login#79"),
    Case("blanks for an agent", CLICK, "   ", HOUR, UNKNOWN, "edalzell/laravel-passwordless-login#79"),
    Case("an agent nobody knows", OPEN, "Zarquon/42", HOUR, UNKNOWN, OURS),
    Case("100 kB of agent", OPEN, "A" * 100_000, HOUR, UNKNOWN, "hardening.md BI-D8"),
    Case("100 kB behind a browser's name", CLICK, ua.CHROME_MAC + " x" * 50_000, HOUR, HUMAN, "hardening.md BI-D8"),
    Case("no address either: its day is over", OPEN, "", HOUR, UNKNOWN, OURS, ""),
    Case("what is no address", CLICK, ua.CHROME_MAC, HOUR, HUMAN, OURS, "not an address"),
)
# fmt: on
