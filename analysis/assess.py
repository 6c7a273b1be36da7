"""Puts it together: texts are read, heard and examined; each gets one assessment.

A stage that fails costs its own findings on that text and nothing else: it is logged, the
assessment says that it is degraded, and where it was the rules that failed a person is asked
to look.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

from analysis import limits
from analysis.engines import Engine, judged
from analysis.levels import is_counted, propose, settle
from analysis.rows import rows_of
from analysis.subject import Stage, Subject, Verdict, read_all
from store.records import Assessment, Finding, Level, Role, Topic

log = logging.getLogger(__name__)

#: Stages without which a post may not simply pass as harmless.
ESSENTIAL: Final = frozenset({"rules"})


_ASSESSMENT: Final = rows_of(Assessment)

#: topics → the key date on which these count one graver; "" on an ordinary day
Keen = Callable[[Collection[Topic]], str]


def assess(
    subjects: Sequence[Subject],
    *,
    stages: Mapping[str, Stage],
    engine: Engine,
    keen: Keen | None = None,
) -> list[Assessment]:
    """One assessment a subject, in order; never raises for what a text, stage or engine does."""
    return list(assessed(subjects, stages=stages, engine=engine, keen=keen))


def assessed(
    subjects: Sequence[Subject],
    *,
    stages: Mapping[str, Stage],
    engine: Engine,
    keen: Keen | None = None,
    in_place: bool = False,
) -> Iterator[Assessment]:
    """As `assess`; whoever takes and drops one at a time finds the next in the same memory.

    `in_place`: what is worked out is written into the subjects, which costs less than copies.
    """
    read = read_all(subjects, in_place=in_place)
    if not in_place:
        read = [
            one.having() if one is given else one for one, given in zip(read, subjects, strict=True)
        ]
    verdicts = judged(engine, read)
    # Each stage sees what those before it found: the list grows as they speak. An engine that
    # hears the kind of post as well spares the topic stage a second pass.
    _note(read, verdicts)
    for name, stage in stages.items():
        read = _prepared(name, stage, read)
    left = list(zip(read, verdicts, strict=True))
    left.reverse()
    del subjects, read, verdicts
    while left:  # what is done with is let go while the caches still hold it
        yield _one(*left.pop(), stages, keen)


def _note(subjects: Sequence[Subject], verdicts: Sequence[Verdict]) -> None:
    """What the engine said of each."""
    for subject, verdict in zip(subjects, verdicts, strict=True):
        subject.verdict = verdict
        subject.found = []
        if verdict.leaning and not subject.leaning:
            subject.leaning = verdict.leaning


def _prepared(name: str, stage: Stage, read: list[Subject]) -> list[Subject]:
    """A stage may have a `prepare` that looks at a whole batch at once, before any stage speaks."""
    prepare = getattr(stage, "prepare", None)
    if prepare is None:
        return read
    try:
        made: list[Subject] = list(prepare(read))
        if len(made) != len(read):
            raise ValueError(f"{len(made)} subjects for {len(read)}")
    except Exception:  # the stage goes on with what it is given
        log.exception("stage-unprepared stage=%s", name)
        return read
    return made


def _one(
    subject: Subject, verdict: Verdict, stages: Mapping[str, Stage], keen: Keen | None
) -> Assessment:
    degraded = verdict.degraded
    if subject.verdict is not verdict or subject.found or not isinstance(subject.found, list):
        subject = subject.having(verdict=verdict, found=[])  # a stage made a subject of its own
    found: list[Finding] = subject.found  # type: ignore[assignment]  # a list, as just seen to
    for name, stage in stages.items():
        try:
            said = stage(subject)
            if said != ():
                found.extend(list(said))  # whole or not at all
        except Exception:  # one stage must not stop the others
            log.exception("stage-failed stage=%s channel=%s", name, subject.channel)
            degraded = True
            found.append(_failed(name, subject.role))
    if subject.reading is not None and subject.reading.is_cut:
        degraded = True
        found.append(
            Finding(
                stage="limits",
                reason=f"正文过长，只研判了前{limits.TEXT // 10_000}万字。",
            )
        )
    if subject.role is not Role.PUBLIC:
        found = [f for f in found if is_counted(f, subject.role)]
    # What is only noted, and that is most, has neither topic nor level.
    telling = [f for f in found if f.topic is not None or f.level is not None]
    tone, score = settle(verdict.label, verdict.score, telling, subject.role)
    period = ""
    if keen is not None and telling:
        graver = {f.topic for f in telling if f.level is not None and f.topic is not None}
        period = keen(graver) if graver else ""
    proposal = propose(telling, tone, subject.role, subject.kind, key_period=period)
    for reason in proposal.reasons:
        found.append(Finding(stage="level", level=proposal.level, reason=reason))
    topics = _topics(telling) if telling else ()
    heard_by = f"{verdict.engine}:{verdict.model}" if verdict.model else verdict.engine
    level, flagged = proposal.level, proposal.flagged
    return _ASSESSMENT((tone, score, topics, level, flagged, tuple(found), heard_by, degraded))


def _failed(stage: str, role: Role) -> Finding:
    if stage in ESSENTIAL and role is Role.PUBLIC:
        return Finding(
            stage=stage,
            topic=Topic.SYSTEM,
            level=Level.IV,
            reason="规则研判出错，本帖未能自动研判，须人工查看。",
        )
    return Finding(stage=stage, reason=f"研判环节“{stage}”出错，其余环节照常。")


def _topics(findings: Sequence[Finding]) -> tuple[Topic, ...]:
    """Each once, the gravest first."""
    topics = dict.fromkeys([f.topic for f in findings if f.topic is not None])
    if len(topics) > 1:
        topics = dict.fromkeys(
            [f.topic for f in sorted(findings, key=_rank) if f.topic is not None]
        )
    return tuple(topics)


def _rank(finding: Finding) -> int:
    return finding.level.rank if finding.level else 9
