"""The command line: exit statuses, what is written where, and that the user's file is never run."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import flatgrad
from flatgrad.cli import main

ROOT = Path(__file__).parents[2]
SQUARE = "def square(x: float):\n    return x * x\n"
TWO = """from flatgrad import flatgrad


@flatgrad
def first(x: float):
    return x * 2


@flatgrad(wrt="b", style="compact")
def second(a: float, b: float):
    return a * b * 3


def third(x: float):
    return x
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A folder to work in, with square.py and two.py."""
    monkeypatch.chdir(tmp_path)
    Path("square.py").write_text(SQUARE)
    Path("two.py").write_text(TWO)
    return tmp_path


def command(*arguments, **options):
    """Run the command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)} | options.pop("env", {})
    return subprocess.run(
        [sys.executable, "-m", "flatgrad", *arguments], env=environment, capture_output=True, timeout=60, **options
    )


def names(folder):
    """Return what lies in a folder, hidden files too."""
    return sorted(os.listdir(folder))


# what is written


def test_writes_the_module_to_standard_output(file, capsys):
    assert main(["emit", "square.py"]) == 0
    captured = capsys.readouterr()
    assert "def square_value_and_grad(x: float, *, grad_out: float = 1.0):" in captured.out
    assert captured.err == ""


def test_output_file_holds_the_same_bytes_as_standard_output(file, capsys):
    assert main(["emit", "square.py"]) == 0
    printed = capsys.readouterr().out
    assert main(["emit", "square.py", "-o", "out.py"]) == 0
    assert Path("out.py").read_bytes() == printed.encode()
    assert capsys.readouterr().out == ""


def test_api_and_command_line_write_the_same(file, capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(file))
    import square

    assert main(["emit", "square.py"]) == 0
    assert capsys.readouterr().out == flatgrad.emit(square.square)


def test_every_decorated_function_is_written_with_its_own_options(file, capsys):
    assert main(["emit", "two.py"]) == 0
    out = capsys.readouterr().out
    compile(out, "out.py", "exec")
    assert re.findall(r"def (\w+)", out) == ["first_value_and_grad", "second_value_and_grad"]
    assert "Return out and grad_b." in out


def test_function_after_the_colon_is_the_one_that_is_written(file, capsys):
    assert main(["emit", "two.py:third"]) == 0
    assert re.findall(r"def (\w+)", capsys.readouterr().out) == ["third_value_and_grad"]


def test_options_of_the_command_line_override_the_decorator(file, capsys):
    assert main(["emit", "two.py:second", "--wrt", "a,b", "--style", "flat", "--target", "math"]) == 0
    out = capsys.readouterr().out
    assert "Return out and (grad_a, grad_b)." in out
    assert "t0 = a * b" in out


@pytest.mark.parametrize(("wrt", "returned"), [("b", "grad_b"), ("b,", "(grad_b,)"), (" b , a", "(grad_b, grad_a)")])
def test_one_name_gives_the_bare_gradient_and_a_comma_a_tuple(file, capsys, wrt, returned):
    assert main(["emit", "two.py:second", "--wrt", wrt]) == 0
    assert f"return out, {returned}\n" in capsys.readouterr().out


def test_shapes_from_the_command_line(file, capsys):
    Path("f.py").write_text("import numpy as np\n\n\ndef f(X, w):\n    return np.sum(X @ w)\n")
    assert main(["emit", "f.py", "--shapes", "X=(n,d) w=(d,)"]) == 0
    assert "X: (n, d), w: (d,)." in capsys.readouterr().out


