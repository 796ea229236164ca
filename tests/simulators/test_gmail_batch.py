"""A batch at the simulated Gmail: more parts than it carries out at once."""

from providers.errors import RateLimited
from providers.google import mail_batch
from providers.google.failures import failure_of
from providers.google.mail_batch import Part
from tests.simulators.mail_providers import MailProvider

READ = "openid https://www.googleapis.com/auth/gmail.readonly"


def parts(google: MailProvider, count: int) -> list[Part]:
    token = google.tokens("alice", scope=READ)["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": mail_batch.CONTENT_TYPE}
    body = mail_batch.request_of(["/gmail/v1/users/me/profile"] * count)
    answer = google.http.post(f"{google.info['api_url']}/batch", data=body, headers=headers, timeout=10)
    assert answer.status_code == 200
    return mail_batch.parts_of(answer.content, answer.headers, count)


def test_parts_beyond_what_is_carried_out_at_once_are_refused_one_by_one(google: MailProvider) -> None:
    found = parts(google, 100)
    assert [part.status for part in found] == [200] * 25 + [429] * 75
    error = found[-1].body["error"]
    assert (error["message"], error["errors"][0]["reason"]) == (
        "Too many concurrent requests for user",
        "rateLimitExceeded",
    )
    assert isinstance(failure_of(found[-1].status, found[-1].body, {}), RateLimited)


def test_as_many_as_we_ask_for_are_carried_out(google: MailProvider) -> None:
    assert {part.status for part in parts(google, mail_batch.MOST)} == {200}
