"""Every setting of the product, from the environment (README lists them). Wiring only: no rules here."""

from pathlib import Path
from urllib.parse import urlsplit

from config import env
from organizations.loopback import is_loopback

BASE_DIR = Path(__file__).resolve().parent.parent
LOCAL_DIR = Path(env.read("LOCAL_DIR", str(BASE_DIR / ".local")))

# --- The web process: granian's --blocking-threads, so that one slow Salesforce never takes all of them ---
BLOCKING_THREADS = env.read_number("BLOCKING_THREADS", env.BLOCKING_THREADS)

# --- Who we are -----------------------------------------------------------------------------------
SECRET_KEY = env.read("SECRET_KEY")
PUBLIC_URL = env.read("PUBLIC_URL", "http://localhost:8000").rstrip("/")
TRUSTED_PROXIES = env.read_list("TRUSTED_PROXIES")
SIGN_UP = env.read("SIGN_UP", "open")
DEBUG = False
DEFAULT_EXCEPTION_REPORTER = "config.reports.Report"
DEFAULT_EXCEPTION_REPORTER_FILTER = "config.reports.Nothing"

_public = urlsplit(PUBLIC_URL)
IS_HTTPS = _public.scheme == "https"
IS_LOOPBACK = is_loopback(_public.hostname)
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"] if IS_LOOPBACK else [_public.hostname or "localhost"]

# --- Keys: one each, none shared (docs/vault.md 3) ---------------------------------------------------
VAULT_KEK = env.read("VAULT_KEK", "")
VAULT_KEK_FILE = env.file_of("VAULT_KEK")
#: For a key service. The file is read at each use, since an agent renews it.
VAULT_KEK_TOKEN = env.read("VAULT_KEK_TOKEN", "")
VAULT_KEK_TOKEN_FILE = env.file_of("VAULT_KEK_TOKEN")
AUDIT_KEY = env.read("AUDIT_KEY", "")
#: Ed25519 seed: signs certificates of destruction.
SIGNING_KEY = env.read("SIGNING_KEY", "")
#: Where a sealed token answer waits while the database is away: must outlive the process.
VAULT_SPOOL_DIR = Path(env.read("VAULT_SPOOL_DIR", str(LOCAL_DIR / "spool")))

# --- Cards in RAM, of each web process: bytes at most ------------------------------------------------
CARD_CACHE_BYTES = env.read_number("CARD_CACHE_BYTES", 64 * 1024 * 1024)

# --- Providers ------------------------------------------------------------------------------------
SALESFORCE_ORIGINS = env.read_list("SALESFORCE_ORIGINS")
#: Login addresses to offer by name, before Salesforce's own two; the first is chosen already.
SALESFORCE_LOGINS = env.read_named("SALESFORCE_LOGINS")
SALESFORCE_CLIENT_ID = env.read("SALESFORCE_CLIENT_ID", "")
SALESFORCE_CLIENT_SECRET = env.read("SALESFORCE_CLIENT_SECRET", "")
SALESFORCE_API_VERSION = env.read("SALESFORCE_API_VERSION", "62.0")
GOOGLE_OAUTH_URL = env.read("GOOGLE_OAUTH_URL", "https://accounts.google.com").rstrip("/")
GOOGLE_GMAIL_URL = env.read("GOOGLE_GMAIL_URL", "https://gmail.googleapis.com").rstrip("/")
GOOGLE_CALENDAR_URL = env.read("GOOGLE_CALENDAR_URL", "https://www.googleapis.com").rstrip("/")
GOOGLE_JWKS_URL = env.read("GOOGLE_JWKS_URL", "https://www.googleapis.com/oauth2/v3/certs")
#: Where Gmail is to publish that a mailbox has changed (projects/.../topics/...); without it mailboxes are only polled.
#: What its push subscription's tokens say: whose they are (a service account), and whom they are for.
GOOGLE_PUBSUB_TOPIC = env.read("GOOGLE_PUBSUB_TOPIC", "")
GOOGLE_PUBSUB_ACCOUNT = env.read("GOOGLE_PUBSUB_ACCOUNT", "")
GOOGLE_PUBSUB_AUDIENCE = env.read("GOOGLE_PUBSUB_AUDIENCE", f"{PUBLIC_URL}/hooks/google/gmail/")
GOOGLE_CLIENT_ID = env.read("GOOGLE_CLIENT_ID", "")
GOOGLE_CLIENT_SECRET = env.read("GOOGLE_CLIENT_SECRET", "")
MICROSOFT_LOGIN_URL = env.read("MICROSOFT_LOGIN_URL", "https://login.microsoftonline.com").rstrip("/")
MICROSOFT_GRAPH_URL = env.read("MICROSOFT_GRAPH_URL", "https://graph.microsoft.com").rstrip("/")
MICROSOFT_CLIENT_ID = env.read("MICROSOFT_CLIENT_ID", "")
MICROSOFT_CLIENT_SECRET = env.read("MICROSOFT_CLIENT_SECRET", "")
OUTBOUND_CA_BUNDLE = env.read("OUTBOUND_CA_BUNDLE", "")
OUTBOUND_PROXY = env.read("OUTBOUND_PROXY", "")

