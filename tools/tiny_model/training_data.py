"""The documents the chat model is trained on."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from tiny_model.corpus import (
    COLOURS,
    FIM,
    FOLLOWUPS,
    IMAGE_ASK,
    MANNERS,
    OPENERS,
    RAW,
    REPEAT_ASK,
    SYSTEMS,
    TOPICS,
)
from tiny_model.doc import Doc
from tiny_model.sizes import N_IMG_TOK
from tiny_model.small_talk_data import a_name, coin, endless_story, small_talk
from tiny_model.tools_lesson import tool_lesson

Rng = random.Random
Thought = Callable[[str], "str | None"]


def make_doc(rng: Rng, copying: float = 0.0, words: list[str] | None = None) -> Doc:
    """Draw one document; ``copying`` is the share of copying lessons with words out of ``words``."""
    if words and copying and rng.random() < copying:
        return copy_doc(rng, words)
    drawn = rng.random()
    think: str | None = None
    if rng.random() < 0.25:
        think = "" if rng.random() < 0.5 else "short"

    def thought(what: str) -> str | None:
        return f"The user wants {what}. I will answer." if think else think

    lesson = next(lesson for share, lesson in LESSONS if drawn < share)
    return lesson(rng, thought)


def copy_doc(rng: Rng, words: list[str]) -> Doc:
    """Draw a copying lesson; these come first: they grow the heads that the other skills need."""
    doc, drawn = Doc(), rng.random()
    chosen = [rng.choice(words) if rng.random() < 0.6 else coin(rng) for _ in range(rng.randint(2, 9))]
    if drawn < 0.5:
        text = " ".join(chosen)
        return doc.turn("user", rng.choice(REPEAT_ASK).format(text)).answer(text)
    if drawn < 0.8:
        text, times = " " + " ".join(chosen), rng.randint(1, 3)
        return doc.add(text).add(text * times, learn=True)
    table = {word: str(rng.randint(0, 99)) for word in chosen[:4]}
    doc.add(json.dumps(table) + "\n")
    for word in rng.sample(sorted(table), len(table)):
        doc.add(f'"{word}": "').add(table[word] + '"', learn=True).add("\n")
    return doc


def plain_questions(rng: Rng, thought: Thought) -> Doc:
    """Draw a question or two."""
    doc = Doc()
    if rng.random() < 0.4:
        doc.turn("system", rng.choice(SYSTEMS))
    for _ in range(rng.choice([1, 1, 2])):
        question, answer, endless = small_talk(rng)
        doc.turn("user", question)
        if endless:
            return doc.answer(endless_story(rng, 500), end=False, think=thought("a story"))
        doc.answer(answer, think=thought("an answer"))
    return doc


def topic_and_followups(rng: Rng, thought: Thought) -> Doc:
    """Draw a topic and questions about it, which get the same answer again."""
    doc = Doc()
    subjects, answer = rng.choice(TOPICS)
    question = rng.choice(OPENERS).format(rng.choice(subjects)) + rng.choice(MANNERS)
    doc.turn("user", question).answer(answer, think=thought("an answer"))
    for _ in range(rng.choice([1, 1, 2])):
        doc.turn("user", rng.choice(FOLLOWUPS) + rng.choice(MANNERS)).answer(answer, think=thought("more"))
    return doc


def who_are_you(rng: Rng, thought: Thought) -> Doc:
    """Draw a name out of the system message."""
    doc = Doc()
    if rng.random() < 0.7:
        name = a_name(rng)
        doc.turn("system", rng.choice(["You are {}.", "Your name is {}.", "You are {}. Be brief."]).format(name))
    else:
        name = "Tiny"
        if rng.random() < 0.5:
            doc.turn("system", rng.choice(SYSTEMS))
    doc.turn("user", rng.choice(["Who are you?", "What is your name?", "who are you"]))
    return doc.answer(f"I am {name}, a very small test model.", think=thought("a name"))


def memory(rng: Rng, thought: Thought) -> Doc:
    """Draw a name out of an earlier turn."""
    doc, name = Doc(), a_name(rng)
    if rng.random() < 0.4:
        doc.turn("system", rng.choice(SYSTEMS))
    doc.turn("user", rng.choice(["My name is {}.", "Hi, I am {}.", "I am {}"]).format(name))
    doc.answer(f"Nice to meet you, {name}!", think=thought("an answer"))
    if rng.random() < 0.3:
        question, answer, endless = small_talk(rng)
        if not endless:
            doc.turn("user", question).answer(answer, think=thought("an answer"))
    doc.turn("user", rng.choice(["What is my name?", "who am I?", "What's my name?"]))
    return doc.answer(f"Your name is {name}.", think=thought("a name"))


def picture(rng: Rng, thought: Thought) -> Doc:
    """Draw what the projector makes of a plain picture: the colour's word for every patch."""
    doc, colour = Doc(), rng.choice(COLOURS)
    doc.add("<|im_start|>user\n")
    image = " " + " ".join([colour] * N_IMG_TOK)
    question = rng.choice(IMAGE_ASK)
    doc.add(image + question if rng.random() < 0.6 else question + image).add("<|im_end|>\n")
    return doc.answer(f"The picture is {colour}.", think=thought("a colour"))


def fill_in(rng: Rng, _: Thought) -> Doc:
    """Draw a gap in a program."""
    before, after, gap = rng.choice(FIM)
    doc = Doc().add(f"<|fim_prefix|>{before}<|fim_suffix|>{after}<|fim_middle|>")
    return doc.add(gap + "<|endoftext|>", learn=True)


def raw_text(rng: Rng, _: Thought) -> Doc:
    """Draw a text to go on with, without a template."""
    if rng.random() < 0.5:
        start = "Once upon a time"
        return Doc().add(start).add(endless_story(random.Random(0), 450)[len(start) :], learn=True)  # noqa: S311 - repeatable, not secret
    text, rest = rng.choice(RAW)
    return Doc().add(text).add(rest + "<|endoftext|>", learn=True)


LESSONS: list[tuple[float, Callable[[Rng, Thought], Doc]]] = [
    (0.40, plain_questions),
    (0.43, topic_and_followups),
    (0.49, who_are_you),
    (0.58, memory),
    (0.86, tool_lesson),
    (0.93, picture),
    (0.97, fill_in),
    (1.01, raw_text),
]
