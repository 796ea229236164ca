"""Doors of the demo mailbox; without DEMO_MAILBOX the first leads to the dashboard and the others nowhere."""

from django.urls import path

from sidebar.demo import views

app_name = "demo"
urlpatterns = [
    path("", views.inbox, name="inbox"),
    path("mail/<slug:key>/", views.conversation, name="conversation"),
    path("mail/<slug:key>/whole/", views.whole, name="whole"),
    path("mail/<slug:key>/<int:number>/body/", views.body, name="body"),
]
