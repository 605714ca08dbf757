"""Settings of the documentation: `python -m sphinx -W docs build/docs` (extra `docs`)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))  # documents the tree that it lies in, installed or not
sys.path.insert(0, str(HERE / "_ext"))

from soniox_sync import __version__  # noqa: E402

project = "soniox-sync"
author = "the soniox-sync authors"
version = release = __version__

extensions = ["sphinx.ext.autodoc"]
extensions += ["house_docstrings", "parameter_lists", "lock_table", "name_list"]
exclude_patterns = ["_ext", "_examples", "_given.rst"]
default_role = "literal"
highlight_language = "python"
# the theme is a matter of looks: without it the built-in one serves
html_theme = "furo" if importlib.util.find_spec("furo") else "alabaster"
html_title = f"soniox-sync {__version__}"
html_copy_source = html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["tables.css"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
add_module_names = False
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True
toc_object_entries = False
