"""A panel for stills: upload, preflight, fit to a ratio, choose."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import ipywidgets as widgets
import traitlets

from lab.errors import LabError
from lab.files import atomic_write, make_writable_folder
from lab.media import data_uri, poster_jpeg
from lab.stills import Preflight, Still, fit, preflight
from lab.units import RATIOS, SHORT_SIDE_PX, escape_html
from lab.widgets.debounce import Debounced
from lab.widgets.panel import Panel, StatusLine, button, fallback_timeout_s, heading

_ACCEPTED = ".jpg,.jpeg,.png,.webp"
_FIT_MODES = ("crop", "extend")


class _Upload(TypedDict):
    """An uploaded file, as ipywidgets holds it."""

    name: str
    content: memoryview


class StillPanel(Panel):
    """A gallery of stills. `value` holds the chosen ones, for a `SweepPanel` or a sweep.

    stills: the initial gallery, as paths or `Still`s. folder: where uploads and fitted stills are
    saved. Preflight runs in a thread and takes about one second per still.
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
        self._preflights: dict[tuple[str, str, str], Preflight] = {}  # by still, ratio, resolution
        self._preflight_work = Debounced(0.0)
        self.ratio = widgets.Dropdown(options=list(RATIOS), value=aspect_ratio, description="ratio")
        self.resolution = widgets.Dropdown(
            options=list(SHORT_SIDE_PX), value=resolution, description="resolution"
        )
        self.upload = widgets.FileUpload(
            accept=_ACCEPTED, multiple=True, description="Upload stills"
        )
        self.gallery = widgets.VBox()
        self.fit_mode = widgets.Dropdown(options=_FIT_MODES, description="fit by")
        self.still_to_fit = widgets.Dropdown(description="still")
        self.fit_button = button("Fit to the ratio", "Make a new still with that ratio", self._fit)
        self.status = StatusLine()
        super().__init__(
            [
                heading("Stills"),
                widgets.HBox([self.ratio, self.resolution, self.upload]),
                self.gallery,
                widgets.HBox([self.still_to_fit, self.fit_mode, self.fit_button]),
                self.status,
            ]
        )
        self.upload.observe(lambda change: self._save_uploads(change["new"]), "value")
        for field in (self.ratio, self.resolution):
            field.observe(lambda _: self._start_preflight(), "value")
        for still in stills:
            self.add(still)

    def add(self, still: Still | str | Path, *, chosen: bool = True) -> None:
        """Add a still to the gallery. A still that is already in it is not added again.

        Raises StillError for a file that is no picture.
        """
        opened = Still.of(still)
        if opened in self.stills:
            return
        self.stills.append(opened)
        # The card shows the name. The checkbox's description does not, because Jupyter would render
        # dollar signs in it as a formula.
        box = widgets.Checkbox(value=chosen, description="use", tooltip=opened.name, indent=False)
        box.observe(lambda _: self._update_value(), "value")
        card = widgets.HTML(_pending_card(opened))
        self.gallery.children += (widgets.VBox([box, card]),)
        self.still_to_fit.options = [(each.name, index) for index, each in enumerate(self.stills)]
        self.still_to_fit.value = len(self.stills) - 1
        self._update_value()
        self._start_preflight()

    def _update_value(self) -> None:
        cards = zip(self.gallery.children, self.stills, strict=True)
        self.value = tuple(still for card, still in cards if card.children[0].value)
        self.show_code()

    def _start_preflight(self) -> None:
        self._preflight_work.call(self._run_preflight, lambda _: None)

    def _run_preflight(self) -> None:
        """Show preflight's findings on each still. Results are cached by still and settings."""
        ratio, resolution = self.ratio.value, self.resolution.value
        for card, still in list(zip(self.gallery.children, self.stills, strict=False)):
            key = (still.sha256, ratio, resolution)
            if key not in self._preflights:
                try:
                    self._preflights[key] = preflight(
                        still, aspect_ratio=ratio, resolution=resolution
                    )
                except LabError as error:
                    self.status.show(str(error), "error")
                    continue
            card.children[1].value = _card(self._preflights[key])

    def _save_uploads(self, uploads: Sequence[_Upload]) -> None:
        """Save uploads as files. The widget's own copy is deleted, to keep notebooks small."""
        if not uploads:
            return
        messages = []
        try:
            for upload in uploads:
                name, content = _safe_name(str(upload["name"])), bytes(upload["content"])
                messages.append(self._save_upload(name, content))
        finally:
            self.upload.value = ()
        self.status.show("\n".join(messages))

    def _save_upload(self, name: str, content: bytes) -> str:
        """Save an upload under an unused name and add it; returns a message for the user."""
        try:
            path = _unused_path(make_writable_folder(self.folder) / name)
            with atomic_write(path) as part:
                part.write_bytes(content)
        except LabError as error:
            return str(error)
        try:
            self.add(path)
        except LabError as error:
            path.unlink()
            return str(error)
        return f"saved as {path}"

    def _fit(self) -> None:
        if not self.stills:
            self.status.show("Upload a still, or pass one: StillPanel(['photo.jpg'])", "warning")
            return
        still = self.stills[self.still_to_fit.value]
        ratio, mode = self.ratio.value, self.fit_mode.value
        name = f"{_safe_name(still.name)}-{ratio.replace(':', 'x')}-{mode}.png"
        try:
            path = _unused_path(make_writable_folder(self.folder) / name)
            fitted = fit(still, ratio, mode=mode, path=path)
        except LabError as error:
            self.status.show(str(error), "error")
            return
        self.status.show(f"{fitted.path}: {'; '.join(fitted.history)}")
        self.add(fitted)

    def code(self) -> str:
        """Calls that open and check the chosen stills."""
        paths = [str(still.path) for still in self.value]
        ratio, mode = self.ratio.value, self.fit_mode.value
        options = f"aspect_ratio={ratio!r}, resolution={self.resolution.value!r}"
        return "\n".join(
            [
                "import lab",
                "",
                f"stills = [lab.Still.open(path) for path in {paths!r}]",
                "for still in stills:",
                f"    display(lab.preflight(still, {options}))",
                f"# fitted = lab.fit(stills[0], {ratio!r}, mode={mode!r})",
            ]
        )

    def static_fallback(self) -> str:
        """Every still with its findings."""
        self._preflight_work.join(fallback_timeout_s())
        return "".join(card.children[1].value for card in self.gallery.children)

    def __repr__(self) -> str:
        return f"StillPanel({[str(still.path) for still in self.stills]!r})"


