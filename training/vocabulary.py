"""Trains the two tokenizers on the project's own instructions: CLIP byte pairs and a T5 unigram.

Case and typing slips are learnt by the text encoders, not normalised away, except that CLIP's own tokenizer lower-cases.
"""

from __future__ import annotations

import json
import shutil
import string
from pathlib import Path
from random import Random

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from transformers import CLIPTokenizer, T5TokenizerFast
from transformers.convert_slow_tokenizer import bytes_to_unicode

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from training.scenes.edits import draw_edit

SENTENCES = 60_000
MAX_LENGTH = 32  # tokens, both encoders: the longest two-part instructions fit
CLIP_MERGES = 1200
T5_PIECES = 2000


def sentences(seed: int = 0) -> list[str]:
    random = Random(seed)
    return [draw_edit(random).instruction for _ in range(SENTENCES)]


def train_clip(folder: Path, texts: list[str]) -> None:
    """Byte pairs as in CLIP: lower case, `</w>` closes a word, all 256 bytes in both forms, the two marks last."""
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    word = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    learner.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(word), behavior="removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False),
    ])  # fmt: skip
    learner.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=512 + CLIP_MERGES, end_of_word_suffix="</w>", show_progress=False))
    alphabet = list(bytes_to_unicode().values())
    merges = [tuple(m) for m in json.loads(learner.to_str())["model"]["merges"]][:CLIP_MERGES]
    pieces = [*alphabet, *(letter + "</w>" for letter in alphabet), *("".join(m) for m in merges)]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys([*pieces, "<|startoftext|>", "<|endoftext|>"]))}
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=MAX_LENGTH)
    tokenizer.save_pretrained(folder)
    # The published folder has these two files, which the library does not save.
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))


def train_t5(folder: Path, texts: list[str]) -> None:
    """A sentencepiece unigram without a normaliser: pad 0, end 1, unknown 2, no extra ids."""
    folder.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_prefix=str(folder / "spiece"), model_type="unigram", vocab_size=T5_PIECES,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, pad_piece="<pad>", eos_piece="</s>", unk_piece="<unk>",
        normalization_rule_name="identity", character_coverage=1.0, required_chars=string.printable.strip(), minloglevel=2,
        num_threads=1,
    )  # fmt: skip
    (folder / "spiece.vocab").unlink()
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((folder / "spiece.model").read_bytes())
    vocabulary = [(piece.piece, piece.score) for piece in model.pieces]
    tokenizer = T5TokenizerFast(vocab=vocabulary, extra_ids=0, model_max_length=MAX_LENGTH)
    tokenizer.save_pretrained(folder)


def train(folder: Path) -> None:
    """Writes folder/tokenizer (CLIP) and folder/tokenizer_2 (T5)."""
    texts = sentences()
    train_clip(folder / "tokenizer", texts)
    train_t5(folder / "tokenizer_2", texts)


def prepare(folder: Path, start: Path | None) -> None:
    """Creates `folder` where it is missing: the tokenizers of the checkpoint `start`, or new ones. A kill leaves all or nothing.

    A checkpoint keeps its own: pieces learnt anew differ in a tenth even on the same sentences, and words that are new to
    it are spelt in the pieces that it has, down to single characters.
    """
    if folder.exists():
        return
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    if start is None:
        train(part)
    else:
        for name in ("tokenizer", "tokenizer_2"):
            shutil.copytree(start / name, part / name)
    part.rename(folder)


def load(folder: Path) -> tuple[CLIPTokenizer, T5TokenizerFast]:
    return CLIPTokenizer.from_pretrained(folder / "tokenizer"), T5TokenizerFast.from_pretrained(folder / "tokenizer_2")
