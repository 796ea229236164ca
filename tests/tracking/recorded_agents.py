"""User agents as others recorded them, letter for letter, by what sent them. Each with where it was recorded; none is
made up."""

# Images ahead of their reader.
APPLE_PRIVACY = "Mozilla/5.0"  # ua-parser/uap-core#509
GMAIL_AHEAD = (  # sparkpost.com/blog/gmail-prefetching-images
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135"
    " Safari/537.36 Edge/12.246 Mozilla/5.0"
)
GMAIL_SAMPLING = (  # mssola/user_agent#71
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135"
    " Safari/537.36 Edge/12.246 Gmail-content-sampling"
)

# Image proxies.
GMAIL_PROXY = (
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"  # browscap#1108
)
GMAIL_PROXY_2014 = (  # browscap/browscap#367
    "Mozilla/5.0 (Windows; U; Windows NT 5.1; de; rv:1.9.0.7) Gecko/2009021910 Firefox/3.0.7 (via ggpht.com)"
)
YAHOO_PROXY = (
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"  # botcrawl.com/bots/yahoomailproxy
)
YAHOO_PROXY_ESCAPED = "YahooMailProxy;%20https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"  # ua-parser-js#494

# Mail protection: most of it calls itself an ordinary browser.
SAFE_LINKS_2018 = (  # gophish/gophish#973
    "Mozilla/5.0 (Windows NT 6.1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/57.0.2987.133 Safari/537.36"
)
SAFE_LINKS_2020 = (  # opencollective/opencollective#3656
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/72.0.3626.109"
    " Safari/537.36"
)
SAFE_LINKS_2021 = (  # mssola/user_agent#71
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/79.0.3945.74"
    " Safari/537.36 Edg/79.0.309.43"
)
SAFE_LINKS_2022 = (  # edalzell/laravel-passwordless-login#79
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/97.0.4692.99 Safari/537.36"
)
DEFENDER_2022 = (  # gophish/gophish#2646
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/101.0.4951.54"
    " Safari/537.36"
)
BARRACUDA = "Barracuda Sentinel (EE)"  # JayBizzle/Crawler-Detect#552
PROOFPOINT = "Proofpoint URL Defense"  # suped.com, "understanding and reducing high proofpoint click events"
CISCO = "CiscoSecureEmail"  # check.live-direct-marketing.online, "bot clicks from security scanners"
GOOGLE_SAFETY = (  # monperrus/crawler-user-agents
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.5735.179"
    " Safari/537.36 (compatible; Google-Safety; +http://www.google.com/bot.html)"
)
OFFICE_DISCOVERY = "Microsoft Office Existence Discovery"  # learn.microsoft.com/archive/blogs/vsofficedeveloper

# Previews: monperrus/crawler-user-agents, but for Apple's (peter.upfold.org.uk/blog/2019/02, the name of X put back).
SLACK = "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"
SLACK_IMAGES = "Slack-ImgProxy (+https://api.slack.com/robots)"
TEAMS = "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5"
WHATSAPP = "WhatsApp/0.3.4479 N"
FACEBOOK = "facebookexternalhit/1.1"
X = "Twitterbot/1.0"
LINKEDIN = "LinkedInBot/1.0 (compatible; Mozilla/5.0; Jakarta Commons-HttpClient/4.3 +http://www.linkedin.com)"
TELEGRAM = "TelegramBot (like TwitterBot)"
DISCORD = "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)"
BING_PREVIEW = "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b"
YAHOO_PREVIEW = (
    "Mozilla/5.0 (compatible; Yahoo Link Preview; https://help.yahoo.com/kb/mail/yahoo-link-preview-SLN23615.html)"
)
APPLE_MESSAGES = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1"
    " Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0"
)

# Programs: monperrus/crawler-user-agents.
PYTHON = "python-requests/2.11.1"
AIOHTTP = "Python/3.9 aiohttp/3.7.3"
GO = "Go-http-client/1.1"  # authelia/authelia#2994: as the link checker of Outlook
CURL = "curl/7.29.0"
OKHTTP = "okhttp/2.7.5"
HEADLESS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/74.0.3729.169 Safari/537.36"
)
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"

