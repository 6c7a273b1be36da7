"""`tinglan assess`: JSON Lines in, one line of judgement out for each, in order; stores nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from json.encoder import encode_basestring as _quoted
from math import isfinite
from typing import Any, BinaryIO, Final, TextIO

from analysis import limits
from analysis.assess import assessed
from analysis.engines import Engine
from analysis.subject import Stage, Subject
from store.records import Assessment, Finding, Kind, Role, text_of

Progress = Callable[[int], None]  #: told how many lines are done so far
_TOLD_EVERY: Final = 500
_AHEAD: Final = 4 * limits.BATCH_LINES  #: lines read while others are judged
_AT_ONCE: Final = 192 * 1024  #: bytes that are read together: about BATCH_LINES lines
_JSON: Final = json.JSONEncoder(ensure_ascii=False)
_SCAN: Final = json.JSONDecoder().raw_decode  #: value, where it ends: what `loads` wraps
_LINE_ENDS: Final = frozenset({"", "\n", "\r\n"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessTools:
    stages: Mapping[str, Stage]
    engine: Engine


class LineWrong(Exception):
    """One input line cannot be used; `id` is the line's own where it could be read."""

    def __init__(self, why: str, id: Any = None) -> None:
        super().__init__(why)
        self.id = id


def assess_lines(
    lines: Iterable[str], tools: AssessTools, progress: Progress | None = None
) -> Iterator[dict[str, Any]]:
    """One answer a line, in order; a line that cannot be used is answered with its error.

    Blank lines are answered too, so that line n of the answer is line n of the question.
    Lines that are already there are judged together; nobody waits for a batch to fill.
    """
    for judged in _judged(_batches(lines), tools, progress):
        for one in judged:
            yield _refusal(one) if isinstance(one, LineWrong) else answer(*one)


def _judged(
    batches: Iterable[Sequence[str]], tools: AssessTools, progress: Progress | None
) -> Iterator[Iterator[tuple[Any, Assessment] | LineWrong]]:
    """For each batch, for each line its id and what was made of it, as it is asked for."""
    done = 0
    for batch in batches:
        read: list[tuple[Any, Subject] | LineWrong] = []
        is_utf8 = _are_utf8(batch)
        for number, line in enumerate(batch, start=done + 1):
            try:
                read.append(subject_of(line, is_utf8=is_utf8))
            except LineWrong as error:
                read.append(LineWrong(f"line {number}: {error}", error.id))
        good = [one for one in read if not isinstance(one, LineWrong)]
        made = assessed(
            [subject for _, subject in good],
            stages=tools.stages,
            engine=tools.engine,
            in_place=True,
        )
        answers = zip([id for id, _ in good], made, strict=True)
        wrong = [one if isinstance(one, LineWrong) else None for one in read]
        is_whole = len(good) == len(read)
        del read, good  # the judge alone holds them, and lets each go once it is done
        yield answers if is_whole else (next(answers) if one is None else one for one in wrong)
        done += len(wrong)
        if progress is not None:
            progress(done)


def _are_utf8(batch: Sequence[str]) -> bool:
    """Asked of many lines at once it costs next to nothing; False also where they are too long."""
    return sum(map(len, batch)) <= _AT_ONCE and not _has_surrogates("".join(batch))


def _refusal(error: LineWrong) -> dict[str, Any]:
    return {"id": error.id, "error": str(error)}


def subject_of(line: str, *, is_utf8: bool = False) -> tuple[Any, Subject]:
    """The id and the subject of one input line. Raises LineWrong.

    `is_utf8`: it is known to hold no bytes that are not.
    """
    raw = _object(line, is_utf8)
    id = raw.get("id")
    if "id" not in raw or isinstance(id, dict | list):
        raise LineWrong("id: found nothing usable, expected text or a number")
    text = raw.get("text")
    if type(text) is str and len(raw) == 2:  # as most lines are
        return id, Subject(text=text)
    if "text" not in raw:
        raise LineWrong("text: found nothing, expected text", id)
    words = {key: _text(raw, key, id) for key in ("text", "title", "channel")}
    return id, Subject(
        text=text_of(words["title"], words["text"]),
        title=words["title"],
        kind=_one_of(Kind, raw, "kind", Kind.POST, id),
        role=_one_of(Role, raw, "role", Role.PUBLIC, id),
        channel=words["channel"],
        published_at=_moment(raw, id),
    )


