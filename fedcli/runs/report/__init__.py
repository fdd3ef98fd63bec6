"""The report: one self-contained page about a run, or about a comparison of runs."""

from fedcli.runs.report.page import report_page as report_page
