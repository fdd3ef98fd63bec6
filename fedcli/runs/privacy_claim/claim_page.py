"""The privacy document as one HTML file that needs nothing else, for light and dark screens and for paper."""

from __future__ import annotations

import html

_STYLE = """
:root { color-scheme: light dark; --line: #c8ccd0; --soft: #f3f4f6; }
@media (prefers-color-scheme: dark) { :root { --line: #484f58; --soft: #1f242b; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 1.8rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top; }
th { background: var(--soft); } td { overflow-wrap: anywhere; } td:first-child { width: 32%; }
pre { background: var(--soft); padding: .6rem; white-space: pre-wrap; overflow-wrap: anywhere; }
h2:last-of-type + ul { font-size: .9rem; }
@page { margin: 14mm; }
@media print {
  body { font-size: 8.5pt; line-height: 1.3; margin: 0; max-width: none; padding: 0; }
  h1 { font-size: 14pt; margin: 0; } h2 { font-size: 10.5pt; margin: 8pt 0 3pt; break-after: avoid; }
  p, ul, table, pre { margin: 3pt 0; } th, td { padding: 1pt 4pt; } tr { break-inside: avoid; }
  h2:last-of-type + ul { font-size: 8pt; columns: 2; }
}
"""
# Nothing is loaded and nothing runs, whatever the text may say.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def claim_page(document: str, title: str) -> str:
    """A document in Markdown as HTML.

    Args:
        document: Markdown; HTML in it is shown as text.
        title: of the page.
    """
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(document)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )
