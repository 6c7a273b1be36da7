"""What a whole text allows, for many rules and texts at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.look import Table, places_in
from analysis.packs import Resolved
from analysis.subject import Subject


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of a place of a rule, as numbers of lists; `never` where it has none."""

    any: int
    inside: int
    unless: int
    must: tuple[int, ...]
    near: int
    is_own: bool  #: quoted words do not count
    is_askable: bool


class Gate:
    """Which rules a text may meet at all."""

    def __init__(
        self, rules: Sequence[Resolved], slots: Sequence[dict[str, int]], always: int, never: int
    ) -> None:
        self._rules = rules
        self.plans = [
            Plan(
                any=some.get("any", never),
                inside=some.get("inside", never),
                unless=some.get("unless", never),
                must=tuple(some.get(f"must.{n}", never) for n in range(len(one.rule.must))),
                near=one.rule.near,
                is_own=one.rule.quoted == "void",
                is_askable=one.rule.question == "void",
            )
            for one, some in zip(rules, slots, strict=True)
        ]
        self.is_negatable = np.array([one.rule.negation == "void" for one in rules], dtype=np.bool_)
        self.is_askable = np.array([plan.is_askable for plan in self.plans], dtype=np.bool_)
        self.near = np.array([plan.near for plan in self.plans], dtype=np.int64)
        self.inside, self.unless, self.despite = (
            np.array([some.get(name, never) for some in slots], dtype=np.int64)
            for name in ("inside", "unless", "despite")
        )
        most = max((len(plan.must) for plan in self.plans), default=0)
        self._must = [
            np.array(
                [plan.must[n] if n < len(plan.must) else always for plan in self.plans],
                dtype=np.int64,
            )
            for n in range(most)
        ]
        names = {name for some in slots for name in some if name.endswith(".words")}
        pairs = [("none", "despite")] + [
            (name, f"{name.removesuffix('words')}despite") for name in sorted(names)
        ]
        #: (list that silences a rule, list that speaks against it)
        self._vetoes = [
            tuple(np.array([s.get(n, never) for s in slots], dtype=np.int64) for n in pair)
            for pair in pairs
        ]
        #: rules that ask for something of the whole text
        self._asks: Table = np.zeros(len(rules), dtype=np.bool_)
        for column in self._must:
            self._asks |= column != always
        for silences, _ in self._vetoes:
            self._asks |= silences != never
        self._known: dict[tuple[str, str, str], Table] = {}

    def open(self, begun: Table, has: Table, hoped: Table) -> Table:
        """Of these (text, rule) those that are not ruled out; `hoped` as `has`, and what may be."""
        posts, rules = places_in(begun & self._asks)
        made = begun.copy()
        width = has.shape[1]
        base, has, hoped = posts * width, has.ravel(), hoped.ravel()
        ok = np.ones(len(posts), dtype=np.bool_)
        for column in self._must:
            ok &= hoped.take(base + column.take(rules))
        for silences, speaks in self._vetoes:
            some = np.flatnonzero(has.take(base + silences.take(rules)))  # few are silenced
            there = rules.take(some)
            ok[some] &= hoped.take(base.take(some) + speaks.take(there))
        made.ravel()[posts * begun.shape[1] + rules] = ok
        return made

    def allowed(self, subjects: Sequence[Subject]) -> Table:
        """Text, rule → whether it looks at this role, kind and channel."""
        if len(self._known) > 10_000:  # whoever sends names of channels must not fill the memory
            self._known.clear()
        keys = [(one.role, one.kind, one.channel) for one in subjects]
        if keys.count(keys[0]) == len(keys):
            return np.tile(self._allowed(keys[0], subjects[0]), (len(keys), 1))
        return np.stack(list(map(self._allowed, keys, subjects)))

    def _allowed(self, key: tuple[str, str, str], subject: Subject) -> Table:
        row = self._known.get(key)
        if row is None:
            row = self._known[key] = np.array(
                [concerns(rule, subject) for rule in self._rules], dtype=np.bool_
            )
        return row


def concerns(rule: Resolved, subject: Subject) -> bool:
    written = rule.rule
    return (
        subject.role in written.roles
        and (not written.kinds or subject.kind in written.kinds)
        and (not written.channels or subject.channel in written.channels)
    )
