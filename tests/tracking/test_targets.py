"""Which links may lead through us: only those that every parser reads alike (BI-D3, BI-D4, BI-D6; C51)."""

import ada_url
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.targets import MAX_TARGET, target_of

KEPT = [
    "https://example.com/",
    "http://example.com/a/b.html",
    "https://example.com/a?x=1&y=%20&z=a+b#part-2",
    "https://example.com:8443/a",
    "https://example.com/a%2Fb/%E4%BD%A0?q=%26#%23",
    "https://xn--mller-kva.example/",
    "https://sub.domain.example.co.uk/a;b=c/d,e?f[]=g|h",
    "https://192.0.2.7/a",
    "https://example.com/a//b",
    "https://example.com/?redirect=https://other.example/",
    "https://example.com/@name/status/1",
    "https://shop.example/accessories/", "https://example.com/association", "https://example.com/lessons/1",
    "https://example.com/designing-apis", "https://example.com/presets", "https://example.com/signing?cataloging",
    "https://example.com/?promo_code=SUMMER&country_code=at", "https://example.com/samlet",
]  # fmt: skip
SPELLED_AS_BROWSERS_DO = {
    "https://example.com": "https://example.com/",
    "HTTPS://EXAMPLE.com/A": "https://example.com/A",
    "https://example.com:443/a": "https://example.com/a",
    "https://m\u00fcller.example/\u00fc?\u00fc=\u00fc#\u00fc": "https://xn--mller-kva.example/%C3%BC?%C3%BC=%C3%BC#%C3%BC",
    "https://example.com/?q='a'": "https://example.com/?q=%27a%27",
    " https://example.com/a\n": "https://example.com/a",
}
LEFT_AS_THEY_ARE = [
    "mailto:someone@example.com", "tel:+4930123456", "sms:+4930123456", "#part", "", "/relative", "relative.html",
    "?q=1",
    "cid:image001@example", "ftp://example.com/", "webcal://example.com/", "callto:someone", "skype:someone?call",
]  # fmt: skip
DANGEROUS_SCHEMES = [
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "java\nscript:alert(1)", "\x01javascript:a",
    " javascript:alert(1)", "javascript://example.com/%0aalert(1)", "javascript:https://example.com/",
    "vbscript:msgbox",
    "data:text/html,<script>alert(1)</script>", "data:text/html;base64,PHNjcmlwdD4=", "blob:https://example.com/1",
    "file:///etc/passwd", "file://server/share", "intent://scan/#Intent;scheme=zxing;end",
    "view-source:https://a.example",
    "about:blank", "chrome://settings", "ms-word:ofe|u|https://a.example/b.docx", "search-ms:query=a",
    "jar:https://a!/b",
    "feed:javascript:alert(1)", "filesystem:https://a.example/b", "ws://example.com/", "gopher://example.com/",
]  # fmt: skip
HOSTILE = [
    "//evil.example", "///evil.example", "////evil.example", "/\\evil.example", "\\\\evil.example", "\\/evil.example",
    "https:evil.example", "https:/evil.example", "https:///evil.example", "https:\\\\evil.example",
    "https:/\\evil.example",
    "http:///evil.example", "http:evil.example", "https:\tevil.example", "ht\ntps://evil.example",
    "https\t://evil.example",
    "https://ok.example\\@evil.example", "https://ok.example\\.evil.example", "https://ok.example\\evil.example/",
    "https://ok.example@evil.example", "https://ok.example:80@evil.example", "https://ok.example%40evil.example",
    "https://user:password@evil.example/", "https://:@evil.example/", "https://@evil.example/", "https://bank@evil",
    "https://ok.example%2f@evil.example", "https://ok.example%00.evil.example", "https://ok.example%0a.evil.example",
    "https://ok.example\x00.evil.example", "https://ok.example\t.evil.example", "https://ok.example\r\n.evil.example",
    "https://ok.example /evil", "https://ok.example\u3000.evil", "https://ok.example\u200b.evil.example",
    "https://ok\uff0eexample/", "https://ok\u3002example/", "https://ok\uff61example/", "https://\u24d4vil.example/",
    "https://\uff45vil.example/", "https://ok.example\uff0fevil.example", "https://ok.example\uff03@evil.example",
    "https://ok.example\uff20evil.example", "https://ok.example\u2044evil.example", "https://ok.example\u2024evil",
    "https://e\u0301vil.example\u202e/", "https://evil\u00ad.example/", "https://\u2100.example/",
    "https://\u2101.example/",
    "https://ok.example:99999/", "https://ok.example:-1/", "https://ok.example:0x50/", "https://ok.example:80:80/",
    "https://ok.example:\u0661/", "https://ok.example: 80/", "https://ok.example:+80/",
    "https://0x7f000001/", "https://2130706433/", "https://017700000001/", "https://127.1/", "https://0/",
    "https://127.0.1/",
    "https://0177.0.0.1/", "https://127.0.0.1./", "https://1.2.3/", "https://256.256.256.256/", "https://0x7f.1/",
    "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[fe80::1%25eth0]/", "https://[evil.example]/",
    "https://[::1].evil.example/", "https://::1/", "https://[::1/",
    "https://.evil.example/", "https://evil..example/", "https://-/", "https:// /", "https://", "https://?",
    "https://#",
    "https:////", "https://%65vil.example/", "https://evil%2eexample/", "https://evil^.example/",
    "https://evil|.example/",
    "https://evil<.example/", "https://evil>.example/", 'https://evil".example/', "https://evil`.example/",
    "https://evil{.example/", "https://evil,.example/", "https://evil;.example/", "https://evil'.example/",
    "https://evil(.example/", "https://evil*.example/", "https://evil!.example/", "https://$evil.example/",
    "https://ok.example/../evil", "https://ok.example/a/%2e%2e/b", "https://ok.example/a/.%2E/b",
    "https://ok.example/./a",
    "https://ok.example/a\\..\\b", "https://ok.example/\r\nLocation: https://evil.example",
    "https://ok.example/a\u2028b",
    "https://ok.example/a\ud800b", "http://ok.example\\\\evil", "https://xn--/", "https://xn--a/",
    "https://xn--\u00fc.example/",
    "https://" + "a" * 64 + ".example/" + "\u00fc", "https://ok.example/" + "a" * MAX_TARGET,
]  # fmt: skip
PERSONAL = [
    "https://list.example/unsubscribe?u=1", "https://list.example/u/1/opt-out", "https://a.list-manage.com/x?u=1",
    "https://shop.example/abmelden/7", "https://app.example/magic-link/abc", "https://app.example/?token=abc",
    "https://app.example/reset?x=1", "https://app.example/verify/1", "https://id.example/oauth2/authorize?client_id=1",
    "https://app.example/invite/abc", "https://app.example/a?otp=123456", "https://b.example/o?X-Amz-Signature=1",
    "https://app.example/users/sign_in", "https://app.example/log_in", "https://list.example/opt_out",
    "https://list.example/unsub?u=1", "https://list.example/afmelden", "https://list.example/d\u00e9sinscription",
    "https://app.example/?user_token=1", "https://app.example/?authToken=1", "https://b.example/o?x-goog-signature=1",
    "https://app.example/action?mode=a&oobCode=1", "https://idp.example/sso/a", "https://idp.example/?SAMLRequest=a",
    "https://app.example/login?next=/a", "https://app.example/#access_token=abc", "https://app.example/confirm/9",
]  # fmt: skip


