"""URLs of the views."""

from __future__ import annotations

from django.urls import path

from . import live, views

urlpatterns = [
    path("", views.page, name="page"),
    path("live", live.live, name="live"),
    path("speech.wav", views.speech, name="speech"),
    path("captions", views.captions, name="captions"),
]
