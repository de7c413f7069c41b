"""A panel for the results of a run: the table of takes, plots, and the player."""

from functools import cached_property
from pathlib import Path

import ipywidgets as widgets
from matplotlib.figure import Figure

from lab.analysis import Results, by_factor, load, metric_against_motion
from lab.errors import LabError
from lab.metrics import JUDGED
from lab.player.session import MAX_CLIPS
from lab.report import write_report
from lab.report.blocks import picture
from lab.runs import RunFolder
from lab.units import escape_html
from lab.widgets.debounce import Debounced
from lab.widgets.live_table import LiveTable
from lab.widgets.panel import Panel, StatusLine, button, heading, wide
from lab.widgets.player import Player


class ResultsPanel(Panel):
    """The takes of a run. Choose rows and press Play to see them side by side.

    run: a `Results`, or the folder of a run. The run folder can be changed in the panel. Raises
    RunFolderError for a folder without a run.
    """

    def __init__(self, run: Results | str | Path) -> None:
        self.folder = run.folder if isinstance(run, Results) else RunFolder(run)
        self.folder.check()
        if isinstance(run, Results):
            self.results = run
        self.takes = LiveTable(choosable=True, caption="Every take and its scores")
        self.player: Player | None = None
        self.folder_field = wide(
            widgets.Text(value=str(self.folder.path), description="run folder")
        )
        self.summary = widgets.HTML()
        self.status = StatusLine()
        self.report_status = StatusLine()
        self.play_button = button("▶ Play chosen", "Side by side and in sync", self._start_player)
        self.refresh_button = button("Refresh", "Read the run folder again", self.refresh)
        self.report_button = button(
            "Write report", "Write report.html into the run folder", self._start_report
        )
        self.plot = widgets.Dropdown(description="plot", options=[("none", "")])
        self.figure = widgets.HTML()
        self.player_box = widgets.VBox()
        # One for each kind of work: a new call must not cancel work of another kind.
        self._folder_work, self._player_work = Debounced(), Debounced(0.0)
        self._report_work = Debounced(0.0)
        super().__init__(
            [
                heading("Results"),
                self.folder_field,
                self.summary,
                self.takes.table,
                widgets.HBox(
                    [self.play_button, self.refresh_button, self.report_button, self.plot]
                ),
                self.status,
                self.report_status,
                self.player_box,
                self.figure,
            ]
        )
        self.takes.table.observe(lambda _: self.show_code(), "chosen")
        self.plot.observe(lambda _: self._draw_plot(), "value")
        self.folder_field.observe(
            lambda _: self._folder_work.call(self._switch_folder, lambda _: None), "value"
        )
        self._update()

    @cached_property
    def results(self) -> Results:
        """The run's tables."""
        return load(self.folder.path)

    @property
    def chosen(self) -> tuple[str, ...]:
        """The ids of the chosen takes, in the order of choosing."""
        return tuple(self.takes.table.chosen)

    def refresh(self) -> None:
        """Read the run folder again."""
        self.__dict__.pop("results", None)
        try:
            self._update()
            if self.player is not None:
                self.player.results = self.results
        except LabError as error:
            self._clear(str(error))

    def _switch_folder(self) -> None:
        """Show the run in the folder written in the field, and nothing of the previous run."""
        path = self.folder_field.value.strip()
        if path != str(self.folder.path) or not self.takes.table.rows:
            self._clear("")
            try:
                self.folder = RunFolder(path)
                self.folder.check()
            except LabError as error:
                self._clear(str(error))
                return
            self.refresh()

    def _clear(self, reason: str) -> None:
        """Remove the shown run, and show the reason."""
        self.__dict__.pop("results", None)
        self.takes.clear()
        self.summary.value = ""
        self.player, self.player_box.children = None, ()
        self.plot.options = [("none", "")]
        self.report_status.show("")
        self.status.show(reason, "error")
        self.show_code()

    def _update(self) -> None:
        """Show the current content of the run folder."""
        status = self.takes.update(self.folder)
        text = f"{escape_html(str(self.folder.path))}: {status.takes} takes, {status.scored} scored"
        if status.not_fresh:
            text += f", {status.not_fresh} to measure again (`lab measure DIR`)"
        self.summary.value = text + (f"; {status.money}" if status.money.spent_usd else "")
        self.status.show(self.takes.warning, "warning" if self.takes.warning else "")
        plots = [
            ("none", ""),
            *((f"by {name}", f"factor {name}") for name in self._varied),
            *((f"{name} against motion", f"motion {name}") for name in JUDGED),
        ]
        selected = self.plot.value
        self.plot.options = plots
        if selected in dict(plots).values():
            self.plot.value = selected
        self.show_code()

    @property
    def _varied(self) -> list[str]:
        names = [column["name"] for column in self.takes.table.columns]
        return [name for name in names[: names.index("state")] if name != "repeat"]

    def _start_player(self) -> None:
        if not 0 < len(self.chosen) <= MAX_CLIPS:
            self.status.show(f"Choose one to {MAX_CLIPS} takes in the table first.", "warning")
            return
        self.status.show("Copying the clips for the player…")
        self._player_work.call(
            self._open_player, lambda problem: self.status.show(problem, "error" if problem else "")
        )

    def _open_player(self) -> str:
        """Show the chosen takes in the player; returns the problem, or "".

        A browser may send the click before the last choices. Choices that arrive while clips are
        copied count too.
        """
        folder, shown = self.folder, None
        try:
            player = Player(self.results) if self.player is None else self.player
            while shown != self.chosen:
                shown = self.chosen
                player.show(shown)
        except LabError as error:
            return str(error)
        if folder is self.folder:  # the panel may show another run by now
            self.player, self.player_box.children = player, (player,)
        return ""

    def _start_report(self) -> None:
        self.report_status.show("Writing the report…")
        self._report_work.call(self._write_report, lambda _: None)

    def _write_report(self) -> None:
        try:
            self.report_status.show(f"Written: {write_report(self.folder.path)}")
        except LabError as error:
            self.report_status.show(str(error), "error")

    def _draw_plot(self) -> None:
        kind, _, name = self.plot.value.partition(" ")
        if not kind:
            self.figure.value = ""
        elif kind == "factor":
            self._show_figure(by_factor(self.results, name), f"Every take's scores by {name}")
        else:
            figure = metric_against_motion(self.results, name)
            self._show_figure(figure, f"{name} against motion, with a dot for each take")
        self.show_code()

    def _show_figure(self, figure: Figure, alt: str) -> None:
        drawn = picture(figure, alt, alt)
        self.figure.value = (
            f'<img alt="{escape_html(drawn.alt)}" src="{drawn.source}" style="max-width:100%">'
        )

    def code(self) -> str:
        """Calls that show what the panel shows."""
        lines = ["import lab", "", f"results = lab.load({str(self.folder.path)!r})", "results"]
        kind, _, name = (self.plot.value or "").partition(" ")
        if kind == "factor":
            lines += [f"lab.analysis.by_factor(results, {name!r})"]
        elif kind:
            lines += [f"lab.analysis.metric_against_motion(results, {name!r})"]
        if self.chosen:
            lines += [f"lab.Player(results, {list(self.chosen)!r})"]
        return "\n".join([*lines, "lab.write_report(results)"])

    def static_fallback(self) -> str:
        """The table of scores as HTML, and the player's posters if the player is open."""
        if not self.folder.exists:
            return self.status.value
        return self.results._repr_html_() + (self.player.static_fallback() if self.player else "")

    def __repr__(self) -> str:
        return f"ResultsPanel({str(self.folder.path)!r})"
