"""The player as a widget. Jupyter serves the clips; only their URLs and small JSON are synced."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from lab.analysis import Results, load
from lab.errors import InputError, LabError
from lab.media import data_uri
from lab.player import (
    Proxies,
    make_heatmap_videos,
    make_proxies,
    player_script,
    player_style,
)
from lab.player import session as session_data
from lab.player.proxies import PROXY_SIDE_PX
from lab.player.session import MAX_CLIPS
from lab.units import escape_html
from lab.widgets.jupyter_files import file_url


class Player(anywidget.AnyWidget):
    """Plays takes of a run side by side and in sync, with their scores over time below.

    run: a `Results`, or the folder of a run. takes: ids, up to nine; `lab.analysis.best_and_worst`
    suggests some. short_side_px: the size of the proxies that are played. Proxies are made once
    and stored with the run. `time_s` is the time shown and can be set. Raises InputError for a
    take that is not in the run, and for a run outside the folder that Jupyter serves.
    """

    _esm = player_script()
    _css = player_style()
    session = traitlets.Dict().tag(sync=True)
    time_s = traitlets.Float(0.0).tag(sync=True)

    def __init__(
        self,
        run: Results | str | Path,
        takes: Sequence[str] = (),
        *,
        short_side_px: int = PROXY_SIDE_PX,
    ) -> None:
        super().__init__()
        self.results = run if isinstance(run, Results) else load(run)
        self.short_side_px = short_side_px
        self._heatmaps: dict[str, dict[str, Path]] = {}
        self._proxies = Proxies()
        self.takes: tuple[str, ...] = ()
        self.on_msg(self._on_message)
        self.show(takes)

    def show(self, takes: Sequence[str], time_s: float = 0.0) -> None:
        """Show other takes of the run. time_s: the time to start at."""
        if len(takes) > MAX_CLIPS:
            raise InputError(f"{len(takes)} takes are too many to watch; choose up to {MAX_CLIPS}")
        rows = self.results.takes
        chosen = rows[rows["take_id"].isin(takes)].to_dict("records")
        self._proxies = make_proxies(
            self.results.folder, chosen, short_side_px=self.short_side_px, quiet=True
        )
        self.takes = tuple(takes)
        with self.hold_sync():  # takes and time must arrive together
            self._send_session()
            self.time_s = time_s

    def _send_session(self, message: str = "") -> None:
        data = session_data(
            self.results,
            self.takes,
            self._proxies,
            file_url,
            heatmaps=self._heatmaps,
            can_make_heatmaps=True,
        )
        self.session = {**data, "message": message}

    def _on_message(self, _: Any, content: dict[str, Any], __: Any) -> None:
        """Handle the browser's request for heatmaps; in a thread, because it takes a while."""
        if "make_heatmaps" in content:
            threading.Thread(target=self._make_heatmaps, daemon=True).start()

    def _make_heatmaps(self) -> None:
        self._send_session("Measuring the heatmaps; a few seconds per clip.")
        message = ""
        for take_id in self.takes:
            if take_id not in self._heatmaps and take_id in self._proxies.videos:
                try:
                    self._heatmaps[take_id] = make_heatmap_videos(self.results, take_id)
                except LabError as error:
                    message = str(error)
        self._send_session(message)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        base = super()._repr_mimebundle_(**options)
        bundle, metadata = base if isinstance(base, tuple) else (base, {})
        html = self.static_fallback()
        return {**(bundle or {}), "text/plain": repr(self), "text/html": html}, metadata

    def static_fallback(self) -> str:
        """The posters and the worst moments as HTML, for viewers without widgets."""
        figures = []
        for clip in self.session["clips"]:
            poster = self._proxies.posters.get(clip["id"])
            title = escape_html(clip["title"])
            picture = (
                f'<img alt="first frame of {title}" width="240" '
                f'src="{data_uri(poster.read_bytes(), ".jpg")}">'
                if poster
                else escape_html(clip["no_video"])
            )
            moments = "".join(
                f"<li>{escape_html(worst['metric'])}: {escape_html(worst['text'])}</li>"
                for worst in clip["worst"]
            )
            figures.append(
                f'<figure style="margin:0;max-width:240px">{picture}'
                f"<figcaption>{title}<ul>{moments}</ul></figcaption></figure>"
            )
        style = "display:flex;flex-wrap:wrap;gap:1em"
        return f'<div class="mathjax_ignore" style="{style}">{"".join(figures)}</div>'

    def __repr__(self) -> str:
        return f"Player({str(self.results.folder.path)!r}, {list(self.takes)})"
