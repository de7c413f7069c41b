"""The player's own files, as text for whatever page carries them."""

from importlib.resources import files


def module() -> str:
    """The ES module: its `render({model, el})` puts a player into an element."""
    return _text("player.js")


def style() -> str:
    """The style sheet: the toolkit's colours, light and dark, then the player's own rules."""
    return _text("tokens.css") + _text("player.css")


def _text(name: str) -> str:
    return (files("lab.player") / name).read_text(encoding="utf-8")
