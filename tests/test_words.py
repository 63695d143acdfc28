"""The word list finds private words in prose and in identifiers, and lets legitimate uses pass."""

from __future__ import annotations

import tomllib

import pytest

from tests.words import ROOT, TABLE, WordList


@pytest.fixture(name="words", scope="module")
def words_fixture() -> WordList:
    return WordList(tomllib.loads(TABLE.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("# The keeper ends.", "keeper"),
        ("class TrialKeeper:", "Keeper"),
        ("container_keeper = start()", "keeper"),
        ("Crowned champion", "Crowned"),
        ("a yard-stick of trials", "yard-stick"),
        ("yard_stick: [a]", "yard_stick"),
        ("state = Standing()", "Standing"),
    ],
)
def test_a_private_word_is_found_in_text_and_identifiers(words: WordList, line: str, word: str) -> None:
    found = words.in_line("some.md", 1, line)

    assert [use.word for use in found] == [word]
    assert all(use.instead for use in found)


@pytest.mark.parametrize(
    "line",
    [
        "carry out the actions",
        "study.tell(trial, 0.1)",
        "the ask/tell interface",
        "a long-standing cluster",
        "release",
        "KINDS = 1",
        "Draw a line",
    ],
)
def test_plain_english_and_names_of_libraries_pass(words: WordList, line: str) -> None:
    assert not list(words.in_line("some.md", 1, line))


def test_every_clean_path_exists(words: WordList) -> None:
    assert [path for path in words.clean if not (ROOT / path).exists()] == []
