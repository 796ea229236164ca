"""Doors of the Outlook add-in."""

from django.urls import path

from sidebar.outlook import views

app_name = "outlook"
urlpatterns = [
    path("taskpane/", views.task_pane, name="taskpane"),
    path("callback/", views.callback, name="callback"),
]
