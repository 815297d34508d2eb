"""`python -m catalog.demo KIND COUNT`: a simulated cloud in a process of its own, until its input ends.

Its endpoint is printed on the first line. `--prepared` serves a listing of the benchmarks' shape from bytes
made beforehand.
"""

from __future__ import annotations

import argparse
import sys

from catalog.demo.cloud import Cloud
from catalog.demo.images import benchmark_images, example_images
from catalog.demo.prepared import PreparedListing
from catalog.demo.server import CloudServer


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m catalog.demo", description="A simulated cloud on loopback."
    )
    parser.add_argument("kind", choices=("glance", "ims"))
    parser.add_argument("count", type=int, help="number of images")
    parser.add_argument("--prepared", action="store_true", help="benchmark records, pages made beforehand")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if asked.prepared:
        server = CloudServer(PreparedListing(asked.kind, benchmark_images(asked.count, asked.seed)))
    else:
        server = CloudServer(Cloud(asked.kind, example_images(asked.kind, asked.count, asked.seed)))
    with server:
        sys.stdout.write(server.endpoint + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