def _object(line: str, is_utf8: bool) -> dict[str, Any]:
    if len(line) > limits.LINE_BYTES:
        raise LineWrong(f"found {len(line)} characters, expected at most {limits.LINE_BYTES}")
    if not is_utf8 and _has_surrogates(line):  # as surrogateescape leaves bad bytes
        raise LineWrong("found bytes that are not UTF-8, expected UTF-8")
    try:
        raw, end = _SCAN(line, 0)
        if line[end:] in _LINE_ENDS and type(raw) is dict:
            return raw
    except (ValueError, RecursionError):
        pass  # told below
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
        said = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise LineWrong(f"found no JSON ({said}), expected one JSON object") from None
    if not isinstance(raw, dict):
        raise LineWrong(f"found a {type(raw).__name__}, expected a JSON object")
    return raw


def answer(id: Any, assessment: Assessment) -> dict[str, Any]:
    """As the command line promises; spans point into the title, a newline, the text."""
    return {
        "id": id,
        "tone": assessment.tone.value,
        "tone_score": round(assessment.tone_score, 6),
        "topics": [topic.value for topic in assessment.topics],
        "level": assessment.level.value if assessment.level else None,
        "flagged": assessment.flagged,
        "reasons": [_reason(finding) for finding in assessment.findings],
        "engine": assessment.engine,
        "degraded": assessment.degraded,
    }


def _reason(finding: Finding) -> dict[str, Any]:
    return {
        "stage": finding.stage,
        "rule": finding.rule,
        "text": finding.text,
        "start": finding.start,
        "end": finding.end,
        "why": finding.reason,
    }


def write(answers: Iterable[Mapping[str, Any]], out: TextIO) -> bool:
    """Writes JSON Lines as they come. False where any line was an error."""
    is_good = True
    for one in answers:
        is_good = is_good and "error" not in one
        out.write(_line(one))
        out.flush()
    return is_good


def assess_stream(
    batches: Iterable[Sequence[str]],
    tools: AssessTools,
    out: TextIO,
    progress: Progress | None = None,
) -> None:
    """As `assess_lines`, written to `out` as JSON Lines: what comes together is judged together."""
    for judged in _judged(batches, tools, progress):
        made = [
            f"{_JSON.encode(_refusal(one))}\n" if isinstance(one, LineWrong) else _written(*one)
            for one in judged
        ]
        whole = "".join(made)
        if _has_surrogates(whole):
            whole = "".join(map(_as_ascii, made))
        out.write(whole)
        out.flush()


def arriving(file: BinaryIO) -> Iterator[list[str]]:
    """The lines of a file or a pipe, those together that are there; nobody waits for more."""
    begun: list[bytes] = []  # a line that is not whole yet
    while data := file.read1(_AT_ONCE):  # type: ignore[attr-defined]
        whole, newline, rest = data.rpartition(b"\n")
        if not newline:
            begun.append(data)
            continue
        yield from _batched(b"".join((*begun, whole, newline)))
        begun = [rest] if rest else []
    if begun:
        yield from _batched(b"".join(begun))


def _batched(data: bytes) -> Iterator[list[str]]:
    text = data.decode("utf-8", "surrogateescape")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    if not lines[-1]:  # behind the last newline
        lines.pop()
    for i in range(0, len(lines), limits.BATCH_LINES):
        yield lines[i : i + limits.BATCH_LINES]