def test_what_was_taken_for_granted_goes_to_standard_error(file, capsys):
    Path("f.py").write_text("def f(x):\n    return x * x\n")
    assert main(["emit", "f.py"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("note: f: taken as float: x")
    assert "note" not in captured.out


@pytest.mark.parametrize("path", ["with space.py", "C:odd.py", "a:b/f.py", "ünï.py"])
def test_paths_with_colons_spaces_and_accents(file, capsys, path):
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text(SQUARE)
    for argument in (path, f"{path}:square", str(file / path)):
        assert main(["emit", argument]) == 0
        assert f"from {Path(path).name}:1." in capsys.readouterr().out


def test_module_names_the_file_without_its_folder(file, capsys):
    assert main(["emit", str(file / "square.py")]) == 0
    assert str(file) not in capsys.readouterr().out


# the output file


def test_output_file_has_the_permissions_of_a_normal_file(file):
    assert main(["emit", "square.py", "-o", "out.py"]) == 0
    assert os.stat("out.py").st_mode == os.stat("square.py").st_mode
    os.chmod("out.py", 0o640)
    assert main(["emit", "square.py", "-o", "out.py"]) == 0
    assert os.stat("out.py").st_mode & 0o777 == 0o640


def test_symbolic_link_stays_a_link(file):
    Path("real").mkdir()
    os.symlink("real/out.py", "out.py")
    for _ in range(2):
        assert main(["emit", "square.py", "-o", "out.py"]) == 0
        assert Path("out.py").is_symlink()
        assert names("real") == ["out.py"]


def test_device_is_written_to_and_not_replaced(file):
    assert main(["emit", "square.py", "-o", os.devnull]) == 0
    assert not Path(os.devnull).is_file()


def test_interrupted_write_leaves_the_old_file_whole(file, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    Path("out.py").write_text("old")
    before = names(file)
    monkeypatch.setattr(os, "replace", interrupted)
    assert main(["emit", "square.py", "-o", "out.py"]) == 130
    assert Path("out.py").read_text() == "old"
    assert names(file) == before


def test_full_disk_is_one_clear_error(file, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    before = names(file)
    monkeypatch.setattr(os, "fsync", full)
    assert main(["emit", "square.py", "-o", "out.py"]) == 2
    assert capsys.readouterr().err == "out.py: can't write the file: No space left on device\n"
    assert names(file) == before


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("missing/out.py", "can't write the file: No such file or directory"),
        ("square.py/out.py", "can't write the file: Not a directory"),
        (".", "the output is a folder"),
        ("square.py", "the output is the file that is read"),
        ("", "can't write the file: No such file or directory"),
        ("nul\0", "can't write the file: "),
    ],
)
def test_output_that_cannot_be_written(file, capsys, output, message):
    before = names(file)
    assert main(["emit", "square.py", "-o", output]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"{output}: {message}")
    assert "Traceback" not in error
    assert names(file) == before
    assert Path("square.py").read_text() == SQUARE


def test_several_functions_do_not_fit_into_one_output(file, capsys):
    assert main(["emit", "two.py", "-o", "out.py"]) == 2
    assert "first, second" in capsys.readouterr().err
    assert not Path("out.py").exists()


# --check


def test_check_tells_whether_the_output_is_up_to_date(file, capsys):
    assert main(["emit", "square.py", "-o", "out.py", "--check"]) == 1
    assert "out.py: not up to date: there is no such file" in capsys.readouterr().err
    assert not Path("out.py").exists()
    assert main(["emit", "square.py", "-o", "out.py"]) == 0
    assert main(["emit", "square.py", "-o", "out.py", "--check"]) == 0
    assert capsys.readouterr().err == ""


def test_check_shows_the_difference_and_writes_nothing(file, capsys):
    main(["emit", "square.py", "-o", "out.py"])
    changed = Path("out.py").read_text().replace("return out", "return -out")
    Path("out.py").write_text(changed)
    capsys.readouterr()
    assert main(["emit", "square.py", "-o", "out.py", "--check"]) == 1
    error = capsys.readouterr().err
    assert "-    return -out" in error
    assert "+    return out" in error
    assert Path("out.py").read_text() == changed


def test_check_keeps_a_long_difference_short(file, capsys):
    Path("out.py").write_bytes(b"\xff\n" * 1000)
    assert main(["emit", "square.py", "-o", "out.py", "--check"]) == 1
    assert len(capsys.readouterr().err.splitlines()) < 30


def test_check_without_an_output_is_bad_input(file, capsys):
    with pytest.raises(SystemExit) as exit:
        main(["emit", "square.py", "--check"])
    assert exit.value.code == 2
    assert "--check needs -o" in capsys.readouterr().err


# bad input

NUMPY = "import numpy as np\n\n\n"

BAD_SOURCES = {
    "syntax error": ("def f(x):\n    return x +\n", [], "2:", "syntax error"),
    "unknown function of NumPy": (NUMPY + "def f(x: float):\n    return np.i0(x)\n", [], "5:12", "np.i0"),
    "misspelled function": (NUMPY + "def f(x: float):\n    return np.tahn(x)\n", [], "5:12", "tanh"),
    "while": ("def f(x: float):\n    while x > 1:\n        x = x / 2\n    return x\n", [], "2:5", "while"),
    "in place": (
        NUMPY + "def f(x):\n    y = x * 2\n    y[0] = 1.0\n    return np.sum(y)\n",
        ["--shapes", "x=(n,)"],
        "6:5",
        "assignment into an array",
    ),
    "rank unknown": ("def f(X):\n    return X[0, 0]\n", [], "2:12", "`X` is an array, and its rank is not known"),
    "shapes that cannot match": (
        "def f(X, w):\n    return (X @ w).sum()\n",
        ["--shapes", "X=(4,3) w=(2,)"],
        "2:13",
        "3 and 2",
    ),
    "unknown wrt": ("def f(x: float):\n    return x\n", ["--wrt", "W"], "1:5", "`W`"),
    "undefined name": ("def f(x: float):\n    return x * factor\n", [], "2:16", "`factor` is not defined"),
    "starred parameter": ("def f(*x):\n    return x[0]\n", [], "1:7", "any number of arguments"),
    "bad option of the decorator": (
        'from flatgrad import flatgrad\n\n\n@flatgrad(style="long")\ndef f(x: float):\n    return x\n',
        [],
        "4:17",
        "there is no style 'long'",
    ),
}


@pytest.mark.parametrize("case", BAD_SOURCES)
def test_bad_source_is_one_message_at_its_place(file, capsys, case):
    text, options, place, fragment = BAD_SOURCES[case]
    Path("bad.py").write_text(text)
    before = names(file)
    assert main(["emit", "bad.py", "-o", "out.py", *options]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"bad.py:{place}")
    assert fragment in captured.err
    assert len(re.findall("^bad.py:", captured.err, re.MULTILINE)) == 1
    assert captured.out == ""
    assert names(file) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.py"], "missing.py: can't read the file: No such file or directory"),
        (["."], ".: can't read the file: Is a directory"),
        (["square.py:cube"], "square.py: the file has no function cube"),
        (["square.py:"], "square.py:: can't read the file"),
        (["latin.py"], "latin.py: line 1 can't be decoded as utf-8"),
        (["empty.py"], "empty.py: the file is empty"),
        (["only_numbers.py"], "only_numbers.py: the file has no function"),
        (["several.py"], "several.py: the file has several functions: f, g"),
        (["square.py", "--shapes", "x=("], "shapes can't be read"),
        (["square.py", "--shapes", "y=(n,)"], "shapes has `y`, which is not a parameter of `square`"),
        (["square.py", "--wrt", ""], "wrt has ''"),
        (["square.py", "--wrt", ","], "wrt has ''"),
        (["square.py", "--wrt", "x,x"], "wrt names x more than once"),
    ],
)
def test_bad_input_is_one_message_without_a_traceback(file, capsys, arguments, message):
    Path("latin.py").write_bytes("# caf\u00e9\n".encode("latin-1"))
    Path("empty.py").write_text("")
    Path("only_numbers.py").write_text("x = 1\n")
    Path("several.py").write_text("def f(x):\n    return x\n\n\ndef g(x):\n    return x\n")
    before = names(file)
    assert main(["emit", *arguments, *(["-o", "out.py"])]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(message)
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert names(file) == before


def test_problems_of_all_functions_are_shown_and_nothing_is_printed(file, capsys):
    Path("two.py").write_text(TWO.replace("x * 2", "x * y").replace("a * b * 3", "a * c"))
    assert main(["emit", "two.py"]) == 2
    captured = capsys.readouterr()
    assert re.findall(r"^two.py:(\d+:\d+)", captured.err, re.MULTILINE) == ["6:16", "11:16"]
    assert captured.out == ""


@pytest.mark.parametrize("arguments", [[], ["emit"], ["write"], ["emit", "f.py", "--style", "long"], ["emit", "f.py", "--chek"]])
def test_wrong_usage_exits_with_2(capsys, arguments):
    with pytest.raises(SystemExit) as exit:
        main(arguments)
    assert exit.value.code == 2
    assert capsys.readouterr().err.startswith("usage: flatgrad")


def test_version_and_help(capsys):
    for arguments, text in ((["--version"], f"flatgrad {flatgrad.__version__}"), (["emit", "-h"], "usage: flatgrad")):
        with pytest.raises(SystemExit) as exit:
            main(arguments)
        assert exit.value.code == 0
        assert capsys.readouterr().out.startswith(text)


# the process


def test_file_is_read_and_never_run(file):
    Path("precious").write_text("kept")
    Path("danger.py").write_text(
        "import os\nimport no_such_module\nos.unlink('precious')\n\n\n"
        "def f(x: float, y: float = 2.0):\n    return x * y\n\n\nraise SystemExit(7)\n"
    )
    done = command("emit", "danger.py")
    assert done.returncode == 0, done.stderr
    assert b"f_value_and_grad" in done.stdout
    assert Path("precious").read_text() == "kept"
    assert names(file) == ["danger.py", "precious", "square.py", "two.py"]


def test_bad_input_of_the_process_has_status_2_and_no_traceback(file):
    done = command("emit", "missing.py")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"missing.py: can't read the file: No such file or directory\n"


def test_output_is_utf8_whatever_the_locale(file):
    Path("f.py").write_text('def f(α: float):\n    """Größe."""\n    return α * 2  # Maß\n', encoding="utf-8")
    done = command("emit", "f.py", env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "Größe" in done.stdout.decode("utf-8")


def test_closed_pipe_is_no_error(file):
    with subprocess.Popen(
        [sys.executable, "-m", "flatgrad", "emit", "square.py"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def on_terminal(*arguments, **environment):
    """Return what the command shows on a terminal of 80 columns."""
    main_end, other_end = pty.openpty()
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "80", **environment}
    with subprocess.Popen([sys.executable, "-m", "flatgrad", *arguments], env=settings, stdout=other_end) as process:
        os.close(other_end)
        shown = b""
        while True:
            try:
                read = os.read(main_end, 65536)
            except OSError:  # how Linux says that the other end is closed
                break
            if not read:
                break
            shown += read
    os.close(main_end)
    assert process.returncode == 0
    return shown.decode().replace("\r\n", "\n")


def test_colour_on_a_terminal_only_and_the_same_text(file, capsys):
    Path("long.py").write_text("def f(" + ", ".join(f"parameter{k}: float" for k in range(9)) + "):\n    return parameter0 * 2\n")
    main(["emit", "long.py"])
    plain = capsys.readouterr().out
    coloured = on_terminal("emit", "long.py", NO_COLOR="")
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    assert on_terminal("emit", "long.py", NO_COLOR="1") == plain
    assert on_terminal("emit", "long.py", NO_COLOR="", TERM="dumb") == plain


# what the user wrote stays text

HOSTILE = r'''import numpy as np


def f(x: "{{ 7 * 7 }}", y: 'float"""' = 2.0):
    """Ends \""" early, {{ x }} {% for %} {# gone #} \\ and \n
    ''' + "'''" + r'''; import os; os._exit(3) # \N{BULLET} \x22\x22\x22
    """
    z = x * y  # """ {{ 1 / 0 }} {% raise %} \
    # {% endraw %} """
    return z * 2
'''


def test_hostile_text_comes_out_as_text(file, capsys):
    Path("f.py").write_text(HOSTILE)
    assert main(["emit", "f.py"]) == 0, capsys.readouterr().err
    out = capsys.readouterr().out
    assert "{{ 1 / 0 }} {% raise %}" in out
    assert "{{ x }} {% for %} {# gone #}" in out
    namespace = {}
    exec(compile(out, "out.py", "exec"), namespace)
    assert set(namespace) - {"__builtins__", "__doc__", "np"} == {"f_value_and_grad"}
    assert namespace["f_value_and_grad"](3.0, 5.0) == (30.0, (10.0, 6.0))


@pytest.mark.parametrize("name", ['a""".py', "a\\.py", "{{ 7 * 7 }}.py", "a\nimport os.py", '"""; raise SystemExit.py'])
def test_hostile_file_name_comes_out_as_text(file, capsys, name):
    Path(name).write_text(SQUARE)
    assert main(["emit", name]) == 0
    namespace = {}
    exec(compile(capsys.readouterr().out, "out.py", "exec"), namespace)
    assert set(namespace) - {"__builtins__", "__doc__"} == {"square_value_and_grad"}
    assert "49" not in namespace["__doc__"]


def test_emitted_module_is_right(file, capsys):
    Path("f.py").write_text(NUMPY + "def f(X, w):\n    return np.sum(np.tanh(X @ w) ** 2)\n")
    assert main(["emit", "f.py", "--shapes", "X=(n,d) w=(d,)"]) == 0
    namespace = {}
    exec(capsys.readouterr().out, namespace)
    rng = np.random.default_rng(0)
    X, w, move = rng.standard_normal((4, 3)), rng.standard_normal(3), 1e-6 * rng.standard_normal(3)
    _, (_, grad_w) = namespace["f_value_and_grad"](X, w)
    difference = namespace["f_value_and_grad"](X, w + move)[0] - namespace["f_value_and_grad"](X, w - move)[0]
    np.testing.assert_allclose(2 * grad_w @ move, difference, rtol=1e-6)
