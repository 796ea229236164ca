"""Which hosts are Google's, as its openid-configuration and its API reference name them. No I/O."""

from providers.own_hosts import OwnHosts

HOSTS = OwnHosts(
    provider="google",
    label="Google",
    login="https://accounts.google.com",
    hosts=(
        "accounts.google.com",
        "oauth2.googleapis.com",
        "openidconnect.googleapis.com",
        "gmail.googleapis.com",
        "www.googleapis.com",
    ),
)
