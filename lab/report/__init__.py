"""One HTML file from a run: opens from a mail with no network, everything in it escaped."""

from lab.report.build import write_report
from lab.report.sections import SECTIONS

__all__ = ["SECTIONS", "write_report"]
