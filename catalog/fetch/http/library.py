"""The HTTP library of listings. No other module imports it.

httpx2, its maintained fork, has the same interface: to change over, change the one import below.
"""

from __future__ import annotations

import logging

import httpx as httpx

for _name in (httpx.__name__, "httpcore"):
    # They log each URL, and each header, the token's included.
    logging.getLogger(_name).setLevel(logging.WARNING)
