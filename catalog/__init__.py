"""The catalog of a cloud's VM images, kept true in a SQL database."""

__version__ = "0.1.0"
