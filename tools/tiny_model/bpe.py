"""The tokenizer: byte-level BPE, the GPT-2 way (for llama.cpp: tokenizer "gpt2", pre "gpt-2")."""

from __future__ import annotations

import collections
import functools
import random
import re
from collections.abc import Mapping
from itertools import pairwise

import gguf

from tiny_model.doc import Doc
from tiny_model.sizes import MAX_LEN, N_MERGES, SPECIALS
from tiny_model.training_data import make_doc

Word = tuple[str, ...]

PRE = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")
SPLIT = re.compile("(" + "|".join(re.escape(text) for text, _ in SPECIALS) + ")")
SPECIAL_SET = {text for text, _ in SPECIALS}
UNRANKED = 1 << 30
# A few plain English words, so that other text is not all single bytes.
PLAIN = (
    "the and you that with this for are not have from your one all they will would there their what about which "
    "when make like time just know take into year good some could them see other than then now only come over "
    "think also back after use two how work first well way even new want because any these give day most us "
    "file code function return string number value name type list test user message error line import class"
)


@functools.lru_cache(None)
def byte_chars() -> dict[int, str]:
    """Return a printable character for each byte."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, n = {byte: chr(byte) for byte in keep}, 0
    for byte in range(256):
        if byte not in table:
            table[byte] = chr(256 + n)
            n += 1
    return table


class Bpe:
    """A vocabulary learned from word counts, and what it makes of a text."""

    def __init__(self, counts: Mapping[str, int], n_merges: int) -> None:
        """Learn up to ``n_merges`` merges; digits stay single, so that numbers can be copied digit by digit."""
        chars = byte_chars()
        self.merges = self._learn({tuple(chars[b] for b in word.encode()): n for word, n in counts.items()}, n_merges)
        self.tokens = [chars[byte] for byte in range(256)]
        self.tokens += [a + b for a, b in self.merges]
        self.types = [gguf.TokenType.NORMAL] * len(self.tokens)
        for text, is_control in SPECIALS:
            self.tokens.append(text)
            self.types.append(gguf.TokenType.CONTROL if is_control else gguf.TokenType.USER_DEFINED)
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        self.rank = {merge: i for i, merge in enumerate(self.merges)}
        self._cached_word = functools.lru_cache(None)(self._word)

    @classmethod
    def _learn(cls, words: dict[Word, int], n_merges: int) -> list[tuple[str, str]]:
        merges: list[tuple[str, str]] = []
        for _ in range(n_merges):
            pairs: collections.Counter[tuple[str, str]] = collections.Counter()
            for word, count in words.items():
                for pair in pairwise(word):
                    pairs[pair] += count
            best, n = max(pairs.items(), key=lambda item: (item[1], item[0]), default=(("", ""), 0))
            if n < 2:
                break
            merges.append(best)
            words = {cls._merge(word, best): count for word, count in words.items()}
        return merges

    @staticmethod
    def _merge(word: Word, pair: tuple[str, str]) -> Word:
        if pair[0] not in word:
            return word
        out, i = [], 0
        while i < len(word):
            if word[i : i + 2] == pair:
                out.append(word[i] + word[i + 1])
                i += 2
            else:
                out.append(word[i])
                i += 1
        return tuple(out)

    def _word(self, text: str) -> list[int]:
        word = tuple(byte_chars()[byte] for byte in text.encode())
        while len(word) > 1:
            best = min(pairwise(word), key=lambda pair: self.rank.get(pair, UNRANKED))
            if best not in self.rank:
                break
            word = self._merge(word, best)
        return [self.ids[token] for token in word]

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text in which specials may stand."""
        out: list[int] = []
        for piece in SPLIT.split(text):
            if piece in SPECIAL_SET:
                out.append(self.ids[piece])
            else:
                for word in PRE.findall(piece):
                    out.extend(self._cached_word(word))
        return out

    def decode(self, ids: list[int]) -> str:
        """Return the text of tokens."""
        bytes_of = {char: byte for byte, char in byte_chars().items()}
        tokens = [self.tokens[i] for i in ids]
        parts = [t.encode() if t in SPECIAL_SET else bytes(bytes_of[char] for char in t) for t in tokens]
        return b"".join(parts).decode("utf-8", "replace")

    def encode_doc(self, doc: Doc) -> tuple[list[int], list[bool]]:
        """Return the tokens of a document, and which of them are to be learned."""
        ids: list[int] = []
        learn: list[bool] = []
        for text, is_learned in doc.parts:
            encoded = self.encode(text)
            ids += encoded
            learn += [is_learned] * len(encoded)
        return ids[:MAX_LEN], learn[:MAX_LEN]


def learn_bpe(rng: random.Random) -> Bpe:
    """Learn the vocabulary from documents as they will be trained on.

    Numbers stay single digits; emoji and CJK stay bytes, so that a character spans several tokens, which is what a
    test of streaming wants.
    """
    counts: collections.Counter[str] = collections.Counter()
    for _ in range(3000):
        for text, _learn in make_doc(rng).parts:
            for piece in SPLIT.split(text):
                if piece and piece not in SPECIAL_SET:
                    counts.update(PRE.findall(piece))
    for word in PLAIN.split():
        counts[" " + word] += 40
        counts[word] += 10
    return Bpe({word: n for word, n in counts.items() if not re.search(r"\d", word) and word.isascii()}, N_MERGES)
