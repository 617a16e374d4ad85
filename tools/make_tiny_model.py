"""Make the tiny GGUF models of the embedded engine.

Needs only ``numpy`` and ``gguf``. Everything is made here: the tokenizer (byte-level BPE learned on our own corpus),
the corpus, the weights (trained with numpy, hand-written backward pass), the chat templates.

    python tools/make_tiny_model.py OUTDIR [--steps 1200] [--seed 1]

writes

    OUTDIR/tiny-chat.gguf     llama arch, ChatML + Hermes tools, no thinking
    OUTDIR/tiny-think.gguf    same weights, a template with <think> reasoning
    OUTDIR/tiny-decide.gguf   same weights, for decisions: chooses the option that the state names last
    OUTDIR/tiny-embed.gguf    bert arch, 64 dims, mean pooling
    OUTDIR/tiny-mmproj.gguf   clip/llava projector for tiny-chat: it "sees" the color of a plain picture
    OUTDIR/tiny-facts.json    prompts and the answers they were trained to give

The chat model answers a small set of prompts in plain words and copies names, cities and numbers from the prompt, from
the system message, from earlier turns and from tool results, so that a test can see whether those reached the engine.
Anything else gets a wrong but well-formed answer: use grammars (response_format, tool_choice=required) where a test
needs a given form. The models of the package took 5000 steps.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
from pathlib import Path

# One BLAS thread per Python thread: OpenBLAS's own threads spin and crawl on a busy machine.
# Read by numpy when it is first imported, hence before the rest.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from tiny_model.bpe import learn_bpe
from tiny_model.chat_file import write_chat, write_decision
from tiny_model.embed_file import write_embed
from tiny_model.facts import FACTS, answer
from tiny_model.projector_file import write_mmproj
from tiny_model.templates import CHAT_TEMPLATE, DECISION_TEMPLATE, THINK_TEMPLATE
from tiny_model.training import train

log = functools.partial(print, flush=True)


def main() -> None:
    """Train, write the files, and ask the model what it knows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outdir", type=Path)
    parser.add_argument("--steps", type=int, default=1200, help="training steps of about 2000 tokens")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.outdir.mkdir(parents=True, exist_ok=True)
    bpe = learn_bpe(random.Random(0))  # noqa: S311 - repeatable, not secret
    log(f"tokenizer: {len(bpe.tokens)} tokens")
    model = train(bpe, args.steps, args.seed, log, args.threads)
    log(f"parameters: {sum(weights.size for weights in model.p.values())}")
    write_chat(args.outdir / "tiny-chat.gguf", model, bpe, CHAT_TEMPLATE)
    write_chat(args.outdir / "tiny-think.gguf", model, bpe, THINK_TEMPLATE)
    write_decision(args.outdir / "tiny-decide.gguf", model, bpe, DECISION_TEMPLATE)
    write_embed(args.outdir / "tiny-embed.gguf", args.seed)
    write_mmproj(args.outdir / "tiny-mmproj.gguf", model, bpe)
    facts = [{"prompt": asked, "trained": wanted, "got": answer(model, bpe, asked)} for asked, wanted in FACTS]
    text = json.dumps(facts, ensure_ascii=False, indent=1)
    (args.outdir / "tiny-facts.json").write_text(text, encoding="utf-8", newline="\n")
    for fact in facts:
        log(f"  {'ok ' if fact['got'] == fact['trained'] else 'BAD'} {fact['prompt']!r} -> {fact['got']!r}")


if __name__ == "__main__":
    main()