# --- Mail of our own, to members and administrators: by STARTTLS at least, but on this machine -----------
_mail_server = env.mail_server(env.read("EMAIL_URL", ""), "EMAIL_URL")
EMAIL_HOST, EMAIL_PORT = _mail_server.host, _mail_server.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail_server.user, _mail_server.password
EMAIL_USE_SSL = _mail_server.is_tls
EMAIL_USE_TLS = not EMAIL_USE_SSL and not is_loopback(EMAIL_HOST)
EMAIL_TIMEOUT = 10  # seconds
EMAIL_FROM = env.read("EMAIL_FROM", f"sidebar@{_public.hostname or 'localhost'}")

# --- The demo mailbox at `/`: a folder of .eml files; off when unset --------------------------------
DEMO_MAILBOX = env.read("DEMO_MAILBOX", "")

# --- Django ---------------------------------------------------------------------------------------
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
AUTH_USER_MODEL = "organizations.Member"
AUTHENTICATION_BACKENDS = ["organizations.authentication.MemberBackend"]
LOGIN_URL = "/connect/salesforce/"
LOGIN_REDIRECT_URL = "/dashboard/"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "oauth2_provider",
    "rest_framework",
    "drf_spectacular",
    "config",
    "organizations",
    "vault",
    "tracking",
    "sync",
    "sidebar",
    "dashboard",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "config.middleware.Envelope",
    "config.middleware.Bodies",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.PageSessions",
    "config.middleware.PageForms",
    "config.middleware.PageMembers",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
            ],
        },
    }
]

if not env.is_set("KEY_STORE_URL"):
    (LOCAL_DIR / "keys").mkdir(mode=0o700, parents=True, exist_ok=True)
DATABASES = {
    "default": env.database(env.read("DATABASE_URL"), "DATABASE_URL"),
    # Wrapped data keys live apart from the data, so that backups of the two can age differently (docs/vault.md 2).
    "keys": env.database(
        env.read("KEY_STORE_URL", f"sqlite:///{LOCAL_DIR / 'keys' / 'keys.sqlite3'}"), "KEY_STORE_URL"
    ),
}
DATABASE_ROUTERS = ["vault.routers.KeyStoreRouter"]

SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 12 * 3600
_COOKIE_PREFIX = "__Host-" if IS_HTTPS else ""
SESSION_COOKIE_NAME = f"{_COOKIE_PREFIX}session"
CSRF_COOKIE_NAME = f"{_COOKIE_PREFIX}csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

