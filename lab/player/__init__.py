"""The player: one ES module and the JSON it reads, the same in the notebook and in the report."""

from lab.player.copies import Copies, film_heat, make_copies, poster_path
from lab.player.page import module, style
from lab.player.session import session

__all__ = ["Copies", "film_heat", "make_copies", "module", "poster_path", "session", "style"]
