"""Bundle -> text: the issue's title and body, the report page, the lines for the terminal. Pure.

What stands in a bundle is a stranger's text, and so is what a tool printed. In Markdown it only ever stands
in a code span or in a fence, where it can neither ping nor close nor open anything; in HTML it is escaped.
"""

from uvreport.render.issue import ISSUE_LIMIT, issue
from uvreport.render.page import report_html
from uvreport.render.script import Script, script
from uvreport.render.templating import prepare
from uvreport.render.text import units
from uvreport.render.wording import TITLE_LIMIT, proven, summary, title, triaged

__all__ = [
    "ISSUE_LIMIT", "TITLE_LIMIT", "Script", "issue", "prepare", "proven", "report_html", "script", "summary", "title",
    "triaged", "units",
]  # fmt: skip
