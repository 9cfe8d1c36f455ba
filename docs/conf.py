"""Sphinx's settings. `python3 docs/build.py` is how the site is made."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import addresses

from jaxvis.version import __version__

address = addresses.repository()

project = "jaxvis"
author = "The jaxvis developers"
copyright = "The jaxvis developers, Apache-2.0"
version = release = __version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_design",
    "sphinx_copybutton",
    "making.mathml",
    "making.api",
]
root_doc = "index"
exclude_patterns = ["_static", "_thumbnails"]
suppress_warnings = ["mystnb.unknown_mime_type"]

# Notebooks are shown as they are stored; nothing is run.
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence", "attrs_inline"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
html_math_renderer = "mathml"

napoleon_numpy_docstring = False
napoleon_use_param = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
add_module_names = True
python_maximum_signature_line_length = 400
nitpicky = False

html_theme = "sphinx_book_theme"
html_title = "jaxvis"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = []
html_copy_source = True
html_show_sourcelink = True
html_theme_options = {
    "repository_url": address,
    "use_repository_button": True,
    "use_download_button": True,
    "use_fullscreen_button": False,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "home_page_in_toc": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
