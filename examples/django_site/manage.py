"""Run the site's commands. With `--sandbox` both work without a key.

python manage.py runserver --sandbox     then open http://127.0.0.1:8000
python manage.py transcribe FILE...      writes captions
"""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings.settings")
    execute_from_command_line(sys.argv)