@pytest.mark.parametrize("href", KEPT)
def test_the_destination_stays_byte_for_byte(href: str) -> None:
    """C51: with query and fragment."""
    assert target_of(href) == href


@pytest.mark.parametrize(("href", "target"), SPELLED_AS_BROWSERS_DO.items())
def test_what_browsers_would_spell_anew_is_spelled_so(href: str, target: str) -> None:
    assert target_of(href) == target


@pytest.mark.parametrize("href", LEFT_AS_THEY_ARE + DANGEROUS_SCHEMES + HOSTILE + PERSONAL, ids=ascii)
def test_anything_else_stays_as_it_is(href: str) -> None:
    assert target_of(href) == ""


def test_the_tables_are_as_long_as_promised() -> None:
    assert len({*DANGEROUS_SCHEMES, *HOSTILE}) >= 100


PARTS = st.sampled_from(
    ["https://", "http://", "//", "/", "\\", "@", ":", "ok.example", "evil.example", "?", "#", ".", "..", "%2e",
    "%00", "\t",
     "\u3002", "\uff0f", "80", "[::1]", "0x7f", "127.1", "a", " ", "\u00fc", "'", '"', "%", "&", "=", "xn--", "|", "^"]
)  # fmt: skip


@given(st.lists(PARTS, max_size=9).map("".join) | st.text(max_size=40).map("https://".__add__))
def test_a_target_is_a_fixed_point_of_both_parsers(href: str) -> None:
    """Whatever comes out, browsers read it as it stands, and it leads where they would have gone from the original."""
    target = target_of(href)
    if target:
        url = ada_url.URL(target)
        assert url.href == target == ada_url.URL(href).href
        assert url.protocol in ("https:", "http:")
        assert (url.username, url.password) == ("", "")
        assert target_of(target) == target
        assert target.isascii()
        assert not set(target) & set(' \t\r\n\\<>"')
