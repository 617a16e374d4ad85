"""Training: batches, the optimiser, the loop."""

from __future__ import annotations

import concurrent.futures
import random
import re
import time
from collections.abc import Callable, Iterator

import numpy as np

from tiny_model.bpe import Bpe
from tiny_model.corpus import CITIES, NAMES, WORDS
from tiny_model.network import Array, Llama, Params
from tiny_model.sizes import F32
from tiny_model.training_data import make_doc

BATCH_TOKENS = 2048
BETA1, BETA2 = 0.9, 0.98


class Adam:
    """The optimiser's memory."""

    def __init__(self, params: Params) -> None:
        """Start with no memory."""
        self.m = {k: np.zeros_like(v) for k, v in params.items()}
        self.v = {k: np.zeros_like(v) for k, v in params.items()}
        self.t = 0

    def update(self, params: Params, grads: Params, lr: float) -> None:
        """Change ``params`` by one step of size ``lr``."""
        self.t += 1
        norm = np.sqrt(sum(float((g * g).sum()) for g in grads.values()))
        clip = min(1.0, 1.0 / (norm + 1e-6))
        c1, c2 = 1 - BETA1**self.t, 1 - BETA2**self.t
        for k, raw in grads.items():
            g = raw * F32(clip)
            m, v = self.m[k], self.v[k]
            m *= F32(BETA1)
            m += F32(1 - BETA1) * g
            v *= F32(BETA2)
            v += F32(1 - BETA2) * g * g
            if params[k].ndim == 2 and k != "emb":
                params[k] *= F32(1 - lr * 0.01)
            params[k] -= F32(lr / c1) * m / (np.sqrt(v / F32(c2)) + F32(1e-8))


def batches(bpe: Bpe, rng: random.Random, copying: Callable[[], float]) -> Iterator[tuple[Array, Array]]:
    """Yield batches of documents of about the same length, as ids and what is to be learned."""
    words = [token[1:] for token in bpe.tokens if re.fullmatch("\u0120[A-Za-z]{2,}", token)] + WORDS + NAMES + CITIES
    while True:
        docs = [bpe.encode_doc(make_doc(rng, copying(), words)) for _ in range(400)]
        groups: list[list[tuple[list[int], list[bool]]]] = []
        group: list[tuple[list[int], list[bool]]] = []
        for doc in sorted(docs, key=lambda doc: len(doc[0])):
            if group and (len(group) + 1) * len(doc[0]) > BATCH_TOKENS:
                groups.append(group)
                group = []
            group.append(doc)
        rng.shuffle(groups)
        for chosen in groups:
            shape = len(chosen), max(len(ids) for ids, _ in chosen)
            ids, learn = np.zeros(shape, np.int64), np.zeros(shape, bool)
            for row, (doc_ids, doc_learn) in enumerate(chosen):
                ids[row, : len(doc_ids)] = doc_ids
                learn[row, : len(doc_learn)] = doc_learn
            yield ids, learn


def train(bpe: Bpe, steps: int, seed: int, log: Callable[[str], None], threads: int = 2) -> Llama:
    """Return a trained model. The same steps, seed and numpy give the same weights; threads only split the batch."""
    model = Llama(len(bpe.tokens), np.random.default_rng(seed))
    step = 0
    source = batches(bpe, random.Random(seed), lambda: max(0.2, 0.7 - 1.2 * step / steps))  # noqa: S311 - repeatable, not secret
    opt, start, shown, mean = Adam(model.p), time.monotonic(), 0.0, None
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for step in range(steps):
            lr = 3e-3 * min(1, (step + 1) / 100) * (0.5 * (1 + np.cos(np.pi * step / steps)) * 0.98 + 0.02)
            loss, hit, grads = _shared_step(model, *next(source), pool, threads)
            opt.update(model.p, grads, lr)
            mean = loss if mean is None else 0.97 * mean + 0.03 * loss
            if time.monotonic() - shown > 10:
                shown = time.monotonic()
                log(f"  {shown - start:5.0f} s  step {step:5d}  loss {mean:.3f}  hit {hit:.3f}  lr {lr:.1e}")
    log(f"  trained {steps} steps in {time.monotonic() - start:.0f} s, loss {mean:.3f}")
    return model


def _shared_step(
    model: Llama, ids: Array, learn: Array, pool: concurrent.futures.Executor, threads: int
) -> tuple[float, float, Params]:
    """Share one batch between threads, and add up what they found."""
    learn[:, 0] = False
    cuts = [cut for cut in np.array_split(np.arange(len(ids)), threads) if len(cut) and learn[cut].any()]
    total = sum(int(learn[cut].sum()) for cut in cuts)
    shares = [int(learn[cut].sum()) / total for cut in cuts]
    loss = hit = 0.0
    grads: Params = {}
    found = pool.map(lambda cut: model.step(ids[cut], learn[cut]), cuts)
    for share, (part_loss, part_hit, part) in zip(shares, found, strict=True):
        loss, hit = loss + share * part_loss, hit + share * part_hit
        for k, v in part.items():
            grads[k] = grads[k] + F32(share) * v if k in grads else F32(share) * v
    return loss, hit, grads
