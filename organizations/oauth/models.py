"""Rows of our OAuth server beside the toolkit's own: add-ins, used codes, devices. Hold no token and no code.

Part of `organizations.models`; import them from there."""

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from oauth2_provider.models import AbstractApplication

from organizations.oauth import redirects


class Application(AbstractApplication):
    """An add-in that may ask our OAuth server for tokens. Plain http is for loopback redirects only (RFC 8252 7.3)."""

    objects: ClassVar[models.Manager["Application"]] = models.Manager()

    class Meta(AbstractApplication.Meta):
        swappable = "OAUTH2_PROVIDER_APPLICATION_MODEL"

    def clean(self) -> None:
        super().clean()
        if not all(redirects.is_acceptable(uri) for uri in self.redirect_uris.split()):
            raise ValidationError({"redirect_uris": "Use https, or http on loopback; no user name, no fragment."})

    def get_allowed_schemes(self) -> list[str]:
        """http only for an add-in that has registered a loopback redirect; see `oauth.redirects`."""
        return ["https", "http"] if any(map(redirects.is_plain_http, self.redirect_uris.split())) else ["https"]

    def redirect_uri_allowed(self, uri: str) -> bool:
        return redirects.is_allowed(uri, self.redirect_uris.split())


class UsedCode(models.Model):
    """An authorization code that has been redeemed, as a hash, and the family of tokens that came of it.

    Its second use is a theft seen: the family dies (RFC 6749 4.1.2). Kept as long as the family may live."""

    digest = models.CharField(max_length=64, unique=True)
    member = models.ForeignKey("organizations.Member", on_delete=models.CASCADE, related_name="+")
    family = models.UUIDField()
    used_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return str(self.pk)


class Device(models.Model):
    """One sign-in of an add-in: a family of tokens, as its person sees it (C3). Holds neither token nor user agent.

    Its row is the family's lock, too: a renewal and the end of a family come one after the other."""

    family = models.UUIDField(primary_key=True)
    member = models.ForeignKey("organizations.Member", on_delete=models.CASCADE, related_name="devices")
    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+")
    system = models.CharField(max_length=40, blank=True)  # coarse: "Windows, Edge"
    signed_in_at = models.DateTimeField(default=timezone.now, db_index=True)
    last_used_at = models.DateTimeField(default=timezone.now)  # to the hour

    def __str__(self) -> str:
        return str(self.family)
