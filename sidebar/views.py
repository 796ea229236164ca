"""The sidebar's API: parse, call one use case, answer. Documented in docs and in the OpenAPI description."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotAuthenticated, UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.views import APIView

from organizations.models import Member
from organizations.schema import problems
from organizations.views.access import member_of
from sidebar import lookup, payloads, records, render, schema, signatures
from sidebar.refusals import BodyTooLarge


class _Asker(NamedTuple):
    """As much of a request as authenticating needs."""

    META: Mapping[str, Any]
    headers: Mapping[str, str]
    parser_context: dict[str, Any]


class SidebarView(APIView):
    """What the calls share. Answers are JSON bytes: nothing here is worth content negotiation."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """As DRF does, but without leaving view, request and answer in a circle: an idle process would keep the cards
        in it until the collector comes by (C59)."""
        try:
            return super().dispatch(request, *args, **kwargs)
        finally:
            self.request = self.response = None  # type: ignore[assignment]

    def body(self, request: Request) -> Any:
        """The parsed JSON. Raises BodyTooLarge, ParseError, UnsupportedMediaType."""
        if int(request.META.get("CONTENT_LENGTH") or 0) > payloads.LARGEST_BODY:
            raise BodyTooLarge
        return request.data

    def answer(self, content: bytes, status: int = 200) -> HttpResponse:
        return HttpResponse(content, status=status, content_type="application/json")


class PeopleView(SidebarView):
    """The hot path: warm, it makes no query and builds nothing, so DRF's request, negotiation and answer would be
    most of its cost. The authentication, the parser and the errors are DRF's own."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return super().dispatch(request, *args, **kwargs)
        try:
            return self.look_up(self.authenticated(request), self.json(request))
        except Exception as error:  # noqa: BLE001  DRF's handler raises again what it does not know
            return self.failed(request, error)
        finally:
            self.request = None  # type: ignore[assignment]

    def authenticated(self, request: HttpRequest) -> Member:
        asker: Any = _Asker(request.META, request.headers, {"view": self})
        for authenticator in self.get_authenticators():
            if (found := authenticator.authenticate(asker)) and isinstance(found[0], Member):
                return found[0]
        raise NotAuthenticated

    def json(self, request: HttpRequest) -> Any:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
        if length > payloads.LARGEST_BODY:
            raise BodyTooLarge
        if length and request.content_type != "application/json":
            raise UnsupportedMediaType(request.content_type or "")
        return self.get_parsers()[0].parse(BytesIO(request.body))

    def failed(self, request: HttpRequest, error: Exception) -> HttpResponseBase:
        self.request = self.initialize_request(request)
        self.headers = self.default_response_headers
        response = self.handle_exception(error)
        return self.finalize_response(self.request, response)

    def look_up(self, member: Member, body: Any) -> HttpResponse:
        strings, refresh = payloads.addresses(body, "refresh"), payloads.refresh(body)
        answer = lookup.look_up_people(member, strings, refresh=refresh)
        return self.answer(render.people(answer.cards, answer.skipped, answer.invalid))

    @extend_schema(
        operation_id="look_up_people",
        summary="Who these correspondents are",
        description="One card per correspondent, in the order asked. At most one Salesforce call; none when warm.",
        request=schema.People,
        responses={200: schema.PeopleAnswer, **problems(400, 413, 415), **schema.CONFLICT, **schema.REFUSALS},
        examples=[schema.PEOPLE_EXAMPLE],
    )
    def post(self, request: Request) -> HttpResponse:
        """Described here, answered in `dispatch`; DRF comes by only where somebody overrides that."""
        return self.look_up(member_of(request), self.body(request))


class PrefetchView(SidebarView):
    @extend_schema(
        operation_id="prefetch_people",
        summary="Have cards ready for messages about to be opened",
        description="One Salesforce call at most, and the first to be shed when Salesforce's allowance is short.",
        request=schema.Prefetch,
        responses={202: schema.PrefetchAnswer, **problems(400, 413, 415), **schema.CONFLICT, **schema.REFUSALS},
    )
    def post(self, request: Request) -> HttpResponse:
        done = lookup.prefetch_people(member_of(request), payloads.addresses(self.body(request)))
        told = {"prefetched": done.prefetched, "already": done.already, "shed": done.shed}
        return self.answer(render.to_json(told), 202)


