"""Every cap of the analysis, in one file: characters, seconds, counts."""

from __future__ import annotations

from typing import Final

#: Characters of a text that are read; the rest is said to be unread, and the result degraded.
TEXT: Final = 200_000
#: Lines of `assess` that are assessed together.
BATCH_LINES: Final = 1024
#: One JSON line of `assess`.
LINE_BYTES: Final = 4 * 1024 * 1024

#: SnowNLP gets no more than this (R9) …
SNOWNLP_TEXT: Final = 2_000
#: … and this is what it is given unless settings say otherwise: its score leans to 1.0 on
#: anything long, and its time grows faster than the text.
SNOWNLP_TEXT_DEFAULT: Final = 500
#: Seconds for one text; later than that the worker is killed and the answer is "unknown" (R9).
SNOWNLP_SECONDS: Final = 1.0
#: Seconds the worker may take to load its model, once per start.
SNOWNLP_START_SECONDS: Final = 60.0
#: Failures in a row after which the rest of a batch is answered "unknown" without trying.
SNOWNLP_FAILURES: Final = 3
#: Bytes of address space of the worker.
SNOWNLP_MEMORY: Final = 2 * 1024**3
#: Bytes of address space of the e5 worker: the model is 45 MB, the rest is room for threads.
E5_MEMORY: Final = 2 * 1024**3

#: Reasons one rule gives for one text.
FINDINGS_PER_RULE: Final = 3
#: Reasons one text gets in all; the gravest come first.
FINDINGS_PER_TEXT: Final = 40
#: Hits of one rule's words that are looked at in one text.
HITS_PER_RULE: Final = 200
#: Hits of one word list that are looked at in one text.
HITS_PER_LIST: Final = 1_000
#: Bytes RE2 may use for one pattern.
PATTERN_MEMORY: Final = 4 * 1024**2
#: Characters of a word, words of a list, rules of a pack.
WORD_CHARS: Final = 60
WORDS_PER_LIST: Final = 100_000
RULES_PER_PACK: Final = 2_000
