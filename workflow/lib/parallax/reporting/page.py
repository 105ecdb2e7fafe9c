"""A page: one HTML file without any outside resource, from a template and what it shows."""

from __future__ import annotations

from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from parallax.reporting.numbers import spell


def render_page(template: str, **shown: object) -> str:
    """The template of that name filled in, with the style sheet as ``style``; whatever is no markup already is escaped."""
    environment = Environment(
        loader=PackageLoader("parallax.reporting", "templates"),
        extensions=["jinja2.ext.loopcontrols"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["spell"] = spell
    sheet = resources.files("parallax.reporting").joinpath("templates/report.css").read_text(encoding="utf-8")
    return environment.get_template(template).render(style=Markup(sheet), **shown)  # noqa: S704 -- our own file
