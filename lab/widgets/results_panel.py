"""What a run left behind: a table that filters, plots, and the player on the chosen takes."""

from functools import cached_property
from pathlib import Path

import ipywidgets as widgets

from lab.analysis import Results, by_factor, load, motion_against
from lab.errors import LabError
from lab.metrics import JUDGED
from lab.player.session import MOST_CLIPS
from lab.report import write_report
from lab.report.blocks import picture
from lab.runs import RunFolder
from lab.units import escape_html
from lab.widgets.board import Board
from lab.widgets.later import Later
from lab.widgets.panel import Panel, Said, button, heading, wide
from lab.widgets.player import Player


class ResultsPanel(Panel):
    """The takes of a run: choose rows, press Play, and they stand side by side below.

    run: a `Results`, or the folder of a run; the field takes the folder of another one. Raises
    RunFolderError for a folder without one.
    """

    def __init__(self, run: Results | str | Path) -> None:
        self.folder = run.folder if isinstance(run, Results) else RunFolder(run)
        self.folder.check()
        if isinstance(run, Results):
            self.results = run
        self.board = Board(choosable=True, caption="Every take and its scores")
        self.player: Player | None = None
        self.out = wide(widgets.Text(value=str(self.folder.path), description="run folder"))
        self.head = widgets.HTML()
        self.said = Said()
        self.written = Said()
        self.play = button("▶ Play chosen", "Side by side, in step", self._play)
        self.again = button("Refresh", "Read the run folder again", self.refresh)
        self.report = button("Write report", "One HTML file beside the run", self._report)
        self.plot = widgets.Dropdown(description="plot", options=[("none", "")])
        self.figure = widgets.HTML()
        self.place = widgets.VBox()
        # What is asked of one of these replaces what was asked of the same one, and of no other.
        self._moving, self._playing, self._reporting = Later(), Later(0.0), Later(0.0)
        super().__init__(
            [
                heading("Results"),
                self.out,
                self.head,
                self.board.table,
                widgets.HBox([self.play, self.again, self.report, self.plot]),
                self.said,
                self.written,
                self.place,
                self.figure,
            ]
        )
        self.board.table.observe(lambda _: self.show_code(), "chosen")
        self.plot.observe(lambda _: self._draw(), "value")
        self.out.observe(lambda _: self._moving.call(self._move, lambda _: None), "value")
        self._fill()

    @cached_property
    def results(self) -> Results:
        """The run's tables."""
        return load(self.folder.path)

    @property
    def chosen(self) -> tuple[str, ...]:
        """Ids of the chosen takes, in the order they were chosen."""
        return tuple(self.board.table.chosen)

    def refresh(self) -> None:
        """Read the run folder again."""
        self.__dict__.pop("results", None)
        try:
            self._fill()
            if self.player is not None:
                self.player.results = self.results
        except LabError as error:
            self._clear(str(error))

    def _move(self) -> None:
        """Show the run in the folder that the field names; nothing of the one before stays."""
        typed = self.out.value.strip()
        if typed != str(self.folder.path) or not self.board.table.rows:
            self._clear("")
            try:
                self.folder = RunFolder(typed)
                self.folder.check()
            except LabError as error:
                self._clear(str(error))
                return
            self.refresh()

    def _clear(self, why: str) -> None:
        """Show no run, and why there is none."""
        self.__dict__.pop("results", None)
        self.board.clear()
        self.head.value = ""
        self.player, self.place.children = None, ()
        self.plot.options = [("none", "")]
        self.written.say("")
        self.said.say(why, "error")
        self.show_code()

    def _fill(self) -> None:
        seen = self.board.look(self.folder)
        said = f"{escape_html(str(self.folder.path))}: {seen.takes} takes, {seen.scored} scored"
        if seen.not_fresh:
            said += f", {seen.not_fresh} to measure again (`lab measure DIR`)"
        self.head.value = said + (f"; {seen.money}" if seen.money.spent_usd else "")
        self.said.say(self.board.trouble, "warning" if self.board.trouble else "")
        plots = [
            ("none", ""),
            *((f"by {name}", f"factor {name}") for name in self._varied),
            *((f"{name} against motion", f"motion {name}") for name in JUDGED),
        ]
        shown = self.plot.value
        self.plot.options = plots
        if shown in dict(plots).values():
            self.plot.value = shown
        self.show_code()

    @property
    def _varied(self) -> list[str]:
        named = [column["name"] for column in self.board.table.columns]
        return [name for name in named[: named.index("state")] if name != "repeat"]

    def _play(self) -> None:
        if not 0 < len(self.chosen) <= MOST_CLIPS:
            self.said.say(f"Choose one to {MOST_CLIPS} takes in the table first.", "warning")
            return
        self.said.say("Copying the clips for the player…")
        self._playing.call(self._opened, lambda said: self.said.say(said, "error" if said else ""))

    def _opened(self) -> str:
        """Show the chosen takes in the player; returns what went wrong."""
        folder, chosen = self.folder, self.chosen
        try:
            if self.player is not None:
                self.player.show(chosen)
                return ""
            player = Player(self.results, chosen)
        except LabError as error:
            return str(error)
        if folder is self.folder:  # nobody went to another run meanwhile
            self.player, self.place.children = player, (player,)
        return ""

    def _report(self) -> None:
        self.written.say("Writing the report…")
        self._reporting.call(self._reported, lambda _: None)

    def _reported(self) -> None:
        try:
            self.written.say(f"Written: {write_report(self.folder.path)}")
        except LabError as error:
            self.written.say(str(error), "error")

    def _draw(self) -> None:
        kind, _, name = self.plot.value.partition(" ")
        if not kind:
            self.figure.value = ""
        elif kind == "factor":
            self._show(by_factor(self.results, name), f"Every take's scores by {name}")
        else:
            self._show(motion_against(self.results, name), f"{name} against motion, a dot a take")
        self.show_code()

    def _show(self, figure: object, alt: str) -> None:
        drawn = picture(figure, alt, alt)  # type: ignore[arg-type]
        self.figure.value = (
            f'<img alt="{escape_html(drawn.alt)}" src="{drawn.source}" style="max-width:100%">'
        )

    def code(self) -> str:
        """What the panel shows, as calls."""
        lines = ["import lab", "", f"results = lab.load({str(self.folder.path)!r})", "results"]
        kind, _, name = (self.plot.value or "").partition(" ")
        if kind == "factor":
            lines += [f"lab.analysis.by_factor(results, {name!r})"]
        elif kind:
            lines += [f"lab.analysis.motion_against(results, {name!r})"]
        if self.chosen:
            lines += [f"lab.Player(results, {list(self.chosen)!r})"]
        return "\n".join([*lines, "lab.write_report(results)"])

    def twin(self) -> str:
        """The table of scores as HTML, and the player's posters if it is open."""
        if not self.folder.exists:
            return self.said.value
        return self.results._repr_html_() + (self.player.twin() if self.player else "")

    def __repr__(self) -> str:
        return f"ResultsPanel({str(self.folder.path)!r})"
