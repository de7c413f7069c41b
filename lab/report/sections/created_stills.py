"""A section with the pictures made from text and the ones that were chosen as stills."""

from lab.media import data_uri, open_image, poster_jpeg
from lab.report.blocks import Cell, Picture, Section, Table
from lab.report.context import ReportContext
from lab.units import usd_text

_SIDE_PX = 160


def created_stills(context: ReportContext) -> Section | None:
    """The pictures and a table of them; None if no still was made from text."""
    rows, figures, take_ids = [], [], []
    for run in context.results.runs:
        for record in run.created.to_dict("records"):
            still = (
                f"{record['still']} ({run.name})"
                if len(context.results.runs) > 1
                else record["still"]
            )
            cost = record["cost_usd"]
            known = cost is not None and cost == cost
            take_ids.append(str(record["take_id"]))
            rows.append(
                (
                    Cell(str(still)),
                    Cell(str(record["prompt_text"])),
                    Cell(str(record["repeat"]), float(record["repeat"])),
                    Cell(str(record["state"])),
                    Cell("animated" if record["chosen"] else ""),
                    Cell(usd_text(cost) if known else "", cost if known else None),
                )
            )
            if record["picture"]:
                uri = ""
                path = run.folder.path / record["picture"]
                if context.pictures and path.is_file() and not run.folder.outside_error(path):
                    uri = data_uri(poster_jpeg(open_image(path).rgb, _SIDE_PX), ".jpg")
                suffix = ", animated" if record["chosen"] else ""
                caption = f"{still}, picture {record['repeat']}{suffix}"
                figures.append(Picture(uri, str(record["prompt_text"]), caption))
    if not rows:
        return None
    table = Table(
        "Pictures made from text. Preflight chose one for each still",
        ("still", "text", "picture", "state", "chosen", "cost"),
        rows,
        verify_name="the pictures made from text",
        take_ids=take_ids,
        # `chosen` is "taken" in earlier reports; `lab verify` needs the same name in every report.
        column_names=("still", "text", "picture", "state", "taken", "cost"),
    )
    return Section("Stills made from text", [*figures, table])
