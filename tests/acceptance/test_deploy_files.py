"""The files for Docker Compose, systemd, Kubernetes and Prometheus are what their tools read, and fit the product."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_validate import validate

from catalog.config.load import load_settings
from catalog.config.web import web_settings
from catalog.daemon.metrics import Counts, Metrics, Reading
from catalog.store.state.due_sources import SourceHealth

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs" / "deploy"
RULES = DEPLOY / "prometheus-rules.yml"


def tool(name: str) -> str:
    """A program that checks its own kind of file; the test is skipped where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def check(*command: str | Path, cwd: Path = ROOT) -> str:
    ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


# --- Docker Compose


@pytest.fixture
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


@pytest.mark.parametrize("file", ["docker-compose.yml", "docker-compose.citus.yml"])
def test_compose_files_keep_to_their_schema(file: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    check(*command, file)


def test_compose_with_citus_spreads_the_tables_before_daemons_start() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.citus.yml").read_text())["services"]
    assert services["distribute"]["command"] == ["db", "distribute"]
    for name, after in (("migrate", "nodes"), ("distribute", "migrate"), ("daemon-1", "distribute")):
        assert services[name]["depends_on"][after]["condition"] == "service_completed_successfully"


def test_compose_brings_up_postgresql_18_then_migrations_then_the_daemon(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services["database"]["image"] == "postgres:18"
    assert services["migrate"]["command"] == ["db", "upgrade"]
    assert services["migrate"]["depends_on"]["database"]["condition"] == "service_healthy"
    assert services["daemon"]["command"] == ["daemon"]
    assert services["daemon"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    for name in ("database", "daemon", "web", "prometheus"):
        assert "healthcheck" in services[name]


def test_the_daemon_of_compose_is_not_root_and_writes_nowhere_but_to_tmp(compose: dict[str, Any]) -> None:
    for name in ("migrate", "grant", "daemon", "web"):
        service = compose["services"][name]
        assert not service["user"].startswith(("0", "root"))
        assert service["read_only"] is True
        assert service["tmpfs"] == ["/tmp"]
        assert service["cap_drop"] == ["ALL"]
        assert "volumes" not in service


def test_no_secret_stands_in_an_environment_of_compose(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for key, value in service.get("environment", {}).items():
            assert not re.search(r"(?i)password|secret|token", key) or key.endswith("_FILE"), key
            assert not re.search(r"://[^/]*:[^/]*@", str(value))
    assert set(compose["secrets"]) == {
        "database_password", "clouds.yaml", "web_database_password", "web_token",
    }  # fmt: skip


def test_the_pages_of_compose_have_a_role_of_their_own_that_reads(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    services, configs = compose["services"], compose["configs"]
    assert services["grant"]["command"] == ["db", "grant", "catalog_web"]
    assert services["grant"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    web = services["web"]
    assert web["depends_on"]["grant"]["condition"] == "service_completed_successfully"
    assert set(web["secrets"]) == {"web_database_password", "web_token"}
    assert [port.split(":")[0] for port in web["ports"]] == ["127.0.0.1"]
    (tmp_path / "web_database_password").write_text("made-up\n")
    (tmp_path / "web.toml").write_text(configs["web.toml"]["content"].replace("/run/secrets", str(tmp_path)))
    url = load_settings(tmp_path / "web.toml", {}, None).database.url
    assert url is not None
    assert "catalog_web:made-up@database" in url
    assert "CREATE ROLE catalog_web LOGIN" in configs["web_role.sh"]["content"]
    (tmp_path / "token").write_text("made-up-and-long-enough\n")
    environment = web["environment"] | {"CATALOG_WEB_TOKEN_FILE": str(tmp_path / "token")}
    assert web_settings(environment, no_token=False).token == "made-up-and-long-enough"


def test_the_image_is_built_of_files_that_are_there_and_of_pins(compose: dict[str, Any]) -> None:
    recipe = compose["services"]["daemon"]["build"]["dockerfile_inline"]
    for line in re.findall(r"^COPY (?!--from)(.+)$", recipe, re.MULTILINE):
        for name in line.split()[:-1]:
            assert (ROOT / name).exists(), name
    installed = re.findall(r"pip install --no-cache-dir (.+)$", recipe, re.MULTILINE)
    assert installed == ["--require-hashes -r requirements.txt", "--no-deps ."]
    assert re.search(r"^USER (?!0|root)", recipe, re.MULTILINE)


# --- configurations


def sources_of(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of its sources, read by the product itself, the secrets lying where the test put them."""
    (folder / "database_password").write_text("made-up\n")
    clouds = folder / "clouds.yaml"
    clouds.write_text("clouds: {mycloud: {auth: {auth_url: 'http://127.0.0.1:9/v3'}}}\n")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds))
    path = folder / "catalog.toml"
    path.write_text(re.sub(r'"/run/secrets/(catalog/)?', f'"{folder}/', text))
    settings = load_settings(path, {"OS_CLIENT_CONFIG_FILE": str(clouds)}, None)
    assert settings.database.url is not None
    assert ":made-up@" in settings.database.url
    return [source.name for source in settings.sources]


def test_the_configuration_for_compose_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sources_of((DEPLOY / "catalog.toml").read_text(), tmp_path, monkeypatch) == ["mycloud"]


def test_the_configuration_for_kubernetes_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (DEPLOY / "kubernetes.toml").read_text()
    assert sources_of(text, tmp_path, monkeypatch) == ["mycloud"]


# --- Grafana


def test_grafana_is_provisioned_with_the_data_source_that_the_dashboard_asks_for() -> None:
    board = json.loads((ROOT / "docs" / "grafana.json").read_text())
    asked = {v["query"] for v in board["templating"]["list"] if v["type"] == "datasource"}
    sources = yaml.safe_load((DEPLOY / "grafana-datasource.yml").read_text())["datasources"]
    assert asked <= {source["type"] for source in sources}
    assert len({source["uid"] for source in sources}) == len(sources)
    for source in sources:
        assert all(value.startswith("$") for value in source.get("secureJsonData", {}).values())
    (provider,) = yaml.safe_load((DEPLOY / "grafana-dashboards.yml").read_text())["providers"]
    assert (provider["type"], "path" in provider["options"]) == ("file", True)


# --- Kubernetes


@pytest.fixture
def manifests() -> dict[str, dict[str, Any]]:
    """By kind; each kind is there once."""
    documents = [d for d in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()) if d]
    kinds = {document["kind"]: document for document in documents}
    assert len(kinds) == len(documents)
    return kinds


def test_kubernetes_gets_two_replicas_and_a_migration_job(manifests: dict[str, dict[str, Any]]) -> None:
    assert set(manifests) == {
        "ServiceAccount", "Job", "Deployment", "PodDisruptionBudget", "Service",
    }  # fmt: skip
    assert manifests["Deployment"]["spec"]["replicas"] == 2
    job = manifests["Job"]["spec"]["template"]["spec"]["containers"][0]
    assert job["args"] == ["db", "upgrade"]
    daemon = manifests["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert daemon["args"] == ["daemon"]
    assert daemon["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert daemon["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_pods_are_found_by_their_labels_and_locked_down(manifests: dict[str, dict[str, Any]]) -> None:
    labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert manifests["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert manifests["Service"]["spec"]["selector"] == labels
    assert manifests["Job"]["spec"]["template"]["metadata"]["labels"] != labels
    for kind in ("Job", "Deployment"):
        pod = manifests[kind]["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
        mounts = {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
        assert mounts == {volume["name"] for volume in pod["volumes"]}
        assert "secret" not in str(pod["containers"][0]["env"]).replace("/run/secrets/catalog/", "")


def test_the_manifests_keep_to_the_schemas_of_kubernetes(manifests: dict[str, dict[str, Any]]) -> None:
    for manifest in manifests.values():
        validate(manifest, "1.31", strict=True)


def test_the_pages_of_kubernetes_are_locked_down_and_found() -> None:
    documents = [d for d in yaml.safe_load_all((DEPLOY / "kubernetes-web.yaml").read_text()) if d]
    for document in documents:
        validate(document, "1.31", strict=True)
    deployment, service = documents
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels == service["spec"]["selector"]
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"] == ["web"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {volume["name"] for volume in pod["volumes"]} == {m["name"] for m in container["volumeMounts"]}
    names = {each["name"] for each in container["env"]}
    assert {"CATALOG_DATABASE_URL_FILE", "CATALOG_WEB_TOKEN_FILE"} <= names
    assert "catalog-secrets" not in str(pod), "the daemon's logins are not for readers"


def test_a_changed_configuration_restarts_the_daemons(manifests: dict[str, dict[str, Any]]) -> None:
    """Kustomize names the ConfigMap that it makes by its content, and puts that name where `catalog` stands."""
    kustomization = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text())
    (generated,) = kustomization["configMapGenerator"]
    assert "disableNameSuffixHash" not in str(kustomization)
    assert all((DEPLOY / name).is_file() for name in kustomization["resources"])
    (file,) = generated["files"]
    key, _, name = file.partition("=")
    assert (DEPLOY / name).is_file()
    for kind in ("Job", "Deployment"):
        pod = manifests[kind]["spec"]["template"]["spec"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert volumes["configuration"]["configMap"]["name"] == generated["name"]
        (mounted,) = (
            m["mountPath"] for m in pod["containers"][0]["volumeMounts"] if m["name"] == "configuration"
        )
        assert {"name": "CATALOG_CONFIG", "value": f"{mounted}/{key}"} in pod["containers"][0]["env"]


def test_the_real_kustomize_makes_all_of_it_and_names_another_configuration_otherwise(tmp_path: Path) -> None:
    kubectl = tool("kubectl")
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    kustomization = tmp_path / "deploy" / "kustomization.yaml"
    kustomization.write_text(re.sub(r"# (- kubernetes-\w+\.yaml)", r"\1", kustomization.read_text()))

    def mounted() -> tuple[str, set[str]]:
        """The name of the ConfigMap, and the names that Pods mount as their configuration."""
        ended = subprocess.run(
            [kubectl, "kustomize", tmp_path / "deploy"], capture_output=True, text=True, check=True
        )
        made = [document for document in yaml.safe_load_all(ended.stdout) if document]
        assert {"ServiceMonitor", "PrometheusRule", "Deployment", "Job"} <= {one["kind"] for one in made}
        pods = [one["spec"]["template"]["spec"] for one in made if one["kind"] in ("Deployment", "Job")]
        names = {
            volume["configMap"]["name"]
            for pod in pods
            for volume in pod["volumes"]
            if "configMap" in volume
            and volume["configMap"]["name"].startswith("catalog-")
            and volume["name"] == "configuration"
        }
        generated = [one for one in made if one["kind"] == "ConfigMap" and "catalog.toml" in one["data"]]
        return generated[0]["metadata"]["name"], names

    first, used = mounted()
    assert first in used
    with (tmp_path / "deploy" / "kubernetes.toml").open("a") as file:
        file.write("# changed\n")
    second, used = mounted()
    assert second != first
    assert second in used
    assert first not in used


def test_the_prometheus_operator_gets_the_same_alerts_and_finds_the_service(
    manifests: dict[str, dict[str, Any]],
) -> None:
    documents = yaml.safe_load_all((DEPLOY / "kubernetes-monitoring.yaml").read_text())
    kinds = {document["kind"]: document["spec"] for document in documents if document}
    assert kinds["PrometheusRule"] == yaml.safe_load(RULES.read_text())
    service = manifests["Service"]
    assert kinds["ServiceMonitor"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert {e["port"] for e in kinds["ServiceMonitor"]["endpoints"]} <= {
        p["name"] for p in service["spec"]["ports"]
    }


# --- systemd


@pytest.mark.parametrize("name", ["catalog", "catalog-web"])
def test_the_unit_is_one_that_systemd_takes(tmp_path: Path, name: str) -> None:
    unit = tmp_path / f"{name}.service"
    text = (DEPLOY / unit.name).read_text()
    unit.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", text, flags=re.MULTILINE))
    assert check(tool("systemd-analyze"), "verify", "--man=no", unit) == ""
    rating = check(tool("systemd-analyze"), "security", "--offline=true", unit)
    exposure = re.search(rf"exposure level for {name}.service: ([\d.]+)", rating)
    assert exposure is not None
    assert float(exposure[1]) < 2.0


# --- Prometheus


def metric_names() -> set[str]:
    """All that a daemon may show."""
    health = SourceHealth("moon", 1.0, 1.0, 1.0, True, "login", 1, 1, 1.0, 1, 1, 1)
    counts, failures = Counts(), Counts()
    counts.know([("moon", "complete")])
    failures.know([("alerts",)])
    text = Metrics(lambda: Reading(True, [health]), counts, failures).text().decode()
    return {re.split(r"[ {]", line)[0] for line in text.splitlines() if not line.startswith("#")}


def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def test_every_alert_asks_for_metrics_that_the_daemon_has() -> None:
    known = metric_names() | {"up"}
    for name, rule in alerts().items():
        asked = set(re.findall(r"\b(?:catalog_\w+|up)\b", rule["expr"]))
        assert asked, name
        assert asked <= known, name


def test_the_promised_metrics_are_there() -> None:
    assert metric_names() >= {
        "catalog_source_last_complete_timestamp_seconds", "catalog_source_expected_interval_seconds",
        "catalog_source_failing", "catalog_runs_total", "catalog_images", "catalog_deletions_held",
        "catalog_rejected_records", "catalog_run_duration_seconds", "catalog_schema_current",
        "catalog_webhook_backlog", "catalog_webhook_failures_total", "catalog_build_info", "catalog_database_up",
    }  # fmt: skip


def test_each_image_is_counted_in_one_state() -> None:
    health = SourceHealth(**dict.fromkeys(SourceHealth.__annotations__) | {  # type: ignore[arg-type]
        "name": "moon", "failing": False, "held": 0, "rejected": 0, "live": 5, "unlisted": 2, "deleted": 4,
    })  # fmt: skip
    text = Metrics(lambda: Reading(True, [health]), Counts(), Counts()).text().decode()
    counted = re.findall(r'^catalog_images\{source="moon",state="(\w+)"\} (\S+)$', text, re.MULTILINE)
    assert counted == [("live", "3.0"), ("unlisted", "2.0"), ("deleted", "4.0")]


def test_promtool_takes_rules_and_configuration() -> None:
    check(tool("promtool"), "check", "rules", RULES)
    check(tool("promtool"), "check", "config", DEPLOY / "prometheus.yml")


def test_alerts_fire_when_they_should_and_only_then(tmp_path: Path) -> None:
    """Two daemons show the same gauges: one alert each. `moon` is healthy, `mars` has every trouble there is."""
    both = [
        'up{{job="catalog",instance="{i}"}}', "catalog_database_up{{instance=\"{i}\"}}",
        "catalog_schema_current{{instance=\"{i}\"}}",
    ]  # fmt: skip
    series: list[dict[str, str]] = []
    for instance in ("a", "b"):
        series += [{"series": text.format(i=instance), "values": "1x240"} for text in both]
        for name, values in (
            ('last_complete_timestamp_seconds{source="moon"', "0+60x240"),
            ('last_complete_timestamp_seconds{source="mars"', "0x240"),
            ('last_complete_timestamp_seconds{source="ahead"', "1000000x240"),
            ('expected_interval_seconds{source="moon"', "900x240"),
            ('expected_interval_seconds{source="mars"', "900x240"),
            ('expected_interval_seconds{source="new"', "900x240"),
            ('failing{source="moon",error_kind=""', "0x240"),
            ('failing{source="mars",error_kind="login"', "1x240"),
        ):
            series.append({"series": f'catalog_source_{name},instance="{instance}"}}', "values": values})
        for source, value in (("moon", "0x240"), ("mars", "3x240")):
            labels = f'{{source="{source}",instance="{instance}"}}'
            series.append({"series": f"catalog_deletions_held{labels}", "values": value})
            series.append({"series": f"catalog_rejected_records{labels}", "values": value})
        for webhook, backlog, failures in (("good", "0x240", "0x240"), ("bad", "3x240", "0+1x240")):
            labels = f'{{webhook="{webhook}",instance="{instance}"}}'
            series.append({"series": f"catalog_webhook_backlog{labels}", "values": backlog})
            series.append({"series": f"catalog_webhook_failures_total{labels}", "values": failures})
    of_mars: dict[str, dict[str, str]] = {
        "CatalogSourceStale": {"source": "mars"},
        "CatalogSourceFailing": {"source": "mars"},
        "CatalogDeletionsHeld": {"source": "mars"},
        "CatalogRecordsRejected": {"source": "mars"},
        "CatalogSourceNeverComplete": {"source": "new"},
        "CatalogWebhookFailing": {"webhook": "bad"},
    }
    fire = {name: [labels] for name, labels in of_mars.items()}
    fire["CatalogSourceStale"].append({"source": "ahead"})  # nobody knows since when
    silent: dict[str, list[dict[str, str]]] = {name: [] for name in alerts()}
    down = [{"series": 'up{job="catalog",instance="a"}', "values": "0x60"}]
    away = [
        *down,
        {"series": 'catalog_database_up{instance="a"}', "values": "0x60"},
        {"series": 'catalog_schema_current{instance="a"}', "values": "0x60"},
    ]
    broken: dict[str, list[dict[str, str]]] = {
        "CatalogDatabaseAway": [{}],
        "CatalogSchemaNotCurrent": [{}],
    }
    rules = yaml.safe_load(RULES.read_text())
    for rule in rules["groups"][0]["rules"]:
        del rule["annotations"]  # words, which a test needn't repeat
    (tmp_path / RULES.name).write_text(yaml.safe_dump(rules))
    kubernetes = [
        {"series": 'up{job="kubernetes-pods"}', "values": "1x60"},
        {"series": 'catalog_database_up{job="kubernetes-pods"}', "values": "1x60"},
    ]
    turns = [  # a login that fails, then the network, each for half an hour
        {"series": 'catalog_database_up{instance="a"}', "values": "1x400"},
        *(
            {
                "series": f'catalog_source_failing{{source="mars",error_kind="{kind}"}}',
                "values": " ".join([*first, *["1x30 _x30"] * 4]),
            }
            for kind, first in (("login", ()), ("network", ("_x31",)))
        ),
    ]
    stopped = [
        {"series": 'catalog_database_up{instance="a"}', "values": "1x60"},
        {"series": 'catalog_deletions_held{source="mars",instance="a"}', "values": "3x60 _x60"},
    ]
    held = {"CatalogDeletionsHeld": [{"source": "mars"}]}
    tests = [
        expectation(series, silent | fire, "2h"),
        expectation(away, silent | broken, "30m"),
        expectation(down, silent | {"CatalogDaemonDown": [{}]}, "30m"),
        expectation(kubernetes, silent, "30m"),
        expectation(turns, silent | {"CatalogSourceFailing": [{"source": "mars"}]}, "200m"),
        expectation(stopped, silent | held | {"CatalogDaemonDown": [{}]}, "80m"),
    ]
    (tmp_path / "tests.yml").write_text(
        yaml.safe_dump({"rule_files": [RULES.name], "evaluation_interval": "1m", "tests": tests})
    )
    check(tool("promtool"), "test", "rules", "tests.yml", cwd=tmp_path)


def test_an_alert_on_failures_names_their_kind(tmp_path: Path) -> None:
    (tmp_path / RULES.name).write_bytes(RULES.read_bytes())
    failing = {"series": 'catalog_source_failing{source="mars",error_kind="login"}', "values": "1x120"}
    test = expectation([failing], {"CatalogSourceFailing": [{"source": "mars"}]}, "90m")
    test["alert_rule_test"][0]["exp_alerts"][0]["exp_annotations"] = {
        "summary": "Sweeps of mars fail: login ",
        "description": alerts()["CatalogSourceFailing"]["annotations"]["description"].replace(
            "{{ $labels.source }}", "mars"
        ),
    }
    (tmp_path / "tests.yml").write_text(
        yaml.safe_dump({"rule_files": [RULES.name], "evaluation_interval": "1m", "tests": [test]})
    )
    check(tool("promtool"), "test", "rules", "tests.yml", cwd=tmp_path)


def expectation(
    series: list[dict[str, str]], alerts_expected: dict[str, list[dict[str, str]]], at: str
) -> dict[str, Any]:
    """One test of `promtool test rules`: these alerts with these labels at this time, and no others."""
    severity = {name: rule["labels"] for name, rule in alerts().items()}
    return {
        "interval": "1m",
        "input_series": series,
        "alert_rule_test": [
            {
                "eval_time": at,
                "alertname": name,
                "exp_alerts": [{"exp_labels": labels | severity[name]} for labels in found],
            }
            for name, found in alerts_expected.items()
        ],
    }
