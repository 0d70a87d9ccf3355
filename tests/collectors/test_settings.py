from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.collectors.conftest import changed, fact, other_system, scene_of
from uvreport.bundle import Places, Uv
from uvreport.collectors import settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.failing_states.state import Person

TOKEN = "glpat-Tz7xQ2vKp9LmN4sRb8Wd"
NEW = Uv(path="", release="0.13.9")


def put(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def used(scene: object) -> list[str]:
    return [file.path for file in settings.discover(scene) if file.used]  # type: ignore[arg-type]


def test_uv_toml_wins_over_the_pyproject_beside_it(world: Person) -> None:
    put(world.project / "pyproject.toml", '[tool.uv]\nlink-mode = "copy"\n')
    own = put(world.project / "uv.toml", "offline = true\n")
    scene = scene_of(world, uv=NEW)
    assert used(scene) == [own]
    assert [f.why for f in settings.discover(scene) if f.path.endswith("pyproject.toml")] == [
        "uv.toml beside it wins"
    ]


def test_a_pyproject_without_a_tool_uv_table_is_passed_over_on_the_way_up(world: Person) -> None:
    put(world.project / "pyproject.toml", '[project]\nname = "x"\n')
    above = put(world.project.parent / "uv.toml", "offline = true\n")
    assert used(scene_of(world, uv=NEW)) == [above]


def test_project_user_and_system_settings_are_all_found(world: Person, tmp_path: Path) -> None:
    project = put(world.project / "uv.toml", "offline = true\n")
    user = put(world.home / ".config" / "uv" / "uv.toml", "offline = true\n")
    system = put(tmp_path / "xdg" / "uv" / "uv.toml", "offline = true\n")
    scene = scene_of(world, uv=NEW, environ={"XDG_CONFIG_DIRS": str(tmp_path / "xdg")})
    assert used(scene) == [project, user, system]
    assert settings.origins(scene, settings.discover(scene))["offline"] == [
        f"project file {project}", f"user file {user}", f"system file {system}",
    ]  # fmt: skip


def test_a_named_file_replaces_the_search(world: Person) -> None:
    put(world.project / "uv.toml", "offline = true\n")
    named = put(world.project / "other.toml", "offline = false\n")
    assert used(scene_of(world, uv=NEW, argv=("uv", "--config-file", "other.toml", "sync"))) == [named]
    assert used(scene_of(world, uv=NEW, environ={"UV_CONFIG_FILE": named})) == [named]


def test_no_config_leaves_nothing(world: Person) -> None:
    put(world.project / "uv.toml", "offline = true\n")
    assert used(scene_of(world, uv=NEW, argv=("uv", "--no-config", "sync"))) == []


@pytest.mark.parametrize(
    "argv", [("uv", "tool", "run", "ruff"), ("uvx", "ruff"), ("/opt/bin/uvx", "--quiet", "ruff")]
)
def test_tools_do_not_read_the_settings_of_the_project(world: Person, argv: tuple[str, ...]) -> None:
    put(world.project / "uv.toml", "offline = true\n")
    assert used(scene_of(world, uv=NEW, argv=argv)) == []


def test_an_old_release_reads_no_system_settings(world: Person, tmp_path: Path) -> None:
    put(tmp_path / "xdg" / "uv" / "uv.toml", "offline = true\n")
    old = scene_of(
        world, uv=Uv(path="", release="0.4.25"), environ={"XDG_CONFIG_DIRS": str(tmp_path / "xdg")}
    )
    assert used(old) == []


def test_the_settings_of_the_workspace_count_for_its_members(world: Person) -> None:
    root = put(world.project.parent / "pyproject.toml", '[tool.uv.workspace]\nmembers = ["pro*"]\n')
    put(world.project / "pyproject.toml", '[project]\nname = "x"\n[tool.uv]\noffline = true\n')
    assert used(scene_of(world, uv=NEW)) == [root]


def test_settings_that_cannot_be_parsed_are_a_gap_with_the_place(world: Person) -> None:
    path = put(world.project / "uv.toml", "offline = \n")
    found = settings.collect(scene_of(world, uv=NEW))
    assert [(gap.what, "line 1" in gap.why) for gap in found.gaps if gap.what == path] == [(path, True)]


def test_windows_has_its_own_places(tmp_path: Path) -> None:
    files = {
        r"C:\Users\mira\AppData\Roaming\uv\uv.toml": "offline = true\n",
        r"C:\ProgramData\uv\uv.toml": "offline = true\n",
    }
    scene = other_system(tmp_path, "win32", files, APPDATA=r"C:\Users\mira\AppData\Roaming", SYSTEMDRIVE="C:")
    assert used(scene) == list(files)
    assert "home/AppData/Roaming/uv/uv.toml" in [member.path for member in settings.collect(scene).members]


def test_the_users_settings_go_into_the_bundle_and_the_systems_are_a_gap(
    world: Person, tmp_path: Path
) -> None:
    put(world.home / ".config" / "uv" / "uv.toml", "offline = true\n")
    system = put(tmp_path / "xdg" / "uv" / "uv.toml", "offline = true\n")
    found = settings.collect(scene_of(world, uv=NEW, environ={"XDG_CONFIG_DIRS": str(tmp_path / "xdg")}))
    assert [m.path for m in found.members[1:]] == ["home/.config/uv/uv.toml"]
    assert system in [gap.what for gap in found.gaps]


# Effective settings


@pytest.mark.parametrize("release", ["0.4.11", "0.6.6", "0.9.30", "0.13.9"])
def test_effective_settings_are_the_same_twice(
    world: Person, uv_release: Callable[[str], Uv], release: str
) -> None:
    put(
        world.project / "pyproject.toml", '[project]\nname = "x"\nversion = "0"\nrequires-python = ">=3.10"\n'
    )
    scene = scene_of(world, uv=uv_release(release))
    one = fact(settings.collect(scene), "settings")["effective"]
    assert one == fact(settings.collect(scene), "settings")["effective"]
    assert "GlobalSettings {" in one
    assert len("\n".join(one)) < 20_000


@pytest.mark.parametrize("release", ["0.6.6", "0.9.30", "0.13.9"])
def test_no_credential_of_an_index_is_in_the_effective_settings(
    world: Person, uv_release: Callable[[str], Uv], release: str
) -> None:
    put(
        world.project / "pyproject.toml", '[project]\nname = "x"\nversion = "0"\nrequires-python = ">=3.10"\n'
    )
    url = f"https://deploy-user:{TOKEN}@index.example/simple"
    scene = scene_of(world, uv=uv_release(release), environ={"UV_INDEX_URL": url})
    found = settings.collect(scene)
    assert "index.example" in "\n".join(fact(found, "settings")["effective"])
    assert TOKEN.encode() not in found.members[0].data
    assert b"deploy-user" not in found.members[0].data


def test_a_release_without_show_settings_leaves_a_gap_in_its_own_words(
    world: Person, uv_release: Callable[[str], Uv]
) -> None:
    found = settings.collect(scene_of(world, uv=uv_release("0.1.24"), argv=("uv", "venv")))
    assert [gap.what for gap in found.gaps] == ["effective settings"]
    assert "--show-settings" in found.gaps[0].why


# Variables


@pytest.mark.parametrize(
    "name",
    ["UV_PUBLISH_TOKEN", "UV_PUBLISH_PASSWORD", "UV_INDEX_CORP_PASSWORD", "UV_INDEX_CORP_USERNAME", "HF_TOKEN",
     "AWS_SECRET_ACCESS_KEY", "PIP_INDEX_PASSWORD", "UV_GITHUB_TOKEN", "UV_SOMETHING_NEW", "CARGO_REGISTRY_TOKEN"],
)  # fmt: skip
def test_the_value_of_a_secret_variable_is_never_taken(world: Person, name: str) -> None:
    found = settings.collect(scene_of(world, uv=NEW, environ={name: TOKEN}))
    assert TOKEN.encode() not in found.members[0].data
    assert fact(found, "settings")["variables"][name]["shape"] == {
        "length": 26, "characters": ["lower", "upper", "digits", "punctuation"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UV_INDEX_URL", f"https://user:{TOKEN}@index.example/simple"),
        ("UV_INDEX", f"corp=https://{TOKEN}@index.example/simple https://other.example/simple"),
        ("HTTPS_PROXY", f"user:{TOKEN}@index.example:3128"),
        ("http_proxy", f"http://user:{TOKEN}/x@index.example:3128"),
        ("UV_FIND_LINKS", f"https://index.example/l?sig={TOKEN}"),
        ("PIP_EXTRA_INDEX_URL", f"https://user:{TOKEN}@index.example/simple"),
        ("UV_DEFAULT_INDEX", f"https://user:p@{TOKEN}@index.example/simple"),
    ],
)
def test_of_a_url_in_a_variable_the_host_is_shown_and_the_secret_is_not(
    world: Person, name: str, value: str
) -> None:
    found = settings.variables(scene_of(world, uv=NEW, environ={name: value}))[name]
    assert "index.example" in found["value"]
    assert TOKEN not in found["value"]


def test_a_variable_that_no_release_knows_is_said_so(world: Person) -> None:
    found = settings.variables(scene_of(world, uv=NEW, environ={"UV_CACHEDIR": "/x", "UV_OFFLINE": "1"}))
    assert found["UV_CACHEDIR"]["known_to_uv"] is False
    assert found["UV_OFFLINE"] == {"value": "1", "known_to_uv": True}


def test_a_variable_that_came_later_than_this_release_is_said_so(world: Person) -> None:
    old = scene_of(world, uv=Uv(path="", release="0.4.21"), environ={"UV_OFFLINE": "1"})
    assert settings.variables(old)["UV_OFFLINE"]["only_since"] > "0.4.21"


def test_a_variable_that_has_nothing_to_do_with_uv_is_not_taken(world: Person) -> None:
    found = settings.variables(scene_of(world, uv=NEW, environ={"MY_COMPANY_DB": "x", "USER": "mira"}))
    assert {"MY_COMPANY_DB", "USER"} & set(found) == set()


@pytest.mark.parametrize("flag", ["--token", "--password", "--username"])
def test_a_secret_on_the_command_line_is_shown_by_its_shape(world: Person, flag: str) -> None:
    found = settings.flags(scene_of(world, argv=("uv", "publish", flag, TOKEN)))
    assert found == {flag: "<26 characters: lower, upper, digits, punctuation>"}


def test_the_flags_of_the_program_are_not_taken_for_uvs(world: Person) -> None:
    scene = scene_of(
        world, argv=("uv", "-q", "run", "--with", "rich", "python", "-c", "print()", "--python", "2")
    )
    assert settings.flags(scene) == {"-q": "", "--with": "rich"}
    assert settings.command_words(scene) == ("run", "python")


# Credentials


def test_of_a_netrc_only_the_machines_are_taken_and_whether_one_is_asked_for(world: Person) -> None:
    put(
        world.home / ".netrc",
        f"machine index.example login machine password {TOKEN}\ndefault login x password y\n",
    )
    put(world.project / "uv.toml", 'index-url = "https://index.example/simple"\n')
    found = settings.collect(scene_of(world, uv=NEW))
    assert fact(found, "settings")["netrc"]["machines"] == ["default", "index.example"]
    assert fact(found, "settings")["netrc"]["hit"] == ["index.example"]
    assert TOKEN.encode() not in found.members[0].data


def test_stored_credentials_are_counted_and_not_read_out(world: Person) -> None:
    put(
        world.home / ".local/share/uv/credentials/credentials.toml",
        f'[[credential]]\nservice = "https://index.example"\ntoken = "{TOKEN}"\n',
    )
    found = settings.collect(scene_of(world, uv=NEW))
    assert fact(found, "settings")["stored_credentials"] == {"present": True, "count": 1}
    assert TOKEN.encode() not in found.members[0].data


def test_a_damaged_credential_store_is_a_gap_that_quotes_nothing(world: Person) -> None:
    put(world.home / ".local/share/uv/credentials/credentials.toml", f"token = {TOKEN}\n")
    found = settings.collect(scene_of(world, uv=NEW))
    assert ("the number of stored credentials", "the store cannot be read") in [
        (g.what, g.why) for g in found.gaps
    ]


def test_the_keyring_provider_is_found_wherever_it_is_set(world: Person) -> None:
    put(world.project / "uv.toml", 'keyring-provider = "subprocess"\n')
    assert fact(settings.collect(scene_of(world, uv=NEW)), "settings")["keyring"]["provider"] == "subprocess"


def test_a_project_at_the_root_of_a_drive_ends_the_search(tmp_path: Path) -> None:
    scene = other_system(tmp_path, "win32")
    moved = changed(scene, places=Places(home="C:\\Users\\mira", project="C:\\", cache="C:\\c", cwd="C:\\"))
    assert used(moved) == []
