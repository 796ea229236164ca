"""The sidebar's paths below /api/v1/sidebar/.

A record's paths stand once for each object whose ids begin alike in every Salesforce org, so that the description says
which ids are taken, and once for all other objects."""

from collections.abc import Iterator

from django.urls import URLPattern, path
from drf_spectacular.utils import extend_schema, extend_schema_view

from sidebar import offline_views, payloads, schema, views


def _record_paths(name: str) -> Iterator[URLPattern]:
    """Of object `name`, or of those without paths of their own ("")."""
    place = f"{name or '<str:object>'}/<str:id>/"
    for start, end, method, verb, view in (
        ("forms/", "", "get", "edit_form", views.EditFormView),
        ("records/", "", "patch", "update", views.UpdateView),
        ("records/", "open/", "post", "open", views.OpenView),
    ):
        described = extend_schema(
            operation_id=f"{verb}_of_{name.lower() or 'record'}", parameters=schema.of_object(name)
        )
        own: type[views.RecordView] = type(f"{name}{view.__name__}", (view,), {"object_name": name})
        yield path(f"{start}{place}{end}", extend_schema_view(**{method: described})(own).as_view())


urlpatterns = [
    path("people/", views.PeopleView.as_view(), name="sidebar-people"),
    path("prefetch/", views.PrefetchView.as_view(), name="sidebar-prefetch"),
    path("search/", views.SearchView.as_view(), name="sidebar-search"),
    path("replay/", offline_views.ReplayView.as_view(), name="sidebar-replay"),
    path("signature/", views.SignatureView.as_view(), name="sidebar-signature"),
    path("forms/<str:object>/", views.CreateFormView.as_view(), name="sidebar-create-form"),
    path("records/<str:object>/", views.CreateView.as_view(), name="sidebar-create"),
    *(pattern for name in (*payloads.PREFIXES, "") for pattern in _record_paths(name)),
]
