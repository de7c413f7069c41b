"""The pictures that the runs made from text, and the ones that became stills."""

from lab.media import data_uri, open_image, poster_jpeg
from lab.report.blocks import Cell, Picture, Section, Table
from lab.report.context import ReportContext
from lab.units import usd_text

_SIDE_PX = 160


def created_stills(context: ReportContext) -> Section | None:
    """The pictures, then a table with a row for each; None if no still was made from text."""
    rows, figures, take_ids = [], [], []
    for run in context.results.runs:
        for made in run.created.to_dict("records"):
            still = (
                f"{made['still']} ({run.name})" if len(context.results.runs) > 1 else made["still"]
            )
            cost = made["cost_usd"]
            known = cost is not None and cost == cost
            take_ids.append(str(made["take_id"]))
            rows.append(
                (
                    Cell(str(still)),
                    Cell(str(made["prompt_text"])),
                    Cell(str(made["repeat"]), float(made["repeat"])),
                    Cell(str(made["state"])),
                    Cell("animated" if made["chosen"] else ""),
                    Cell(usd_text(cost) if known else "", cost if known else None),
                )
            )
            if made["picture"]:
                uri = ""
                path = run.folder.path / made["picture"]
                if context.pictures and path.is_file() and not run.folder.outside_error(path):
                    uri = data_uri(poster_jpeg(open_image(path).rgb, _SIDE_PX), ".jpg")
                suffix = ", animated" if made["chosen"] else ""
                caption = f"{still}, picture {made['repeat']}{suffix}"
                figures.append(Picture(uri, str(made["prompt_text"]), caption))
    if not rows:
        return None
    table = Table(
        "Pictures made from text. Preflight chose one for each still",
        ("still", "text", "picture", "state", "chosen", "cost"),
        rows,
        verified_as="the pictures made from text",
        take_ids=take_ids,
        # Earlier reports have this name of the column in them.
        column_names=("still", "text", "picture", "state", "taken", "cost"),
    )
    return Section("Stills made from text", [*figures, table])
