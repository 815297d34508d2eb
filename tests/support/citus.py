"""Databases of a Citus cluster, on each of its nodes; or of one plain server, where no cluster is named.

CATALOG_TEST_CITUS_URL names a database of the coordinator that knows its nodes (`citus_add_node`).
"""

from __future__ import annotations

import os
from typing import Any

import psycopg
import pytest

URL = os.environ.get("CATALOG_TEST_CITUS_URL")
needed = pytest.mark.skipif(
    not URL, reason="needs a Citus cluster: CATALOG_TEST_CITUS_URL names its coordinator"
)
PLAIN = "template1"


def unfit(reason: str) -> pytest.MarkDecorator:
    """Leaves a test out on Citus."""
    return pytest.mark.skipif(bool(URL), reason=f"on Citus: {reason}")


def nodes(server_url: str) -> list[str]:
    """Addresses of all nodes, the coordinator first."""
    if not URL:
        return [server_url]
    with psycopg.connect(server_url) as connection:
        rows = connection.execute(
            "SELECT nodename, nodeport FROM pg_dist_node WHERE groupid > 0 ORDER BY nodeid"
        )
        return [server_url, *(_at(server_url, host=host, port=port) for host, port in rows)]


def create_database(server_url: str, name: str, template: str = PLAIN) -> None:
    """One like the template; of a cluster with the extension, and knowing its nodes."""
    all_nodes = nodes(server_url)
    for node in all_nodes:
        _run(node, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    if not URL or template != PLAIN:
        return
    for node in all_nodes:
        _run(_at(node, dbname=name), "CREATE EXTENSION citus")
    with psycopg.connect(server_url) as connection:
        row = connection.execute("SELECT nodename, nodeport FROM pg_dist_node WHERE groupid = 0").fetchone()
    assert row is not None, "the coordinator knows itself: SELECT citus_set_coordinator_host(...)"
    of_nodes = [psycopg.conninfo.conninfo_to_dict(node) for node in all_nodes[1:]]
    _run(
        _at(server_url, dbname=name),
        f"SELECT citus_set_coordinator_host('{row[0]}', {row[1]})",
        *(f"SELECT citus_add_node('{node['host']}', {node['port']})" for node in of_nodes),
    )


def close_database(server_url: str, name: str) -> None:
    """Lets nobody in, so that it can be cloned: on Citus a daemon of its own would stand in the way."""
    for node in nodes(server_url) if URL else ():
        _run(
            node,
            f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
            f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'",
        )


def drop_database(server_url: str, name: str) -> None:
    """Whatever is still there: transactions over several nodes that somebody killed, Citus's own daemons."""
    for node in nodes(server_url):
        for _ in range(12):  # each waits for five seconds
            try:
                _run(node, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
                break
            except psycopg.errors.ObjectInUse:
                _roll_back_prepared(node, name)
        else:
            raise AssertionError(f"{node}: database {name} is still in use")


def keep_to_one_connection(connection: psycopg.Connection[Any]) -> None:
    """Of each node, for this transaction: one that writes, and reads all sources in between, could not go on else."""
    if URL:
        connection.execute("SET LOCAL citus.max_adaptive_executor_pool_size = 1")


def _roll_back_prepared(node: str, name: str) -> None:
    with psycopg.connect(node) as connection:
        rows = connection.execute("SELECT gid FROM pg_prepared_xacts WHERE database = %s", (name,)).fetchall()
    if rows:
        _run(_at(node, dbname=name), *(f"ROLLBACK PREPARED '{gid}'" for (gid,) in rows))


def _at(url: str, **place: Any) -> str:
    return psycopg.conninfo.make_conninfo(url, **place)


def _run(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
