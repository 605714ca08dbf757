"""The site on a server for production; static files are served by what stands before it.

python manage.py collectstatic
SONIOX_API_KEY=... DJANGO_DEBUG=0 gunicorn --threads 100 site_settings.wsgi
"""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings.settings")
application = get_wsgi_application()
