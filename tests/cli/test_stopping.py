"""A signal ends the command with one true line and its code, at whatever moment it comes."""

import re
import signal
import subprocess
import sys
import time

import pytest

START = """
import gc, os, signal, sys, time
from jaxvis import stopping
stopping.install()
def kill(name):
    os.kill(os.getpid(), getattr(signal, name))
"""
SIGNALS = [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "terminated")]


@pytest.fixture(autouse=True)
def not_ignored():
    """Tests that a script started as a background job ignore SIGINT, and so would the children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def run(code):
    done = subprocess.run(
        [sys.executable, "-c", START + code], capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(("name", "code", "word"), SIGNALS)
def test_what_was_begun_is_undone_and_what_was_printed_stays(name, code, word):
    found, out, err = run(f"""
print("line")
with stopping.undone_by(lambda: os.write(1, b"undone")):
    kill("{name}")
    time.sleep(9)
""")
    assert (found, err) == (code, f"jaxvis: {word}; nothing was written\n")
    assert sorted(out.splitlines()) in (["line", "undone"], ["undoneline"])  # buffered or not


@pytest.mark.parametrize(("name", "code", "word"), SIGNALS)
def test_what_must_not_stop_halfway_is_finished(name, code, word):
    done = run(f"""
with stopping.postponed():
    with stopping.postponed():
        kill("{name}")
    os.write(1, b"finished")
    stopping.succeeded("all was written")
print("never")
""")
    assert done == (code, "finished", f"jaxvis: {word}; all was written\n")


def test_the_second_signal_does_not_wait():
    code, out, err = run("""
with stopping.postponed():
    kill("SIGINT")
    kill("SIGINT")
    print("never")
""")
    assert (code, out) == (130, "")
    assert err == "jaxvis: interrupted; at once; the next run with the same folder tidies up\n"


@pytest.mark.parametrize(
    "code",
    [
        "class A:\n    def __del__(self): kill('SIGINT')\na = A()\ndel a",
        "gc.callbacks.append(lambda *_: kill('SIGINT'))\ngc.collect()",
        "try:\n    kill('SIGINT')\nexcept BaseException:\n    pass",
        "signal.set_wakeup_fd(-1)\nkill('SIGINT')",  # as asyncio leaves it
        "import atexit\natexit.register(kill, 'SIGINT')",
        "sys.stdout = None\nkill('SIGINT')",
        "os.close(2)\nkill('SIGINT')",
    ],
)
def test_no_code_that_swallows_exceptions_swallows_it(code):
    """As the clean-up of XLA and imports of C code do, which print a traceback and go on."""
    found = run(code)
    assert found[0] == 130
    assert "Traceback" not in found[2]


def test_the_main_thread_may_be_deep_in_c_code():
    """A batch takes seconds, and Python's handlers wait for it."""
    start = time.monotonic()
    found = run("import hashlib\nimport threading\n"
                "threading.Timer(0.3, lambda: kill('SIGINT')).start()\n"
                "hashlib.pbkdf2_hmac('sha256', b'', b'', 10**8)")  # fmt: skip
    assert found == (130, "", "jaxvis: interrupted; nothing was written\n")
    assert time.monotonic() - start < 30


def test_a_reader_that_does_not_read_stops_nothing():
    """The main thread stands inside print, and holds its lock."""
    with subprocess.Popen(
        [sys.executable, "-c", START + "while True: print('x' * 1000)"], stdout=subprocess.PIPE
    ) as process:
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 143


def test_what_is_ignored_stays_ignored():
    """nohup, and the background jobs of scripts."""
    code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)" + START + "kill('SIGINT')"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_when_all_is_done_a_signal_comes_too_late():
    assert run("stopping.uninstall()\nkill('SIGTERM')\nprint('done')") == (0, "done\n", "")


@pytest.mark.parametrize(("name", "code", "word"), SIGNALS)
@pytest.mark.parametrize("seconds", [0, 0.1, 0.4])
def test_the_command_while_it_imports(name, code, word, seconds, tmp_path):
    """From the moment that the first of its lines runs."""
    with subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "jaxvis", "report"], cwd=tmp_path, text=True,
        stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        for line in process.stderr:
            if re.search(r"\| +argparse$", line):  # `jaxvis.cli.main` is being imported
                break
        time.sleep(seconds)
        process.send_signal(getattr(signal, name))
        told = process.stderr.read().splitlines()
    assert process.returncode == code
    assert f"jaxvis: {word}; nothing was written" in told[-1]
    assert not any("Traceback" in line for line in told)
    assert list(tmp_path.iterdir()) == []
