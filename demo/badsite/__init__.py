"""A web server that really sends every bad answer a site spider can meet, each under a name."""

from demo.badsite import manners, redirects  # noqa: F401  # being imported, they have their names
from demo.badsite.bodies import BOMB
from demo.badsite.looks import CHARSET_TEXT
from demo.badsite.server import BadSite

__all__ = ["BOMB", "CHARSET_TEXT", "BadSite"]
