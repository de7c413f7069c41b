"""Stills with what preflight says of them: look, upload, fit, choose."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import traitlets

from lab.errors import LabError
from lab.files import atomic_write, make_writable_folder
from lab.media import data_uri, poster_jpeg
from lab.stills import Preflight, Still, fit, preflight
from lab.units import RATIOS, SHORT_SIDE_PX, escape_html
from lab.widgets.later import Later
from lab.widgets.panel import Panel, Said, button, heading, patience_s

_ACCEPTED = ".jpg,.jpeg,.png,.webp"
_MODES = ("crop", "extend")


class StillPanel(Panel):
    """A gallery of stills. `value` holds the chosen ones, for a `SweepPanel` or a sweep.

    stills: paths or `Still`s to begin with. folder: where uploads and fitted stills are kept.
    Preflight runs beside the kernel, about a second a still.
    """

    value = traitlets.Tuple()

    def __init__(
        self,
        stills: Sequence[Still | str | Path] = (),
        *,
        folder: str | Path = "runs/uploads",
        aspect_ratio: str = "16:9",
        resolution: str = "720p",
    ) -> None:
        self.folder = Path(folder)
        self.stills: list[Still] = []
        self._found: dict[tuple[str, str, str], Preflight] = {}
        self._later = Later(0.0)
        self.ratio = widgets.Dropdown(options=list(RATIOS), value=aspect_ratio, description="ratio")
        self.resolution = widgets.Dropdown(
            options=list(SHORT_SIDE_PX), value=resolution, description="resolution"
        )
        self.upload = widgets.FileUpload(
            accept=_ACCEPTED, multiple=True, description="Upload stills"
        )
        self.gallery = widgets.VBox()
        self.mode = widgets.Dropdown(options=_MODES, description="fit by")
        self.fitting = widgets.Dropdown(description="still")
        self.fit = button("Fit to the ratio", "Make a new still of that ratio", self._fit)
        self.said = Said()
        super().__init__(
            [
                heading("Stills"),
                widgets.HBox([self.ratio, self.resolution, self.upload]),
                self.gallery,
                widgets.HBox([self.fitting, self.mode, self.fit]),
                self.said,
            ]
        )
        self.upload.observe(lambda change: self._uploads(change["new"]), "value")
        for field in (self.ratio, self.resolution):
            field.observe(lambda _: self._check(), "value")
        for still in stills:
            self.add(still)

    def add(self, still: Still | str | Path, *, chosen: bool = True) -> None:
        """Put a still into the gallery; one that is there already stays as it is.

        Raises StillError for a file that is no picture.
        """
        opened = Still.of(still)
        if opened in self.stills:
            return
        self.stills.append(opened)
        # The name stands in the card: Jupyter would take dollars in a description for a formula.
        box = widgets.Checkbox(value=chosen, description="use", tooltip=opened.name, indent=False)
        box.observe(lambda _: self._choose(), "value")
        card = widgets.HTML(_waiting(opened))
        self.gallery.children += (widgets.VBox([box, card]),)
        self.fitting.options = [(each.name, place) for place, each in enumerate(self.stills)]
        self.fitting.value = len(self.stills) - 1
        self._choose()
        self._check()

    def _choose(self) -> None:
        rows = zip(self.gallery.children, self.stills, strict=True)
        self.value = tuple(still for row, still in rows if row.children[0].value)
        self.show_code()

    def _check(self) -> None:
        self._later.call(self._checked, lambda _: None)

    def _checked(self) -> None:
        """Show what preflight says of each still; what was said before is not asked again."""
        ratio, resolution = self.ratio.value, self.resolution.value
        for row, still in list(zip(self.gallery.children, self.stills, strict=False)):
            key = (still.sha256, ratio, resolution)
            if key not in self._found:
                try:
                    self._found[key] = preflight(still, aspect_ratio=ratio, resolution=resolution)
                except LabError as error:
                    self.said.say(str(error), "error")
                    continue
            row.children[1].value = _card(self._found[key])

    def _uploads(self, files: Sequence[dict[str, Any]]) -> None:
        """Keep what was uploaded as files; the panel itself holds no picture's bytes."""
        if not files:
            return
        said = []
        try:
            for file in files:
                said.append(self._kept(_safe(str(file["name"])), bytes(file["content"])))
        finally:
            self.upload.value = ()
        self.said.say("\n".join(said))

    def _kept(self, name: str, content: bytes) -> str:
        """Keep an upload under a name that is free; returns what became of it."""
        try:
            path = _free(make_writable_folder(self.folder) / name)
            with atomic_write(path) as part:
                part.write_bytes(content)
        except LabError as error:
            return str(error)
        try:
            self.add(path)
        except LabError as error:
            path.unlink()
            return str(error)
        return f"kept as {path}"

    def _fit(self) -> None:
        if not self.stills:
            self.said.say("Upload a still, or name one: StillPanel(['photo.jpg'])", "warning")
            return
        still = self.stills[self.fitting.value]
        name = f"{_safe(still.name)}-{self.ratio.value.replace(':', 'x')}-{self.mode.value}.png"
        try:
            target = _free(make_writable_folder(self.folder) / name)
            made = fit(still, self.ratio.value, mode=self.mode.value, path=target)
        except LabError as error:
            self.said.say(str(error), "error")
            return
        self.said.say(f"{made.path}: {'; '.join(made.history)}")
        self.add(made)

    def code(self) -> str:
        """The chosen stills, checked, as calls."""
        paths = [str(still.path) for still in self.value]
        asked = f"aspect_ratio={self.ratio.value!r}, resolution={self.resolution.value!r}"
        return "\n".join(
            [
                "import lab",
                "",
                f"stills = [lab.Still.open(path) for path in {paths!r}]",
                "for still in stills:",
                f"    display(lab.preflight(still, {asked}))",
                f"# fitted = lab.fit(stills[0], {self.ratio.value!r}, mode={self.mode.value!r})",
            ]
        )

    def twin(self) -> str:
        """Every still with its remarks."""
        self._later.join(patience_s())
        return "".join(row.children[1].value for row in self.gallery.children)

    def __repr__(self) -> str:
        return f"StillPanel({[str(still.path) for still in self.stills]!r})"


def _card(found: Preflight) -> str:
    """What was seen beside the remarks; every check when it is unfolded."""
    remarks = [
        f"{finding.severity}: {finding.says}; {finding.fix}" for finding in found.findings
    ] or ["no remarks"]
    shown = "".join(f"<li>{escape_html(said)}</li>" for said in remarks)
    name, seen = escape_html(found.still.name), data_uri(poster_jpeg(found.overlay(), 150), ".jpg")
    return (
        '<div class="beside">'
        f'<img alt="{name} with what preflight saw marked on it" src="{seen}">'
        f"<div><b>{name}</b><ul>{shown}</ul><details><summary>every check of {name}</summary>"
        f"{found._repr_html_()}</details></div></div>"
    )


def _waiting(still: Still) -> str:
    return f"{still._repr_html_()}<p class='quiet'>preflight is looking…</p>"


def _free(path: Path) -> Path:
    """The path, or one with a number behind its name where a file is there already."""
    number = 2
    free = path
    while free.exists():
        free = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return free


def _safe(name: str) -> str:
    """A file name of letters that every file system and page takes."""
    plain = re.sub(r"[^\w.-]+", "_", Path(name.replace("\\", "/")).name).lstrip(".")
    return plain[-80:] or "still"
