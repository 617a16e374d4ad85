"""The chat model: llama blocks, forward and backward in numpy.

Letters as in the literature: h normed input, q k v heads, s attention, z logits, d… gradients, b batch, t time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tiny_model.sizes import DIM, EPS, F32, FF, HEAD_DIM, HEADS, LAYERS, MAX_LEN, ROPE_BASE

Array = np.ndarray[Any, Any]
Params = dict[str, Array]
Saved = list[tuple[Any, ...]]


def rope_tables(n: int) -> tuple[Array, Array]:
    """Return cosines and sines for ``n`` places."""
    inverse = ROPE_BASE ** (-np.arange(0, HEAD_DIM, 2) / HEAD_DIM)
    angles = np.outer(np.arange(n), inverse)
    return np.cos(angles).astype(F32), np.sin(angles).astype(F32)


def rope(x: Array, cos: Array, sin: Array, *, back: bool = False) -> Array:
    """Rotate the pairs (0,1), (2,3) … of B,H,T,D: llama.cpp's 'normal' rope."""
    if back:
        sin = -sin
    out = np.empty_like(x)
    a, b = x[..., 0::2], x[..., 1::2]
    out[..., 0::2] = a * cos - b * sin
    out[..., 1::2] = a * sin + b * cos
    return out


def rms(x: Array, g: Array) -> tuple[Array, tuple[Array, Array]]:
    """Return the normed ``x`` and what the way back needs."""
    r = 1.0 / np.sqrt((x * x).mean(-1, keepdims=True) + EPS)
    n = x * r
    return n * g, (n, r)


