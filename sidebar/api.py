"""The sidebar's paths below /api/v1/sidebar/."""

from django.urls import path

from sidebar import views

urlpatterns = [
    path("people/", views.PeopleView.as_view(), name="sidebar-people"),
    path("prefetch/", views.PrefetchView.as_view(), name="sidebar-prefetch"),
    path("search/", views.SearchView.as_view(), name="sidebar-search"),
    path("forms/<str:object>/", views.CreateFormView.as_view(), name="sidebar-create-form"),
    path("forms/<str:object>/<str:id>/", views.EditFormView.as_view(), name="sidebar-edit-form"),
    path("records/<str:object>/", views.CreateView.as_view(), name="sidebar-create"),
    path("records/<str:object>/<str:id>/", views.UpdateView.as_view(), name="sidebar-update"),
    path("records/<str:object>/<str:id>/open/", views.OpenView.as_view(), name="sidebar-open"),
]
