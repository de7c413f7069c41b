"""Where everything came from."""

from collections.abc import Mapping
from typing import Any

from lab.report.blocks import Cell, Facts, Section, Table
from lab.report.source import Source


def provenance(source: Source) -> Section:
    """Versions, the code's state, hashes of stills and clips, seeds."""
    results, known = source.results, source.results.provenance
    packages = ", ".join(f"{name} {version}" for name, version in known.get("packages", {}).items())
    pairs = [
        ("code", str(known.get("git", "unknown"))),
        ("python", f"{known.get('python', 'unknown')} on {known.get('platform', 'unknown')}"),
        ("packages", packages),
        ("seeds", ", ".join(_seed(seed) for seed in dict.fromkeys(results.takes["seed"]))),
        ("zipped", str(results.sweep.get("zip") or "nothing; every factor is crossed")),
    ]
    takes = source.rows
    stills = {take["still_path"]: take for take in takes if take["still_path"]}.values()
    blocks: list[Facts | Table] = [
        Facts(pairs, held="the provenance"),
        Table(
            "Stills",
            ("still", "file in the run folder", "SHA-256"),
            [_words(take, "still", "still_path", "still_sha256") for take in stills],
            held="the stills",
        ),
        Table(
            "Clips",
            ("take", "file in the run folder", "bytes", "SHA-256", "remarks"),
            [
                _words(take, "take_id", "clip", "clip_bytes", "clip_sha256", "notes")
                for take in takes
                if take["clip"]
            ],
            held="the clips",
            takes=[str(take["take_id"]) for take in takes if take["clip"]],
        ),
    ]
    return Section("Provenance", blocks)


def _words(take: Mapping[str, Any], *names: str) -> tuple[Cell, ...]:
    return tuple(
        Cell(f"{take[name]:.0f}", float(take[name]))
        if isinstance(take[name], float)
        else Cell(str(take[name]))
        for name in names
    )


def _seed(seed: object) -> str:
    return f"{seed:.0f}" if isinstance(seed, int | float) and seed == seed else "one per take"
