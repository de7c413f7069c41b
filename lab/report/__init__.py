"""Reports: one HTML file from one or more runs, which needs no network. Everything is escaped."""

from lab.report.build import write_report
from lab.report.export import export_notebook
from lab.report.sections import SECTIONS, VERIFIED_SECTIONS
from lab.report.verification import Count, Mismatch, Verification
from lab.report.verify import verify

__all__ = [
    "SECTIONS",
    "VERIFIED_SECTIONS",
    "Count",
    "Mismatch",
    "Verification",
    "export_notebook",
    "verify",
    "write_report",
]
