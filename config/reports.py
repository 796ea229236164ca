"""What Django shows of a failure while DEBUG is on: where it happened, and nothing of what was at hand there.

No locals, settings, cookies, query or form: any of them may hold a token, a code or a key (I4)."""

from collections.abc import ItemsView
from typing import Any

from django.http import HttpRequest, QueryDict
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter


class Nothing(SafeExceptionReporterFilter):
    """Django's own hides names that sound secret; "VAULT_KEK", "body" and "data" do not."""

    def is_active(self, request: HttpRequest | None) -> bool:
        return True

    def get_safe_settings(self) -> dict[str, Any]:
        return {}

    def get_safe_request_meta(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    def get_safe_cookies(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    def get_post_parameters(self, request: HttpRequest | None) -> QueryDict:
        return QueryDict()

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: Any) -> ItemsView[str, Any]:
        return dict[str, Any]().items()


class Report(ExceptionReporter):
    """Knows no request, whose query holds the code of a sign-in; nor an exception's text, which quotes data
    (config/logging.py)."""

    def __init__(
        self, request: HttpRequest | None, exc_type: Any, exc_value: Any, tb: Any, is_email: bool = False
    ) -> None:
        super().__init__(None, exc_type, exc_value, tb, is_email)

    def get_traceback_frames(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = super().get_traceback_frames()
        return [frame | {"exc_cause": _kind(frame["exc_cause"])} for frame in found]

    def get_traceback_data(self) -> dict[str, Any]:
        data: dict[str, Any] = super().get_traceback_data()
        data.update(exception_value="its text is not shown", exception_notes="", unicode_hint="")
        data.update(template_info=None, template_does_not_exist=False, postmortem=None)  # its text once more
        return data


def _kind(error: BaseException | None) -> str | None:
    return None if error is None else type(error).__name__
