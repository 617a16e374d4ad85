"""Questions and answers without tools, and made-up words to be copied."""

from __future__ import annotations

import random

from tiny_model.corpus import (
    CAPITALS,
    CITIES,
    FIXED,
    MANNERS,
    NAMES,
    NUMBER_MANNERS,
    OPENERS,
    PRODUCTS,
    REPEAT_ASK,
    STORY,
    STORY_ASK,
    SUMS,
    TOPICS,
    WEATHER_ASK,
    WORDS,
)

Rng = random.Random


def coin(rng: Rng) -> str:
    """Make up a word: the model must copy it, it can not know it."""
    return "".join(
        rng.choice("bcdfghklmnprstvz") + rng.choice("aeiou") + rng.choice(["", "", "n", "r", "s", "l"])
        for _ in range(rng.randint(2, 3))
    )


def a_name(rng: Rng) -> str:
    """Draw a name, mostly made up."""
    return rng.choice(NAMES) if rng.random() < 0.4 else coin(rng).capitalize()


def a_city(rng: Rng) -> str:
    """Draw a city, mostly known."""
    return rng.choice(CITIES) if rng.random() < 0.75 else coin(rng).capitalize()


def a_word(rng: Rng) -> str:
    """Draw a word or a number."""
    drawn = rng.random()
    return rng.choice(WORDS) if drawn < 0.6 else coin(rng) if drawn < 0.9 else str(rng.randint(0, 9999))


def small_talk(rng: Rng) -> tuple[str, str, bool]:
    """Draw a question, its answer, and whether the answer never ends."""
    drawn = rng.random()
    if drawn < 0.2:
        questions, answer = rng.choice(FIXED)
        return rng.choice(questions), answer, False
    if drawn < 0.4:
        subjects, answer = rng.choice(TOPICS)
        return rng.choice(OPENERS).format(rng.choice(subjects)) + rng.choice(MANNERS), answer, False
    if drawn < 0.5:
        country, capital = rng.choice(list(CAPITALS.items()))
        ask = rng.choice(["What is the capital of {}?", "what is the capital of {}", "Capital of {}?"])
        return ask.format(country), f"The capital of {country} is {capital}.", False
    if drawn < 0.60:
        n = rng.choice([3, 5, 10, 20])
        ask = rng.choice(["Count to {}", "Count to {}.", "Count from 1 to {}"])
        return ask.format(n), ", ".join(map(str, range(1, n + 1))) + ".", False
    if drawn < 0.80:
        text = " ".join(a_word(rng) for _ in range(rng.randint(1, 5)))
        return rng.choice(REPEAT_ASK).format(text), text, False
    if drawn < 0.88:
        return _arithmetic(rng)
    if drawn < 0.92:
        return rng.choice(STORY_ASK), STORY, True
    city = a_city(rng)
    return rng.choice(WEATHER_ASK).format(city), f"I have no tool for the weather in {city}.", False


def _arithmetic(rng: Rng) -> tuple[str, str, bool]:
    if rng.random() < 0.5:
        a, b = rng.choice(PRODUCTS)
        question = f"What is {a} {rng.choice(['times', 'multiplied by'])} {b}?" + rng.choice(NUMBER_MANNERS + MANNERS)
        return question, f"The answer is {a * b}.", False
    a, b = rng.choice(SUMS)
    return f"What is {a} + {b}?", f"{a} + {b} = {a + b}.", False


def endless_story(rng: Rng, length: int) -> str:
    """Tell the story from a sentence of it on, round and round, until it is ``length`` characters long."""
    sentences = [sentence for sentence in STORY.split(". ") if sentence]
    at = rng.choice([0, 0, rng.randrange(1, len(sentences))])
    told = [sentences[at] + "."]
    while sum(map(len, told)) < length:
        at = at + 1 if at + 1 < len(sentences) else 1
        told.append(sentences[at].strip() + ".")
    return " ".join(told)
