"""A simulated cloud on loopback, for `catalog demo`, the tests and the benchmarks.

cloud = Cloud("glance")
cloud.add(record)
with CloudServer(cloud) as server:
    server.endpoint, server.requests, server.faults.add(status(503), at=2)
"""

from catalog.demo.cloud import Cloud
from catalog.demo.images import example_images
from catalog.demo.server import CloudServer

__all__ = ["Cloud", "CloudServer", "example_images"]
