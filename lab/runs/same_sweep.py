"""Refuses to run a sweep in a folder that holds another sweep or takes of another origin."""

from collections.abc import Iterator, Mapping
from typing import Any

from lab.errors import RunFolderError
from lab.runs.folder import RunFolder
from lab.runs.ledger import Ledger
from lab.sweeps import Sweep


def check_same_sweep(
    sweep: Sweep, folder: RunFolder, ledger: Ledger, origin: str, *, allow_other_takes: bool
) -> None:
    """Raise RunFolderError when the folder holds another sweep, or takes of another origin.

    A sweep may always add takes. allow_other_takes: the folder may hold takes that the sweep lacks.
    """
    take_ids = {take.id for _, take in (*sweep.still_takes(), *sweep.takes())}
    dropped = any(
        row.take_id not in take_ids and row.take.shot.makes == sweep.makes for row in ledger.takes()
    )
    if dropped and not allow_other_takes:
        raise RunFolderError(
            f"{folder.path}: holds another sweep ({_difference(ledger.fact('sweep'), sweep)}); "
            "name another folder, or keep every take of that sweep and only add new ones"
        )
    first_origin = ledger.fact("origin") or origin
    if first_origin != origin:
        raise RunFolderError(
            f"{folder.path}: was started with {first_origin}, but {sweep.backend} is now {origin}; "
            "takes of two origins cannot be in one run, so name another folder"
        )


def _difference(before: Mapping[str, Any] | None, sweep: Sweep) -> str:
    """What the earlier sweep has and this one lacks or has changed, as text.

    before: the earlier sweep's plain data.
    """
    if before is None:
        return "its design was lost with a damaged ledger"
    now = sweep.to_json()
    parts = [
        f"{field} was {before[field]!r} and is {now[field]!r}"
        for field in ("backend", "repeats", "zip")
        if before.get(field, now[field]) != now[field]
    ]
    for name, pictures in now.get("pictured", {}).items():
        if before.get("pictured", {}).get(name, pictures) != pictures:
            parts.append(f"element {name} was made from other pictures")
    if not parts and before.get("elements", now["elements"]) != now["elements"]:
        parts.append(f"elements was {before['elements']!r} and is {now['elements']!r}")
    for factor in sorted({*before["levels"], *now["levels"]}):
        levels_before = before["levels"].get(factor, [])
        parts += _level_differences(factor, levels_before, now["levels"].get(factor, []))
    return "; ".join(parts) or "its levels were combined differently"


def _level_differences(factor: str, before: list[Any], now: list[Any]) -> Iterator[str]:
    """Which levels of a factor are missing and which have changed, as text."""
    missing = [_label(level) for level in before if level not in now]
    names = [level["name"] for level in now if isinstance(level, dict)]
    changed = [label for label in missing if label in names]
    removed = [label for label in missing if label not in changed]
    if removed:
        yield f"{factor} {', '.join(map(repr, removed))} is missing"
    if changed:
        yield f"{factor} {', '.join(map(repr, changed))} has changed"


def _label(level: Any) -> Any:
    """The name or text of a still or prompt; the value of any other level."""
    return level["name"] or level.get("text", "") if isinstance(level, dict) else level
