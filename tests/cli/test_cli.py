"""The command line: exit statuses, what is written where, and that the user's file is never run."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

import flatgrad
from flatgrad.cli import main

ROOT = Path(__file__).parents[2]


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


STRUCTURES = """import numpy as np
from jaxtyping import Float

from flatgrad import flatgrad


class Linear:
    def __init__(self, W: Float[np.ndarray, "d h"], b: Float[np.ndarray, "h"]):
        self.W = W
        self.b = b

    @flatgrad(wrt="self.W")
    def loss(self, x: Float[np.ndarray, "n d"]):
        return np.sum((x @ self.W + self.b) ** 2)

    def total(self, x: float):
        return np.sum(self.b) * x


class Other(Linear):
    pass


def f(params, layers, x):
    for layer in layers:
        x = x @ layer["W"]
    return np.sum(x * params["b"]) * params["k"]
"""


def test_shapes_of_parts(file, capsys):
    """Paths lead into dicts and lists, and a length says how many parts a list has."""
    Path("f.py").write_text(STRUCTURES)
    shapes = "params.b=(h,) params['k']=float len(layers)=2 layers[*].W=(h,h) x=(n,h)"
    assert main(["emit", "f.py:f", "--shapes", shapes]) == 0
    out = capsys.readouterr().out
    assert 'params["b"]: (h,)' in out
    assert 'layers[0]["W"]: (h, h), layers[1]: like layers[0]' in out
    compile(out, "out.py", "exec")


def test_method_is_named_with_its_class(file, capsys, monkeypatch):
    """Also one that the class inherits, and the same as of the class object."""
    Path("methods.py").write_text(STRUCTURES)
    assert main(["emit", "methods.py:Linear.total", "--wrt", "self.b"]) == 0
    total = capsys.readouterr().out
    assert "def total_value_and_grad(self, x" in total
    assert main(["emit", "methods.py:Other.total", "--wrt", "self.b"]) == 0
    assert capsys.readouterr().out == total
    monkeypatch.syspath_prepend(str(file))
    import methods

    assert flatgrad.emit(methods.Linear.total, wrt="self.b") == total


def test_decorated_methods_are_written_too(file, capsys):
    Path("methods.py").write_text(STRUCTURES)
    assert main(["emit", "methods.py"]) == 0
    out = capsys.readouterr().out
    assert re.findall(r"def (\w+)", out) == ["loss_value_and_grad"]
    assert "Return out and grad_W." in out


def test_what_was_taken_for_granted_goes_to_standard_error(file, capsys):
    Path("f.py").write_text("def f(x):\n    return x * x\n")
    assert main(["emit", "f.py"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("note: f: taken as float: x")
    assert "note" not in captured.out


@pytest.mark.parametrize("path", ["with space.py", "C:odd.py", "a:b/f.py", "ünï.py"])
def test_paths_with_colons_spaces_and_accents(file, capsys, path):
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text(Path("square.py").read_text())
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
        ("", "the output is a folder"),
        ("nul\0", "can't write the file: "),
    ],
)
def test_output_that_cannot_be_written(file, capsys, output, message):
    before = names(file)
    square = Path("square.py").read_text()
    assert main(["emit", "square.py", "-o", output]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"{output}: {message}" if output else message)
    assert "Traceback" not in error
    assert names(file) == before
    assert Path("square.py").read_text() == square


def test_several_functions_share_a_module(file, capsys):
    """Imports, constants and helpers stand at its head once."""
    Path("gates.py").write_text(
        "import math\nimport numpy as np\nfrom flatgrad import flatgrad\nfrom flatgrad.nn import sigmoid\n\nRATE = 0.5\n\n\n"
        "@flatgrad\ndef first(x: float):\n    return sigmoid(x) * RATE\n\n\n"
        "@flatgrad\ndef second(x: float):\n    return RATE * np.exp(sigmoid(x)) + math.sin(x)\n"
    )
    assert main(["emit", "gates.py", "-o", "out.py"]) == 0
    text = Path("out.py").read_text()
    assert text.startswith(
        '"""Forward and backward passes of `first` and `second`, written by flatgrad from gates.py."""\n\n'
        "import math\n\nimport numpy as np\n\nRATE = 0.5\n\n\ndef sigmoid(x):\n"
    )
    assert text.count("def ") == 3
    scope = {}
    exec(compile(text, "out.py", "exec"), scope)
    assert scope["first_value_and_grad"](0.0) == (0.25, (0.125,))
    assert main(["emit", "gates.py"]) == 0
    assert capsys.readouterr().out == text


def test_functions_whose_helpers_differ_need_modules_of_their_own(file, capsys):
    Path("gates.py").write_text(
        "from flatgrad import flatgrad\nfrom flatgrad.nn import sigmoid\n\n\n"
        "@flatgrad\ndef first(x: float):\n    return sigmoid(x)\n\n\n"
        '@flatgrad(target="math")\ndef second(x: float):\n    return sigmoid(x)\n'
    )
    assert main(["emit", "gates.py", "-o", "out.py"]) == 2
    assert "`first` and `second` need a `sigmoid` each" in capsys.readouterr().err
    assert not Path("out.py").exists()


def test_axis_with_a_default_is_known_when_the_code_is_written(file, capsys):
    Path("axis.py").write_text(
        "import numpy as np\nfrom jaxtyping import Float\n\n\n"
        'def f(x: Float[np.ndarray, "n m"], axis: int = 0):\n    return np.sum(np.max(x, axis=axis) ** 2)\n'
    )
    assert main(["emit", "axis.py"]) == 0
    assert "Written for axis=0." in capsys.readouterr().out


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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_full_standard_output_is_one_clear_error(file):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "flatgrad", "emit", "square.py"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    assert done.returncode == 2
    assert done.stderr == b"standard output: can't write: No space left on device\n"


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
    Path("long.py").write_text(
        "def f(" + ", ".join(f"parameter{k}: float" for k in range(9)) + "):\n    return parameter0 * 2\n"
    )
    main(["emit", "long.py"])
    plain = capsys.readouterr().out
    coloured = on_terminal("emit", "long.py", NO_COLOR="")
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    assert on_terminal("emit", "long.py", NO_COLOR="1") == plain
    assert on_terminal("emit", "long.py", NO_COLOR="", TERM="dumb") == plain
