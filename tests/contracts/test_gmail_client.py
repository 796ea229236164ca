"""Google's own client reads the simulated Gmail without special treatment; each answer is judged by the document."""

import base64
import email
from email.message import EmailMessage
from typing import Any

import httplib2
import pytest
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from googleapiclient.http import BatchHttpRequest

from tests.contracts.discovery import Document, error_faults
from tests.contracts.mailbox_standing import Post, letter
from tests.simulators.mail_providers import MailProvider

DOCUMENT = Document("gmail.v1")
SCOPE = "https://mail.google.com/ openid"
PEOPLE = ["alice", "bob", "erin", "dana", "rita", "charlie", "gina", "casey"]


def service_of(google: MailProvider, user: str = "alice", scope: str = SCOPE) -> Any:
    tokens = google.tokens(user, scope=scope)
    credentials = Credentials(  # type: ignore[no-untyped-call]
        tokens["access_token"],
        refresh_token=tokens["refresh_token"],
        token_uri=google.metadata()["token_endpoint"],
        client_id=google.info["client_id"],
        client_secret=google.info["client_secret"],
    )
    http = AuthorizedHttp(credentials, http=httplib2.Http(ca_certs=google.info["ca"], proxy_info=None))
    where = {"api_endpoint": google.info["api_url"]}
    return build("gmail", "v1", http=http, static_discovery=True, client_options=where)


def asked(request: Any) -> Any:
    """Carried out, and judged."""
    method = next(each for each in DOCUMENT.methods if each["id"] == request.methodId)
    body = request.execute()
    if "response" in method:
        assert DOCUMENT.faults(body, method["response"]["$ref"]) == [], request.methodId
    else:
        assert body == ""
    return body


@pytest.fixture
def gmail(google: MailProvider) -> Any:
    return service_of(google).users()


@pytest.fixture
def post(google: MailProvider) -> Post:
    return Post(google)


def ids_of(resource: Any, **parameters: Any) -> list[str]:
    """All pages, by the client's own way of asking for the next."""
    found, request = [], resource.list(userId="me", **parameters)
    while request is not None:
        page = asked(request)
        found += [each["id"] for each in page.get("messages", page.get("threads", []))]
        request = resource.list_next(request, page)
    return found


@pytest.mark.parametrize("user", PEOPLE)
def test_every_message_of_everybody_in_every_format(google: MailProvider, user: str) -> None:
    gmail = service_of(google, user).users()
    held = Post(google, user).held()
    found = ids_of(gmail.messages(), maxResults=3)
    assert set(found) == set(held)
    for key in found:
        shown = {f: asked(gmail.messages().get(userId="me", id=key, format=f)) for f in ("minimal", "metadata", "full")}
        raw = base64.urlsafe_b64decode(asked(gmail.messages().get(userId="me", id=key, format="raw"))["raw"])
        message_id = email.message_from_bytes(raw)["Message-ID"].strip()
        headers = {each["name"].lower(): each["value"] for each in shown["full"]["payload"]["headers"]}
        assert headers["message-id"] == message_id == held[key]["message_id"]
        assert shown["metadata"]["payload"]["headers"] == shown["full"]["payload"]["headers"]
        assert int(shown["minimal"]["internalDate"]) == held[key]["received_at"] * 1000
    for key in ids_of(gmail.threads()):
        assert asked(gmail.threads().get(userId="me", id=key))["messages"]


def test_profile_and_labels(gmail: Any, post: Post) -> None:
    folder = post.make_folder("Clients")
    profile = asked(gmail.getProfile(userId="alice@acme.example"))
    assert (profile["emailAddress"], profile["messagesTotal"]) == ("alice@acme.example", len(post.held()))
    names = {each["id"]: each["name"] for each in asked(gmail.labels().list(userId="me"))["labels"]}
    assert names[folder] == "Clients"
    assert asked(gmail.labels().get(userId="me", id="INBOX"))["messagesTotal"] > 10


