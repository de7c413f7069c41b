"""`python -m benchmarks.camera_moves DIR`: how often a clip's known camera move is recognised.

DIR is a folder of clips with a CSV (UTF-8, commas, one header line, one line per clip):

    clip        the clip's file name in DIR, each once
    truth       the camera terms that the clip shows, separated by |; or static; or handheld
    accept      optional: look-alikes that count as right too, separated by |
    scene       optional: intervals resample it; each clip by itself if there is no such column
    still       optional: the still's file name in DIR, or empty for the clip's first frame

A clip that cannot be judged counts as wrong.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.rank_agreement import estimate, resamples
from benchmarks.ratings import file_in, read_rows
from lab.analysis.camera_moves import canonical_move
from lab.analysis.compliance import Compliance, Outcome, clip_compliance
from lab.calibration.known_moves import RIGHT, KnownMoves, Share, current_versions
from lab.calibration.moves import opposites
from lab.errors import ClipError, InputError, Interrupted, LabError
from lab.files import make_writable_folder
from lab.metrics import measure
from lab.metrics.events import Events
from lab.metrics.motion import Motion
from lab.prompts import Prompt, vocabulary
from lab.runs.executors import open_executor
from lab.runs.progress import Progress
from lab.stills import Still

STATIC, HANDHELD = "static", "handheld"
_HELD = "lock_off"


@dataclass(frozen=True)
class Labelled:
    """A clip and what its camera is known to do. accept: the truth and its look-alikes."""

    clip: Path
    still: Path | None
    truth: tuple[str, ...]
    accept: frozenset[str]
    scene: str


def read_labels(path: Path, folder: Path) -> tuple[Labelled, ...]:
    """Read the CSV. Raises InputError, in one line."""
    header, rows = read_rows(path, "--labels")
    for name in ("clip", "truth"):
        if name not in header:
            raise InputError(f"{path}: has no column {name!r}, only {', '.join(header)}")
    found: dict[Path, Labelled] = {}
    for line, row in rows:
        where = f"{path}, line {line}"
        clip = file_in(row["clip"], folder, where, "remove the line")
        if clip in found:
            raise InputError(f"{where}: {row['clip']!r} is in an earlier line already")
        truth = _terms(row["truth"], where)
        if not truth or (len(truth) > 1 and {STATIC, HANDHELD} & set(truth)):
            raise InputError(f"{where}: truth needs camera terms, or static or handheld alone")
        still = row.get("still", "").strip()
        found[clip] = Labelled(
            clip,
            file_in(still, folder, where, "correct it or leave it empty") if still else None,
            truth,
            frozenset((*truth, *_terms(row.get("accept", ""), where))),
            row.get("scene", "").strip() or clip.name,
        )
    if not found:
        raise InputError(f"{path}: has no clips")
    return tuple(found.values())


def _terms(text: str, where: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split("|") if name.strip())
    for name in names:
        term = vocabulary().get(name)
        if name not in (STATIC, HANDHELD) and (term is None or term.signature is None):
            raise InputError(f"{where}: {name!r} is no camera term, static or handheld")
    return names


def judge(labelled: Labelled) -> dict[str, Compliance]:
    """Worker: measure a clip and judge it by every camera term with a signature."""
    still = None if labelled.still is None else Still.open(labelled.still)
    scores = measure(labelled.clip, still, [Motion(), Events()]).scores
    values = {score.name: score.value for score in scores}
    names = [name for name, term in vocabulary().items() if term.signature is not None]
    return {name: clip_compliance(values, Prompt.of(name))[0] for name in names}


def verdicts(labelled: Labelled, judged: Mapping[str, Compliance]) -> dict[str, list[bool]]:
    """What is right and wrong about a clip, by the names of the rows of the result."""
    told = next((one for one in judged.values() if one.outcome is not Outcome.CANNOT_TELL), None)
    seen = () if told is None else (told.seen, *told.alike)
    if labelled.truth == (STATIC,):
        return {"static": [seen == (_HELD,)], "cannot tell": [not seen]}
    if labelled.truth == (HANDHELD,):
        return {"handheld": [seen[:1] == ("handheld_drift",)], "cannot tell": [not seen]}
    right = {canonical_move(name) for name in labelled.accept - {STATIC, HANDHELD}}
    reverse = {canonical_move(name) for move in right for name in opposites(move)}
    wrong = [name for name in judged if canonical_move(name) not in {*right, _HELD}]
    return {
        RIGHT: [bool(right & set(seen))],
        "moves": [bool(seen) and seen[0] in {canonical_move(name) for name in labelled.truth}],
        "opposite move": [bool(seen) and seen[0] in reverse],
        "wrong moves that pass": [judged[name].outcome is Outcome.DID for name in wrong],
        "cannot tell": [not seen],
    }


def shares(results: Sequence[tuple[str, Mapping[str, list[bool]]]]) -> tuple[Share, ...]:
    """The share of each verdict. results: scene and verdicts of each clip."""
    found = []
    for name in dict.fromkeys(name for _, verdict in results for name in verdict):
        own = [(scene, verdict[name]) for scene, verdict in results if name in verdict]
        scenes = list(dict.fromkeys(scene for scene, _ in own))
        place = np.array([scenes.index(scene) for scene, values in own for _ in values], int)
        values = np.array([value for _, each in own for value in each], float)
        weights = resamples(len(scenes))[:, place]
        share = estimate((weights @ values) / np.maximum(weights.sum(axis=1), 1e-9))
        found.append(Share(name, share, values.size, len(scenes)))
    return tuple(found)


def main(argv: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 done, 1 some clips failed, 2 wrong input, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.camera_moves",
        description=__doc__.partition("`: ")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", metavar="DIR", type=Path)
    parser.add_argument(
        "--labels", default="labels.csv", help="the CSV, relative to DIR (%(default)s)"
    )
    parser.add_argument("--wrong", action="store_true", help="list the clips that were not right")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument(
        "--save", metavar="FILE", type=Path, help="also write the shares as JSON; needs --material"
    )
    parser.add_argument("--material", metavar="TEXT", help="what the clips are")
    arguments = parser.parse_args(argv)
    try:
        if (arguments.save is None) != (arguments.material is None):
            raise InputError("--save and --material belong together; give both or neither")
        if arguments.save is not None:
            make_writable_folder(arguments.save.parent)
        labels = read_labels(arguments.folder / arguments.labels, arguments.folder)
        results, failed = [], 0
        with (
            open_executor(None, len(labels)) as pool,
            Progress(len(labels), "clips", quiet=arguments.quiet) as progress,
        ):
            futures = [pool.submit(judge, each) for each in labels]
            for each, future in zip(labels, futures, strict=True):
                try:
                    judged = future.result()
                except ClipError as error:
                    print(error, file=sys.stderr)
                    failed += 1
                    continue
                finally:
                    progress.advance()
                verdict = verdicts(each, judged)
                results.append((each.scene, verdict))
                good = verdict.get(RIGHT) or next(iter(verdict.values()))
                if arguments.wrong and not all(good):
                    told = next(iter(judged.values()))
                    print(f"{each.clip.name}: {' or '.join(each.truth)}; {told}")
        found = KnownMoves(arguments.material or "", current_versions(), shares(results))
        print(found.table().to_string(index=False))
        if arguments.save is not None:
            found.save(arguments.save)
        return 1 if failed else 0
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 130 if isinstance(error, Interrupted) else 2


if __name__ == "__main__":
    raise SystemExit(main())
