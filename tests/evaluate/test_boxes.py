import numpy as np
import pytest
from PIL import Image

from jaxvis.evaluate.boxes import Box, box_masks, read_boxes
from jaxvis.pictures.files import ImageError

HEADER = "file,xmin,ymin,xmax,ymax"


@pytest.fixture
def csv_file(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "boxes.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


@pytest.fixture
def picture(tmp_path):
    def save(name, width, height, **options):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (width, height), "white").save(path, **options)
        return path

    return save


def painted(boxes, width, height, size):
    """Every pixel by itself: is its centre inside a box, seen in the original's pixels?

    Along an axis on which a box holds no centre it has the pixel that its middle lies in.
    """

    def inside(low, high, side, count):
        edges = np.arange(count + 1) * side / count
        centres = (edges[:-1] + edges[1:]) / 2
        found = (low <= centres) & (centres < high)
        middle = (low + high) / 2
        return found if found.any() else (edges[:-1] <= middle) & (middle < edges[1:])

    mask = np.zeros(size, bool)
    for b in boxes:
        rows = inside(b.ymin, b.ymax, height, size[0])
        mask |= rows[:, None] & inside(b.xmin, b.xmax, width, size[1])
    return mask


def test_reading(csv_file):
    path = csv_file(
        f'{HEADER},class\na.jpg,1,2,30,40,goose\n"b, c.png",0,0,5,5,\n\na.jpg, 7.5 ,8,9,10,cat\n'
    )
    assert read_boxes(path) == {
        "a.jpg": [Box(1, 2, 30, 40, "goose"), Box(7.5, 8, 9, 10, "cat")],
        "b, c.png": [Box(0, 0, 5, 5)],
    }


def test_columns_in_any_order_with_others_as_spreadsheets_write_them(csv_file):
    path = csv_file("ymax,Note,XMIN,file,xmax,ymin\r\n4,?,1,gänse.jpg,3,2\r\n", "utf-8-sig")
    assert read_boxes(path) == {"gänse.jpg": [Box(1, 2, 3, 4)]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line is ''; wanted the columns file,xmin,ymin,xmax,ymax"),
        ("a.jpg,1,2,3,4\n", "first line is 'a.jpg,1,2,3,4'; wanted the columns"),
        (HEADER.replace(",", ";"), "separated by commas"),
        (f"{HEADER},file\n", "each once"),
        (f"{HEADER}\n\n", "no boxes; wanted lines below the header"),
        (f"{HEADER}\na.jpg,1,2,3,4\na.jpg,1,2,1,4\n", r"line 3: 'a.jpg,1,2,1,4' is no box; wanted"),
        (f"{HEADER}\na.jpg,1,5,3,4\n", "line 2.*0 <= ymin < ymax"),
        (f"{HEADER}\na.jpg,-1,2,3,4\n", "line 2"),
        (f"{HEADER}\na.jpg,1,2,3\n", "line 2"),
        (f"{HEADER}\na.jpg,1,2,3,4,5\n", "line 2"),
        (f"{HEADER}\na.jpg,1,2,inf,4\n", "line 2"),
        (f"{HEADER}\na.jpg,nan,2,3,4\n", "line 2"),
        (f"{HEADER}\na.jpg,one,2,3,4\n", "line 2"),
        (f"{HEADER}\n,1,2,3,4\n", "line 2"),
        ("xmin,ymin,xmax,ymax,file\n1,2,3,4\n", "line 2"),
        (f'{HEADER}\n"a.jpg,1,2,3,4\n', "cannot be read as CSV in UTF-8"),
    ],
)
def test_files_that_are_wrong(csv_file, text, message):
    with pytest.raises(ValueError, match=rf"boxes\.csv.*{message}"):
        read_boxes(csv_file(text))


def test_files_that_cannot_be_read(tmp_path, csv_file):
    with pytest.raises(ValueError, match="absent.csv: cannot be read as CSV in UTF-8: .*No such"):
        read_boxes(tmp_path / "absent.csv")
    with pytest.raises(ValueError, match="cannot be read as CSV in UTF-8"):
        read_boxes(csv_file(f"{HEADER}\ngänse.jpg,1,2,3,4\n", "latin-1"))


