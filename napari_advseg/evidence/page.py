"""How pages are made from templates: everything that is put in is escaped, and the style is shared."""

from __future__ import annotations

import jinja2

_OWN = "napari_advseg.evidence"


def page_environment(package: str = _OWN) -> jinja2.Environment:
    """The templates of a package; ``page.css.j2`` is the style of all pages.

    Parameters
    ----------
    package
        Whose folder ``templates`` is looked into first.
    """
    places = dict.fromkeys((package, _OWN))
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(place, "templates") for place in places]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = lambda name: str(name).replace("_", " ")
    return environment
