"""Snapshot -> Bundle: the only door. Everything in it is looked at, in the order in which one thing needs another."""

from __future__ import annotations

import functools
import hashlib
import itertools
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
from uvreport.errors import RedactionError, UvreportError
from uvreport.redact import archives, contents, names, packages, places, public, shards, structured
from uvreport.redact.engine import Engine
from uvreport.redact.known import Known, is_telling, is_worth, sources_of
from uvreport.redact.ledger import Ledger, is_placeholder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

MEMBER_MOST = 256_000_000  # bytes; what is larger is not looked into, and so is not taken

_BINARY_ENTRY = (".msgpack", ".http", ".rev", ".rkyv")
MANIFEST = "manifest.json"  # where the fields of a bundle end up


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
    rest, wheels = public.set_aside(snapshot)
    bundle, ledger = _Funnel(
        rest, known, private, drop_unreadable=drop_unreadable, passed_over=passed_over
    ).run()
    if wheels:
        bundle = public.put_back(bundle, wheels, known=known, snapshot=rest, ledger=ledger, private=private)
    return bundle, ledger


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
        self._sizes: dict[str, tuple[int, int]] = {}  # of archives that changed, by new checksum: before, now

    def run(self) -> tuple[Bundle, Ledger]:
        try:
            return self._run_all()
        except UvreportError:
            raise
        except Exception as problem:  # a rule that breaks must not let anything through
            raise RedactionError(
                f"Redaction failed ({_said(problem)}). Nothing was written.",
                hint="Please report this: it is a bug of uvreport, or of a rule.",
            ) from problem

    def _run_all(self) -> tuple[Bundle, Ledger]:
        snapshot = self._snapshot
        own = self._own_texts()
        read = [
            (member, texts)
            for member in snapshot.members
            if self._is_small_enough(member)
            for texts in [self._read(member)]
            if texts is not None
        ]
        if self._private:
            self._rename([text for _, texts in read for _, text in texts] + [text for _, text in own])
        for was, becomes in self._known.prefixes:
            self._ledger.fix("path", was.encode("utf-8", "surrogateescape"), becomes)
        read = self._learn(read, own)
        readable = [member for member, _ in read]
        self._learn_digests([text for _, texts in read for text in texts] + own, readable)
        members = self._unique([kept for member in readable for kept in self._member(member)])
        members = self._learn_checksums(readable, members)
        members = [self._sized(member) for member in self._recorded(readable, members)]
        run = self._run(snapshot.run)
        members = self._with_placeholders(members, run)
        by_path = {member.path: member for member in members}
        bundle = Bundle(
            created=snapshot.created,
            tool=snapshot.tool,
            platform=snapshot.platform,
            places=self._canonical,
            run=run,
            failure=self._failure(snapshot.failure),
            culprits=tuple(self._culprit(culprit, by_path) for culprit in snapshot.culprits),
            missing=tuple(self._cache_path(path) for path in snapshot.missing),
            cure=tuple(self._cache_path(path) for path in snapshot.cure),
            triage=self._text(snapshot.triage, "the trial without the cache"),
            members=tuple(sorted(members, key=lambda member: member.path)),
            gaps=tuple(
                sorted(
                    {
                        Gap(what=self._text(gap.what, "gaps"), why=self._text(gap.why, "gaps"))
                        for gap in self._gaps
                    }
                )
            ),
            relations=tuple(
                Relation(
                    entry=self._cache_path(one.entry),
                    source=self._text(one.source, "relations"),
                    relation=one.relation,
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
        return self._cannot(member, f"cannot be looked into: it is larger than {MEMBER_MOST:,} bytes")

    def _cannot(self, member: Member, why: str, cause: Exception | None = None) -> bool:
        """Notes that a member is left out, or refuses. Always False. `why` completes a sentence about the member."""
        if not self._drop:
            raise RedactionError(
                # For the person's own terminal, where an unknown name gives nothing away.
                f"{printable(member.path)} {why}. Nothing was written.",
                hint="Leave such members out, as gaps, with --drop-unreadable.",
            ) from cause
        self._gaps.append(Gap(what=member.path, why=f"left out by redaction: it {why}"))
        return False

    def _refused(self, member: Member, problem: Exception) -> bool:
        """As `_cannot`, with what went wrong put into words."""
        match problem:
            case archives.CannotLookInsideError():
                inside = f" (in it: {printable(problem.inside)})" if problem.inside and not self._drop else ""
                return self._cannot(member, f"cannot be looked into: it is {problem}{inside}", problem)
            case RedactionError():
                said = problem.message.removesuffix(" Nothing was written.").rstrip(".")
            case _:
                said = _said(problem)
        return self._cannot(member, f"could not be redacted: {said}", problem)

    def _read(self, member: Member) -> list[tuple[str, bytes]] | None:
        """Everything to be read in a member; None where it is left out because it cannot be."""
        try:
            return list(self._texts(member))
        except Exception as problem:
            self._refused(member, problem)
            return None

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
        yield from contents.texts(member.path, member.data)

    def _own_texts(self) -> list[tuple[str, bytes]]:
        run, failure = self._snapshot.run, self._snapshot.failure
        said = [
            run.stdout,
            run.stderr,
            failure.chain,
            *failure.frames,
            *failure.sources,
            *failure.packages,
            *run.argv,
            *run.examined,
        ]
        said += [f"{name}={value}" for name, value in run.env.items()]
        said += [gap.what for gap in self._gaps]
        return [("", text.encode("utf-8", "surrogateescape")) for text in said if text]

    def _rename(self, texts: list[bytes]) -> None:
        """Adds to what is known the private package names, and takes them out of where things will stand."""
        pairs = packages.renamed(texts, self._private)
        for old, new in pairs:
            self._ledger.fix("package", old.encode(), new)

        def told(place: str) -> str:
            return packages.applied(place, pairs)

        canonical = self._canonical
        self._canonical = Places(
            home=canonical.home,
            project=canonical.project,
            cache=canonical.cache,
            cwd=self._below(canonical.cwd, told),
            venv=self._below(canonical.venv, told),
        )
        spelled = packages.spellings(pairs)
        prefixes = tuple((was, self._below(to, told)) for was, to in self._known.prefixes)
        self._known = replace(
            self._known,
            packages=spelled,
            # Also encoded, as any name that is looked for: only these have a kind for that.
            orgs=(*self._known.orgs, *(old for old, _ in spelled)),
            prefixes=prefixes,
            relative=tuple((was, told(to)) for was, to in self._known.relative),
        )
        self._engine = self._engine.learn(self._known)

    def _below(self, place: str, told: Callable[[str], str]) -> str:
        """A canonical place with what it has below the project, or else below the home, told anew."""
        for root in (self._canonical.project, self._canonical.home):
            if place.startswith(root) and place[len(root) : len(root) + 1] in ("/", "\\"):
                return root + told(place[len(root) :])
        return place

    def _learn(
        self, read: list[tuple[Member, list[tuple[str, bytes]]]], own: list[tuple[str, bytes]]
    ) -> list[tuple[Member, list[tuple[str, bytes]]]]:
        """Adds to what is known every credential that stands somewhere in its full context; the members that remain.

        A token is easy to tell after `Authorization: Bearer` and may stand alone elsewhere.
        """
        found: dict[str, None] = dict.fromkeys(self._known.secrets)
        emails: dict[str, None] = dict.fromkeys(self._known.emails)
        accounts: dict[str, None] = dict.fromkeys(self._known.accounts)
        seen: set[bytes] = set()

        def look(texts: list[tuple[str, bytes]]) -> None:
            for name, text in texts:
                if text in seen:
                    continue
                for span in contents.spans(self._engine, name, text):
                    value = span.value.decode("utf-8", "replace")
                    if is_placeholder(span.value):
                        continue
                    if span.kind == "account" and is_telling(value):
                        accounts.setdefault(value)
                    if not is_worth(value):
                        continue
                    if span.kind == "secret" and not span.rule.startswith("known-"):
                        found.setdefault(value)
                    elif span.kind == "email":
                        emails.setdefault(value)
                seen.add(text)

        kept = []
        for member, texts in read:
            try:
                look(texts)
            except Exception as problem:  # whatever it is: said, and the member stays here
                self._refused(member, problem)
                continue
            kept.append((member, texts))
            if member.path.endswith("revision.rev"):
                for value in _cache_key_values(member.data):
                    if is_worth(value):
                        found.setdefault(value)
        look(own)
        for name, value in self._snapshot.run.env.items():
            if names.is_secret_variable(name) and is_worth(value):
                found.setdefault(value)
        learned = {"secrets": tuple(found), "emails": tuple(emails), "accounts": tuple(accounts)}
        if any(len(values) > len(getattr(self._known, name)) for name, values in learned.items()):
            self._known = replace(self._known, **learned)
            self._engine = self._engine.learn(self._known)
        return kept

    def _learn_digests(self, texts: list[tuple[str, bytes]], members: list[Member]) -> None:
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
        changed |= self._interpreters(found, members)
        changed |= self._shards(members)
        self._clean = set()
        if changed:
            self._known = replace(self._known, digests=(*self._known.digests, *sorted(changed.items())))
            self._engine = self._engine.learn(self._known)
            self._edit_cached.cache_clear()

    def _interpreters(self, found: Iterable[str], members: list[Member]) -> dict[str, str]:
        """The file names of interpreter entries that redaction changes: old to new.

        From 0.7.18 on they are digests of two paths, of the executable and of what its links lead to.
        """
        wanted = {match[1] for member in members if (match := _INTERPRETER.match(member.path))}
        pythons = [place for place in found if _PYTHON.search(place)][:PYTHONS_MOST] if wanted else []
        env = self._snapshot.run.env
        named = {"executable": env.get("PYTHONEXECUTABLE"), "launcher": env.get("__PYVENV_LAUNCHER__")}
        changed: dict[str, str] = {}
        for path, leads_to in itertools.product(pythons, pythons):
            if wanted <= changed.keys():
                break
            for release in ("0.7.18", "0.12.4"):
                old = keys.interpreter_file(path, leads_to, release, **named)
                if old in wanted:
                    told = {name: value and self._edit(value) for name, value in named.items()}
                    new = keys.interpreter_file(self._edit(path), self._edit(leads_to), release, **told)
                    changed.setdefault(old, new)
        return {old: new for old, new in changed.items() if old != new}

    def _shards(self, members: list[Member]) -> dict[str, str]:
        """The directories of build settings that redaction changes: old to new."""

        def edited(member: Member) -> bytes:
            try:
                return contents.redacted(self._engine, member.path, member.path, member.data, lambda *_: None)
            except (UvreportError, archives.CannotLookInsideError):
                return member.data  # it is left out, or refused, when its turn comes

        argv = self._snapshot.run.argv
        return shards.rekeyed(members, argv, edited, lambda words: self._argv(tuple(words), "command line"))

    def _learn_checksums(self, before: list[Member], members: list[Member]) -> list[Member]:
        """The members with the checksums of archives that redaction changed replaced wherever they stand.

        An archive may hold the checksum of another one, so it is gone through again until nothing moves.
        """
        was = {id(member): member for member in before}
        keyed = self._known.digests
        changed: list[tuple[str, str]] = []
        for _ in range(PASSES_MOST):
            now: list[tuple[str, str]] = []
            self._sizes.clear()
            for old, new in zip(self._kept_from, members, strict=True):
                original = was.get(old)
                if original is None or original.data == new.data or not new.path.endswith(_ARCHIVE_NAMES):
                    continue
                digests = [
                    (hashlib.new(name, original.data).hexdigest(), hashlib.new(name, new.data).hexdigest())
                    for name in ("sha256", "sha384", "sha512", "md5", "blake2b")
                ]
                now += digests
                self._sizes |= {one: (len(original.data), len(new.data)) for _, one in digests}
            if now == changed:
                break
            changed = now
            self._known = replace(self._known, digests=(*keyed, *changed))
            self._engine = self._engine.learn(self._known)
            self._edit_cached.cache_clear()
            self._clean = set()
            self._log.clear()
            members = self._unique([kept for member in before for kept in self._member(member)])
        return members

    def _sized(self, member: Member) -> Member:
        """A lockfile with the sizes of archives that redaction changed brought up to date, where they were right."""
        if not self._sizes or not member.path.endswith((".lock", ".toml")):
            return member
        edits: list[tuple[int, int, bytes]] = []
        for table in _SIZED_TABLE.finditer(member.data):
            size = re.search(rb"(?<![A-Za-z0-9_-])size\s{0,4}=\s{0,4}([0-9]{1,18})(?![0-9_.])", table.group())
            digest = re.search(rb"(?<![0-9a-f])[0-9a-f]{32,128}(?![0-9a-f])", table.group())
            if size is None or digest is None:
                continue
            was, now = self._sizes.get(digest.group().decode(), (-1, -1))
            if int(size[1]) == was != now:
                start = table.start() + size.start(1)
                edits.append((start, start + len(size[1]), str(now).encode()))
        data = member.data
        for start, end, new in reversed(edits):
            data = data[:start] + new + data[end:]
            self._log = [
                replace(one, offset=one.offset + len(new) - (end - start))
                if one.member == member.path and one.offset > start
                else one
                for one in self._log
            ]
        return replace(member, data=data)

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

    def _with_placeholders(self, members: list[Member], run: Run) -> list[Member]:
        """The members, where the settings told credentials by their shapes with the placeholders of those.

        Taken from what is redacted already: the variables, the command line, the settings files.
        """
        files = {self._place_of(member.path): member for member in members}
        return [
            replace(member, data=_filled_settings(member.data, run, files))
            if member.path == _SETTINGS
            else member
            for member in members
        ]

    def _place_of(self, path: str) -> str:
        top, _, rest = path.partition("/")
        root = {"project": self._canonical.project, "home": self._canonical.home}.get(top)
        return posixpath.join(root.replace("\\", "/"), rest) if root else ""

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

    def _text(self, text: str, what: str) -> str:
        """A text of the snapshot itself, redacted, and noted as part of `what`."""
        new, log = self._edit_cached(text)
        self._note(f"{MANIFEST}#{what}", [(-1, rule, placeholder) for _, rule, placeholder in log])
        return str(new)

    # --- members -------------------------------------------------------------------------------------------------

    def _member(self, member: Member) -> list[Member]:
        noted = len(self._log)
        try:
            path = self._path(member.path)
            target, log = self._edit_cached(member.target) if member.target else ("", ())
            self._note(f"{path}#link target", [(-1, rule, placeholder) for _, rule, placeholder in log])
            data = self._content(member, path) if member.data else member.data
        except Exception as problem:  # whatever it is: said, and the member stays here
            del self._log[noted:]
            self._refused(member, problem)
            return []
        new = replace(member, path=path, target=str(target), data=data)
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
                self._note(f"{where}#strings", [(-1, rule, placeholder) for _, rule, placeholder in log])
                return str(new)

            entry = member.path.removeprefix("cache/")
            self._clean |= self._engine.clean(rewrite.strings(entry, data))
            return rewrite.rewrite(entry, data, edit)
        return contents.redacted(self._engine, where, member.path, data, self._note)

    def _path(self, path: str) -> str:
        """A member's path, each part still one part; noted as the name of the member."""
        new, log = self._told_path(path)
        self._note(new, [(-1, rule, placeholder) for _, rule, placeholder in log])
        return new

    def _told_path(self, path: str) -> tuple[str, list[tuple[int, str, str]]]:
        top, _, rest = path.partition("/")
        if top == "home" and rest and not re.match(r"dir[0-9]+(?:/|$)", rest):
            root = self._snapshot.places.home
            told, log = self._edit_cached(posixpath.join(root.replace("\\", "/"), rest))
            told = told.replace("\\", "/")
            below = self._canonical.home.replace("\\", "/").rstrip("/") + "/"
            if told.startswith(below):
                # The home itself is in no member's name.
                return f"home/{told.removeprefix(below)}", [one for one in log if one[0] >= len(below) - 1]
        new, log = self._edit_cached(path)
        if new.count("/") == path.count("/") and new.partition("/")[0] == top:
            return str(new), list(log)
        parts = [self._edit_cached(part) for part in rest.split("/")] if rest else []
        return "/".join([top, *(part.replace("/", "-") for part, _ in parts)]), [
            one for _, log in parts for one in log
        ]

    def _cache_path(self, path: str) -> str:
        return self._told_path(f"cache/{path}")[0].removeprefix("cache/") if path else path

    # --- the rest ------------------------------------------------------------------------------------------------

    def _run(self, run: Run) -> Run:
        return replace(
            run,
            argv=self._argv(run.argv, "command line"),
            examined=self._argv(run.examined, "command line as it was run"),
            cwd=self._canonical.cwd
            if run.cwd == self._snapshot.places.cwd
            else self._text(run.cwd, "directory of the command"),
            env=self._env(run.env),
            stdout=self._output(run.stdout, "run/stdout.txt"),
            stderr=self._output(run.stderr, "run/stderr.txt"),
            uv=Uv(
                path=self._text(run.uv.path, "path of uv"),
                release=run.uv.release,
                version_text=self._text(run.uv.version_text, "version of uv"),
            ),
        )

    def _output(self, text: str, where: str) -> str:
        new, log = self._engine.redact(text.encode("utf-8", "surrogateescape"))
        self._note(where, log)
        return new.decode("utf-8", "surrogateescape") if log else text

    def _argv(self, argv: tuple[str, ...], what: str) -> tuple[str, ...]:
        """A command line: each word by itself, and a flag together with the word after it."""
        words = list(argv)
        for i, word in enumerate(words):
            if i and words[i - 1].startswith("-") and "=" not in words[i - 1]:
                pair = f"--flag x {words[i - 1]} {word}" if " " not in word else word
                told = self._text(pair, what)
                head = f"--flag x {words[i - 1]} "
                words[i] = told.removeprefix(head) if told.startswith(head) else self._text(word, what)
            else:
                words[i] = self._text(word, what)
        return tuple(words)

    def _env(self, env: dict[str, str]) -> dict[str, str]:
        out = {}
        for name, value in env.items():
            new_name = str(self._edit(name))
            what = f"environment {new_name}"
            self._text(name, what)
            data = value.encode("utf-8", "surrogateescape")
            if names.is_secret_variable(name) and not names.is_nothing(data) and not is_placeholder(data):
                out[new_name] = self._placed("secret", data, "secret-variable", what)
            elif re.fullmatch(
                r"UV_INDEX_.{1,80}_USERNAME|UV_PUBLISH_USERNAME", name
            ) and not names.is_login_word(value):
                out[new_name] = (
                    value if is_placeholder(data) else self._placed("account", data, "secret-variable", what)
                )
            else:
                told = self._text(f"{name}={value}", what)
                out[new_name] = (
                    told.partition("=")[2] if told.startswith(f"{new_name}=") else self._text(value, what)
                )
        return out

    def _placed(self, kind: str, data: bytes, rule: str, what: str) -> str:
        placeholder = self._ledger.place(kind, data)
        self._note(f"{MANIFEST}#{what}", [(-1, rule, placeholder)])
        return placeholder

    def _failure(self, failure: Failure) -> Failure:
        return Failure(
            class_=failure.class_,
            signature=self._text(failure.signature, "signature"),
            frames=tuple(self._text(frame, "error chain") for frame in failure.frames),
            chain=self._text(failure.chain, "error chain"),
            packages=tuple(self._text(name, "packages of the failure") for name in failure.packages),
            sources=tuple(self._text(source, "sources of the failure") for source in failure.sources),
        )

    def _culprit(self, culprit: Culprit, members: dict[str, Member]) -> Culprit:
        path = self._cache_path(culprit.path)
        what = f"culprit {path}"
        member = members.get(f"cache/{path}")
        size, digest = culprit.size_bytes, culprit.sha256
        if member is not None and digest and member.kind == "file":
            size, digest = len(member.data), hashlib.sha256(member.data).hexdigest()
        return replace(
            culprit,
            path=path,
            reason=self._text(culprit.reason, what),
            confirmed=self._text(culprit.confirmed, what),
            size_bytes=size,
            sha256=digest,
            decoded=self._tree(culprit.decoded, what),
        )

    def _tree(self, value: Any, what: str) -> Any:
        if isinstance(value, str):
            return self._text(value, what)
        if isinstance(value, bytes):
            return self._engine.redact(value, keep_length=True)[0]
        if isinstance(value, list | tuple):
            return [self._tree(item, what) for item in value]
        if isinstance(value, dict):
            return {
                self._tree(key, what): self._secret_or_tree(key, item, what) for key, item in value.items()
            }
        return value

    def _secret_or_tree(self, key: Any, value: Any, what: str) -> Any:
        if isinstance(key, str) and isinstance(value, str) and names.says_secret(key):
            data = value.encode("utf-8", "surrogateescape")
            if not names.is_nothing(data) and not is_placeholder(data):
                return self._placed("secret", data, "secret-key", what)
        return self._tree(value, what)


def _filled_settings(data: bytes, run: Run, files: dict[str, Member]) -> bytes:
    try:
        facts = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return data
    if not isinstance(facts, dict):
        return data
    before = msgspec.json.encode(facts)
    variables = facts.get("variables")
    for name, entry in variables.items() if isinstance(variables, dict) else ():
        if isinstance(entry, dict) and name in run.env:
            if "shape" in entry:
                entry["placeholder"] = run.env[name]
            if "value" in entry:
                entry["value"] = structured.filled(entry["value"], run.env[name])
    flags = facts.get("flags")
    if isinstance(flags, dict):
        facts["flags"] = structured.filled(flags, _flags(run.argv))
    for file in facts.get("files") or ():
        path = str(file.get("path", "")).replace("\\", "/") if isinstance(file, dict) else ""
        if path in files:
            table = structured.parsed("toml", files[path].data) or {}
            if path.endswith("/pyproject.toml"):
                table = (table.get("tool") or {}).get("uv") or {}
            file["document"] = structured.filled(file.get("document"), table)
    if msgspec.json.encode(facts) == before:
        return data
    return msgspec.json.format(msgspec.json.encode(facts, order="sorted"), indent=2) + b"\n"


def _flags(argv: tuple[str, ...]) -> dict[str, str]:
    """Every flag of a command line with the value that follows it, or stands in it."""
    found = {}
    for word, after in zip(argv, (*argv[1:], ""), strict=False):
        name, equals, value = word.partition("=")
        if word.startswith("-"):
            found[name] = value if equals else after
    return found


def printable(text: str) -> str:
    """A name for a terminal: what would drive it is shown as a mark."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _said(problem: Exception) -> str:
    return f"{type(problem).__name__} in a rule" if not isinstance(problem, MemoryError) else "out of memory"


_INTERPRETER = re.compile(
    r"cache/interpreter-v[0-9]{1,3}/(?:[^/]{1,100}/)?([0-9a-f]{16})(?:\.msgpack)?(?:/|$)"
)
_PYTHON = re.compile(r"(?i)/(?:python|pypy|graalpy)[^/]{0,20}$")
_SETTINGS = "facts/settings.json"
PASSES_MOST = 4  # how deep a chain of archives is that hold each other's checksums
PYTHONS_MOST = 60  # each is paired with each

# An inline table, or the rows below a header: where a lockfile says checksum and size of one archive.
_SIZED_TABLE = re.compile(rb"\{[^{}\r\n]{0,4000}(?:\{[^{}\r\n]{0,1000}\}[^{}\r\n]{0,1000})?\}")

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