@pytest.mark.parametrize("size", [(56, 60), (20, 31), (7, 5)])
@pytest.mark.parametrize(("width", "height"), [(500, 375), (40, 64), (224, 224)])
def test_masks_are_the_boxes_scaled(picture, rng, width, height, size):
    boxes = {}
    for number in range(4):
        edges = [np.sort(rng.choice(side + 1, 2, replace=False)) for side in (width, height)] * 2
        boxes[f"{number}.png"] = [Box(x[0], y[0], x[1], y[1]) for x, y in (edges[:2], edges[2:])]
    boxes["0.png"] = [Box(0, 0, width, height)]
    boxes["1.png"] = [Box(3, 5, width - 4.5, height - 2.25), Box(width - 9, 0, width, 9)]
    files = [picture(name, width, height) for name in boxes]
    wanted = [painted(found, width, height, size) for found in boxes.values()]
    np.testing.assert_array_equal(box_masks(boxes, files, size), wanted)


def test_a_box_is_never_lost(picture):
    """Smaller than a pixel of the mask, between two centres, and in the last corner."""
    boxes = {"a.png": [Box(151, 52, 152, 53)], "b.png": [Box(399, 399, 400, 400)]}
    masks = box_masks(boxes, [picture(name, 400, 400) for name in boxes], (4, 4))
    assert np.argwhere(masks).tolist() == [[0, 0, 1], [1, 3, 3]]
    for size in ((8, 4), (4, 8)):
        masks = box_masks(boxes, [picture(name, 400, 400) for name in boxes], size)
        corner = [1, size[0] - 1, size[1] - 1]
        assert np.argwhere(masks).tolist() == [[0, size[0] // 8, 3 * size[1] // 8], corner]


def test_the_image_as_it_is_shown(picture):
    """A camera held upright: 60 x 40 pixels in the file, 40 x 60 on the screen."""
    exif = Image.Exif()
    exif[0x0112] = 6
    file = picture("upright.jpg", 60, 40, exif=exif)
    (mask,) = box_masks({"upright.jpg": [Box(0, 30, 40, 60)]}, [file], (60, 40))
    np.testing.assert_array_equal(mask, np.arange(60)[:, None] >= np.full(40, 30))


def test_names_with_and_without_folders(picture):
    one, other = picture("one/a.png", 64, 64), picture("other/a.png", 64, 64)
    boxes = {"a.png": [Box(0, 0, 64, 32)], "other/a.png": [Box(0, 0, 32, 64)]}
    masks = box_masks(boxes, [one, other], (2, 2))
    assert masks.tolist() == [[[True, True], [False, False]], [[True, False], [True, False]]]


def test_the_boxes_of_one_class(picture):
    files = [picture("a.png", 64, 64)] * 2
    boxes = {"a.png": [Box(0, 0, 32, 32, "cat"), Box(32, 0, 64, 32, "dog"), Box(0, 32, 32, 64)]}
    masks = box_masks(boxes, files, (2, 2), labels=["cat", "dog"])
    assert masks.tolist() == [[[True, False], [True, False]], [[False, True], [True, False]]]
    assert box_masks(boxes, files[:1], (2, 2)).sum() == 3
    with pytest.raises(ValueError, match="no box of class 'cow'; found cat, dog"):
        box_masks({"a.png": boxes["a.png"][:2]}, files[:1], labels=["cow"])


def test_what_does_not_fit_together(picture, tmp_path):
    file = picture("a.png", 64, 48)
    with pytest.raises(ValueError, match=r"a.png: no box for a.png; .* 1 files, such as b.png"):
        box_masks({"b.png": [Box(0, 0, 1, 1)]}, [file])
    with pytest.raises(ValueError, match=r"a.png: no box for a.png; .* 0 files, such as none"):
        box_masks({}, [file])
    for box in (Box(0, 0, 65, 48), Box(0, 0, 64, 49)):
        with pytest.raises(ValueError, match="reaches beyond the image, which has 64 x 48 pixels"):
            box_masks({"a.png": [box]}, [file])
    with pytest.raises(ImageError, match="no such file"):
        box_masks({"c.png": [Box(0, 0, 1, 1)]}, [tmp_path / "c.png"])
