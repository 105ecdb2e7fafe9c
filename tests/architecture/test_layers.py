"""The house as DESIGN draws it: layers, thin scripts, rules with everything, nothing generated under version control."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
LIBRARY = REPOSITORY / "workflow/lib/parallax"
SCRIPTS = sorted((REPOSITORY / "workflow/scripts").glob("*.py"))
RULES = {
    name: body
    for path in (REPOSITORY / "workflow/rules").glob("*.smk")
    for name, body in re.findall(r"^rule (\w+):\n((?:(?:    .*)?\n)+)", path.read_text(), flags=re.MULTILINE)
}


def test_imports_follow_the_layers() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(LIBRARY.parent), "PATH": ""})
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_are_thin(script: Path) -> None:
    assert len(script.read_text().splitlines()) <= 40


def test_every_rule_has_a_script_of_its_name() -> None:
    assert {path.stem for path in SCRIPTS} == set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_rules_state_log_benchmark_threads_memory_environment(rule: str) -> None:
    for directive in ("log:", "benchmark:", "threads:", "mem_mb=", "conda:", f'"../scripts/{rule}.py"', "code_digest("):
        assert directive in RULES[rule], directive
    assert f"<logs>/{rule}" in RULES[rule]


def test_nothing_is_computed_from_an_aggregate() -> None:
    reading = {rule for rule, body in RULES.items() if "<aggregates>" in body.partition("output:")[0]}
    assert reading == {"render_report", "write_release"}, "a release copies aggregates"
    gates = {script.stem for script in SCRIPTS if re.search(r"import .*\bdisclose_", script.read_text())}
    assert gates == {
        "collect_heterogeneity",
        "collect_pooling",
        "collect_results",
        "compare_sites",
        "pool_aggregates",
        "reach_verdict",
        "show_external_control",
        "show_twins",
        "write_site_results",
    }


def test_only_common_defines_functions() -> None:
    for path in (REPOSITORY / "workflow/rules").glob("*.smk"):
        if path.name != "common.smk":
            assert not re.search(r"^\s*def ", path.read_text(), flags=re.MULTILINE), path.name


def test_nothing_generated_is_tracked_under_results() -> None:
    listed = subprocess.run(["git", "ls-files", "results"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    assert set(listed.stdout.split()) <= {"results/README.md", "results/.gitignore"}


def test_no_module_is_called_utils_or_helpers() -> None:
    names = {path.stem for path in LIBRARY.rglob("*.py")}
    assert names.isdisjoint({"utils", "util", "helpers", "helper", "common", "misc"})


def test_conda_pins_equal_the_lock() -> None:
    lock = dict(line.split("==") for line in (REPOSITORY / "envs/lock.txt").read_text().lower().split())
    for path in (REPOSITORY / "envs").glob("*.yaml"):
        for entry in yaml.safe_load(path.read_text())["dependencies"]:
            pins = entry["pip"] if isinstance(entry, dict) else [entry]
            for pin in pins:
                name, _, version = pin.replace("==", "=").partition("=")
                if name == "python":
                    assert version == "3.11"
                elif version:
                    assert lock[name.lower()] == version, f"{path.name}: {pin}"


def test_lock_is_exact_and_names_no_host() -> None:
    for line in (REPOSITORY / "envs/lock.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line), line
