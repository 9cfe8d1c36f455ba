"""Results appear whole or not at all, whatever fails, and whenever the process dies.

`Faults` counts every call of the system that the module makes and lets one of them fail, or the
process die there: after that nothing more is done. All are tried in turn.
"""

import contextlib
import errno
import os
import shutil
import sys
import types
from pathlib import Path

import pytest

from jaxvis import lock, stopping
from jaxvis.report import output
from jaxvis.report.output import OutputError, refuse_inputs, staging

CALLS = ("mkdir", "rename", "unlink", "rmdir", "fsync", "chmod", "open", "scandir", "listdir")
OLD = {"a.png": "old a", "gone.png": "old", "report.md": "old page", "files/1.js": "old 1"}
NEW = {"a.png": "new a", "b.png": "new b", "report.md": "new page",
       "files/1.js": "new 1"}  # fmt: skip
MINE = {"notes.txt": "mine", "deep/er.png": "mine too"}


class Killed(BaseException):
    """The process is dead: what runs after this is the next process."""


class Faults:
    """Lets the call of the given number fail, or be the last."""

    def __init__(self, monkeypatch, number=None, *, kills=False):
        self.number, self.kills, self.count, self.dead, self.on = number, kills, 0, False, True
        for name in CALLS:
            monkeypatch.setattr(os, name, self._faulty(name, getattr(os, name)))
        monkeypatch.setattr(Path, "open", self._faulty("open", Path.open))

    def _faulty(self, name, real):
        def call(*arguments, **options):
            if not self.on:
                return real(*arguments, **options)
            if self.dead:
                raise Killed
            self.count += 1
            if self.count == self.number:
                if self.kills:
                    self.dead = True
                    raise Killed
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **options)

        return call


