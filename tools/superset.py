"""The dashboard for Apache Superset, as the files of an export: a database, a dataset per view, charts, a dashboard."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

ROOT = "superset"
VERSION = "1.0.0"
COUNT = "count"
TIMES = {"live_images": "created_at", "image_changes": "changed_at"}
"""Columns that a time filter of the dashboard goes by."""
PLATFORM = ("distro", "text", "Operating system in one vocabulary, as image_os.distro; (none) = not told.")
OF_ITS_OWN = {
    "live_images": (
        "SELECT coalesce(t.distro, '(none)') AS distro, d.*\n"
        "FROM catalog.distinct_images AS d\n"
        "LEFT JOIN catalog.image_os AS t USING (source_id, image_id)"
    ),
}
"""Datasets that are queries: each image once, however many projects see it, with its platform in one vocabulary."""


class Chart(NamedTuple):
    """`query`: what Superset asks of the view; `shown`: how it draws the answer; `width` of twelve."""

    title: str
    view: str
    kind: str
    width: int
    query: dict[str, Any]
    shown: dict[str, Any]


def _table(
    title: str, view: str, columns: Sequence[str], order: str, *, filters: Sequence[Any] = ()
) -> Chart:
    descending = order.startswith("-")
    ordered = [[order.removeprefix("-"), not descending]]
    query = {
        "columns": list(columns),
        "metrics": [],
        "filters": list(filters),
        "orderby": ordered,
        "row_limit": 500,
    }
    shown = {"query_mode": "raw", "all_columns": list(columns), "order_by_cols": [json.dumps(ordered[0])]}
    return Chart(title, view, "table", 12, query, shown)


CHARTS = (
    Chart(
        "Live images", "live_images", "big_number_total", 3,
        {"columns": [], "metrics": [COUNT], "filters": []}, {"metric": COUNT},
    ),
    Chart(
        "Live images by platform", "live_images", "pie", 4,
        {"columns": ["distro"], "metrics": [COUNT], "filters": [], "row_limit": 25},
        {"metric": COUNT, "groupby": ["distro"]},
    ),
    Chart(
        "Arrivals and departures", "image_changes", "echarts_timeseries_bar", 5,
        {
            "columns": [
                {
                    "columnType": "BASE_AXIS", "timeGrain": "P1D", "expressionType": "SQL",
                    "sqlExpression": "changed_at", "label": "changed_at",
                },
                "change",
            ],
            "metrics": [COUNT],
            "filters": [{"col": "change", "op": "IN", "val": ["created", "deleted", "restored"]}],
            "row_limit": 10_000,
        },
        {"x_axis": "changed_at", "time_grain_sqla": "P1D", "metrics": [COUNT], "groupby": ["change"], "stack": "Stack"},
    ),
    _table(
        "How fresh the catalog is", "source_freshness",
        ("source", "last_complete_at", "age_seconds", "stale", "error_kind", "held"), "-age_seconds",
    ),
    _table(
        "Images to move away from", "image_lifecycle",
        ("source", "name", "image_id", "state", "state_since", "use_instead_name", "use_instead_id"), "-state_since",
        filters=[{"col": "state", "op": "NOT IN", "val": ["current", "gone"]}],
    ),
    _table(
        "Latest changes", "image_changes",
        ("changed_at", "source", "name", "image_id", "change", "field", "old_text", "new_text"), "-changed_at",
    ),
)  # fmt: skip


def files(columns: dict[str, Sequence[tuple[str, str, str]]]) -> dict[str, dict[str, Any]]:
    """Content by path; `columns`: name, type and meaning of each column of a view."""
    database = _id("database")
    columns = columns | {"live_images": [PLATFORM, *columns["distinct_images"]]}
    found: dict[str, dict[str, Any]] = {
        "metadata.yaml": {"version": VERSION, "type": "Dashboard", "timestamp": "2026-01-01T00:00:00+00:00"},
        "databases/Image_catalog.yaml": {
            "database_name": "Image catalog",
            "sqlalchemy_uri": "postgresql+psycopg2://dashboards@db.example.com/catalog",
            "expose_in_sqllab": True, "allow_run_async": False, "allow_ctas": False, "allow_cvas": False,
            "allow_dml": False, "extra": {}, "uuid": database, "version": VERSION,
        },
    }  # fmt: skip
    for view in dict.fromkeys(chart.view for chart in CHARTS):
        found[f"datasets/Image_catalog/{view}.yaml"] = _dataset(view, columns[view], database)
    for chart in CHARTS:
        found[f"charts/{chart.title.replace(' ', '_')}.yaml"] = _chart(chart)
    found["dashboards/Image_catalog.yaml"] = {
        "dashboard_title": "Image catalog",
        "description": "Virtual machine images of all sources: what there is, what changed, what ends.",
        "slug": "image-catalog", "uuid": _id("dashboard"), "position": _position(), "metadata": {},
        "version": VERSION,
    }  # fmt: skip
    return {f"{ROOT}/{path}": content for path, content in found.items()}


def _id(*names: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(("image-catalog", *names))))


def _dataset(view: str, columns: Sequence[tuple[str, str, str]], database: str) -> dict[str, Any]:
    return {
        "table_name": view, "schema": "catalog", "sql": OF_ITS_OWN.get(view),
        "main_dttm_col": TIMES.get(view), "filter_select_enabled": True,
        "uuid": _id("dataset", view),
        "metrics": [{"metric_name": COUNT, "verbose_name": "Rows", "metric_type": "count", "expression": "COUNT(*)"}],
        "columns": [
            {
                "column_name": name, "type": kind.upper(), "description": meaning,
                "is_dttm": kind.startswith("timestamp"), "is_active": True, "groupby": True, "filterable": True,
            }
            for name, kind, meaning in columns
        ],
        "version": VERSION, "database_uuid": database,
    }  # fmt: skip


def _chart(chart: Chart) -> dict[str, Any]:
    """`query_context` is what the chart's data are asked for without a browser; ids are filled by the import."""
    adhoc = [
        {
            "clause": "WHERE", "expressionType": "SIMPLE", "subject": f["col"], "operator": f["op"],
            "comparator": f["val"],
        }
        for f in chart.query["filters"]
    ]  # fmt: skip
    time_column = TIMES.get(chart.view)
    params = {
        "viz_type": chart.kind, "adhoc_filters": adhoc, "granularity_sqla": time_column,
        "row_limit": chart.query.get("row_limit", 1000), **chart.shown,
    }  # fmt: skip
    query = {"time_range": "No filter", "granularity": time_column, **chart.query}
    context = {
        "datasource": {"id": 0, "type": "table"}, "force": False, "queries": [query],
        "form_data": params, "result_format": "json", "result_type": "full",
    }  # fmt: skip
    return {
        "slice_name": chart.title, "viz_type": chart.kind, "params": params, "query_context": json.dumps(context),
        "uuid": _id("chart", chart.title), "version": VERSION, "dataset_uuid": _id("dataset", chart.view),
    }  # fmt: skip


def _position() -> dict[str, Any]:
    """Rows of twelve columns, filled in the order of the charts."""
    rows: list[list[Chart]] = [[]]
    for chart in CHARTS:
        if sum(one.width for one in rows[-1]) + chart.width > 12:
            rows.append([])
        rows[-1].append(chart)
    names = [f"ROW-{number}" for number in range(len(rows))]
    position: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": names, "parents": ["ROOT_ID"]},
    }
    for name, charts in zip(names, rows, strict=True):
        parents = ["ROOT_ID", "GRID_ID"]
        children = [f"CHART-{_id('chart', chart.title)[:8]}" for chart in charts]
        position[name] = {
            "type": "ROW", "id": name, "children": children, "parents": parents,
            "meta": {"background": "BACKGROUND_TRANSPARENT"},
        }  # fmt: skip
        for child, chart in zip(children, charts, strict=True):
            meta = {
                "uuid": _id("chart", chart.title),
                "sliceName": chart.title,
                "width": chart.width,
                "height": 50,
                "chartId": 0,
            }
            position[child] = {
                "type": "CHART",
                "id": child,
                "children": [],
                "parents": [*parents, name],
                "meta": meta,
            }
    return position