def test_history(gmail: Any, post: Post) -> None:
    start = asked(gmail.getProfile(userId="me"))["historyId"]
    ids = post.deliver(*(letter(number) for number in range(5)))
    post.move(ids[0], "trash")
    post.delete(ids[1])
    post.say("mark", id=ids[2], add=["STARRED"])
    found, request = [], gmail.history().list(userId="me", startHistoryId=start, maxResults=2)
    while request is not None:
        page = asked(request)
        found += page.get("history", [])
        request = gmail.history().list_next(request, page)
    assert [int(each["id"]) for each in found] == sorted(int(each["id"]) for each in found)
    kinds = ["messagesAdded"] * 5 + ["labelsRemoved", "labelsAdded", "messagesDeleted", "labelsAdded"]
    assert [next(kind for kind in each if kind not in ("id", "messages")) for each in found] == kinds
    of_kind = gmail.history().list(userId="me", startHistoryId=start, historyTypes=["messageDeleted"])
    assert len(asked(of_kind)["history"]) == 1


@pytest.mark.parametrize(
    ("path", "parameters", "status", "reason"),
    [
        ("history", {"startHistoryId": "1"}, 404, "notFound"),
        ("history", {"startHistoryId": "18446744073709551615"}, 404, "notFound"),
        ("history", {"startHistoryId": "99999999999999999999"}, 400, "invalidArgument"),
        ("history", {}, 400, "invalidArgument"),
        ("messages", {"pageToken": "nonsense"}, 400, "invalidArgument"),
        ("messages", {"labelIds": ["Label_7777"]}, 400, "invalidArgument"),
    ],
)
def test_refusals(gmail: Any, path: str, parameters: dict[str, Any], status: int, reason: str) -> None:
    with pytest.raises(HttpError) as caught:
        getattr(gmail, path)().list(userId="me", **parameters).execute()
    assert (caught.value.status_code, caught.value.error_details[0]["reason"]) == (status, reason)


def test_unknown_messages_and_users(gmail: Any) -> None:
    for key, status in (("18c2f00000000001", 404), ("nonsense", 400)):
        with pytest.raises(HttpError) as caught:
            gmail.messages().get(userId="me", id=key).execute()
        assert caught.value.status_code == status
    with pytest.raises(HttpError, match="Delegation denied for bob"):
        gmail.getProfile(userId="bob@acme.example").execute()


def test_what_is_searched_for(gmail: Any, post: Post) -> None:
    (one,) = post.deliver(letter("s-1", subject="Quarterly offer"))
    for query in ("rfc822msgid:s-1@northwind.example", 'subject:"Quarterly offer"', "quarterly -contract in:inbox"):
        assert ids_of(gmail.messages(), q=query) == [one]
    assert one in ids_of(gmail.messages(), q="from:jane.doe after:2026/01/01")
    assert one not in ids_of(gmail.messages(), q="before:2026/01/01")
    post.move(one, "trash")
    assert one not in ids_of(gmail.messages(), q="quarterly")
    assert one in ids_of(gmail.messages(), q="quarterly", includeSpamTrash=True)
    assert ids_of(gmail.messages(), q="quarterly in:trash") == ids_of(gmail.messages(), labelIds=["TRASH"]) == [one]


def test_parts_of_an_answer(gmail: Any) -> None:
    (key, *_) = ids_of(gmail.messages())
    some = asked(gmail.messages().get(userId="me", id=key, fields="id,payload(mimeType,headers/name)"))
    assert set(some) == {"id", "payload"}
    assert set(some["payload"]) == {"mimeType", "headers"}
    assert set(some["payload"]["headers"][0]) == {"name"}


def test_attachments(gmail: Any, post: Post) -> None:
    written = EmailMessage()
    written["Subject"], written["From"], written["To"] = "Plans", "jane@northwind.example", "alice@acme.example"
    written.set_content("See the plans.")
    written.add_attachment(bytes(range(256)) * 100, maintype="application", subtype="pdf", filename="Pläne.pdf")
    (key,) = post.deliver(written.as_bytes())
    parts = asked(gmail.messages().get(userId="me", id=key))["payload"]["parts"]
    assert [each["mimeType"] for each in parts] == ["text/plain", "application/pdf"]
    assert parts[1]["filename"] == "Pläne.pdf"
    found = gmail.messages().attachments().get(userId="me", messageId=key, id=parts[1]["body"]["attachmentId"])
    assert base64.urlsafe_b64decode(asked(found)["data"]) == bytes(range(256)) * 100


