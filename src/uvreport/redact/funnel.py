"""Snapshot -> Bundle: the only door. Everything in it is looked at, in the order in which one thing needs another."""

from __future__ import annotations

import functools
import hashlib
import posixpath
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import asdict, replace

from uvreport.bundle import (
    Bundle,
    Culprit,
    Failure,
    Gap,
    Member,
    Places,
    Redaction,
    Relation,
    Run,
    Snapshot,
    Uv,
)
from uvreport.cache import keys, rewrite
from uvreport.errors import RedactionError
from uvreport.redact import archives, contents, names, packages, places
from uvreport.redact.engine import Engine
from uvreport.redact.known import Known, is_worth, sources_of
from uvreport.redact.ledger import Ledger, is_placeholder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MEMBER_MOST = 256_000_000  # bytes; what is larger is not looked into, and so is not taken

_BINARY_ENTRY = (".msgpack", ".http", ".rev", ".rkyv")
_MANIFEST = "manifest.json"  # where the fields of a bundle end up


def redact(
    snapshot: Snapshot,
    known: Known,
    *,
    private: Sequence[str] = (),
    drop_unreadable: bool = False,
) -> Bundle:
    """The bundle of a snapshot: canonical places, placeholders for everything private, recomputed keys.

    `private` are patterns of package names to rename. Raises RedactionError when something cannot be looked
    into, unless `drop_unreadable`: then it is left out and becomes a gap.
    """
    return redacted(snapshot, known, private=private, drop_unreadable=drop_unreadable)[0]


def redacted(
    snapshot: Snapshot,
    known: Known,
    *,
    private: Sequence[str] = (),
    drop_unreadable: bool = False,
    passed_over: str = "",
) -> tuple[Bundle, Ledger]:
    """The bundle, and the ledger of what was replaced: for the last look and `--keep-map`, never to be sent.

    With `passed_over` what that one rule finds stays. Such a bundle is private: it is only to be replayed here, to
    learn whether that rule cost the reproduction.
    """
    return _Funnel(snapshot, known, private, drop_unreadable=drop_unreadable, passed_over=passed_over).run()


def counts(bundle: Bundle) -> dict[str, int]:
    """How many replacements each rule made, the busiest rule first."""
    return dict(Counter(redaction.rule for redaction in bundle.redactions).most_common())


