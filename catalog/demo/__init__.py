"""A simulated cloud on loopback, for `catalog demo`, the tests and the benchmarks."""

from catalog.demo.cloud import Cloud
from catalog.demo.images import example_images
from catalog.demo.server import CloudServer

__all__ = ["Cloud", "CloudServer", "example_images"]
