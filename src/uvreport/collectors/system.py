"""The machine: operating system, libc, processor, container, CI, locale, and the shape of its paths."""

from __future__ import annotations

import locale
import os
import platform
import re
import shutil
import sys
from typing import Any

from uvreport import uv as door
from uvreport.bundle import Gap
from uvreport.collectors import (
    Collector,
    Findings,
    Scene,
    at,
    facts,
    is_dir,
    is_file,
    names_in,
    paths_of,
    text,
    unique,
)
from uvreport.errors import UvreportError

# The variable that says which service runs a job, most telling first: most services set CI too.
CI_SERVICES = {
    "GITHUB_ACTIONS": "GitHub Actions",
    "FORGEJO_ACTIONS": "Forgejo Actions",
    "GITEA_ACTIONS": "Gitea Actions",
    "GITLAB_CI": "GitLab CI",
    "CIRCLECI": "CircleCI",
    "TF_BUILD": "Azure Pipelines",
    "BUILDKITE": "Buildkite",
    "JENKINS_URL": "Jenkins",
    "TRAVIS": "Travis CI",
    "BITBUCKET_BUILD_NUMBER": "Bitbucket Pipelines",
    "DRONE": "Drone",
    "TEAMCITY_VERSION": "TeamCity",
    "APPVEYOR": "AppVeyor",
    "CODEBUILD_BUILD_ID": "AWS CodeBuild",
    "READTHEDOCS": "Read the Docs",
    "CIRRUS_CI": "Cirrus CI",
    "SEMAPHORE": "Semaphore",
    "VERCEL": "Vercel",
    "NETLIFY": "Netlify",
    "DEPENDABOT": "Dependabot",
}

# What says which machine image the job runs on; none of these holds a name of the person's.
CI_IMAGE = ("ImageOS", "ImageVersion", "RUNNER_OS", "RUNNER_ARCH", "RUNNER_ENVIRONMENT")

# Folders that a program keeps in step with another machine: files in them change and lock while uv works.
SYNCED = {
    "onedrive": "OneDrive",
    "dropbox": "Dropbox",
    "google drive": "Google Drive",
    "googledrive": "Google Drive",
    "my drive": "Google Drive",
    "mobile documents": "iCloud",
    "icloud drive": "iCloud",
    "iclouddrive": "iCloud",
    "cloudstorage": "a cloud storage provider",
    "nextcloud": "Nextcloud",
    "owncloud": "ownCloud",
    "pcloud drive": "pCloud",
    "syncthing": "Syncthing",
    "box sync": "Box",
}

# Process names of resident scanners, as the kernel cuts them to 15 characters.
SCANNERS = {
    "clamd": "ClamAV",
    "clamonacc": "ClamAV on access",
    "falcon-sensor": "CrowdStrike Falcon",
    "falcond": "CrowdStrike Falcon",
    "wdavdaemon": "Microsoft Defender",
    "mdatp": "Microsoft Defender",
    "s1-agent": "SentinelOne",
    "sentineld": "SentinelOne",
    "cbagentd": "Carbon Black",
    "ds_agent": "Trend Micro",
    "savd": "Sophos",
    "sophosscand": "Sophos",
    "oaeventd": "ESET",
    "kesl": "Kaspersky",
    "fapolicyd": "fapolicyd",
}

