"""Judges one shot: its still, its prompt, its camera moves and its scores."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.analysis.compliance import Compliance, clip_compliance
from lab.clips import Clip
from lab.errors import RunFolderError
from lab.files import make_writable_folder
from lab.findings import Finding
from lab.measures import ClipRecord, headline_text, is_too_still, score_json
from lab.media import contact_sheet, write_image
from lab.metrics import HEADLINES
from lab.prompts import Review
from lab.runs import Ledger, RunFolder
from lab.stills import Preflight


@dataclass(frozen=True)
class ShotVerdict:
    """The findings about a shot and the measurements of its clip.

    preflight: the findings about the still. review: those about the prompt. record: the clip's
    scores, as `lab.score` yields them. compliance: one entry per camera term of the prompt.
    contact_sheet: the path of a picture with frames from the whole clip.
    """

    preflight: Preflight
    review: Review
    clip: Clip
    record: ClipRecord
    compliance: tuple[Compliance, ...]
    contact_sheet: Path

    def lines(self) -> tuple[str, str, str, str]:
        """The still, the prompt, the camera and the scores, one line each."""
        scores = ", ".join(f"{name} {headline_text(self.record, name)}" for name in HEADLINES)
        if is_too_still(self.record):
            scores = f"too still to judge: {scores}"
        return (
            f"still:  {_findings_text(self.preflight.findings)}",
            f"prompt: {_findings_text(self.review.findings)}",
            f"camera: {'; '.join(map(str, self.compliance)) or 'the prompt names no camera move'}",
            f"scores: {scores}",
        )

    def to_json(self) -> dict[str, Any]:
        """What `lab score --json` prints, plus the findings, compliance and contact sheet."""
        return {
            **score_json(self.record),
            "contact_sheet": str(self.contact_sheet),
            "preflight": self.preflight.to_json(),
            "prompt": self.review.to_json(),
            "compliance": [entry.to_json() for entry in self.compliance],
        }

    def __str__(self) -> str:
        return "\n".join((*self.lines(), str(self.clip.path), str(self.contact_sheet)))


def judge_shot(preflight: Preflight, review: Review, clip: Clip) -> ShotVerdict:
    """Judge a clip that `lab.shoot` made.

    preflight: of the clip's still. review: of the clip's prompt.

    Writes the contact sheet to `sheets/` in the run folder. Raises RunFolderError if the clip was
    not measured.
    """
    folder, take_id = RunFolder(clip.path.parent.parent), clip.path.stem
    with Ledger.read(folder.ledger) as ledger:
        stored = folder.stored_measure(ledger.take(take_id))
    if stored.measure is None:
        raise RunFolderError(f"{clip.path}: has no scores: {stored.reason}")
    record = stored.measure.record()
    record["clip"] = str(clip.path)
    sheet = make_writable_folder(folder.path / "sheets") / f"{take_id}.png"
    write_image(sheet, contact_sheet(clip.path))
    compliance = clip_compliance(record["scores"], review.prompt)
    return ShotVerdict(preflight, review, clip, record, compliance, sheet)


def _findings_text(findings: tuple[Finding, ...]) -> str:
    if not findings:
        return "no findings"
    worst = findings[0]
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return f"{worst.severity}: {worst.says}; {worst.fix}{more}"
