"""Assesses what intake has stored: posts whose current version has no assessment yet.

One transaction a batch: assessment, findings and the mark on the post appear together or not
at all. What cannot be stored goes alone and, at worst, as a bare degraded assessment, so that
one post never holds the others up.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from analysis import limits
from analysis.assess import Keen, assess
from analysis.engines import Engine
from analysis.subject import Stage, Subject
from store.engine import Database
from store.records import Assessment, Finding, Kind, Level, Role, Tone, Topic, text_of
from store.tables import assessments, findings, posts

log = logging.getLogger(__name__)

Row = Any  #: sa.Row says nothing of its columns by name


def assess_pending(
    sessions: Database,
    *,
    stages: Mapping[str, Stage],
    engine: Engine,
    now: datetime,
    limit: int = 256,
    keen: Keen | None = None,
) -> int:
    """How many posts were assessed; 0 when none waits. Call again while it returns `limit`."""
    with sessions.read() as connection:
        waiting = connection.execute(
            sa.select(
                posts.c.id, posts.c.version, posts.c.channel, posts.c.kind, posts.c.role,
                posts.c.title, posts.c.text, posts.c.published_at,
            )
            .where(posts.c.assessed < posts.c.version)
            .order_by(posts.c.id)
            .limit(limit)
        ).all()  # fmt: skip
    if not waiting:
        return 0
    done = _assessed(waiting, stages, engine, keen)
    pairs = list(zip(waiting, done, strict=True))
    try:
        with sessions.write() as connection:
            for row, assessment in pairs:
                _store(connection, sessions, row, assessment, now)
    except sa.exc.OperationalError:
        raise  # disk full, database away: nothing is lost, the next tick tries again
    except Exception:  # one row the database or a stage's finding spoils
        log.exception("assessment-batch-refused posts=%d", len(pairs))
        for row, assessment in pairs:
            _store_alone(sessions, row, assessment, now)
    return len(pairs)


def _assessed(
    rows: Sequence[Row], stages: Mapping[str, Stage], engine: Engine, keen: Keen | None
) -> list[Assessment]:
    try:
        return assess([_subject(row) for row in rows], stages=stages, engine=engine, keen=keen)
    except Exception:  # one row that cannot even be read must not stop the batch
        log.exception("assess-batch-failed posts=%d", len(rows))
    made: list[Assessment] = []
    for row in rows:
        try:
            made += assess([_subject(row)], stages=stages, engine=engine, keen=keen)
        except Exception:
            log.exception("assess-failed post=%s", row.id)
            made.append(_bare())
    return made


def _subject(row: Row) -> Subject:
    return Subject(
        text=text_of(row.title, row.text),
        title=row.title,
        kind=Kind(row.kind),
        role=Role(row.role),
        channel=row.channel,
        published_at=row.published_at,
    )


def _bare() -> Assessment:
    """For a post that could not be assessed: a person looks."""
    return Assessment(
        tone=Tone.UNKNOWN,
        tone_score=0.0,
        topics=(Topic.SYSTEM,),
        level=Level.IV,
        flagged=True,
        findings=(
            Finding(
                stage="assess",
                topic=Topic.SYSTEM,
                level=Level.IV,
                reason="本帖未能自动研判，须人工查看。",
            ),
        ),
        degraded=True,
    )


def _store(
    connection: sa.Connection,
    sessions: Database,
    row: Row,
    assessment: Assessment,
    now: datetime,
) -> None:
    number = connection.execute(
        sessions.insert(assessments)
        .values(
            post=row.id,
            version=row.version,
            at=now,
            tone=assessment.tone.value,
            tone_score=assessment.tone_score,
            topics=[topic.value for topic in assessment.topics],
            level=assessment.level.value if assessment.level else None,
            flagged=assessment.flagged,
            engine=assessment.engine,
            degraded=assessment.degraded,
        )
        .on_conflict_do_nothing(index_elements=["post", "version"])
        .returning(assessments.c.id)
    ).scalar()
    if number is not None and assessment.findings:  # None: another worker was first
        connection.execute(
            sa.insert(findings),
            [
                _finding(finding, number, row, now)
                for finding in assessment.findings[: limits.FINDINGS_PER_TEXT]
            ],
        )
    # An edit that came in meanwhile keeps the post waiting: its version is higher.
    connection.execute(
        sa.update(posts)
        .where(posts.c.id == row.id, posts.c.assessed < row.version)
        .values(assessed=row.version)
    )


def _finding(finding: Finding, assessment: int, row: Row, now: datetime) -> dict[str, object]:
    return {
        "assessment": assessment,
        "post": row.id,
        "channel": row.channel,
        "at": now,
        "stage": finding.stage,
        "rule": finding.rule,
        "topic": finding.topic.value if finding.topic else None,
        "level": finding.level.value if finding.level else None,
        "reason": _storable(finding.reason),
        "text": _storable(finding.text),
        "start": finding.start,
        "end": finding.end,
    }


def _storable(text: str) -> str:
    """Without NUL and lone surrogates, which databases refuse."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _store_alone(
    sessions: Database,
    row: Row,
    assessment: Assessment,
    now: datetime,
) -> None:
    for attempt in (assessment, _bare()):
        try:
            with sessions.write() as connection:
                _store(connection, sessions, row, attempt, now)
        except sa.exc.OperationalError:
            raise
        except Exception:
            log.exception("assessment-refused post=%s", row.id)
        else:
            return