def put(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def write(folder, files=NEW, kind="report", names=()):
    with staging(folder, kind, names) as place:
        put(place, files)


def release(folder):
    """Close what is open below the folder, as the system does for the dead."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/self/fd/{name}").startswith(str(folder)):
                os.close(int(name))


def held(folder):
    """What a user sees in the folder, by name; None if it is not there."""
    if not folder.is_dir():
        return None
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".jaxvis") for part in path.parts)
    }


def leftovers(folder):
    return sorted(str(path) for path in folder.rglob(".jaxvis-*"))


def nothing(folder):
    """No output there yet."""


def empty(folder):
    folder.mkdir()


def earlier(folder):
    write(folder, OLD)


def among_others(folder):
    write(folder, OLD)
    put(folder, MINE)


def only_others(folder):
    put(folder, MINE)


BEFORE = [nothing, empty, earlier, among_others, only_others]


def wanted(before):
    mine = MINE if before in (among_others, only_others) else {}
    old = OLD if before in (earlier, among_others) else {}
    return (None if before is nothing else {**mine, **old}), {**mine, **NEW}


def calls(before, folder):
    """How many calls a run makes that goes well."""
    before(folder)
    with pytest.MonkeyPatch.context() as patch:
        faults = Faults(patch)
        write(folder)
        faults.on = False
    return faults.count


@pytest.mark.parametrize("inside", [False, True], ids=["beside", "inside"])
@pytest.mark.parametrize("kills", [False, True], ids=["fails", "killed"])
@pytest.mark.parametrize("before", BEFORE, ids=lambda before: before.__name__)
def test_whole_or_not_at_all(before, kills, inside, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda opened: None)  # no power is cut here
    if inside:
        if before is nothing:
            pytest.skip("nothing to be inside of")
        monkeypatch.setattr(output, "_stays", lambda target: True)
    old, new = wanted(before)
    total = calls(before, tmp_path / "0" / "out") if not (tmp_path / "0").mkdir() else 0
    assert held(tmp_path / "0" / "out") == new
    assert total > 20
    seen = []
    for number in range(1, total + 1):
        folder = tmp_path / str(number) / "out"
        folder.parent.mkdir()
        before(folder)
        raised = None
        with pytest.MonkeyPatch.context() as patch:
            faults = Faults(patch, number, kills=kills)
            try:
                write(folder)
            except (OutputError, Killed) as error:
                raised = error
            faults.on = False
        if kills:
            assert isinstance(raised, Killed)
            release(folder.parent)
        else:  # the process lives, and knows which of the two it is
            assert held(folder) == (new if raised is None else old), number
        with pytest.raises(KeyError), staging(folder, "report"):  # the next run, and it fails
            raise KeyError
        found = held(folder)
        assert found in (old, new), number
        assert leftovers(folder.parent) == [], number
        seen.append(found == new)
        write(folder)  # and the one after that does not
        assert held(folder) == new
    assert seen == sorted(seen) or not kills  # from some moment on it is the new one
    assert False in seen or not kills
    assert True in seen


def test_a_folder_that_cannot_be_renamed_is_filled_file_by_file(tmp_path, monkeypatch):
    """As where a process on Windows works in it."""
    out = tmp_path / "out"
    earlier(out)
    real = os.rename

    def rename(source, target):
        if Path(source) == out:
            raise PermissionError(errno.EACCES, "in use")
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    write(out)
    assert held(out) == NEW
    assert leftovers(tmp_path) == []


def test_where_no_name_is_renamed_over_and_no_folder_synced(tmp_path, monkeypatch):
    """Windows: os.rename refuses what is there, os.open a folder; locks are those of msvcrt."""
    real_rename, real_open, real_unlink = os.rename, os.open, os.unlink
    opened = {}

    def rename(source, target):
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "there", str(target))
        real_rename(source, target)

    def open_file(path, *arguments, **options):
        if os.path.isdir(path) and not options:
            raise PermissionError(errno.EACCES, "a folder")
        found = real_open(path, *arguments, **options)
        opened[found] = str(path)
        return found

    def close(number):
        opened.pop(number, None)
        real_close(number)

    def unlink(path, **options):
        if str(path) in opened.values():
            raise PermissionError(errno.EACCES, "open")
        real_unlink(path, **options)

    locked = []

    def locking(number, mode, size):
        if opened[number] in [opened.get(other) for other in locked if other != number]:
            raise OSError(errno.EACCES, "locked")
        locked.append(number)

    real_close = os.close
    for name, fake in (
        ("rename", rename), ("open", open_file), ("close", close), ("unlink", unlink)
    ):  # fmt: skip
        monkeypatch.setattr(os, name, fake)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    windows = types.SimpleNamespace(locking=locking, LK_NBLCK=2)
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    for before in BEFORE:
        folder = tmp_path / before.__name__
        before(folder)
        with staging(folder, "report") as place:
            put(place, NEW)
            with pytest.raises(OutputError, match="another run"), staging(folder, "report"):
                pass
        assert held(folder) == wanted(before)[1]
    assert locked
    assert leftovers(tmp_path) == []


def test_without_any_locks(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", None)
    write(tmp_path / "out")
    assert held(tmp_path / "out") == NEW


def test_a_second_writer_is_refused(tmp_path, monkeypatch):
    out = tmp_path / "out"
    earlier(out)
    (tmp_path / "link").symlink_to(out)
    with staging(out, "report") as place:
        put(place, NEW)
        monkeypatch.chdir(out)
        for same in (out, tmp_path / "link", Path("."), "../out/"):
            with (
                pytest.raises(OutputError, match=r"another run of jaxvis is writing there; wait"),
                staging(same, "report"),
            ):
                pass
        write(tmp_path / "other")  # tidies up, but not after the living
        assert place.is_dir()
    assert held(out) == NEW
    assert held(tmp_path / "other") == NEW
    assert leftovers(tmp_path) == []


def test_the_lock_of_the_dead_holds_nobody(tmp_path):
    """And what they left goes, also what they left beside."""
    for name in (".jaxvis-out", ".jaxvis-elsewhere"):
        (tmp_path / name / "new").mkdir(parents=True)
        put(tmp_path / name, {"lock": "", "new/a.png": "half"})
    write(tmp_path / "out")
    assert held(tmp_path / "out") == NEW
    assert leftovers(tmp_path) == []


def test_a_download_beside_is_not_ours(tmp_path):
    """Folders of the same prefix without a lock are none of this module's."""
    put(tmp_path, {".jaxvis-1.part/weights.h5": "half"})
    write(tmp_path / "out")
    assert (tmp_path / ".jaxvis-1.part" / "weights.h5").read_text() == "half"


@pytest.mark.parametrize("end", ["../victim", "/victim", "victim"])
def test_a_journal_of_somebody_elses_making(end, tmp_path):
    """Only moves into and out of the work's own folder are carried out."""
    put(tmp_path, {"base/.jaxvis-out/lock": "", "victim": "v", "base/victim": "v"})
    text = f'{{"aside": [["{end}", "taken"]], "into": []}}'
    (tmp_path / "base/.jaxvis-out/journal.json").write_text(text)
    with pytest.raises(OutputError, match="no journal of jaxvis"):
        write(tmp_path / "base" / "out")
    assert (tmp_path / "victim").exists()
    assert (tmp_path / "base" / "victim").exists()


def test_results_that_a_users_folder_is_in_the_way_of(tmp_path):
    """A run dies between two renamings; the user makes a folder of that name: both are kept."""
    out = tmp_path / "out"
    earlier(out)
    for number in range(1, 1000):
        with pytest.MonkeyPatch.context() as patch:
            faults = Faults(patch, number, kills=True)
            with pytest.raises(Killed):
                write(out)
            faults.on = False
        release(tmp_path)
        if not out.is_dir():
            break
        earlier(out)
    put(out, MINE)
    with pytest.raises(OutputError, match=r"is in their way; move it away, or remove .*jaxvis-out"):
        write(out)
    assert held(out) == MINE
    out.rename(tmp_path / "mine")
    with pytest.raises(KeyError), staging(out, "report"):
        raise KeyError
    assert held(out) == NEW


@pytest.mark.parametrize("name", ["b.png", "report.md"])
def test_a_file_of_the_users_is_never_replaced(name, tmp_path):
    put(tmp_path, {name: "mine"})
    for names in ((name,), ()):  # told before and found out at the end
        with pytest.raises(OutputError, match=f"{name}: a file is there that jaxvis did not write"):
            write(tmp_path, names=names)
        assert held(tmp_path) == {name: "mine"}


def test_a_result_that_was_changed_is_the_users(tmp_path):
    earlier(tmp_path)
    put(tmp_path, {"report.md": "old page, and a thought"})
    with pytest.raises(OutputError, match=r"report\.md: a file is there .* or that was changed"):
        write(tmp_path)
    assert held(tmp_path) == {**OLD, "report.md": "old page, and a thought"}
    write(tmp_path, {"b.png": "new"})
    assert held(tmp_path) == {"report.md": "old page, and a thought", "b.png": "new"}


@pytest.mark.parametrize("change", ["added", "changed", "removed", "link"])
def test_a_folder_of_results_in_which_something_changed_is_the_users(change, tmp_path):
    earlier(tmp_path)
    inside = tmp_path / "files" / "1.js"
    if change == "added":
        put(tmp_path, {"files/mine": "mine"})
    elif change == "changed":
        inside.write_text("and a thought")
    else:
        inside.unlink()
        if change == "link":
            inside.symlink_to(tmp_path / "a.png")
    before = held(tmp_path)
    with pytest.raises(OutputError, match=r"files: a folder is there .* or that was changed"):
        write(tmp_path)
    assert held(tmp_path) == before


def test_a_folder_in_the_place_of_a_file(tmp_path):
    earlier(tmp_path)
    (tmp_path / "b.png").mkdir()
    with pytest.raises(OutputError, match=r"b\.png: a folder is there"):
        write(tmp_path)
    assert held(tmp_path) == OLD


def test_each_kind_of_result_replaces_its_own(tmp_path):
    write(tmp_path, OLD)
    write(tmp_path, {"evaluation.md": "1", "where.png": "1"}, kind="evaluation")
    write(tmp_path, NEW)
    write(tmp_path, {"evaluation.md": "2"}, kind="evaluation")
    assert held(tmp_path) == {**NEW, "evaluation.md": "2"}


def test_nothing_is_left_of_a_run_that_failed(tmp_path):
    with pytest.raises(KeyError), staging(tmp_path / "a" / "b" / "c", "report"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_modes_and_links(tmp_path):
    """A link stays a link, and the folder has the mode that it had, or a folder's usual one."""
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link")
    (tmp_path / "usual").mkdir()
    assert (tmp_path / "real").stat().st_mode == (tmp_path / "usual").stat().st_mode
    (tmp_path / "real").chmod(0o2750)
    write(tmp_path / "link", OLD)
    assert (tmp_path / "link").is_symlink()
    assert held(tmp_path / "real") == OLD
    assert (tmp_path / "real").stat().st_mode & 0o7777 == 0o2750


def test_the_working_directory_is_not_exchanged(tmp_path, monkeypatch):
    """A shell in it would find itself in a folder that is gone."""
    earlier(tmp_path / "out")
    monkeypatch.chdir(tmp_path / "out")
    write(".")
    assert held(Path()) == NEW
    assert os.path.samefile(".", tmp_path / "out")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EROFS])
