"""What a stage is given: one text with who said it, where, and what was already worked out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from analysis import limits
from analysis.normalise import Normalised, normalise_all
from analysis.quoted import Span, own_words, quoted_all
from analysis.rows import rows_of
from store.records import Finding, Kind, Post, Role, Tone, text_of

_NONE: Final[Mapping[Any, float]] = MappingProxyType({})
Leaning = Sequence[float]  #: the share of each kind of post, as in `analysis.model.blend.KINDS`


class Verdict(NamedTuple):
    """What a tone engine says of one text. `score` runs from -1 (negative) to 1 (positive)."""

    label: Tone
    score: float = 0.0
    probabilities: Mapping[Tone, float] = _NONE
    evidence: tuple[str, ...] = ()  #: words or n-grams that weighed most
    engine: str = ""
    model: str = ""  #: hash of the model
    degraded: bool = False  #: late, dead or refused; the label is then `unknown`
    #: what kind of post the engine heard, for `Subject.leaning`; empty where it cannot tell
    leaning: Leaning = ()


class Reading(NamedTuple):
    """A text made ready: in matching spelling, and split into own and quoted words."""

    normalised: Normalised
    quoted: tuple[Span, ...]
    own: str  #: the writer's own words, original spelling
    voice: str  #: the same in matching spelling; empty where there are none
    is_cut: bool  #: only the first `limits.TEXT` characters were read


_row: Final = rows_of(Reading)


@dataclass(slots=True, kw_only=True, eq=False)  # not frozen: of every post one is made
class Subject:
    """One text to judge. Spans of findings point into `text`, which is `text_of(title, body)`."""

    text: str
    title: str = ""
    kind: Kind = Kind.POST
    role: Role = Role.PUBLIC
    channel: str = ""
    published_at: datetime | None = None
    reading: Reading | None = None  #: set by `read_all`
    verdict: Verdict | None = None  #: set once the tone engine has answered
    leaning: Leaning = ()  #: empty where nobody could say
    found: Sequence[Finding] = ()  #: what the stages before this one found
    marks: dict[str, Any] = field(default_factory=dict)  #: where a stage notes what it prepared

    @classmethod
    def of(cls, post: Post) -> Subject:
        return cls(
            text=text_of(post.title, post.text),
            title=post.title,
            kind=post.kind,
            role=post.role,
            channel=post.channel,
            published_at=post.published_at,
        )

    def having(
        self,
        *,
        reading: Reading | None = None,
        verdict: Verdict | None = None,
        leaning: Leaning | None = None,
        found: Sequence[Finding] | None = None,
    ) -> Subject:
        """The same with what has been worked out since; several times `dataclasses.replace`."""
        return Subject(
            text=self.text,
            title=self.title,
            kind=self.kind,
            role=self.role,
            channel=self.channel,
            published_at=self.published_at,
            reading=self.reading if reading is None else reading,
            verdict=self.verdict if verdict is None else verdict,
            leaning=self.leaning if leaning is None else leaning,
            found=self.found if found is None else found,
            marks=self.marks,
        )


Stage = Callable[[Subject], Iterable[Finding]]


def read_all(subjects: Sequence[Subject], *, in_place: bool = False) -> list[Subject]:
    """The same subjects with their reading; those that have one keep it.

    `in_place`: it is written into them; otherwise the subjects given stay as they are.
    """
    todo = [s for s in subjects if s.reading is None]
    if not todo:
        return list(subjects)
    fresh = iter(_readings([s.text for s in todo]))
    if in_place:
        for subject, reading in zip(todo, fresh, strict=True):
            subject.reading = reading
        return list(subjects)
    return [
        subject if subject.reading is not None else subject.having(reading=next(fresh))
        for subject in subjects
    ]


def _readings(whole: Sequence[str]) -> list[Reading]:
    texts = [text[: limits.TEXT] for text in whole]
    normalised, quoted = normalise_all(texts), quoted_all(texts)
    own, voices = list(texts), [one.text for one in normalised]
    # Quoting is rare: all others have their own words in matching spelling already.
    some = [i for i, spans in enumerate(quoted) if spans]
    if some:
        for i in some:
            own[i] = own_words(texts[i], quoted[i])
        for i, one in zip(some, normalise_all([own[i] for i in some]), strict=True):
            voices[i] = one.text
    voices = ["" if voice.isspace() else voice for voice in voices]
    is_cut = [len(given) > limits.TEXT for given in whole]
    return list(map(_row, zip(normalised, quoted, own, voices, is_cut, strict=True)))


def reading_of(subject: Subject) -> Reading:
    """The subject's reading, made now where there is none yet."""
    if subject.reading is not None:
        return subject.reading
    done = read_all([subject])[0].reading
    assert done is not None  # noqa: S101 - read_all has just set it
    return done
