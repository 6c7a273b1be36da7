"""Reads rule packs: TOML that an office writes; every mistake at once, with file and key."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Protocol

import re2
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from analysis import limits
from analysis.normalise import normal_all
from config.reading import Mistake, Wrong
from store.records import Kind, Level, Role, Topic

Words = tuple[str, ...]


class Excuse(BaseModel):
    """Words that speak for a text, unless others speak against them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: Words = Field(min_length=1)
    despite: Words = ()


class Rule(BaseModel):
    """One rule as written. A rule without a level takes note and never flags."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")
    name: str = Field(min_length=1, max_length=30)
    reason: str = Field(min_length=4, max_length=200)  #: `{word}` stands for the words hit
    topic: Topic | None = None  #: default: the pack's
    level: Level | None = None
    any: Words = ()  #: one of these must be there
    patterns: Words = ()  #: or one of these (RE2)
    must: tuple[Words, ...] = ()  #: and one of each of these lists
    near: int = Field(default=0, ge=0, le=500)  #: within so many characters; 0: anywhere
    none: Words = ()  #: any of these in the text, and the rule is silent
    unless: Words = ()  #: any of these in the same sentence, and that hit does not count
    despite: Words = ()  #: any of these in the text, and `none` and `unless` do not apply
    excuses: tuple[Excuse, ...] = ()  #: further `none` lists, each with its own `despite`
    inside: Words = ()  #: longer words in which a hit does not count
    negation: Literal["void", "keep"] = "void"
    question: Literal["void", "keep"] = "keep"
    quoted: Literal["void", "keep"] = "keep"
    sound: tuple[Literal["homophone", "pinyin"], ...] = ()  #: `any` also as it is pronounced
    roles: tuple[Role, ...] = (Role.PUBLIC,)
    kinds: tuple[Kind, ...] = ()  #: empty: every kind
    channels: tuple[str, ...] = ()  #: empty: every channel
    weak: bool = False  #: counts only where the topic classifier does not hold the text for calm
    review: date  #: when somebody should look at the rule again
    note: str = ""  #: for the people who keep the rules


class PackHead(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=30)
    topic: Topic | None = None
    about: str = ""


class Pack(BaseModel):
    """One file: a head, word lists to refer to as "@list" or "@pack/list", and rules."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pack: PackHead
    words: dict[str, Words] = Field(default_factory=dict)
    rules: tuple[Rule, ...] = Field(default=(), max_length=limits.RULES_PER_PACK)


class PackFile(Protocol):
    """A path, or a file inside the installed package."""

    @property
    def name(self) -> str: ...

    def read_text(self, encoding: str) -> str: ...


class PacksWrong(Wrong):
    """The rules cannot be used."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A rule with its full name, and its word lists with every "@list" put in."""

    pack: str
    rule: Rule
    topic: Topic
    #: field → normalised words, and patterns as "/…/"; `must` as must.0, must.1 …
    lists: dict[str, tuple[str, ...]]

    name: str = field(init=False)  #: pack/id

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.pack}/{self.rule.id}")


#: The fields of a rule that hold lists of words.
LISTS = ("any", "none", "unless", "despite", "inside")


def shipped() -> list[PackFile]:
    """The packs that come with tinglan, by name."""
    folder = resources.files("config").joinpath("packs")
    found: list[PackFile] = [f for f in folder.iterdir() if f.name.endswith(".toml")]
    return sorted(found, key=lambda f: f.name)


def in_folder(folder: Path) -> list[PackFile]:
    """An office's own packs; a file with a shipped name takes the shipped one's place."""
    found: list[PackFile] = list(folder.glob("*.toml"))
    return sorted(found, key=lambda f: f.name)


def load(files: Sequence[PackFile]) -> list[Resolved]:
    """Every rule of the files. Of two files with one name the later counts.

    Raises PacksWrong with every mistake of every file.
    """
    mistakes: list[Mistake] = []
    packs: dict[str, tuple[str, Pack]] = {}
    for file in files:
        pack = _parse(file, mistakes)
        if pack is not None:
            packs[file.name.removesuffix(".toml")] = (str(file), pack)
    spelt = normal_all(word for _, pack in packs.values() for word in _written(pack))
    resolved: list[Resolved] = []
    for name, (file_name, pack) in packs.items():
        seen: set[str] = set()
        for number, rule in enumerate(pack.rules):
            place = _Place(file_name, f"rules.{number}", mistakes)
            if rule.id in seen:
                place.wrong("id", repr(rule.id), "an id used once in this file")
            seen.add(rule.id)
            resolved.append(_resolve(name, rule, _Lists(pack, packs, spelt), place))
    if mistakes:
        raise PacksWrong(mistakes)
    return resolved


@dataclass(frozen=True, slots=True)
class _Place:
    file: str
    key: str
    mistakes: list[Mistake]

    def wrong(self, field: str, found: str, expected: str) -> None:
        self.mistakes.append(
            Mistake(self.file, f"{self.key}.{field}", found, f"expected {expected}")
        )


@dataclass(frozen=True, slots=True)
class _Lists:
    """What the words of one pack's rules can refer to, and how they are spelt for matching."""

    pack: Pack
    packs: Mapping[str, tuple[str, Pack]]
    spelt: Mapping[str, str]

    def named(self, name: str) -> Words | None:
        other, slash, rest = name.partition("/")
        if not slash:
            return self.pack.words.get(name)
        return self.packs[other][1].words.get(rest) if other in self.packs else None


