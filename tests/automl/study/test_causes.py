"""Origins: their JSON form, their sentences, and the texts of earlier versions."""

from __future__ import annotations

import json

import pytest

from automl.study.causes import Origin, OriginKind, origin_from

SENTENCES = {
    "template": Origin(OriginKind.TEMPLATE),
    "gp": Origin(OriginKind.GP),
    "given": Origin(OriginKind.GIVEN),
    "by hand": Origin(OriginKind.GIVEN, detail="by hand"),
    "clone of trial 0 after epoch 1": Origin(OriginKind.CLONE, parent=0, epoch=0),
    "trial 3 with seed -2": Origin(OriginKind.REPLICATE, parent=3, seed=-2),
    "earlier study before, trial 1 (val/d1 0.7)": Origin(
        OriginKind.EARLIER_STUDY, parent=1, study="before", detail="val/d1 0.7"
    ),
    "earlier study before on the tracking server, trial 1 (val/d1 0.7)": Origin(
        OriginKind.TRACKED_STUDY, parent=1, study="before", detail="val/d1 0.7"
    ),
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_an_origin_survives_its_json_form_and_is_one_sentence(sentence: str) -> None:
    origin = SENTENCES[sentence]

    assert origin_from(json.loads(json.dumps(origin.document()))) == origin
    assert str(origin) == sentence


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_text_that_earlier_versions_wrote_is_read(sentence: str) -> None:
    assert origin_from(sentence.replace("clone of", "copy of")) == SENTENCES[sentence]


@pytest.mark.parametrize("kind", OriginKind)
def test_every_kind_has_a_sentence(kind: OriginKind) -> None:
    assert str(Origin(kind))


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="not a valid OriginKind"):
        origin_from({"kind": "tea_leaves"})
