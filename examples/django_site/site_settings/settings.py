"""Settings of the example site: only what the app `spoken` needs."""

from __future__ import annotations

import os
from pathlib import Path

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "only for development")
DEBUG = os.environ.get("DJANGO_DEBUG", "1") == "1"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
# `spoken` first: its `runserver` replaces that of `staticfiles`
INSTALLED_APPS = ["spoken", "django.contrib.staticfiles"]
ROOT_URLCONF = "spoken.urls"
MIDDLEWARE = [
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",  # refuses uploads from pages of other sites
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DATABASES: dict[str, object] = {}
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = Path(__file__).parent.parent / "static"  # of `manage.py collectstatic`

# arguments of SonioxClient; the others are read from SONIOX_API_KEY and similar variables
SONIOX: dict[str, object] = {}
