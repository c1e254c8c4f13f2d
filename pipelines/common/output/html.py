"""HTML pages that stand alone, with their images embedded."""

import base64
from pathlib import Path
from typing import Any

import jinja2

from pipelines.common import storage


def write_page(url: str, template: Path, **values: Any) -> str:
    """Writes a page, and returns its URL.

    Parameters
    ----------
    url : str
    template : Path
        A Jinja2 template; values are escaped. It may extend `base.html`, which lies beside this module and brings
        the style of all pages, light and dark, and the script that sorts tables of class `sortable` and filters the
        one that an input's `data-filters` names; and import from `macros.html`.
    **values
        For the template.
    """
    folders = [template.parent, Path(__file__).parent]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template(template.name).render(values)
    storage.write_bytes(url, page.encode("utf-8", "backslashreplace"))  # a path may hold bytes that are no text
    return url


def embedded(picture: bytes, kind: str = "png") -> str:
    """A picture as a `data:` URL for an `<img>`."""
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
