"""Answers: ready-made queries, the terminal's tables, and the page that stands alone."""
