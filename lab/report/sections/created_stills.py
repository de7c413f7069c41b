"""The pictures that were made from text, and which of them were animated."""

from lab.media import data_uri, open_image, poster_jpeg
from lab.report.blocks import Cell, Picture, Section, Table
from lab.report.context import ReportContext
from lab.units import usd_text

_SIDE_PX = 160


def created_stills(context: ReportContext) -> Section | None:
    """A row a picture, then the pictures; None where no still was made from text."""
    rows, figures, takes = [], [], []
    for run in context.results.runs:
        for made in run.created.to_dict("records"):
            still = (
                f"{made['still']} ({run.name})" if len(context.results.runs) > 1 else made["still"]
            )
            cost = made["cost_usd"]
            known = cost is not None and cost == cost
            takes.append(str(made["take_id"]))
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
                taken = ", animated" if made["chosen"] else ""
                said = f"{still}, picture {made['repeat']}{taken}"
                figures.append(Picture(uri, str(made["prompt_text"]), said))
    if not rows:
        return None
    table = Table(
        "Pictures made from text, of which preflight took one for each still",
        ("still", "text", "picture", "state", "taken", "cost"),
        rows,
        verified_as="the pictures made from text",
        take_ids=takes,
    )
    return Section("Stills made from text", [*figures, table])