def _card(result: Preflight) -> str:
    """HTML with the annotated still, its findings, and all checks in a collapsed block."""
    findings = [
        f"{finding.severity}: {finding.says}; {finding.fix}" for finding in result.findings
    ] or ["no findings"]
    items = "".join(f"<li>{escape_html(text)}</li>" for text in findings)
    name = escape_html(result.still.name)
    overlay = data_uri(poster_jpeg(result.overlay(), 150), ".jpg")
    return (
        '<div class="beside">'
        f'<img alt="{name} with preflight\'s marks" src="{overlay}">'
        f"<div><b>{name}</b><ul>{items}</ul><details><summary>every check of {name}</summary>"
        f"{result._repr_html_()}</details></div></div>"
    )


def _pending_card(still: Still) -> str:
    return f"{still._repr_html_()}<p class='quiet'>preflight is running…</p>"


def _unused_path(path: Path) -> Path:
    """The path, with a number added to the file name if the file exists."""
    number = 2
    unused = path
    while unused.exists():
        unused = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return unused


def _safe_name(name: str) -> str:
    """The file name with only characters that every file system and page accepts."""
    plain = re.sub(r"[^\w.-]+", "_", Path(name.replace("\\", "/")).name).lstrip(".")
    return plain[-80:] or "still"
