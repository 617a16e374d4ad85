"""Texts and bytes cut anywhere, as a network may deliver them."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st

PLACES = st.lists(st.integers(0, 2000), max_size=15)


def cut(whole, places):
    """Return ``whole`` (text or bytes) in pieces; the places are taken modulo its length."""
    edges = [0, *sorted(place % (len(whole) + 1) for place in places), len(whole)]
    return [whole[start:end] for start, end in pairwise(edges)]


def one_by_one(whole):
    """Return ``whole`` in pieces of one character or byte."""
    return [whole[at : at + 1] for at in range(len(whole))]