SECURE_HSTS_SECONDS = 63_072_000 if IS_HTTPS else 0  # two years (C7)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_SSL_REDIRECT = IS_HTTPS
# Not no-referrer: browsers then send `Origin: null` with our own forms, which the CSRF check rightly refuses.
SECURE_REFERRER_POLICY = "same-origin"
# W021 preload: one does not preload a customer's domain. W002: frame-ancestors in config.middleware says who may
# frame what, which X-Frame-Options cannot (the mail hosts).
# W003: CsrfViewMiddleware is there as config.middleware.PageForms.
SILENCED_SYSTEM_CHECKS = ["security.W021", "security.W002", "security.W003"]
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]
CSRF_FAILURE_VIEW = "config.errors.csrf_failure"

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = True
# Nothing is ever uploaded to a file (docs/wire.md W16).
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576

# --- API ------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["organizations.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["config.rendering.JsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.rendering.JsonParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.errors.problem_response",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Sidebar",
    "DESCRIPTION": "What a mail client's sidebar may ask. Errors are RFC 9457 problem details.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {"RoleEnum": "organizations.models.Role", "MailProviderEnum": "sync.mailboxes.PROVIDERS"},
}

# --- Our OAuth server: every RFC 9700 switch on (docs/wire.md W18) ---------------------------------
OAUTH2_PROVIDER_APPLICATION_MODEL = "organizations.Application"
OAUTH2_PROVIDER = {
    "OAUTH2_VALIDATOR_CLASS": "organizations.oauth.validator.Validator",
    "OAUTH2_SERVER_CLASS": "organizations.oauth.server.Server",
    "ACCESS_TOKEN_GENERATOR": "organizations.oauth.tokens.new_access_token",
    "SCOPES": {"sidebar": "See and change your Salesforce records beside your mail"},
    "DEFAULT_SCOPES": ["sidebar"],
    "ACCESS_TOKEN_EXPIRE_SECONDS": 600,
    "REFRESH_TOKEN_EXPIRE_SECONDS": 30 * 24 * 3600,
    "AUTHORIZATION_CODE_EXPIRE_SECONDS": 60,
    "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 0,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "ROTATE_REFRESH_TOKEN": True,
    "PKCE_REQUIRED": True,
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https"],
    "ALLOWED_SCHEMES": ["https"],
    "OIDC_ENABLED": False,
    "OAUTH2_RESPONSE_TYPES_SUPPORTED": ["code"],
    "OAUTH2_GRANT_TYPES_SUPPORTED": ["authorization_code", "refresh_token"],
    "OAUTH2_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": ["none"],
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
    "COMPLIANT_BCP_RFC9700_REFRESH_TOKEN": True,
    "COMPLIANT_BCP_RFC9700_REDIRECT_URI_SCHEME": True,
    "COMPLIANT_BCP_RFC9700_REDIRECT_URI_MATCHING": True,
    "COMPLIANT_BCP_RFC9700_PKCE_REQUIRED": True,
}

# --- Queue: ids only, nothing kept (docs/wire.md W15) -----------------------------------------------
REDIS_URL = env.read("REDIS_URL")

# Opens and clicks: where pixels and links point to (config/hot.py answers there), and the key of their tokens. Without
# both of them nothing can be tracked, whatever administrators switch on.
TRACKING_URL = env.read("TRACKING_URL", "").rstrip("/")
TRACKING_KEY = env.read("TRACKING_KEY", "")
GEOIP_FILE = env.read("GEOIP_FILE", "")
ASN_FILE = env.read("ASN_FILE", "")
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
#: A queue that takes connections and never answers must not keep a person waiting: who enqueues hears of it within
#: about 2 s (one second for each answer, one repetition), and the timetable finds what was left. `max_retries` is
#: kombu's for a connection that is opened on the way; workers and beat go on trying, for ever.
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 1.0, "socket_timeout": 1.0, "max_retries": 0}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.0}
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_SEND_TASK_EVENTS = False

LOGGING_CONFIG = "config.logging.configure"
LOGGING = {"version": 1}  # what it says is in config/logging.py; Django calls that only with something in hand
