"""A clip: the video file that a take made."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lab.errors import ClipError
from lab.files import as_path, sha256_file
from lab.media import ClipFacts, data_uri, probe, write_proxy
from lab.units import escape_html

SIMULATED_MARK = "simulated by i2v-lab"
"""The comment tag of every clip that was rendered locally starts with this."""


@dataclass(frozen=True)
class Clip:
    """A readable video file. sha256: the hash of the file. facts: size, frame rate and so on."""

    path: Path
    sha256: str
    facts: ClipFacts

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open and check a video file. Raises ClipError."""
        path = as_path(path, ClipError)
        facts = probe(path)
        return cls(path, sha256_file(path), facts)

    @property
    def simulated(self) -> bool:
        """True when the file's comment says that it was rendered locally, without a model."""
        return self.facts.comment.startswith(SIMULATED_MARK)

    def _repr_html_(self) -> str:
        """A video element with a small copy of the clip, for notebooks."""
        with tempfile.TemporaryDirectory() as folder:
            proxy = Path(folder) / "proxy.mp4"
            write_proxy(self.path, proxy)
            video = data_uri(proxy.read_bytes(), ".mp4")
            duration_s = self.facts.duration_s or probe(proxy).duration_s  # may not be declared
        facts = f"{self.facts.width_px}x{self.facts.height_px}, {duration_s:.1f} s"
        caption = f"{escape_html(self.path.name)}, {facts}" + (
            ", simulated" if self.simulated else ""
        )
        return (
            '<figure class="mathjax_ignore" style="margin:0">'
            f'<video controls loop muted playsinline src="{video}" '
            f'style="max-width:640px"></video><figcaption>{caption}</figcaption></figure>'
        )
