import hashlib
import importlib.util
import json
from importlib import resources
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax

from jaxvis.models import labels

PETS = ("tabby cat", "Dog", "go-kart", "tabby_cat_2")


def raw_bytes():
    return resources.files("jaxvis").joinpath("data/imagenet_class_index.json").read_bytes()


def test_class_index_file_is_the_one_keras_serves():
    content = raw_bytes()
    keras_file = Path(importlib.util.find_spec("keras").origin).parent
    source = (keras_file / "src/applications/imagenet_utils.py").read_text()
    assert hashlib.md5(content).hexdigest() == "c2c37ea517e94d9795004a39431a14cb"
    assert "c2c37ea517e94d9795004a39431a14cb" in source  # what Keras itself checks
    table = json.loads(content)
    assert list(table) == [str(i) for i in range(1000)]
    assert json.dumps(table).encode() == content
    assert labels.imagenet_labels() == tuple(name for _, name in table.values())
    assert labels.imagenet_wordnet_ids() == tuple(wnid for wnid, _ in table.values())


def test_known_classes():
    names, ids = labels.imagenet_labels(), labels.imagenet_wordnet_ids()
    known = {
        0: "tench",
        99: "goose",
        207: "golden_retriever",
        282: "tiger_cat",
        999: "toilet_tissue",
    }
    assert {index: names[index] for index in known} == known
    assert (ids[0], ids[99], ids[999]) == ("n01440764", "n01855672", "n15075141")
    assert list(ids) == sorted(set(ids))  # ILSVRC2012 is sorted by id
    assert labels.imagenet_labels() is names


def test_every_name_and_id_finds_its_index():
    ambiguous = {"crane", "maillot"}
    for index, (name, wnid) in enumerate(
        zip(labels.imagenet_labels(), labels.imagenet_wordnet_ids(), strict=True)
    ):
        if index % 20 == 19:
            assert labels.class_index(wnid) == index
            assert labels.class_index(str(index)) == index
        if name not in ambiguous:
            assert labels.class_index(name) == index


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("goose", 99),
        ("GOOSE", 99),
        (" goose ", 99),
        ("great white shark", 2),
        ("Great-White_Shark", 2),
        ("greatwhiteshark", 2),
        ("jack o lantern", 607),
        ("jack-o'-lantern", 607),
        ("N01855672", 99),
        ("007", 7),
        ("Cardigan", 264),
        ("cardigan", 474),
    ],
)
def test_spelling_does_not_matter(text, index):
    assert labels.class_index(text) == index


def test_own_labels():
    assert labels.class_index("dog", PETS) == 1
    assert labels.class_index("Tabby_Cat", PETS) == 0
    assert labels.class_index("tabby cat 2", list(PETS)) == 3
    assert labels.class_index("3", PETS) == 3
    assert labels.class_index("goose", labels.imagenet_labels()) == 99


def test_numbers_as_names_are_names():
    digits = ("7", "3", "1")
    assert [labels.class_index(d, digits) for d in digits] == [0, 1, 2]
    with pytest.raises(labels.ClassNameError, match="unknown class name '2' among 3 classes"):
        labels.class_index("2", digits)


def error_of(name, names=None):
    with pytest.raises(labels.ClassNameError) as caught:
        labels.class_index(name, names)
    assert isinstance(caught.value, ValueError)
    return str(caught.value)


def test_ambiguous_names_are_listed_with_index_and_id():
    assert error_of("crane") == (
        "class name 'crane' is ambiguous: crane (134, n02012849), crane (517, n03126707); "
        "pass the index of the one meant"
    )
    assert "maillot (638, n03710637), maillot (639, n03710721)" in error_of("Maillot")
    assert "Cardigan (264, n02113186), cardigan (474, n02963159)" in error_of("CARDIGAN")
    # The ids are ImageNet's, also when a model hands its own copy of the names in.
    assert "crane (134, n02012849)" in error_of("crane", tuple(labels.imagenet_labels()))
    assert "a b (0), A-B (1); pass the index" in error_of("ab", ("a b", "A-B"))


def test_unknown_names_list_the_nearest():
    message = error_of("gose")
    assert message.startswith(
        "unknown class name 'gose' among 1000 classes; nearest: goose (99, n01855672), "
    )
    assert message.endswith("; pass one of the class names or an index")
    terriers = error_of("terrier")
    count = sum("terrier" in name for name in labels.imagenet_labels())
    assert terriers.count("terrier (") == 12
    assert f" and {count - 12} more;" in terriers
    assert "unknown class name 'cat' among 4 classes; nearest: tabby cat (0)" in error_of(
        "cat", PETS
    )


@pytest.mark.parametrize("name", ["", "  ", "xqzw", "-1", "1.5", "¹", "n99999999"])
def test_names_that_are_near_nothing(name):
    assert error_of(name) == (
        f"unknown class name {name!r} among 1000 classes; and no name is near it; "
        "pass one of the class names or an index"
    )


def test_index_out_of_range():
    assert error_of("1000") == "class index 1000 is out of range; wanted 0 to 999"
    assert error_of("4", PETS) == "class index 4 is out of range; wanted 0 to 3"


def test_name_that_is_no_text():
    assert error_of(99) == "class name 99 is of type int; wanted text"


