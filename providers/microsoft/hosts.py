"""Which hosts are Microsoft's: sign-in and Graph of the worldwide cloud. No I/O.

A national cloud is the operator's own origin (MICROSOFT_LOGIN_URL, MICROSOFT_GRAPH_URL)."""

from providers.own_hosts import OwnHosts

HOSTS = OwnHosts(
    provider="microsoft",
    label="Microsoft",
    login="https://login.microsoftonline.com",
    hosts=("login.microsoftonline.com", "graph.microsoft.com"),
)