class _Funnel:
    """One pass of redaction: what it is told, and what it found out so far."""

    def __init__(
        self,
        snapshot: Snapshot,
        known: Known,
        private: Sequence[str],
        *,
        drop_unreadable: bool,
        passed_over: str = "",
    ) -> None:
        self._snapshot = snapshot
        self._ledger = Ledger()
        self._drop = drop_unreadable
        self._log: list[Redaction] = []
        self._gaps: list[Gap] = list(snapshot.gaps)
        moved = places.canonical(
            snapshot.places,
            snapshot.platform,
            sources_of(snapshot),
            homes=[home for home in known.homes if home != snapshot.places.home],
        )
        self._canonical = moved.places
        if not known.prefixes:
            known = replace(known, prefixes=moved.prefixes, relative=moved.relative)
        self._known = known
        self._engine = Engine(known, self._ledger, passed_over=passed_over)
        self._private = tuple(private)
        self._clean: set[str] = set()  # texts that the present engine has nothing to say about

    def run(self) -> tuple[Bundle, Ledger]:
        snapshot = self._snapshot
        readable = [member for member in snapshot.members if self._is_small_enough(member)]
        texts = [text for member in readable for text in self._texts(member)]
        texts += self._own_texts()
        if self._private:
            self._known = replace(
                self._known, packages=packages.renamed((text for _, text in texts), self._private)
            )
            self._engine = self._engine.learn(self._known)
        self._learn(texts, readable)
        self._learn_digests(texts)
        members = self._unique([kept for member in readable for kept in self._member(member)])
        members = self._learn_checksums(readable, members)
        members = self._recorded(readable, members)
        by_path = {member.path: member for member in members}
        bundle = Bundle(
            created=snapshot.created,
            tool=snapshot.tool,
            platform=snapshot.platform,
            places=self._places(),
            run=self._run(snapshot.run),
            failure=self._failure(snapshot.failure),
            culprits=tuple(self._culprit(culprit, by_path) for culprit in snapshot.culprits),
            missing=tuple(self._cache_path(path) for path in snapshot.missing),
            cure=tuple(self._cache_path(path) for path in snapshot.cure),
            triage=self._text(snapshot.triage),
            members=tuple(sorted(members, key=lambda member: member.path)),
            gaps=tuple(
                sorted({Gap(what=self._text(gap.what), why=self._text(gap.why)) for gap in self._gaps})
            ),
            relations=tuple(
                Relation(
                    entry=self._cache_path(one.entry), source=self._text(one.source), relation=one.relation
                )
                for one in snapshot.relations
            ),
            redactions=(),
        )
        return replace(bundle, redactions=tuple(sorted(set(self._log)))), self._ledger

    # --- finding out ---------------------------------------------------------------------------------------------

    def _is_small_enough(self, member: Member) -> bool:
        if len(member.data) <= MEMBER_MOST:
            return True
        return self._cannot(member, f"it is larger than {MEMBER_MOST:,} bytes")

    def _cannot(self, member: Member, why: str) -> bool:
        """Notes that a member is left out, or refuses. Always False."""
        if not self._drop:
            raise RedactionError(
                f"{self._text(member.path)} cannot be looked into: {why}. Nothing was written.",
                hint="Leave such members out, as gaps, with --drop-unreadable.",
            )
        self._gaps.append(Gap(what=member.path, why=f"left out by redaction: {why}"))
        return False

    def _texts(self, member: Member) -> Iterator[tuple[str, bytes]]:
        """Everything to be read in a member, as (name, bytes): its path, its link, its text, the texts inside."""
        yield "", member.path.encode("utf-8", "surrogateescape")
        if member.target:
            yield "", member.target.encode("utf-8", "surrogateescape")
        if not member.data:
            return
        if member.path.startswith("cache/") and member.path.endswith(_BINARY_ENTRY):
            found = rewrite.strings(member.path.removeprefix("cache/"), member.data)
            yield "", "\n".join(found).encode("utf-8", "surrogateescape")
            return
        try:
            yield from contents.texts(member.path, member.data)
        except archives.CannotLookInsideError:
            return  # said when the member's turn comes

    def _own_texts(self) -> list[tuple[str, bytes]]:
        run, failure = self._snapshot.run, self._snapshot.failure
        said = [
            run.stdout,
            run.stderr,
            failure.chain,
            *failure.frames,
            *failure.sources,
            *run.argv,
            *run.examined,
        ]
        said += [f"{name}={value}" for name, value in run.env.items()]
        said += [gap.what for gap in self._gaps]
        return [("", text.encode("utf-8", "surrogateescape")) for text in said if text]

    def _learn(self, texts: list[tuple[str, bytes]], members: list[Member]) -> None:
        """Adds to what is known every credential that stands somewhere in its full context.

        A token is easy to tell after `Authorization: Bearer` and may stand alone elsewhere.
        """
        found: dict[str, None] = dict.fromkeys(self._known.secrets)
        emails: dict[str, None] = dict.fromkeys(self._known.emails)
        seen: set[bytes] = set()
        for name, text in texts:
            if text in seen:
                continue
            seen.add(text)
            for span in contents.spans(self._engine, name, text):
                value = span.value.decode("utf-8", "replace")
                if is_placeholder(span.value) or not is_worth(value):
                    continue
                if span.kind == "secret" and not span.rule.startswith("known-"):
                    found.setdefault(value)
                elif span.kind == "email":
                    emails.setdefault(value)
        for member in members:
            if member.path.endswith("revision.rev"):
                for value in _cache_key_values(member.data):
                    if is_worth(value):
                        found.setdefault(value)
        for name, value in self._snapshot.run.env.items():
            if names.is_secret_variable(name) and is_worth(value):
                found.setdefault(value)
        if len(found) > len(self._known.secrets) or len(emails) > len(self._known.emails):
            self._known = replace(self._known, secrets=tuple(found), emails=tuple(emails))
            self._engine = self._engine.learn(self._known)

    def _learn_digests(self, texts: list[tuple[str, bytes]]) -> None:
        """Adds to what is known every cache key that redaction changes, with the key that takes its place."""
        found: dict[str, None] = {}
        for _, text in texts:
            for match in _PLACE.finditer(text):
                found.setdefault(match.group().decode("utf-8", "surrogateescape").rstrip(".,;:!)"))
        path = posixpath
        project = self._snapshot.places.project
        for source in sources_of(self._snapshot):
            found.setdefault(path.normpath(path.join(project, source)))
        for name, root in (("project", project), ("home", self._snapshot.places.home)):
            for member in self._snapshot.members:
                if member.path.startswith(f"{name}/"):
                    place = path.join(root, member.path.removeprefix(f"{name}/"))
                    found.setdefault(place)
                    found.setdefault(path.dirname(place))
        for place in asdict(self._snapshot.places).values():
            if place:
                found.setdefault(place)
        self._clean = self._engine.clean(found)
        changed = keys.rekey(list(found), self._edit)
        self._clean = set()
        if changed:
            self._known = replace(self._known, digests=(*self._known.digests, *sorted(changed.items())))
            self._engine = self._engine.learn(self._known)
            self._edit_cached.cache_clear()

    def _learn_checksums(self, before: list[Member], members: list[Member]) -> list[Member]:
        """The members with the checksums of archives that redaction changed replaced wherever they stand."""
        was = {id(member): member for member in before}
        changed: list[tuple[str, str]] = []
        for old, new in zip(self._kept_from, members, strict=True):
            original = was.get(old)
            if original is None or original.data == new.data or not new.path.endswith(_ARCHIVE_NAMES):
                continue
            changed += [
                (hashlib.new(name, original.data).hexdigest(), hashlib.new(name, new.data).hexdigest())
                for name in ("sha256", "sha384", "sha512", "md5", "blake2b")
            ]
        if not changed:
            return members
        self._known = replace(self._known, digests=(*self._known.digests, *changed))
        self._engine = self._engine.learn(self._known)
        self._edit_cached.cache_clear()
        self._clean = set()
        self._log.clear()
        return self._unique(
            [kept for member in before for kept in self._member(member)],
        )

    def _recorded(self, before: list[Member], members: list[Member]) -> list[Member]:
        """The members with each RECORD brought up to date, for the files in it that were as recorded before."""
        was = {id(member): member for member in before}
        origin = {new.path: was[old] for old, new in zip(self._kept_from, members, strict=True)}
        now = {member.path: member for member in members}
        out = []
        for member in members:
            if member.path.endswith(".dist-info/RECORD") and member.data:
                folder = posixpath.dirname(posixpath.dirname(member.path))

                def read(path: str, folder: str = folder) -> tuple[bytes, bytes] | None:
                    place = posixpath.normpath(posixpath.join(folder, path))
                    return (origin[place].data, now[place].data) if place in now else None

                record = archives.updated_record(member.data.decode("utf-8", "surrogateescape"), read)
                member = replace(member, data=record.encode("utf-8", "surrogateescape"))  # noqa: PLW2901
            out.append(member)
        return out

    # --- texts ---------------------------------------------------------------------------------------------------

    def _note(self, where: str, log: Iterable[tuple[int, str, str]]) -> None:
        for offset, rule, placeholder in log:
            self._log.append(Redaction(member=where, offset=offset, rule=rule, placeholder=placeholder))

    @functools.cached_property
    def _edit_cached(self) -> Any:
        @functools.lru_cache(maxsize=200_000)
        def edit(text: str) -> tuple[str, tuple[tuple[int, str, str], ...]]:
            new, log = self._engine.redact(text.encode("utf-8", "surrogateescape"))
            return (new.decode("utf-8", "surrogateescape"), tuple(log)) if log else (text, ())

        return edit

    def _edit(self, text: str) -> str:
        return text if text in self._clean else str(self._edit_cached(text)[0])

    def _text(self, text: str, where: str = _MANIFEST) -> str:
        """A text of the snapshot itself, redacted and noted."""
        new, log = self._edit_cached(text)
        self._note(where, [(-1, rule, placeholder) for _, rule, placeholder in log])
        return str(new)

    # --- members -------------------------------------------------------------------------------------------------

    def _member(self, member: Member) -> list[Member]:
        path = self._path(member.path)
        target = self._text(member.target, path) if member.target else ""
        try:
            data = self._content(member, path) if member.data else member.data
        except archives.CannotLookInsideError as problem:
            self._cannot(member, f"it is {problem}")
            return []
        new = replace(member, path=path, target=target, data=data)
        self._origin[id(new)] = id(member)
        self._alive.append(new)
        return [new]

    @functools.cached_property
    def _origin(self) -> dict[int, int]:
        return {}

    @functools.cached_property
    def _alive(self) -> list[Member]:
        return []  # keeps the ids in `_origin` from being used again

    def _unique(self, members: list[Member]) -> list[Member]:
        seen: dict[str, Member] = {}
        for member in members:
            other = seen.setdefault(member.path, member)
            if other is not member and (other.kind, other.data, other.target) != (
                member.kind,
                member.data,
                member.target,
            ):
                raise RedactionError(
                    f"Two members would both be called {member.path} once redacted. Nothing was written.",
                    hint="Please report this: names that differ only in what is private need placeholders of their own.",
                )
        self._kept_from = [self._origin[id(member)] for member in seen.values()]
        return list(seen.values())

    def _content(self, member: Member, where: str) -> bytes:
        data = member.data
        if member.path.startswith("cache/") and member.path.endswith(_BINARY_ENTRY):

            def edit(text: str) -> str:
                if text in self._clean:
                    return text
                new, log = self._edit_cached(text)
                self._note(where, [(-1, rule, placeholder) for _, rule, placeholder in log])
                return str(new)

            entry = member.path.removeprefix("cache/")
            self._clean |= self._engine.clean(rewrite.strings(entry, data))
            return rewrite.rewrite(entry, data, edit)
        return contents.redacted(self._engine, where, member.path, data, self._note)

    def _path(self, path: str) -> str:
        """A member's path, each part still one part."""
        top, _, rest = path.partition("/")
        if top == "home" and rest and not re.match(r"dir[0-9]+(?:/|$)", rest):
            root = self._snapshot.places.home
            told = self._edit(posixpath.join(root.replace("\\", "/"), rest)).replace("\\", "/")
            below = self._canonical.home.replace("\\", "/").rstrip("/") + "/"
            if told.startswith(below):
                rest = told.removeprefix(below)
                return f"home/{rest}"
        new = self._text(path, _MANIFEST)
        if new.count("/") == path.count("/") and new.partition("/")[0] == top:
            return new
        return (
            "/".join([top, *(self._text(part).replace("/", "-") for part in rest.split("/"))])
            if rest
            else top
        )

    def _cache_path(self, path: str) -> str:
        return self._path(f"cache/{path}").removeprefix("cache/") if path else path

    # --- the rest ------------------------------------------------------------------------------------------------

    def _places(self) -> Places:
        return self._canonical

    def _run(self, run: Run) -> Run:
        return replace(
            run,
            argv=self._argv(run.argv),
            examined=self._argv(run.examined),
            cwd=self._canonical.cwd if run.cwd == self._snapshot.places.cwd else self._text(run.cwd),
            env=self._env(run.env),
            stdout=self._output(run.stdout, "run/stdout.txt"),
            stderr=self._output(run.stderr, "run/stderr.txt"),
            uv=Uv(
                path=self._text(run.uv.path),
                release=run.uv.release,
                version_text=self._text(run.uv.version_text),
            ),
        )

    def _output(self, text: str, where: str) -> str:
        new, log = self._engine.redact(text.encode("utf-8", "surrogateescape"))
        self._note(where, log)
        return new.decode("utf-8", "surrogateescape") if log else text

    def _argv(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """A command line: each word by itself, and a flag together with the word after it."""
        words = list(argv)
        for i, word in enumerate(words):
            if i and words[i - 1].startswith("-") and "=" not in words[i - 1]:
                pair = f"--flag x {words[i - 1]} {word}" if " " not in word else word
                told = self._text(pair)
                head = f"--flag x {words[i - 1]} "
                words[i] = told.removeprefix(head) if told.startswith(head) else self._text(word)
            else:
                words[i] = self._text(word)
        return tuple(words)

    def _env(self, env: dict[str, str]) -> dict[str, str]:
        out = {}
        for name, value in env.items():
            new_name = self._text(name)
            data = value.encode("utf-8", "surrogateescape")
            if names.is_secret_variable(name) and not names.is_nothing(data) and not is_placeholder(data):
                placeholder = self._ledger.place("secret", data)
                self._note(_MANIFEST, [(-1, "secret-variable", placeholder)])
                out[new_name] = placeholder
            elif re.fullmatch(
                r"UV_INDEX_.{1,80}_USERNAME|UV_PUBLISH_USERNAME", name
            ) and not names.is_login_word(value):
                placeholder = self._ledger.place("account", data)
                self._note(_MANIFEST, [(-1, "secret-variable", placeholder)])
                out[new_name] = placeholder if value else value
            else:
                told = self._text(f"{name}={value}")
                out[new_name] = (
                    told.partition("=")[2] if told.startswith(f"{new_name}=") else self._text(value)
                )
        return out

    def _failure(self, failure: Failure) -> Failure:
        return Failure(
            class_=failure.class_,
            signature=self._text(failure.signature),
            frames=tuple(self._text(frame) for frame in failure.frames),
            chain=self._text(failure.chain),
            packages=tuple(self._text(name) for name in failure.packages),
            sources=tuple(self._text(source) for source in failure.sources),
        )

    def _culprit(self, culprit: Culprit, members: dict[str, Member]) -> Culprit:
        path = self._cache_path(culprit.path)
        member = members.get(f"cache/{path}")
        size, digest = culprit.size_bytes, culprit.sha256
        if member is not None and digest and member.kind == "file":
            size, digest = len(member.data), hashlib.sha256(member.data).hexdigest()
        return replace(
            culprit,
            path=path,
            reason=self._text(culprit.reason),
            confirmed=self._text(culprit.confirmed),
            size_bytes=size,
            sha256=digest,
            decoded=self._tree(culprit.decoded),
        )

    def _tree(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, bytes):
            return self._engine.redact(value, keep_length=True)[0]
        if isinstance(value, list | tuple):
            return [self._tree(item) for item in value]
        if isinstance(value, dict):
            return {self._tree(key): self._secret_or_tree(key, item) for key, item in value.items()}
        return value

    def _secret_or_tree(self, key: Any, value: Any) -> Any:
        if isinstance(key, str) and isinstance(value, str) and names.says_secret(key):
            data = value.encode("utf-8", "surrogateescape")
            if not names.is_nothing(data) and not is_placeholder(data):
                placeholder = self._ledger.place("secret", data)
                self._note(_MANIFEST, [(-1, "secret-key", placeholder)])
                return placeholder
        return self._tree(value)


_ARCHIVE_NAMES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tar.xz", ".tar.zst", ".egg")

# URLs and absolute paths, as far as they may be what a cache key was made of.
_PLACE = re.compile(
    rb"[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s\"'`<>\x00\\]{1,2000}"
    rb"|(?<![A-Za-z0-9_.:/~\\-])/(?!/)[^\s\"'`<>|\x00:*?]{1,1000}"
    rb"|(?<![A-Za-z0-9_])[A-Za-z]:[\\/][^\r\n\"'`<>|\x00:*?]{1,400}"
)


def _cache_key_values(data: bytes) -> list[str]:
    """The values of environment variables that a revision.rev records, of every release that records any."""
    try:
        value = msgspec.msgpack.decode(data)
        env = value[0][3]
    except (msgspec.MsgspecError, UnicodeDecodeError, LookupError, TypeError):
        return []
    return [one for one in env.values() if isinstance(one, str)] if isinstance(env, dict) else []