def test_search_ranks_name_then_word_then_part():
    assert labels.search("goose") == [(99, "n01855672", "goose"), (298, "n02137549", "mongoose")]
    found = [name for _, _, name in labels.search("cat")]
    words = [n for n in labels.imagenet_labels() if "cat" in n.lower().split("_")]
    parts = [n for n in labels.imagenet_labels() if "cat" in n.lower() and n not in words]
    assert words
    assert parts
    assert found == words + parts


def test_search_by_id_index_and_all():
    assert labels.search("n01855672") == [(99, "n01855672", "goose")]
    assert [i for i, _, _ in labels.search("N0185")] == [98, 99]
    assert labels.search("99") == [(99, "n01855672", "goose")]
    assert [i for i, _, _ in labels.search("")] == list(range(1000))


def test_search_falls_back_on_the_spelling():
    assert labels.search("gose")[0] == (99, "n01855672", "goose")
    assert labels.search("sheperd")[0][2] == "German_shepherd"  # one word of the name is enough
    assert labels.search("qqqqqq") == []
    assert labels.search("dgo", ("cat", "dog", "dig")) == []
    assert labels.search("tabbi cat", PETS)[0] == (0, "", "tabby cat")


@pytest.mark.parametrize("kind", [np.asarray, jnp.asarray, lambda z: jnp.asarray(z, jnp.bfloat16)])
def test_top_k_against_scipy(kind):
    logits = kind(np.random.default_rng(0).normal(0, 5, (3, 1000)).astype(np.float32))
    exact = np.asarray(logits).astype(np.float64)
    p = softmax(exact, axis=1)
    result = labels.top_k(logits)
    assert len(result) == 3
    for row, predictions in enumerate(result):
        # Sorting pairs in Python: probability downwards, then the index upwards.
        expected = sorted(range(1000), key=lambda c, row=row: (-exact[row, c], c))[:5]
        assert [prediction.index for prediction in predictions] == expected
        for index, name, probability in predictions:
            assert name == labels.imagenet_labels()[index]
            assert probability == pytest.approx(p[row, index], rel=1e-12)
            assert type(index) is int
            assert type(probability) is float


def test_top_k_of_huge_logits_and_ties():
    (best,) = labels.top_k(np.array([[1e4, 0.0, 1e4, -np.inf]]), k=9)
    assert best == [
        (0, "class 0", 0.5),
        (2, "class 2", 0.5),
        (1, "class 1", 0.0),
        (3, "class 3", 0.0),
    ]
    many = np.random.default_rng(0).integers(0, 4, (1, 1000))
    (best,) = labels.top_k(many, k=1000)
    assert [p.index for p in best] == sorted(range(1000), key=lambda c: (-many[0, c], c))
    (best,) = labels.top_k(np.zeros((1, 50)), k=50)
    assert [prediction.index for prediction in best] == list(range(50))
    assert best[0].probability == pytest.approx(0.02)


def test_top_k_names():
    logits = np.array([[0.0, 3.0, 1.0, 2.0]])
    (best,) = labels.top_k(logits, k=2, labels=PETS)
    assert [p.name for p in best] == ["Dog", "tabby_cat_2"]
    (best,) = labels.top_k(logits, k=1)
    assert best[0].name == "class 1"
    assert labels.top_k(np.zeros((0, 1000))) == []


@pytest.mark.parametrize(
    ("logits", "options", "message"),
    [
        (
            np.zeros(1000),
            {},
            r"logits has shape \(1000,\); wanted \(n, classes\), one row per image",
        ),
        (np.zeros((2, 0)), {}, r"logits has shape \(2, 0\); wanted \(n, classes\)"),
        (np.zeros((1, 4)), {"k": 0}, "k is 0; wanted at least 1"),
        (np.zeros((1, 4)), {"labels": PETS[:3]}, "labels has 3 names; wanted 4, one per class"),
        (
            np.array([[0.0, 1.0], [0.0, np.nan]]),
            {},
            "logits of image 1 have the maximum nan; wanted finite logits: look for NaN or inf",
        ),
        (np.array([[np.inf, 0.0]]), {}, "logits of image 0 have the maximum inf"),
        (np.full((1, 3), -np.inf), {}, "logits of image 0 have the maximum -inf"),
    ],
)
def test_top_k_errors(logits, options, message):
    with pytest.raises(ValueError, match=message):
        labels.top_k(logits, **options)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_file_of_labels(encoding, tmp_path):
    """A byte-order mark, with which Windows's editors begin, is no part of the first name."""
    text = "goose\n\n héron \n"
    (tmp_path / "labels.txt").write_text(text, encoding=encoding)
    assert labels.read_labels(str(tmp_path / "labels.txt")) == ["goose", "héron"]


def test_of_few_classes_all_are_named():
    assert "unknown class name 'dog' among 3 classes; they are cat (0), cup (1), xy (2); pass" in (
        error_of("dog", ("cat", "cup", "xy"))
    )


def test_a_file_of_another_encoding_is_said_to_be(tmp_path):
    file = tmp_path / "latin.txt"
    file.write_bytes("caf\xe9\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin.txt: not UTF-8 .* at byte 3\); save it as UTF-8"):
        labels.read_labels(str(file))
    with pytest.raises(ValueError, match="none.txt: cannot be read: No such file or directory"):
        labels.read_labels(str(tmp_path / "none.txt"))