class SearchView(SidebarView):
    @extend_schema(
        operation_id="search_records",
        summary="Search every object this person may see",
        parameters=[schema.SEARCH_TEXT],
        responses={200: schema.SearchAnswer, **problems(400), **schema.CONFLICT, **schema.REFUSALS},
    )
    def get(self, request: Request) -> HttpResponse:
        as_of = render.now()
        hits = records.search_records(member_of(request), payloads.search_text(request.query_params))
        return self.answer(render.to_json({"records": [render.found(hit) for hit in hits], "as_of": as_of}))


class SignatureView(SidebarView):
    @extend_schema(
        operation_id="read_signature",
        summary="What a mail's signature says about its sender",
        description="Read in this request and kept nowhere. 403 unless `signature.extract` is on for this person.",
        request=schema.MailOfSomebody,
        responses={200: schema.SignatureAnswer, **problems(400, 403, 413, 415)},
    )
    def post(self, request: Request) -> HttpResponse:
        found = signatures.read_signature(member_of(request), payloads.mail(self.body(request)))
        return self.answer(render.to_json(render.signature(found)))


class CreateFormView(SidebarView):
    @extend_schema(
        operation_id="create_form",
        summary="The form to create a record",
        parameters=[schema.OBJECT],
        responses={200: schema.FormAnswer, **problems(400, 404), **schema.CONFLICT, **schema.REFUSALS},
    )
    def get(self, request: Request, object: str) -> HttpResponse:  # noqa: A002  the URL's own name
        form = records.form_for(member_of(request), payloads.object_name(object))
        return self.answer(render.to_json(render.form(form)))


class RecordView(SidebarView):
    """A call about one record. `object_name`: whose; empty where the path names it."""

    object_name = ""

    def named(self, object_: str, id_: str) -> tuple[str, str]:
        """The object's API name and the record's id, checked. Raises ValidationError."""
        name = payloads.object_name(self.object_name or object_)
        return name, payloads.record_id(name, id_)


class EditFormView(RecordView):
    @extend_schema(
        summary="The form to edit a record, with its present values",
        responses={200: schema.FormAnswer, **problems(400, 404), **schema.CONFLICT, **schema.REFUSALS},
    )
    def get(self, request: Request, id: str, object: str = "") -> HttpResponse:  # noqa: A002
        form = records.form_for(member_of(request), *self.named(object, id))
        return self.answer(render.to_json(render.form(form)))


class CreateView(SidebarView):
    @extend_schema(
        operation_id="create_record",
        summary="Create a record as this person",
        description=schema.CREATE_IN_WORDS,
        parameters=[schema.OBJECT, schema.IDEMPOTENCY_KEY],
        request=schema.Changes,
        responses={201: schema.SavedAnswer, **problems(400, 404, 413, 415), **schema.WRITE_REFUSALS},
    )
    def post(self, request: Request, object: str) -> HttpResponse:  # noqa: A002
        name, values = payloads.object_name(object), payloads.values(self.body(request))
        key = request.headers.get("Idempotency-Key")
        saved = records.create_record(member_of(request), name, values, key=key)
        return self.answer(render.saved(saved.object, saved.id, saved.url), 201)


class UpdateView(RecordView):
    @extend_schema(
        summary="Change fields of a record as this person",
        description=schema.UPDATE_IN_WORDS,
        parameters=[schema.IDEMPOTENCY_KEY],
        request=schema.Changes,
        responses={200: schema.SavedAnswer, **problems(400, 404, 413, 415), **schema.WRITE_REFUSALS},
    )
    def patch(self, request: Request, id: str, object: str = "") -> HttpResponse:  # noqa: A002
        (name, record_id), values = self.named(object, id), payloads.values(self.body(request))
        key = request.headers.get("Idempotency-Key")
        saved = records.update_record(member_of(request), name, record_id, values, key=key)
        return self.answer(render.saved(saved.object, saved.id, saved.url))


class OpenView(RecordView):
    @extend_schema(
        summary="A one-time link into Salesforce",
        request=None,
        responses={200: schema.LinkAnswer, **problems(400, 404), **schema.CONFLICT, **schema.REFUSALS},
    )
    def post(self, request: Request, id: str, object: str = "") -> HttpResponse:  # noqa: A002
        _, record_id = self.named(object, id)
        link = records.open_record(member_of(request), record_id)
        response = self.answer(render.to_json({"url": link.reveal()}))
        response.headers["Cache-Control"] = "no-store"
        return response