_X86_LEVELS = (
    ("v2", {"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"}),
    ("v3", {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"}),
    ("v4", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
)


def collect(scene: Scene) -> Findings:
    gaps: list[Gap] = []
    release = kernel_release(scene)
    libc = libc_of(scene)
    machine = platform.machine()
    value: dict[str, Any] = {
        "platform": scene.platform,
        "platform_line": platform_line(scene, release, machine, libc["name"]),
        "kernel": {"release": release, "version": _kernel_version(scene)},
        "machine": machine,
        "distribution": distribution(scene),
        "libc": libc,
        "cpu": cpu(scene, machine, gaps),
        "container": container(scene),
        "wsl": wsl(scene, release),
        "ci": ci(scene),
        "locale": _locale(scene),
        "paths": {name: path_shape(scene, path) for name, path in _paths(scene).items() if path},
        "scanners": _scanners(scene, gaps),
        "uvreport_python": platform.python_version(),
    }
    if scene.platform == "win32":
        value["windows"] = _windows(gaps)
    if scene.platform == "darwin":
        value["macos"] = {"release": platform.mac_ver()[0], "translated": _translated(scene)}
    return Findings(members=(facts("system", value),), gaps=tuple(gaps))


def kernel_release(scene: Scene) -> str:
    return text(scene, "/proc/sys/kernel/osrelease").strip() or platform.release()


def _kernel_version(scene: Scene) -> str:
    return text(scene, "/proc/sys/kernel/version").strip() or platform.version()


def platform_line(scene: Scene, release: str, machine: str, libc: str) -> str:
    """What `uname -orsm` prints on that system; on Windows, which has none, the closest to it.

    GNU's prints the operating system last; the ones of macOS and the BSDs take -o for -s and print it once.
    """
    if scene.platform.startswith("linux"):
        return f"Linux {release} {machine} " + ("Linux" if libc == "musl" else "GNU/Linux")
    if scene.platform == "darwin":
        return f"Darwin {release} {machine}"
    if scene.platform == "win32":
        return f"Windows {platform.win32_ver()[1] or release} {machine}"
    return f"{platform.system()} {release} {machine}"


def distribution(scene: Scene) -> dict[str, str] | None:
    """The Linux distribution by its os-release file; None on other systems."""
    if not scene.platform.startswith("linux"):
        return None
    if scene.root:  # the standard library reads this machine's file and no other
        return _by_distro(scene)
    try:
        found = platform.freedesktop_os_release()
    except OSError:
        return _by_distro(scene)
    wanted = ("ID", "ID_LIKE", "VERSION_ID", "VERSION_CODENAME", "VARIANT_ID", "PRETTY_NAME")
    return {key.lower(): found[key] for key in wanted if key in found}


def _by_distro(scene: Scene) -> dict[str, str]:
    import distro

    here = distro.LinuxDistribution(
        include_lsb=False, include_uname=False, include_oslevel=False, root_dir=scene.root or None
    )
    found = {
        "id": here.id(),
        "id_like": here.like(),
        "version_id": here.version(),
        "version_codename": here.codename(),
        "pretty_name": here.name(pretty=True),
    }
    return {key: value for key, value in found.items() if value}


def libc_of(scene: Scene) -> dict[str, str]:
    """The C library by name and version, both "" where the system has none to choose."""
    if not scene.platform.startswith("linux"):
        return {"name": "", "version": ""}
    loaders = [n for n in names_in(scene, "/lib") if re.fullmatch(r"ld-musl-[\w-]+\.so\.1", n)]
    # Distributions on glibc can have musl's loader beside theirs. What this process runs on decides.
    said = "" if scene.root and loaders else _glibc()
    if said:
        return {"name": "glibc", "version": said}
    if loaders:
        return {"name": "musl", "version": "" if scene.root else _musl_version(f"/lib/{loaders[0]}")}
    return {"name": "", "version": ""}


def _glibc() -> str:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")[2]
    except (AttributeError, OSError, ValueError):
        return ""


def _musl_version(loader: str) -> str:
    try:
        said = door.run([loader], cwd="/", env={}, timeout_s=2)
    except OSError:
        return ""
    found = re.search(r"Version (\S+)", said.stderr)
    return found[1] if found else ""


def cpu(scene: Scene, machine: str, gaps: list[Gap]) -> dict[str, Any]:
    """The processor: brand, number, and on x86-64 the level of its instruction set."""
    said = text(scene, "/proc/cpuinfo")
    found: dict[str, Any] = {"count": os.cpu_count() or 0}
    if said:
        pairs = (line.partition(":") for line in said.split("\n\n")[0].splitlines())
        first = {name.strip(): rest.strip() for name, _, rest in pairs}
        found["count"] = len(re.findall(r"(?m)^processor\s*:", said)) or found["count"]
        found["brand"] = first.get("model name") or first.get("Model") or first.get("Hardware") or ""
        if "CPU implementer" in first:
            found["arm"] = f"implementer {first['CPU implementer']}, part {first.get('CPU part', '')}"
        flags = set((first.get("flags") or first.get("Features") or "").split())
    else:
        # Its full probe takes more than a second, so it is for the systems that have no file to read.
        import cpuinfo

        try:
            asked = cpuinfo.get_cpu_info()
        except Exception as error:  # it raises bare Exceptions for processors that it does not know
            gaps.append(Gap(what="the processor", why=str(error)))
            return found
        found["brand"] = asked.get("brand_raw", "")
        flags = set(asked.get("flags", ()))
    if machine.lower() in ("x86_64", "amd64"):
        found["level"] = _level(flags)
    return found


def _level(flags: set[str]) -> str:
    level = "v1"
    for name, needed in _X86_LEVELS:
        # Two systems have two names for the same flag.
        if not all(
            flag in flags or {"abm": "lzcnt", "lahf_lm": "lahf"}.get(flag) in flags for flag in needed
        ):
            break
        level = name
    return level


def container(scene: Scene) -> dict[str, list[str]]:
    """The kinds of container that this is, and the signs that say so; both empty outside of one."""
    kinds: list[str] = []
    signs: list[str] = []

    def sign(kind: str, what: str) -> None:
        kinds.append(kind)
        signs.append(what)

    if not scene.platform.startswith("linux"):
        return {"kinds": kinds, "signs": signs}
    if is_file(scene, "/.dockerenv"):
        sign("docker", "/.dockerenv")
    if is_file(scene, "/run/.containerenv"):
        sign("podman", "/run/.containerenv")
    if is_file(scene, "/.flatpak-info"):
        sign("flatpak", "/.flatpak-info")
    if manager := text(scene, "/run/systemd/container").strip():
        sign(manager, "/run/systemd/container")
    if manager := scene.environ.get("container", ""):
        sign(manager, "variable container")
    if "KUBERNETES_SERVICE_HOST" in scene.environ:
        sign("kubernetes", "variable KUBERNETES_SERVICE_HOST")
    if is_dir(scene, "/var/run/secrets/kubernetes.io"):
        sign("kubernetes", "/var/run/secrets/kubernetes.io")
    groups = text(scene, "/proc/1/cgroup")
    for mark, kind in (
        ("kubepods", "kubernetes"), ("docker", "docker"), ("libpod", "podman"), ("containerd", "containerd"),
        ("/lxc", "lxc"),
    ):  # fmt: skip
        if mark in groups:
            sign(kind, "/proc/1/cgroup")
    if re.search(r"(?m)^\S+ \S+ \S+ / / .*? - overlay ", text(scene, "/proc/self/mountinfo")):
        signs.append("the root filesystem is an overlay")
    for name in ("CODESPACES", "GITPOD_WORKSPACE_ID", "REMOTE_CONTAINERS", "DEVCONTAINER"):
        if name in scene.environ:
            sign("dev container", f"variable {name}")
    return {"kinds": unique(kinds), "signs": unique(signs)}


def wsl(scene: Scene, release: str) -> dict[str, Any] | None:
    """Which WSL this is, and which of our places are on a drive of Windows; None outside of it."""
    if not scene.platform.startswith("linux") or not (
        "microsoft" in release.lower() or "WSL_DISTRO_NAME" in scene.environ
    ):
        return None
    places = {"project": scene.places.project, "cache": scene.places.cache, "venv": scene.places.venv}
    return {
        "version": 2 if "wsl2" in release.lower() or "WSL_INTEROP" in scene.environ else 1,
        "on_a_windows_drive": sorted(n for n, p in places.items() if re.match(r"/mnt/[a-z](/|$)", p)),
    }


def ci(scene: Scene) -> dict[str, Any] | None:
    """The service that runs this job, None outside of CI."""
    service = next((name for variable, name in CI_SERVICES.items() if scene.environ.get(variable)), "")
    if not service and scene.environ.get("CI", "").lower() in ("", "0", "false"):
        return None
    image = {name: scene.environ[name] for name in CI_IMAGE if name in scene.environ}
    return {"service": service or "unknown", "image": image}


def _locale(scene: Scene) -> dict[str, Any]:
    names = ("LC_ALL", "LC_CTYPE", "LANG", "LANGUAGE", "PYTHONUTF8", "PYTHONIOENCODING")
    return {
        "variables": {name: scene.environ[name] for name in names if name in scene.environ},
        "filesystem_encoding": sys.getfilesystemencoding(),
        "preferred_encoding": locale.getpreferredencoding(False),
    }


def _paths(scene: Scene) -> dict[str, str]:
    temporary = next(
        (scene.environ[name] for name in ("TMPDIR", "TEMP", "TMP") if scene.environ.get(name)), ""
    )
    places = scene.places
    return {
        "home": places.home, "project": places.project, "cache": places.cache, "cwd": places.cwd,
        "venv": places.venv, "temporary": temporary,
    }  # fmt: skip


def path_shape(scene: Scene, path: str) -> dict[str, Any]:
    """What about a path can matter to a program, without the path itself."""
    paths = paths_of(scene)
    parts = [part for part in path.replace("\\", "/").split("/") if part]
    special = sorted({c for c in path if not c.isalnum() and c not in " /\\:._-~" and c.isascii()})
    real = os.path.realpath(at(scene, path)) if scene.platform == sys.platform else at(scene, path)
    return {
        "length": len(path),
        "depth": len(parts),
        "spaces": " " in path,
        "non_ascii": not path.isascii(),
        "special_characters": special,
        "synced_by": synced_by(path),
        "network_share": path.startswith(("\\\\", "//")),
        "through_a_link": real != at(scene, paths.normpath(path)),
    }


def synced_by(path: str) -> str | None:
    """The service that keeps a folder above `path` in step with another machine, by its usual name."""
    for part in path.replace("\\", "/").lower().split("/"):
        for mark, service in SYNCED.items():
            # "OneDrive - Company", "Dropbox (Personal)"; not "dropbox-sdk".
            if part == mark or part.startswith((mark + " -", mark + " (")):
                return service
    return None


def _scanners(scene: Scene, gaps: list[Gap]) -> list[str]:
    if scene.platform.startswith("linux"):
        running = (
            text(scene, f"/proc/{pid}/comm").strip() for pid in names_in(scene, "/proc") if pid.isdecimal()
        )
        return sorted({SCANNERS[name] for name in running if name in SCANNERS})
    if scene.platform == "darwin":
        said = _lines(scene, ["ps", "-axco", "command"], gaps)
        return sorted({SCANNERS[line.strip()] for line in said if line.strip() in SCANNERS})
    if scene.platform == "win32":
        query = "Get-CimInstance -Namespace root/SecurityCenter2 -ClassName AntiVirusProduct | % displayName"
        said = _lines(scene, ["powershell", "-NoProfile", "-NonInteractive", "-Command", query], gaps)
        return sorted({line.strip() for line in said if line.strip()})
    return []


def _lines(scene: Scene, argv: list[str], gaps: list[Gap]) -> list[str]:
    program = shutil.which(argv[0], path=scene.environ.get("PATH"))
    if program is None:
        gaps.append(Gap(what="virus scanners", why=f"{argv[0]} is not on PATH"))
        return []
    try:
        said = door.run([program, *argv[1:]], cwd=os.path.abspath(os.sep), env=scene.environ, timeout_s=4)
    except (OSError, UvreportError) as error:
        gaps.append(Gap(what="virus scanners", why=f"{argv[0]} cannot be started: {error}"))
        return []
    if said.exit_code != 0:
        gaps.append(
            Gap(
                what="virus scanners",
                why=f"{argv[0]} did not say within 4 s" if said.timed_out else f"{argv[0]} failed",
            )
        )
    return said.stdout.splitlines()


def _translated(scene: Scene) -> bool:
    # An x86-64 process on an Apple processor sees its translator's version string.
    return platform.machine() == "x86_64" and is_dir(scene, "/Library/Apple/usr/libexec/oah")


def _windows(gaps: list[Gap]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "edition": platform.win32_edition() if sys.platform == "win32" else "",
        "long_paths": None,
    }
    if sys.platform == "win32":
        import winreg

        try:
            key = winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem")
            with key:
                found["long_paths"] = bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
        except OSError as error:
            gaps.append(Gap(what="whether long paths are enabled", why=str(error)))
    else:
        gaps.append(Gap(what="whether long paths are enabled", why="only Windows itself can say"))
    return found


COLLECTOR = Collector(
    name="system",
    what="operating system, libc, processor, container, CI, locale, shape of the paths",
    collect=collect,
)
