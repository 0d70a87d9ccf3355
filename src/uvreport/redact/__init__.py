"""Snapshot -> Bundle: the only door. See docs/redaction.md."""
