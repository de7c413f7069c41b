"""The player as a widget; clips are served by Jupyter, only addresses and small JSON are synced."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from lab.analysis import Results, load
from lab.errors import InputError, LabError
from lab.media import data_uri
from lab.player import Copies, film_heat, make_copies, module, session, style
from lab.player.copies import SHORT_SIDE_PX
from lab.player.session import MOST_CLIPS
from lab.units import escape_html
from lab.widgets.served import served


class Player(anywidget.AnyWidget):
    """Takes of a run side by side, in step, with their measures below.

    run: a `Results`, or the folder of a run. takes: ids, up to nine; the best and worst are
    `lab.analysis.best_and_worst`'s to say. short_side_px: size of the copies that are played; they
    are made once and kept beside the run. `time_s` is the moment shown and can be set. Raises
    InputError for a take that is not there and for a run outside the folder that Jupyter serves.
    """

    _esm = module()
    _css = style()
    session = traitlets.Dict().tag(sync=True)
    time_s = traitlets.Float(0.0).tag(sync=True)

    def __init__(
        self,
        run: Results | str | Path,
        takes: Sequence[str] = (),
        *,
        short_side_px: int = SHORT_SIDE_PX,
    ) -> None:
        super().__init__()
        self.results = run if isinstance(run, Results) else load(run)
        self.short_side_px = short_side_px
        self._heat: dict[str, dict[str, Path]] = {}
        self._copies = Copies()
        self.takes: tuple[str, ...] = ()
        self.on_msg(self._heard)
        self.show(takes)

    def show(self, takes: Sequence[str], time_s: float = 0.0) -> None:
        """Play other takes of the run, from a moment in s on."""
        if len(takes) > MOST_CLIPS:
            raise InputError(f"{len(takes)} takes are too many to watch; choose up to {MOST_CLIPS}")
        rows = self.results.takes
        chosen = rows[rows["take_id"].isin(takes)].to_dict("records")
        self._copies = make_copies(
            self.results.folder, chosen, short_side_px=self.short_side_px, quiet=True
        )
        self.takes = tuple(takes)
        with self.hold_sync():  # the moment belongs to these takes
            self._tell()
            self.time_s = time_s

    def _tell(self, said: str = "") -> None:
        told = session(
            self.results, self.takes, self._copies, served, heat=self._heat, can_film=True
        )
        self.session = {**told, "said": said}

    def _heard(self, _: Any, content: dict[str, Any], __: Any) -> None:
        """The player asks for a heatmap: measuring again takes a while, so beside the kernel."""
        if "film" in content:
            threading.Thread(target=self._film, daemon=True).start()

    def _film(self) -> None:
        self._tell("Measuring the heatmaps; a few seconds a clip.")
        said = ""
        for take_id in self.takes:
            if take_id not in self._heat and take_id in self._copies.films:
                try:
                    self._heat[take_id] = film_heat(self.results, take_id)
                except LabError as error:
                    said = str(error)
        self._tell(said)

    def _repr_mimebundle_(self, **asked: Any) -> Any:
        found = super()._repr_mimebundle_(**asked)
        bundle, metadata = found if isinstance(found, tuple) else (found, {})
        return {**(bundle or {}), "text/plain": repr(self), "text/html": self.twin()}, metadata

    def twin(self) -> str:
        """Posters and worst moments as HTML, for where no widgets run."""
        figures = []
        for clip in self.session["clips"]:
            poster = self._copies.posters.get(clip["id"])
            title = escape_html(clip["title"])
            picture = (
                f'<img alt="first frame of {title}" width="240" '
                f'src="{data_uri(poster.read_bytes(), ".jpg")}">'
                if poster
                else escape_html(clip["missing"])
            )
            moments = "".join(
                f"<li>{escape_html(worst['metric'])}: {escape_html(worst['said'])}</li>"
                for worst in clip["worst"]
            )
            figures.append(
                f'<figure style="margin:0;max-width:240px">{picture}'
                f"<figcaption>{title}<ul>{moments}</ul></figcaption></figure>"
            )
        look = "display:flex;flex-wrap:wrap;gap:1em"
        return f'<div class="mathjax_ignore" style="{look}">{"".join(figures)}</div>'

    def __repr__(self) -> str:
        return f"Player({str(self.results.folder.path)!r}, {list(self.takes)})"