def test_a_disk_at_fault(number, tmp_path):
    with (
        pytest.raises(OutputError, match=os.strerror(number)),
        staging(tmp_path / "out", "report"),
    ):
        raise OSError(number, os.strerror(number))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_vanishes(tmp_path):
    def write_late():
        with staging(tmp_path / "at" / "out", "report") as place:
            shutil.rmtree(tmp_path / "at")
            (place / "a.png").write_text("")

    with pytest.raises(OutputError, match="nothing can be written there"):
        write_late()


def test_other_errors_are_not_of_the_output(tmp_path):
    with pytest.raises(FileNotFoundError) as raised, staging(tmp_path / "out", "report"):
        Path("nowhere").read_text()
    assert not isinstance(raised.value, OutputError)


def test_images_in_the_folder_of_the_results(tmp_path, monkeypatch):
    put(tmp_path, {"pictures/a.png": "", "pictures/sub/b.png": "", "far/c.png": ""})
    (tmp_path / "link").symlink_to("pictures")
    (tmp_path / "far" / "d.png").symlink_to("../pictures/a.png")
    pictures = tmp_path / "pictures"
    monkeypatch.chdir(pictures)
    for out in (pictures, f"{pictures}/", ".", tmp_path / "link", "sub/.."):
        for image in (pictures / "a.png", Path("a.png"), tmp_path / "far" / "d.png"):
            with pytest.raises(ValueError, match="the images are in this folder; results are"):
                refuse_inputs(out, [image])
    refuse_inputs(pictures, [tmp_path / "far" / "c.png", pictures / "sub" / "b.png"])
    refuse_inputs(pictures / "new", [pictures / "a.png"])


def test_a_lock_whose_file_was_removed_is_none(tmp_path):
    first = lock.hold(tmp_path / "lock")
    assert lock.hold(tmp_path / "lock") is None
    os.unlink(tmp_path / "lock")
    second = lock.hold(tmp_path / "lock")
    assert second is not None
    for one in (first, second):
        os.close(one)


def test_no_part_that_must_be_finished_is_left_open():
    assert stopping._held == 0
    assert stopping._undo == []
