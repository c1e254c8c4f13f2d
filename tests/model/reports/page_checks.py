"""What can be said of a page without a browser."""

from html.parser import HTMLParser

VOID = {"br", "img", "input", "link", "meta", "wbr"}


class Page(HTMLParser):
    """A page's elements, with what is wrong with them.

    Attributes
    ----------
    elements : list of (tag, attributes, text)
        The text is that which the element itself holds up to its first child's end.
    faults : list of str
        Elements that are not closed, pictures without a text alternative, and addresses of other files.
    """

    def __init__(self, text):
        super().__init__()
        self.elements, self.faults, self._open = [], [], []
        self.feed(text)
        self.close()
        self.faults += [f"<{tag}> is not closed" for tag, *_ in self._open]
        ids = {attributes["id"] for _, attributes, _ in self.elements if "id" in attributes}
        for tag, attributes, children in self.elements:
            self._judge(tag, attributes, children, ids)

    def count(self, tag):
        return sum(found == tag for found, *_ in self.elements)

    def handle_starttag(self, tag, attributes):
        element = (tag, dict(attributes), [])
        if self._open:
            self._open[-1][2].append(tag)
        self.elements.append(element)
        if tag not in VOID and not (self.get_starttag_text() or "").endswith("/>"):
            self._open.append(element)

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag):
        if self._open and self._open[-1][0] == tag:
            self._open.pop()
        elif tag not in VOID:
            self.faults.append(f"</{tag}> closes nothing at {self.getpos()}")

    def _judge(self, tag, attributes, children, ids):
        if tag == "img" and not attributes.get("alt"):
            self.faults.append("<img> without alt")
        if tag == "svg" and not (attributes.get("role") == "img" and children[:2] == ["title", "desc"]):
            self.faults.append("<svg> without role, title and desc")
        if attributes.get("role") == "img" and tag != "svg" and not attributes.get("aria-label"):
            self.faults.append(f"<{tag} role=img> without aria-label")
        for name in ("src", "href", "xlink:href"):
            address = attributes.get(name, "#")
            if not address.startswith(("data:image/", "#")) or (
                len(address) > 1 and address[0] == "#" and address[1:] not in ids
            ):
                self.faults.append(f"{name}={address[:60]!r}")
