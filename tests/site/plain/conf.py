"""Build the same book with Sphinx alone: ``sphinx-build -c tests/site/plain . OUT``.

Jupyter Book 1 has no future, and this file is what we would go on with: the settings
are those of ``_config.yml``, the contents those of ``_toc.yml``. Paths are absolute,
because Sphinx takes them from the folder of this file.
"""

import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
COURSE = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))
SETTINGS = COURSE["sphinx"]["config"]
sys.path[:0] = [
    str(ROOT / folder) for folder in COURSE["sphinx"]["local_extensions"].values()
]

project = html_title = COURSE["title"]
author, copyright = COURSE["author"], COURSE["copyright"]
exclude_patterns = COURSE["exclude_patterns"]
external_toc_path = str(ROOT / "_toc.yml")
external_toc_exclude_missing = COURSE["only_build_toc_files"]
bibtex_bibfiles = [str(ROOT / file) for file in COURSE["bibtex_bibfiles"]]
nb_execution_mode = COURSE["execute"]["execute_notebooks"]
myst_enable_extensions = COURSE["parse"]["myst_enable_extensions"]
myst_url_schemes = ["mailto", "http", "https"]

html_theme = "sphinx_book_theme"
html_logo, html_favicon = (
    str(ROOT / COURSE["logo"]),
    str(ROOT / COURSE["html"]["favicon"]),
)
html_sourcelink_suffix = ""

globals().update(SETTINGS)
extensions = [
    name
    for name in SETTINGS["extensions"]
    if name not in ("jupyter_book", "sphinx_comments")
]
html_static_path = [str(ROOT / folder) for folder in SETTINGS["html_static_path"]]
html_theme_options = {
    "path_to_docs": COURSE["repository"]["path_to_book"],
    "repository_url": COURSE["repository"]["url"],
    "repository_branch": COURSE["repository"]["branch"],
    "use_repository_button": COURSE["html"]["use_repository_button"],
    "use_issues_button": COURSE["html"]["use_issues_button"],
    "launch_buttons": COURSE["launch_buttons"],
    **SETTINGS["html_theme_options"],
}