def test_a_batch(google: MailProvider, gmail: Any, post: Post) -> None:
    ids = post.deliver(*(letter(number) for number in range(3)))
    told: dict[str, Any] = {}
    address = f"{google.info['api_url']}/batch"
    batch = BatchHttpRequest(lambda key, body, error: told.update({key: error or body}), address)
    for key in (*ids, "18c2f00000000001"):
        batch.add(gmail.messages().get(userId="me", id=key, format="metadata"), request_id=key)
    batch.execute()
    assert [told[key]["id"] for key in ids] == ids
    assert all(DOCUMENT.faults(told[key], "Message") == [] for key in ids)
    assert told["18c2f00000000001"].status_code == 404
    large = BatchHttpRequest(batch_uri=address)
    for _ in range(101):
        large.add(gmail.getProfile(userId="me"))
    with pytest.raises(HttpError, match="Received: 101, Limit: 100"):
        large.execute()


def test_what_another_client_writes(gmail: Any, post: Post) -> None:
    start = asked(gmail.getProfile(userId="me"))["historyId"]
    raw = {"raw": base64.urlsafe_b64encode(letter("w-1")).decode()}
    sent = asked(gmail.messages().send(userId="me", body=raw))
    put = asked(gmail.messages().import_(userId="me", body={**raw, "labelIds": ["INBOX"]}))
    label = asked(gmail.labels().create(userId="me", body={"name": "Clients"}))
    asked(gmail.messages().modify(userId="me", id=put["id"], body={"addLabelIds": [label["id"]]}))
    asked(gmail.messages().trash(userId="me", id=sent["id"]))
    asked(gmail.messages().untrash(userId="me", id=sent["id"]))
    assert post.held()[put["id"]]["received_at"] == 1795075961
    asked(gmail.messages().delete(userId="me", id=sent["id"]))
    asked(gmail.labels().delete(userId="me", id=label["id"]))
    told = asked(gmail.history().list(userId="me", startHistoryId=start))["history"]
    kinds = [set(each) - {"id", "messages"} for each in told]
    assert [kind.pop() for kind in kinds] == [
        "messagesAdded",
        "messagesAdded",
        "labelsAdded",
        "labelsAdded",
        "labelsRemoved",
        "messagesDeleted",
        "labelsRemoved",
    ]


def test_the_metadata_scope_sees_no_content(google: MailProvider) -> None:
    gmail = service_of(google, scope="https://www.googleapis.com/auth/gmail.metadata openid").users()
    (key, *_) = ids_of(gmail.messages())
    assert asked(gmail.messages().get(userId="me", id=key, format="metadata"))["payload"]["headers"]
    for request in (gmail.messages().get(userId="me", id=key, format="raw"), gmail.messages().list(userId="me", q="x")):
        with pytest.raises(HttpError, match="Metadata scope"):
            request.execute()


def test_watching(gmail: Any) -> None:
    body = {"topicName": "projects/sidebar-demo/topics/gmail", "labelIds": ["INBOX"], "labelFilterBehavior": "INCLUDE"}
    assert int(asked(gmail.watch(userId="me", body=body))["expiration"]) > 0
    with pytest.raises(HttpError, match="Only one user push notification client"):
        gmail.watch(userId="me", body={"topicName": "projects/sidebar-demo/topics/other"}).execute()
    asked(gmail.stop(userId="me"))
    asked(gmail.watch(userId="me", body={"topicName": "projects/sidebar-demo/topics/other"}))
    with pytest.raises(HttpError, match="Invalid topicName"):
        gmail.watch(userId="me", body={"topicName": "nonsense"}).execute()


def test_a_token_that_ran_out_is_renewed_by_the_client(google: MailProvider, gmail: Any) -> None:
    google.sim("tokens/expire", {})
    assert asked(gmail.getProfile(userId="me"))["emailAddress"] == "alice@acme.example"


def test_errors_have_googles_shape(google: MailProvider) -> None:
    address = f"{google.info['api_url']}/gmail/v1/users/me"
    few = {"Authorization": f"Bearer {google.tokens('bob', scope='openid')['access_token']}"}
    good = {"Authorization": f"Bearer {google.tokens('alice', scope=SCOPE)['access_token']}"}
    for path, headers, status in (
        ("profile", {}, 401),
        ("profile", few, 403),
        ("nothing", good, 404),
        ("messages?nonsense=1", good, 400),
        ("messages?maxResults=many", good, 400),
        ("messages?fields=(", good, 400),
    ):
        answer = google.http.get(f"{address}/{path}", headers=headers, timeout=10)
        assert answer.status_code == status
        assert error_faults(status, answer.json()) == []