def rms_back(dy: Array, g: Array, cache: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return the gradients of ``x`` and ``g``."""
    n, r = cache
    dg = (dy * n).reshape(-1, n.shape[-1]).sum(0)
    dn = dy * g
    return r * (dn - n * (dn * n).mean(-1, keepdims=True)), dg


def heads(y: Array, b: int, t: int) -> Array:
    """Split rows into heads."""
    return np.ascontiguousarray(y.reshape(b, t, HEADS, HEAD_DIM).transpose(0, 2, 1, 3))


def flat(y: Array) -> Array:
    """Join heads to rows."""
    return np.ascontiguousarray(y.transpose(0, 2, 1, 3)).reshape(-1, DIM)


class Llama:
    """The weights, by name in ``p``, and one step of learning."""

    def __init__(self, vocab: int, rng: np.random.Generator) -> None:
        """Draw the weights."""

        def w(*shape: int, s: float = 0.02) -> Array:
            return (rng.standard_normal(shape) * s).astype(F32)

        self.p: Params = {"emb": w(vocab, DIM, s=0.05), "out": w(DIM, vocab, s=0.05), "norm": np.ones(DIM, F32)}
        s, so = DIM**-0.5, DIM**-0.5 / (2 * LAYERS) ** 0.5
        for i in range(LAYERS):
            self.p |= {f"{i}.n1": np.ones(DIM, F32), f"{i}.n2": np.ones(DIM, F32)}
            self.p |= {f"{i}.{name}": w(DIM, DIM, s=s) for name in "qkv"}
            self.p |= {f"{i}.o": w(DIM, DIM, s=so), f"{i}.g": w(DIM, FF, s=s), f"{i}.u": w(DIM, FF, s=s)}
            self.p |= {f"{i}.d": w(FF, DIM, s=so)}
        self._copy_circuit(rng)
        self.rope = rope_tables(MAX_LEN)
        self._masks: dict[int, Array] = {}

    def _copy_circuit(self, rng: np.random.Generator) -> None:
        """Start with an 'induction' circuit in place: training need not find it.

        Layer 0, head 0 looks one token back (rope phases) and stores what it saw; layer 1, head 0 looks for the place
        whose stored token is the current one and brings that place's own token, which the output matrix then favours.
        """
        p, hd = self.p, HEAD_DIM
        vocab = len(p["emb"])
        e = rng.standard_normal((vocab, DIM))
        p["emb"] = (e / np.sqrt((e * e).mean(-1, keepdims=True)) * 0.3).astype(F32)
        p["emb"][:, 0] = 1.0  # a constant to make q and k from
        ortho = np.linalg.qr(rng.standard_normal((DIM - 1, DIM - 1)))[0].astype(F32)
        a, b, c = ortho[:, :16], ortho[:, 16:32], ortho[:, 32 : 32 + hd]
        f = ROPE_BASE ** (-np.arange(0, hd, 2) / hd)
        for i in range(LAYERS):
            p[f"{i}.o"] *= F32(0.3)
            p[f"{i}.d"] *= F32(0.3)
        for i in (0, 1):
            p[f"{i}.o"][:hd] = 0
            for n in "qkv":
                p[f"{i}.{n}"][:, :hd] = 0
        p["0.q"][0, 0:6:2] = 2.5  # the three fast rope pairs
        p["0.k"][0, 0:6:2], p["0.k"][0, 1:6:2] = 2.5 * np.cos(f[:3]), 2.5 * np.sin(f[:3])
        p["0.v"][1:, :16] = a
        p["0.o"][:16, 1:] = b.T * F32(0.9)
        p["1.q"][1:, hd - 16 : hd] = a * F32(3.2)  # slow rope pairs only
        p["1.k"][1:, hd - 16 : hd] = b * F32(3.2)
        p["1.v"][1:, :hd] = c
        p["1.o"][:hd, 1:] = c.T * F32(1.5)
        p["out"] = np.zeros((DIM, vocab), F32)
        p["out"][1:] = c @ (c.T @ p["emb"][:, 1:].T)

    def mask(self, t: int) -> Array:
        """Return what keeps ``t`` places from looking ahead."""
        if t not in self._masks:
            self._masks[t] = np.triu(np.full((t, t), -1e9, F32), 1)
        return self._masks[t]

    def step(self, ids: Array, learn: Array) -> tuple[float, float, Params]:
        """Return loss, share of hits and gradients for B,T ``ids``; ``learn`` says which tokens are to be predicted."""
        b, t = ids.shape
        x, saved = self._forward(ids)
        # Logits only where the next token is to be learned.
        want = np.zeros((b, t), bool)
        want[:, :-1] = learn[:, 1:]
        rows = np.flatnonzero(want.reshape(-1))
        loss, hit, dx, g = self._logits(x, rows, np.roll(ids, -1, 1).reshape(-1)[rows])
        for i in reversed(range(LAYERS)):
            dx = self._backward(i, dx, saved[i], g, b, t)
        g["emb"] = np.zeros_like(self.p["emb"])
        np.add.at(g["emb"], ids.reshape(-1), dx)
        return loss, hit, g

    def _forward(self, ids: Array) -> tuple[Array, Saved]:
        p, (b, t) = self.p, ids.shape
        cos, sin = self.rope[0][:t], self.rope[1][:t]
        x, saved = p["emb"][ids].reshape(b * t, DIM), []
        for i in range(LAYERS):
            h, c1 = rms(x, p[f"{i}.n1"])
            q = rope(heads(h @ p[f"{i}.q"], b, t), cos, sin)
            k = rope(heads(h @ p[f"{i}.k"], b, t), cos, sin)
            v = heads(h @ p[f"{i}.v"], b, t)
            s = q @ k.transpose(0, 1, 3, 2)
            s *= F32(HEAD_DIM**-0.5)
            s += self.mask(t)
            s -= s.max(-1, keepdims=True)
            np.exp(s, out=s)
            s /= s.sum(-1, keepdims=True)
            a = flat(s @ v)
            x1 = x + a @ p[f"{i}.o"]
            h2, c2 = rms(x1, p[f"{i}.n2"])
            zg, zu = h2 @ p[f"{i}.g"], h2 @ p[f"{i}.u"]
            sg = 1.0 / (1.0 + np.exp(-zg))
            f = zg * sg * zu
            x = x1 + f @ p[f"{i}.d"]
            saved.append((h, c1, q, k, v, s, a, h2, c2, zg, zu, sg, f))
        return x, saved

    def _logits(self, x: Array, rows: Array, target: Array) -> tuple[float, float, Array, Params]:
        p, n = self.p, len(rows)
        hf, cf = rms(x[rows], p["norm"])
        z = hf @ p["out"]
        z -= z.max(-1, keepdims=True)
        np.exp(z, out=z)
        z /= z.sum(-1, keepdims=True)
        loss = -np.log(z[np.arange(n), target] + 1e-9).mean()
        hit = (z.argmax(-1) == target).mean()
        z[np.arange(n), target] -= 1
        z /= n
        g = {"out": hf.T @ z}
        dx = np.zeros_like(x)
        dx[rows], g["norm"] = rms_back(z @ p["out"].T, p["norm"], cf)
        return float(loss), float(hit), dx, g

    def _backward(self, i: int, dx: Array, saved: tuple[Any, ...], g: Params, b: int, t: int) -> Array:
        p, cos, sin = self.p, self.rope[0][:t], self.rope[1][:t]
        h, c1, q, k, v, s, a, h2, c2, zg, zu, sg, f = saved
        g[f"{i}.d"] = f.T @ dx
        df = dx @ p[f"{i}.d"].T
        dzu = df * zg * sg
        dzg = df * zu * (sg * (1 + zg * (1 - sg)))
        g[f"{i}.g"], g[f"{i}.u"] = h2.T @ dzg, h2.T @ dzu
        dh2, g[f"{i}.n2"] = rms_back(dzg @ p[f"{i}.g"].T + dzu @ p[f"{i}.u"].T, p[f"{i}.n2"], c2)
        dx = dx + dh2
        g[f"{i}.o"] = a.T @ dx
        da = heads(dx @ p[f"{i}.o"].T, b, t)
        dv = flat(s.transpose(0, 1, 3, 2) @ da)
        ds = da @ v.transpose(0, 1, 3, 2)
        ds -= (ds * s).sum(-1, keepdims=True)
        ds *= s
        ds *= F32(HEAD_DIM**-0.5)
        dq = flat(rope(ds @ k, cos, sin, back=True))
        dk = flat(rope(ds.transpose(0, 1, 3, 2) @ q, cos, sin, back=True))
        g[f"{i}.q"], g[f"{i}.k"], g[f"{i}.v"] = h.T @ dq, h.T @ dk, h.T @ dv
        dh, g[f"{i}.n1"] = rms_back(dq @ p[f"{i}.q"].T + dk @ p[f"{i}.k"].T + dv @ p[f"{i}.v"].T, p[f"{i}.n1"], c1)
        return dx + dh
