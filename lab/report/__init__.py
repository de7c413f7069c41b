"""One HTML file from a run: opens from a mail with no network, everything in it escaped."""

from lab.report.build import write_report
from lab.report.export import export_notebook
from lab.report.sections import SECTIONS
from lab.report.verify import Mismatch, Verification, verify

__all__ = [
    "SECTIONS",
    "Mismatch",
    "Verification",
    "export_notebook",
    "verify",
    "write_report",
]
