"""The player: one ES module and the JSON it reads, the same in the notebook and in the report."""

from lab.player.assets import player_script, player_style
from lab.player.proxies import Proxies, make_heatmap_videos, make_proxies, poster_path
from lab.player.session import session

__all__ = [
    "Proxies",
    "make_heatmap_videos",
    "make_proxies",
    "player_script",
    "player_style",
    "poster_path",
    "session",
]