# Mail programs.
OUTLOOK_2007 = (  # tobie/ua-parser#122
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 6.1; WOW64; Trident/5.0; SLCC2; .NET CLR 2.0.50727;"
    " .NET CLR 3.5.30729; .NET CLR 3.0.30729; Media Center PC 6.0; .NET4.0C; MAMI; MSOffice 12)"
)
OUTLOOK_2010 = (  # matomo-org/device-detector, fixtures/pim.yml: no tablet, whatever it says
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 6.1; Win64; x64; Trident/7.0; .NET CLR 2.0.50727; SLCC2;"
    " .NET CLR 3.5.30729; .NET CLR 3.0.30729; Media Center PC 6.0; .NET4.0C; InfoPath.3; .NET CLR 1.1.4322; FDM;"
    " Tablet PC 2.0; .NET4.0E; Microsoft Outlook 14.0.7113; ms-office; MSOffice 14)"
)
OUTLOOK_2016 = "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.6326; Pro)"  # ua-parser/uap-core#132
OUTLOOK_365 = "Mozilla/4.0 (compatible; ms-office; MSOffice 16)"  # ua-parser/uap-core#405
OUTLOOK_NEW = (  # nextauthjs/next-auth#1840
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/117.0.0.0 Safari/537.36"
    " Edg/117.0.2045.47 OneOutlook/1.2023.927.100"
)
OUTLOOK_MAC = "MacOutlook/16.46.21021202 (Intelx64 Mac OS X 11.2.2 (Build 20D80))"  # device-detector, fixtures/pim.yml
OUTLOOK_IPHONE = "Outlook-iOS/711.2304115.prod.iphone (3.26.0)"  # 3rd-Eden/useragent#146
WINDOWS_MAIL = "WindowsMail/17.5.9600.22013"  # matomo-org/device-detector, fixtures/pim.yml
THUNDERBIRD = (  # donatj/PhpUserAgent#53
    "Mozilla/5.0 (Windows NT 10.0; WOW64; rv:52.0) Gecko/20100101 Thunderbird/52.9.1 Lightning/5.4.9.1"
)
APPLE_MAIL = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"  # go-useragent#10
)
IOS_APP = (  # HaraldWalker/user-agent-utils#133
    "Mozilla/5.0 (iPhone; CPU iPhone OS 8_1_3 like Mac OS X) AppleWebKit/600.1.4 (KHTML, like Gecko) Mobile/12B466"
)
NOTES = "Mozilla/4.0 (compatible; Lotus-Notes/6.0; Windows-NT)"  # matomo-org/device-detector, fixtures/pim.yml
EM_CLIENT = (  # matomo-org/device-detector, fixtures/pim.yml
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/55.0.2883.87"
    " Safari/537.36 eM Client/8.2.1659.0"
)
SPARK = "Spark/1.7.3.948 CFNetwork/811.4.18 Darwin/16.5.0"  # faisalman/ua-parser-js#237

# Browsers.
CHROME_WINDOWS = (  # gist.github.com/kicktv/a9c1cbe215c86ddf94cd8075aa740505
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/87.0.4280.88 Safari/537.36"
)
CHROME_MAC = (  # paminga.com/docs/concepts/bot-filtering
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0"
    " Safari/537.36"
)
CHROME_ANDROID = (  # pub.dev, BootpayPlatform.AndroidUserAgent
    "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/123.0.6312.40 Mobile Safari/537.36"
)
CHROME_ANDROID_TABLET = (  # gist.github.com/kampar/fe4df3027050194312062bb97122aaaa
    "Mozilla/5.0 (Linux; Android 4.1.1; Nexus 7 Build/JRO03D) AppleWebKit/535.19 (KHTML, like Gecko)"
    " Chrome/18.0.1025.166 Safari/535.19"
)
SAFARI_IPHONE = (  # nielsleenheer.com, "the user-agent string of Safari on iOS 26"
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0"
    " Mobile/15E148 Safari/604.1"
)
SAFARI_IPAD = (  # intrepidgeeks.com/tutorial/useragent-of-ipados, beside another app
    "Mozilla/5.0 (iPad; CPU OS 13_1_3 like MacOS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.0.1"
    " Mobile/15E148 Safari/604.1"
)
SAFARI_IPAD_DESKTOP = (  # intrepidgeeks.com/tutorial/useragent-of-ipados, alone on the screen
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.0.1"
    " Safari/605.1.15"
)
SAFARI_MAC = (  # gophish/gophish#499
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_12_2) AppleWebKit/602.3.12 (KHTML, like Gecko) Version/10.0.2"
    " Safari/602.3.12"
)
FIREFOX_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:109.0) Gecko/20100101 Firefox/116.0"  # MDN, Sec-Purpose
FIREFOX_ANDROID_TABLET = "Mozilla/5.0 (Android 4.4; Tablet; rv:41.0) Gecko/41.0 Firefox/41.0"  # ua-parser/uap-python#84
FIREFOX_ANDROID = "Mozilla/5.0 (Android 4.4; Mobile; rv:41.0) Gecko/41.0 Firefox/41.0"  # naver/egjs-agent#16
OPERA_ANDROID = (  # danbooru/danbooru#5693
    "Mozilla/5.0 (Linux; Android 10; Mi A2) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.6261.149"
    " Mobile Safari/537.36 OPR/81.6.4292.79147"
)
INSTAGRAM_CUBOT = (  # the brand: omrilotan/isbot#29
    "Mozilla/5.0 (Linux; Android 12; P60 Build/SP1A.210812.016; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0"
    " Chrome/118.0.0.0 Mobile Safari/537.36 Instagram 308.0.0.36.109 Android (31/12; 320dpi; 720x1468; CUBOT; P60; P60;"
    " mt6765; es_ES; 534961953)"
)
IE_11 = "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko"  # webmasters.stackexchange.com, 71112
