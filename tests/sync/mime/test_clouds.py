"""Links to files at Google and Microsoft, told by their host alone."""

import pytest

from sync.letters import CloudLink, CloudService
from sync.mime.clouds import service_of
from tests.sync.mime.mails import HEAD, TEXT, html, letter


@pytest.mark.parametrize(
    ("url", "service"),
    [
        ("https://drive.google.com/file/d/1a/view?usp=sharing", CloudService.GOOGLE_DRIVE),
        ("https://docs.google.com/spreadsheets/d/1a/edit#gid=0", CloudService.GOOGLE_DRIVE),
        ("https://1drv.ms/w/s!Ab", CloudService.ONEDRIVE),
        ("https://onedrive.live.com/?cid=1&id=2", CloudService.ONEDRIVE),
        ("https://onedrive.live.com/view.aspx?id=1", CloudService.ONEDRIVE),
        ("https://contoso-my.sharepoint.com/:w:/g/personal/a", CloudService.ONEDRIVE),
        ("https://contoso.sharepoint.com/:x:/s/team/a", CloudService.SHAREPOINT),
        ("http://drive.google.com/file/d/1a", None),
        ("https://drive.google.com.evil.example/file", None),
        ("https://drive.google.com@evil.example/file", None),
        ("https://evil.example/drive.google.com/file", None),
        ("https://drive.google.com:8443/file", None),
        ("https://evil.example\\.sharepoint.com/file", None),
        ("https://a.b.sharepoint.com/file", None),
        ("https://drive.google.com/", None),
        ("https://[drive.google.com/file", None),
        ("https://drive.google.com/" + "a" * 2_000, None),
    ],
)
def test_services(url: str, service: CloudService | None) -> None:
    assert service_of(url) is service


def test_links_of_html_have_names() -> None:
    found = html(
        '<a href="https://drive.google.com/file/d/1?a=1&amp;b=2"><b>The</b> plan</a> '
        '<a href="https://drive.google.com/file/d/2">https://drive.google.com/file/d/2</a>'
        '<a href="https://example.com/file">other</a> https://1drv.ms/w/s!Ab.'
    )
    assert found.links == (
        CloudLink("https://drive.google.com/file/d/1?a=1&b=2", "The plan", CloudService.GOOGLE_DRIVE),
        CloudLink("https://drive.google.com/file/d/2", "", CloudService.GOOGLE_DRIVE),
        CloudLink("https://1drv.ms/w/s!Ab", "", CloudService.ONEDRIVE),
    )


def test_a_link_counts_wherever_its_address_stands() -> None:
    url = "https://drive.google.com/file/d/1"
    found = html(f'<a dir="ltr" title="a &gt; b" href="{url}">plan</a>')
    assert found.links == (CloudLink(url, "plan", CloudService.GOOGLE_DRIVE),)


def test_an_anchor_within_another_ends_it() -> None:
    url = "https://1drv.ms/w/s!Ab"
    found = html(f'<a href="https://a.example"><table><tr><td><a href="https://b.example">b</a>{url}</table></a>')
    assert found.links == (CloudLink(url, "", CloudService.ONEDRIVE),)


def test_links_of_plain_text_are_bare_and_told_once() -> None:
    url = b"https://contoso.sharepoint.com/:x:/s/team/a"
    found = letter(HEAD, TEXT, b"\r\nsee <" + url + b">, again " + url + b".")
    assert found.links == (CloudLink(url.decode(), "", CloudService.SHAREPOINT),)


def test_a_thousand_links_are_not_told() -> None:
    links = "".join(f'<a href="https://drive.google.com/file/d/{n}">x</a>' for n in range(1_000))
    assert len(html(links).links) == 50
