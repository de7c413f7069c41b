"""Reads the player's JavaScript and CSS files as text."""

from importlib.resources import files


def player_script() -> str:
    """The ES module. Its `render({model, el})` puts a player into an element."""
    return _read("player.js")


def player_style() -> str:
    """The style sheet: the project's colours, light and dark, then the rules of the player."""
    return _read("tokens.css") + _read("player.css")


def _read(name: str) -> str:
    return (files("lab.player") / name).read_text(encoding="utf-8")
