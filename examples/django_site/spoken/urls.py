"""URLs of the views."""

from __future__ import annotations

from django.urls import path

from . import views

urlpatterns = [
    path("speech.wav", views.speech, name="speech"),
    path("captions", views.captions, name="captions"),
]
