"""What sections draw from: the results, the report's place, and small copies of the clips."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lab.analysis import Results
from lab.media import data_uri, frames, open_image, poster_jpeg, write_proxy

PROXY_SIDE_PX = 360


@dataclass(frozen=True, eq=False)
class Source:
    """A run's results and where the report will lie, so that links can be relative."""

    results: Results
    report: Path

    def title(self, take: dict[str, Any]) -> str:
        """What a take is called in headings: what varied, and the repeat if there are several."""
        return self.results.title(str(take["take_id"]))

    def rows(self) -> list[dict[str, Any]]:
        """Every take as a plain mapping."""
        return [
            {str(name): value for name, value in row.items()}
            for row in self.results.takes.to_dict("records")
        ]

    def still_uri(self, take: dict[str, Any]) -> str:
        """The still, small, as a data: address; "" for a clip made from text alone."""
        return self._still_uris[take["still_path"]]

    @cached_property
    def _still_uris(self) -> dict[str, str]:
        folder = self.results.folder.path
        return {
            path: data_uri(poster_jpeg(open_image(folder / path).rgb, PROXY_SIDE_PX), ".jpg")
            for path in dict.fromkeys(self.results.takes["still_path"])
            if path
        } | {"": ""}

    def clip_path(self, take: dict[str, Any]) -> Path:
        """Where the take's clip lies."""
        return self.results.folder.path / take["clip"]

    def proxy(self, take: dict[str, Any]) -> Path:
        """A small copy of the clip, made once and kept beside the run."""
        proxy = self.results.folder.proxies / f"{take['clip_sha256'][:16]}-{PROXY_SIDE_PX}.mp4"
        if not proxy.is_file():
            proxy.parent.mkdir(exist_ok=True)
            write_proxy(self.clip_path(take), proxy, PROXY_SIDE_PX)
        return proxy

    def poster_uri(self, take: dict[str, Any]) -> str:
        """The clip's first frame, small, as a data: address."""
        first = next(iter(frames(self.proxy(take))))
        return data_uri(poster_jpeg(first.rgb, PROXY_SIDE_PX), ".jpg")

    def link(self, path: Path) -> str:
        """The way from the report to a file."""
        return Path(os.path.relpath(path, self.report.parent)).as_posix()
