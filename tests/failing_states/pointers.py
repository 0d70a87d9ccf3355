"""Pointers (`revision.rev`) that the release at hand cannot read: a newer one wrote them, or a crash did."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.failing_states.state import (
    Builder,
    Person,
    State,
    UvRelease,
    on_path,
    person,
    put,
    sdist,
    source_tree,
    uv_does,
    with_env,
    without_venv,
)
from uvreport import demo


def seed(root: Path, uv_release: UvRelease) -> State:
    """uv 12318: 0.6.7 writes one field more into the bucket that 0.6.6 reads."""
    root.mkdir(parents=True, exist_ok=True)
    made = demo.build_seed(str(root), uv_release)
    return State(
        person=Person(
            root=root.resolve(),
            home=Path(made.places.home),
            project=Path(made.places.project),
            cache=Path(made.places.cache),
            env=made.env,
        ),
        argv=made.argv,
        uv=made.uv,
        exit_code=2,
        lines=(
            "error: Failed to generate package metadata for `my-package==0.0.0 @ directory+generated`",
            "Caused by: Failed to deserialize cache entry",
            "Caused by: array had incorrect length, expected 4",
        ),
        class_="cache-format-skew",
        culprits=("sdists-v8/path/*/revision.rev",),
        passes=made.passes,
        private=("jana.kovar", "jana.kovar@corp.example"),
    )


def planner(root: Path, uv_release: UvRelease) -> State:
    """uv 12274: the same skew met while planning, where the error names no package at all."""
    who = person(
        root,
        "ci-runner-07",
        "pipeline",
        {
            "pyproject.toml": """\
[project]
name = "pipeline"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = []

[project.optional-dependencies]
billing = ["acme-billing"]

[dependency-groups]
dev = []

[tool.uv]
package = false

[tool.uv.sources]
acme-billing = { path = "vendor/acme-billing" }
""",
            **source_tree("acme-billing", "2.4.1", dynamic=False, under="vendor/acme-billing/"),
        },
    )
    uv_does(who, uv_release("0.6.7"), "sync", "--extra", "billing")
    without_venv(who)
    who = with_env(who, CI_JOB_TOKEN="glcbt-64_hR7pWq2ZxV9nB4mK8sYd")
    return State(
        person=who,
        argv=("uv", "sync", "--frozen", "--no-dev", "--extra", "billing"),
        uv=on_path(who, uv_release("0.6.6")),
        exit_code=2,
        lines=(
            "error: Failed to determine installation plan",
            "Caused by: Failed to deserialize cache entry",
            "Caused by: array had incorrect length, expected 4",
        ),
        class_="cache-format-skew",
        culprits=("sdists-v8/path/*/revision.rev",),
        passes=("0.6.7",),
        private=("ci-runner-07", "glcbt-64_hR7pWq2ZxV9nB4mK8sYd"),
    )


def editable(root: Path, uv_release: UvRelease) -> State:
    """uv 8488: 0.4.24 adds the checkout's tags to what 0.4.21 reads; the project itself is the package."""
    who = person(root, "adela", "example", source_tree("example", "0.0.0"))
    uv_does(who, uv_release("0.4.24"), "run", "python", "-c", "import example")
    without_venv(who)
    return State(
        person=who,
        argv=("uv", "run", "python", "-c", "import example"),
        uv=on_path(who, uv_release("0.4.21")),
        exit_code=2,
        lines=(
            "error: Failed to generate package metadata for `example==0.0.0 @ editable+.`",
            "Caused by: Failed to deserialize cache entry",
            "Caused by: data did not match any variant of untagged enum CacheInfoWire",
        ),
        class_="cache-format-skew",
        culprits=("sdists-v4/editable/*/revision.rev",),
        passes=("0.4.24",),
        private=("adela",),
    )


def cut_revision(root: Path, uv_release: UvRelease) -> State:
    """A torn write: ten bytes of a `revision.rev`. Fatal in 0.6.8, healed by every later release."""
    who = person(
        root,
        "radek.simek",
        "billing-service",
        {
            "pyproject.toml": """\
[project]
name = "billing-service"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = ["my-package"]

[tool.uv]
package = false

[tool.uv.sources]
my-package = { path = "generated" }
""",
            **source_tree("my-package", "0.0.0", under="generated/"),
        },
    )
    uv_does(who, uv_release("0.6.8"), "sync")
    without_venv(who)
    state = State(
        person=who,
        argv=("uv", "run", "python", "-c", "import my_package"),
        uv=on_path(who, uv_release("0.6.8")),
        exit_code=1,
        lines=(
            "Failed to build `my-package @",
            "Failed to deserialize cache entry",
            "IO error while reading data: failed to fill whole buffer",
        ),
        class_="cache-corruption",
        culprits=("sdists-v9/path/*/revision.rev",),
        passes=("0.9.30", "0.13.9"),  # the first heals it, the second has another bucket and never reads it
        private=("radek.simek",),
    )
    put(state.culprit(), state.culprit().read_bytes()[:10])
    return state


def _sdist_file(root: Path, uv_release: UvRelease) -> Person:
    who = person(
        root,
        "wendla.ito",
        "etl",
        {
            "pyproject.toml": """\
[project]
name = "etl"
version = "0.1.0"
requires-python = ">=3.10"
authors = [{ name = "Wendla Ito", email = "wendla.ito@data.example" }]
dependencies = ["acme-parser"]

[tool.uv]
package = false

[tool.uv.sources]
acme-parser = { path = "vendor/acme_parser-4.1.0.tar.gz" }
""",
        },
    )
    scratch = who.root / "scratch"
    sdist(who.project / "vendor", source_tree("acme-parser", "4.1.0"), scratch)
    shutil.rmtree(scratch)
    uv_does(who, uv_release("0.13.9"), "sync")
    without_venv(who)
    return who


def _sdist_pointer(who: Person, uv_release: UvRelease, leaf: str) -> State:
    return State(
        person=who,
        argv=("uv", "sync"),
        uv=on_path(who, uv_release("0.13.9")),
        exit_code=2,
        lines=(
            "for `acme-parser==4.1.0 @ path+vendor/acme_parser-4.1.0.tar.gz`",
            "Failed to deserialize cache entry",
            leaf,
        ),
        class_="cache-corruption",
        culprits=("sdists-v11/path/*/revision.rev",),
        passes=("0.9.30", "0.12.24"),  # their buckets are others
        private=("wendla.ito", "wendla.ito@data.example"),
    )


def zeroed_sdist_pointer(root: Path, uv_release: UvRelease) -> State:
    """After a crash the pointer of a source distribution is all zeros. Fatal in the newest release, too."""
    state = _sdist_pointer(
        _sdist_file(root, uv_release),
        uv_release,
        "invalid type: integer `0`, expected struct LocalRevisionPointer",
    )
    put(state.culprit(), bytes(state.culprit().stat().st_size))
    return state


def cut_sdist_pointer(root: Path, uv_release: UvRelease) -> State:
    """The first ten bytes of the pointer of a local source distribution. Fatal also in the newest release."""
    state = _sdist_pointer(
        _sdist_file(root, uv_release), uv_release, "IO error while reading data: failed to fill whole buffer"
    )
    put(state.culprit(), state.culprit().read_bytes()[:10])
    return state


BUILDERS: tuple[Builder, ...] = (
    seed, planner, editable, cut_revision, zeroed_sdist_pointer, cut_sdist_pointer
)  # fmt: skip
