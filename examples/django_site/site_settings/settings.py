"""Settings of the example site: only what the app `spoken` needs."""

from __future__ import annotations

import os

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "only for development")
DEBUG = os.environ.get("DJANGO_DEBUG", "1") == "1"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
INSTALLED_APPS = ["spoken"]
ROOT_URLCONF = "spoken.urls"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
DATABASES: dict[str, object] = {}
USE_TZ = True

# arguments of SonioxClient; the others are read from SONIOX_API_KEY and similar variables
SONIOX: dict[str, object] = {}