def _written(id: Any, judged: Assessment) -> str:
    """What `_JSON` makes of `answer`, and a newline; it takes a fifth of the time."""
    reasons = ", ".join(
        [
            f'{_known(stage, rule)}{_quoted(text)}, "start": {start}, "end": {end}, '
            f'"why": {_quoted(why)}}}'
            for stage, why, rule, _, _, text, start, end in judged.findings
        ]
    )
    level = "null" if judged.level is None else f'"{judged.level}"'
    topics = ", ".join([f'"{topic}"' for topic in judged.topics])
    return (
        f'{{"id": {_quoted(id) if type(id) is str else _number(id)}, "tone": "{judged.tone}", '
        f'"tone_score": {_number(round(judged.tone_score, 6))}, "topics": [{topics}], '
        f'"level": {level}, "flagged": {"true" if judged.flagged else "false"}, '
        f'"reasons": [{reasons}], "engine": {_quoted(judged.engine)}, '
        f'"degraded": {"true" if judged.degraded else "false"}}}\n'
    )


def _number(value: Any) -> str:
    is_plain = type(value) is int or (type(value) is float and isfinite(value))
    return repr(value) if is_plain else _JSON.encode(value)


@lru_cache(maxsize=10_000)
def _known(stage: str, rule: str) -> str:
    """How a reason of this rule begins."""
    return f'{{"stage": {_quoted(stage)}, "rule": {_quoted(rule)}, "text": '


def _line(one: Mapping[str, Any]) -> str:
    line = f"{_JSON.encode(one)}\n"
    return _as_ascii(line) if _has_surrogates(line) else line


def _has_surrogates(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _as_ascii(line: str) -> str:
    """A lone surrogate of the input comes back in a reason: the line is then pure ASCII."""
    return f"{json.dumps(json.loads(line))}\n" if _has_surrogates(line) else line


def _text(raw: Mapping[str, Any], key: str, id: Any) -> str:
    value = raw.get(key)
    if value is None and key != "text":
        return ""
    if not isinstance(value, str):
        raise LineWrong(f"{key}: found a {type(value).__name__}, expected text", id)
    return value


def _one_of(kind: type[Any], raw: Mapping[str, Any], key: str, default: Any, id: Any) -> Any:
    value = raw.get(key)
    if value is None:
        return default
    names = [one.value for one in kind]
    if not isinstance(value, str) or value not in names:
        raise LineWrong(f"{key}: found {value!r}, expected one of {', '.join(names)}", id)
    return kind(value)


def _moment(raw: Mapping[str, Any], id: Any) -> datetime | None:
    value = raw.get("published_at")
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise LineWrong(
            f"published_at: found {value!r}, expected ISO 8601 such as 2026-11-22T08:00:00+08:00",
            id,
        ) from None


class _Arrivals:
    """Lines as a thread reads them; whoever asks gets what has come so far."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self._here: list[str] = []
        self._changed = threading.Condition()
        self._is_over = False
        self._failed: Exception | None = None
        threading.Thread(target=self._read, name="assess-lines", daemon=True).start()

    def take(self, most: int) -> list[str]:
        """At least one line and at most so many; none once all have been taken."""
        with self._changed:
            while not self._here and not self._is_over:
                self._changed.wait()
            taken, self._here = self._here[:most], self._here[most:]
            self._changed.notify()
        if not taken and self._failed is not None:
            raise self._failed
        return taken

    def stop(self) -> None:
        with self._changed:
            self._is_over = True
            self._here = []
            self._changed.notify()

    def _read(self) -> None:
        try:
            for line in self._lines:
                with self._changed:
                    while len(self._here) >= _AHEAD and not self._is_over:
                        self._changed.wait()
                    if self._is_over:
                        return
                    self._here.append(line)
                    if len(self._here) == 1:
                        self._changed.notify()
        except Exception as error:
            self._failed = error
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify()


def _batches(lines: Iterable[str]) -> Iterator[list[str]]:
    """What has arrived so far, at most BATCH_LINES at a time, without waiting for more."""
    arrived = _Arrivals(lines)
    try:
        while batch := arrived.take(limits.BATCH_LINES):
            yield batch
    finally:
        arrived.stop()


def tell(stream: TextIO, every: int = _TOLD_EVERY) -> Progress:
    """Progress for a person: one line on `stream` each `every` lines."""
    told = 0

    def progress(done: int) -> None:
        nonlocal told
        if done // every > told:
            told = done // every
            stream.write(f"已研判 {done} 条\n")
            stream.flush()

    return progress
