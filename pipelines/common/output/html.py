"""Pages: HTML files that need nothing but themselves, pictures included."""

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
        In jinja2; what it is given is escaped. It may extend `page.html`, which lies beside this module and brings
        the style of all pages, light and dark, and the script that sorts tables of class `sortable` and filters the
        one that an input's `data-filters` names.
    **values
        What it is given.
    """
    folders = [template.parent, Path(__file__).parent]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template(template.name).render(values)
    storage.write_bytes(url, page.encode("utf-8", "backslashreplace"))  # a path may hold what is no text
    return url


def embedded(picture: bytes, kind: str = "png") -> str:
    """A picture as the address that an image of a page is given."""
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