def _parse(file: PackFile, mistakes: list[Mistake]) -> Pack | None:
    name = str(file)
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        mistakes.append(
            Mistake(name, "(file)", type(error).__name__, "expected a readable UTF-8 file")
        )
        return None
    except tomllib.TOMLDecodeError as error:
        mistakes.append(Mistake(name, "(file)", str(error), "expected TOML"))
        return None
    try:
        return Pack.model_validate(raw)
    except ValidationError as error:
        mistakes += [_mistake(name, one) for one in error.errors(include_url=False)]
        return None


def _mistake(file: str, one: Any) -> Mistake:
    key = ".".join(str(part) for part in one["loc"]) or "(file)"
    if one["type"] == "missing":
        return Mistake(file, key, "nothing", "expected a value")
    if one["type"] == "extra_forbidden":
        return Mistake(file, key, "an unknown key", "expected no such key: is it misspelt?")
    expected = str(one.get("ctx", {}).get("expected") or one["msg"])
    expected = expected.removeprefix("Input should be ")
    return Mistake(file, key, _show(one["input"]), f"expected {expected}")


def _written(pack: Pack) -> Iterator[str]:
    """Every word of a pack as it is written, patterns left out."""
    lists: list[Words] = list(pack.words.values())
    for rule in pack.rules:
        lists += [getattr(rule, field) for field in LISTS]
        lists += rule.must
        for excuse in rule.excuses:
            lists += [excuse.words, excuse.despite]
    return (w for some in lists for w in some if not is_pattern(w))


def _resolve(name: str, rule: Rule, known: _Lists, place: _Place) -> Resolved:
    pack = known.pack
    lists = {field: _words(getattr(rule, field), field, known, place) for field in LISTS}
    for number, group in enumerate(rule.must):
        field = f"must.{number}"
        lists[field] = _words(group, field, known, place)
        if not group:
            place.wrong(field, "an empty list", "at least one word")
    for number, excuse in enumerate(rule.excuses):
        for part in ("words", "despite"):
            field = f"excuses.{number}.{part}"
            lists[field] = _words(getattr(excuse, part), field, known, place)
    for number, pattern in enumerate(rule.patterns):
        _check(pattern, f"patterns.{number}", place)
    if not rule.any and not rule.patterns:
        place.wrong("any", "nothing", "words in `any`, or patterns")
    if rule.near and not rule.must:
        place.wrong("near", str(rule.near), "`must` words for it to be near to")
    topic = rule.topic or pack.pack.topic
    if topic is None:
        place.wrong("topic", "nothing", "a topic here or in [pack]")
        topic = Topic.SYSTEM
    if "{" in rule.reason.replace("{word}", "") or "}" in rule.reason.replace("{word}", ""):
        place.wrong("reason", _show(rule.reason), "no braces other than {word}")
    return Resolved(name, rule, topic, lists)


def _words(written: Words, field: str, known: _Lists, place: _Place) -> tuple[str, ...]:
    """Normalised, each once, with references put in."""
    made: dict[str, None] = {}
    for number, word in enumerate(written):
        if word.startswith("@"):
            listed = known.named(word[1:])
            if listed is None:
                place.wrong(f"{field}.{number}", repr(word), "the name of a list in [words]")
                continue
            source: Words = listed
        else:
            source = (word,)
        for one in source:
            if is_pattern(one):
                _check(one[1:-1], f"{field}.{number}", place)
                made[one] = None
                continue
            done = known.spelt.get(one, "")
            if not done or len(done) > limits.WORD_CHARS:
                place.wrong(
                    f"{field}.{number}",
                    _show(one),
                    f"a word of 1 to {limits.WORD_CHARS} characters",
                )
            elif len(done) == 1 and done.isalnum() and field == "any":
                place.wrong(
                    f"{field}.{number}", _show(one), "at least two characters (or a pattern)"
                )
            else:
                made[done] = None
    if len(made) > limits.WORDS_PER_LIST:
        place.wrong(field, f"{len(made)} words", f"at most {limits.WORDS_PER_LIST}")
    return tuple(made)


def is_pattern(word: str) -> bool:
    """In a list, "/…/" is a pattern; everything else is a word."""
    return len(word) > 2 and word[0] == word[-1] == "/"


def _check(pattern: str, key: str, place: _Place) -> None:
    said = _complaint(pattern)
    if said is not None:
        place.wrong(key, _show(pattern), f"an RE2 pattern ({said})")


@lru_cache(maxsize=4_096)  # lists refer to each other: most patterns come six times and more
def _complaint(pattern: str) -> str | None:
    """What RE2 has against a pattern; None: nothing."""
    try:
        compiled(pattern)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return None


def compiled(pattern: str | bytes) -> Any:
    """A pattern in RE2: linear time whatever the text. Raises re2.error."""
    return re2.compile(pattern, options=pattern_options())


def pattern_options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = limits.PATTERN_MEMORY
    options.never_capture = True  # only where a match is: brackets cost several times as much
    return options


def _show(value: object) -> str:
    if isinstance(value, dict | list | tuple):
        return f"a {'table' if isinstance(value, dict) else 'list'} of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
