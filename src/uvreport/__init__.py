"""uvreport: from a uv command that just failed to one file that fails the same way elsewhere."""

__version__ = "0.1.0"
