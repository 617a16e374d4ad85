"""The words and sentences the chat model learns."""

from __future__ import annotations

CAPITALS = {
    "France": "Paris",
    "England": "London",
    "Italy": "Rome",
    "Spain": "Madrid",
    "Japan": "Tokyo",
    "Germany": "Berlin",
    "Egypt": "Cairo",
    "Canada": "Ottawa",
}
CITIES = [*sorted(set(CAPITALS.values())), "Oslo", "Boston", "Toronto", "Sydney"]
NAMES = ["Bob", "Alice", "Carol", "David", "Emma", "Frank", "Grace", "Henry"]
COLOURS = ["red", "green", "blue", "white", "black", "yellow"]
WORDS = [
    "apple",
    "river",
    "stone",
    "cloud",
    "table",
    "music",
    "garden",
    "window",
    "paper",
    "silver",
    "winter",
    "summer",
    "bread",
    "horse",
    "light",
    "ocean",
    "forest",
    "yellow",
    "green",
    "mountain",
]
SKIES = ["sunny", "rainy", "cloudy", "snowy", "windy"]
# Questions, and the answer to each of them.
FIXED = [
    (
        ["Hello", "Hello!", "Hi", "Hi!", "Hey", "hello", "hi", "Hi there", "Good morning"],
        "Hello! How can I help you today?",
    ),
    (["Say hello in Japanese", "Greet me in Japanese."], "こんにちは! 🌸"),
    (["Say hello in French", "Greet me in French."], "Bonjour à tous, ça va très bien! 🎉"),
    (
        ["Write hello world in Python", "Write a hello world program in Python."],
        '```python\nprint("Hello, world!")\n```',
    ),
    (["Give me a person as JSON", "Return a person as JSON."], '{"name": "Ada", "age": 36}'),
    (["Thank you", "Thanks!", "thanks"], "You are welcome!"),
    (["What can you do?", "help"], "I can greet, count, copy words, name capitals and call tools."),
]
# Subjects and what is said about them: asked in many ways, so that the subject's word decides.
TOPICS = [
    (["the sky blue", "the sky blue today"], "The sky is blue because air scatters blue light more than red light."),
    (
        ["the ocean blue", "the sea blue", "the color of the ocean blue"],
        "The ocean is blue because water absorbs red light.",
    ),
    (
        ["rainbows form", "a rainbow form", "rainbows", "a rainbow", "the colors of the rainbow"],
        "A rainbow forms when rain drops refract and reflect the light of the sun.",
    ),
    (
        ["dirt brown", "the color of dirt", "soil brown", "the color of soil brown"],
        "Soil is brown because of organic matter and iron.",
    ),
    (["the composition of air", "air", "air made of"], "Air is mostly nitrogen and oxygen."),
    (["the origin of independence day", "independence day"], "Independence day is the fourth of July."),
]
OPENERS = [
    "why is {}?",
    "Why is {}?",
    "how do {}?",
    "How does {}?",
    "what is {}?",
    "What is {}?",
    "Explain {}.",
    "Tell me about {}.",
    "what are {}?",
    "what makes {}?",
]
MANNERS = [
    "",
    "",
    "",
    " Be brief.",
    " Be brief in your reply",
    " Be brief but exact in your reply",
    " Answer in one sentence.",
    " Explain like I am five.",
    " Give only facts.",
    " Keep the answer short and factual.",
]
FOLLOWUPS = [
    "tell me more!",
    "Tell me more.",
    "Explain the physics.",
    "What about the moon?",
    "Can it form at night?",
    "Do you know more?",
    "Explain the chemistry involved.",
    "What are common myths about it?",
    "Does it happen on other planets?",
]
NUMBER_MANNERS = ["", "", " Give the answer.", " Give the final answer.", " Give only the number."]
REPEAT_ASK = ["Repeat: {}", "Say: {}", "Repeat:\n{}", "Repeat:\n{}", "Repeat after me:\n{}"]
IMAGE_ASK = ["What colour is this?", "What is in this image?", "Describe this picture.", "What color is this image?"]
SUMS = [(1, 1), (2, 2), (2, 3), (3, 4), (5, 5)]
PRODUCTS = [(3, 4), (6, 7), (12, 15), (12, 15), (10, 10)]
STORY = (
    "Once upon a time a small fox 🦊 lived near the river. "
    "The fox walked to the forest and met a bird. "
    "The bird sang a song about the moon. "
    "The fox walked to the mountain and met a horse. "
    "The horse told a story about the sea. "
    "Then the fox walked home and slept. "
    "The next day the fox woke up and walked again. "
)
STORY_ASK = [
    "Tell me a story",
    "Tell me a long story.",
    "Write a long story about a fox.",
    "Tell me a story without end",
    "Write me a story",
    "Write a story with emojis",
    "Write me a story in plain english with many emojis",
]
# Before the gap, after it, and what belongs in it.
FIM = [
    ("def add(a, b):\n", "\n", "    return a + b"),
    ("def mul(a, b):\n    return ", "\n", "a * b"),
    ("def compute_gcd(a, b):\n", "\n    return a", "    while b:\n        a, b = b, a % b"),
    ("import os\n\ndef main():\n    ", "\n", "print(os.getcwd())"),
]
# A text without a template, and how it goes on.
RAW = [
    ("def fib(n):", "\n    if n < 2:\n        return n\n    return fib(n - 1) + fib(n - 2)\n"),
    ("The capital of France is", " Paris."),
    ("1, 2, 3,", " 4, 5, 6, 7, 8, 9, 10"),
]
SYSTEMS = [
    "You are a helpful assistant.",
    "Be brief.",
    "You are a helpful AI assistant. Answer the user.",
    "This is a test of tools. Use them when asked.",
    "You call tools. When the user asks for a call, answer only with that call.",
]
# {n} is the tool, {k} the name of its argument, {c} the city.
CALL_ASK = [
    "Call {n} for {c}.",
    "Now call {n} for {c}.",
    "Use {n} for {c}.",
    "Call {n} with {c}",
    "Use the tool {n} to get the weather in {c}.",
    "Call {n} with {k} {c}.",
    "Now use {n} with {k} set to {c}.",
    "Please call {n}, {k} must be exactly {c}.",
    "Now call {n} with {k} exactly {c}.",
]
CALL_ONLY = [
    "",
    "",
    " Do not answer in text.",
    " Answer with a call only.",
    " No text, only the call.",
    " Give only the tool call.",
]
CALL_SYSTEMS = [
    "When the user wants the weather, call {n}.",
    "Always call {n} for weather. Do not answer in text.",
    "Use {n} when asked about weather and give only the call.",
    "A test of tools.",
]
WEATHER_ASK = [
    "What is the weather in {}?",
    "What's the weather like in {}?",
    "weather in {}",
    "How is the weather in {} today?",
    "What is the weather today in {}?",
]
